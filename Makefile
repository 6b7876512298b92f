.DEFAULT_GOAL := help
SHELL := /bin/sh

# Pinned, so that a lint run means the same today and next year.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NFPM := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT := $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## See the main job at work: embedded SQLite, a fake DingTalk, nothing to configure
	@go run ./cmd/larder demo

.PHONY: test
test: test-deps ## Run all tests with the race detector, on real servers (installs what they need on Debian)
	go test -race -timeout 20m ./...

.PHONY: test-deps
test-deps: ## Install what the tests start: MariaDB, PHP with Laravel, a C compiler
	@scripts/test-deps.sh

.PHONY: test-peers
test-peers: test-deps ## Run the tests on Oracle MySQL 9, a Galera cluster and Laravel 10 and 13 (installs them on Debian; root)
	@scripts/test-peers.sh

.PHONY: fuzz
fuzz: ## Fuzz the codec of PHP's format, the patterns of List and the dumps for a minute a target, from the corpus in the repository
	go test ./store/php -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZTIME)
	go test ./store/php -run '^$$' -fuzz '^FuzzRoundTrip$$' -fuzztime $(FUZZTIME)
	go test ./store/php -run '^$$' -fuzz '^FuzzFromJSON$$' -fuzztime $(FUZZTIME)
	go test ./store -run '^$$' -fuzz '^FuzzList$$' -fuzztime $(FUZZTIME)
	go test ./internal/dump -run '^$$' -fuzz '^FuzzReader$$' -fuzztime $(FUZZTIME)
	go test ./internal/dump -run '^$$' -fuzz '^FuzzDump$$' -fuzztime $(FUZZTIME)

FUZZTIME ?= 60s

.PHONY: lint
lint: ## Check formatting, go vet (for Windows and macOS too), staticcheck
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags peers,bench,showcase ./store ./internal/bench ./internal/showcase
	GOOS=windows go vet -tags peers,bench,showcase ./...
	GOOS=darwin go vet -tags peers,bench,showcase ./...
	go run $(STATICCHECK) -tags peers,bench,showcase ./...

.PHONY: bench
bench: test-deps ## Measure larder beside its references, write docs/performance.md and the table of docs/tokens.md, fail if a goal is missed (five minutes). ONLY=CommandLine: that part alone, nothing is written
	@mkdir -p bin docs
	@go test -c -tags bench -o bin/bench.test ./internal/bench
	@LARDER_TEST_LARAVEL13="$(LARAVEL13)" bin/bench.test $(if $(ONLY),-test.run '^TestGoals$$/^$(ONLY)',-test.run '^TestGoals$$' -page docs/performance.md -tokens docs/tokens.md)

# The newest Laravel to measure against, where make test-peers has installed it; else this machine's own. It takes root to run.
LARAVEL13 ?= $(if $(LARDER_TEST_LARAVEL13),$(LARDER_TEST_LARAVEL13),$(shell [ "$$(id -u)" != 0 ] || ls -d "$${LARDER_PEERS:-$$HOME/.cache/larder-peers}/sid" 2>/dev/null))

.PHONY: docs
docs: ## Write docs/cli.md from what the commands say of themselves
	@mkdir -p bin
	@go run ./cmd/larder docs markdown >bin/cli.md
	@mv bin/cli.md docs/cli.md

.PHONY: terminal
terminal: build ## Record what larder looks like on terminals: docs/terminal.md and its pictures (installs tmux and python3-rich on Debian)
	@scripts/test-deps.sh tmux python3-rich
	@go test -c -tags showcase -o bin/showcase.test ./internal/showcase
	@bin/showcase.test -test.run '^TestRecord$$' -larder '$(CURDIR)/bin/larder' -docs '$(CURDIR)/docs'

.PHONY: build
build: ## Build the static binary bin/larder
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/larder ./cmd/larder

PLATFORMS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64 windows-arm64

# Debian's versions begin with a digit: a build of no release is older than all releases, and newer than one of an earlier commit.
COMMITTED := $(shell TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd 2>/dev/null || echo 0)
DEB_VERSION := $(if $(filter v%,$(VERSION)),$(patsubst v%,%,$(subst -,+,$(VERSION))),0~git$(COMMITTED)+$(subst -,+,$(VERSION)))

# The same commit gives the same files: its time stands in the man pages and the packages.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: dist
dist: ## Build dist/: binaries for Linux, macOS and Windows (amd64, arm64), Debian packages, checksums
	@rm -rf dist && mkdir -p dist/completion
	@for p in $(PLATFORMS); do \
		os=$${p%-*} arch=$${p#*-} end=; [ $$os != windows ] || end=.exe; \
		echo "dist/larder-$(VERSION)-$$p$$end"; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o "dist/larder-$(VERSION)-$$p$$end" ./cmd/larder || exit 1; \
	done
	@go build -trimpath -ldflags '$(LDFLAGS)' -o dist/larder ./cmd/larder
	@dist/larder docs man dist/man && gzip -9n dist/man/*.1
	@dist/larder completion bash >dist/completion/larder.bash
	@dist/larder completion zsh >dist/completion/_larder
	@dist/larder completion fish >dist/completion/larder.fish
	@for arch in amd64 arm64; do \
		ARCH=$$arch VERSION='$(DEB_VERSION)' BINARY="dist/larder-$(VERSION)-linux-$$arch" \
			go run $(NFPM) package --config packaging/nfpm.yaml --packager deb --target dist/ || exit 1; \
	done
	@rm dist/larder
	@cd dist && sha256sum larder* >SHA256SUMS && cat SHA256SUMS

.PHONY: test-dist
test-dist: dist ## Test dist/: the same when built again, packages whole, the program alone in a folder as in the Docker image
	@scripts/test-dist.sh
