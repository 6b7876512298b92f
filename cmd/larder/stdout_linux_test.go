package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
)

// printing are command lines of all commands that print results, which follow each other.
var printing = []string{
	"", "--help", "--version", "help", "help put", "version", "version -o json", "lock", "token", "docs", "docs markdown",
	"completion", "completion bash", "completion bash --no-descriptions", "completion zsh", "completion fish", "completion powershell",
	"migrate --dry-run --lock-table more", "migrate", "migrate -o json", "migrate up", "migrate status", "migrate status -o json",
	"get greeting", "get greeting -o json", "get greeting --raw", "inspect greeting", "inspect greeting -o json",
	"list", "list --long", "list -o json", "stats", "stats -o json", "increment n", "increment n -o json", "decrement n", "pull greeting",
	"export", "import", "import -o json", "prune --dry-run", "prune", "prune -o json", "doctor", "doctor -o json",
	"lock acquire job --ttl 60", "lock acquire other --ttl 60 -o json", "lock acquire kept --ttl 60 --owner me", "lock list", "lock list -o json",
	"token list", "token list -o json", "token get dingding_access_token", "token get dingding_access_token -o json", "token refresh dingding_access_token",
	"token reject dingding_access_token old", "token check dingding_access_token", "token check dingding_access_token -o json",
	"demo", "flush --yes", "flush --yes -o json", "migrate down --dry-run", "migrate down --yes",
}

// silent are the commands that print no results, and one that leaves standard output to what it runs.
var silent = []string{"larder put", "larder add", "larder has", "larder touch", "larder forget", "larder lock release", "larder lock run", "larder docs man", "larder serve"}

// printingServer is one where each of these has something to print.
func printingServer(t *testing.T) *server {
	t.Helper()
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("corp", secret))
	t.Cleanup(vendor.Close)
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "LARDER_PREFIX=app_", "CORP_ID=corp", "CORP_SECRET="+secret, "DINGTALK_BASE_URL="+vendor.URL)
	for _, line := range []string{"migrate", "put greeting hello", "put n 1 --json", "lock acquire before --ttl 60"} {
		if r := s.larder(strings.Fields(line)...); r.code != exitDone {
			t.Fatalf("larder %s: %+v", line, r)
		}
	}
	return s
}

// Results that cannot be written are no success, whatever the command.
func TestCommands_ResultsThatCannotBeWrittenAreAnError(t *testing.T) {
	t.Parallel()
	s := printingServer(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	covered := slices.Clone(silent)
	lines := slices.Clone(printing)
	for _, line := range printing {
		if cmd, _, err := wholeTree().Find(strings.Fields(line)); err == nil {
			covered = append(covered, cmd.CommandPath())
		}
	}
	eachCommand(wholeTree(), func(cmd *cobra.Command) {
		lines = append(lines, strings.TrimPrefix(cmd.CommandPath()+" --help", "larder "))
		if !slices.Contains(covered, cmd.CommandPath()) {
			t.Errorf("%s is neither among those that print nor among the silent ones", cmd.CommandPath())
		}
	})
	for _, line := range lines {
		var stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(line), environment{
			stdin: strings.NewReader(`{"key":"b","value":"i:1;","expiration":4000000000,"ttl":600}`), stdout: full, stderr: &stderr, lookupEnv: s.lookupEnv, dir: s.dir,
		})
		if code != exitError || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("larder %s >/dev/full: exit %d, want %d\n%s", line, code, exitError, &stderr)
		}
	}
}

// Of a lock whose owner could not be printed nobody else knows how to release it.
func TestLockAcquire_GivesBackWhatNobodyCanRelease(t *testing.T) {
	t.Parallel()
	s := printingServer(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	for _, line := range []string{"lock acquire unknown --ttl 60", "lock acquire known --ttl 60 --owner me"} {
		run(t.Context(), strings.Fields(line), environment{stdout: full, stderr: io.Discard, lookupEnv: s.lookupEnv, dir: s.dir})
	}
	s.want(exitNo, "", "lock", "release", "unknown", "--owner", "me")
	if r := s.larder("lock", "list"); strings.Contains(r.stdout, "unknown") || !strings.Contains(r.stdout, "known ") {
		t.Errorf("%+v", r)
	}
}

// Who has seen enough, as in larder list | head, is told nothing: the process ends by SIGPIPE, or with the status that
// a shell has for that. Of an export it is told all the same, which may be a backup.
func TestCommands_ReadersThatGoAreNoError(t *testing.T) {
	t.Parallel()
	s := printingServer(t)
	for _, line := range printing {
		if line == "export" {
			continue
		}
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = reader.Close()
		r := s.prepare(strings.Fields(line)...)
		r.cmd.Stdout = writer
		r.begin()
		_ = writer.Close()
		_ = r.cmd.Wait()
		status := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
		bySignal := status.Signaled() && status.Signal() == syscall.SIGPIPE || status.ExitStatus() == 128+int(syscall.SIGPIPE)
		if !bySignal || r.stderr.String() != "" && !strings.HasPrefix(line, "migrate") {
			t.Errorf("larder %s | true: %v\n%s", line, r.cmd.ProcessState, r.stderr)
		}
	}
}
