package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
)

// A fencedBlock is a block in fences of a page.
type fencedBlock struct {
	page     string // the file's path in the repository
	line     int    // of the first line inside
	language string
	text     string
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// allBlocks returns the blocks of a page.
func allBlocks(t *testing.T, page string) []fencedBlock {
	t.Helper()
	text := readPage(t, page)
	var found []fencedBlock
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		found = append(found, fencedBlock{page, 1 + strings.Count(text[:m[4]], "\n"), text[m[2]:m[3]], text[m[4]:m[5]]})
	}
	return found
}

// blocks returns the blocks of a page in a language. There must be some.
func blocks(t *testing.T, page, language string) []fencedBlock {
	t.Helper()
	var found []fencedBlock
	for _, b := range allBlocks(t, page) {
		if b.language == language {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no blocks of %q", page, language)
	}
	return found
}

const tokensPage = "docs/tokens.md"

func TestDocs_ConfigurationOfTokensIsTaken(t *testing.T) {
	text := blocks(t, tokensPage, "yaml")[0].text
	var env []string
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(text, -1) {
		if m[1] != "NAME" {
			env = append(env, m[1]+"=value-of-"+m[1])
		}
	}
	s := newServer(t, "sqlite:"+testdb.SQLite(t), env...)
	s.file("larder.yaml", text)
	s.larder("migrate")
	r := s.larder("token", "list")
	if want := strings.Count(text, "source: "); r.code != 0 || strings.Count(r.stdout, "missing") != want {
		t.Errorf("%+v, want %d tokens", r, want)
	}
}

// The commands of docs/tokens.md, one after the other, print what it shows.
func TestDocs_CommandsForTokensPrintWhatIsShown(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	session := s.session()
	session.before = func(command string) { // a token that the page reports as rejected is one that DingTalk has ended
		vendor.Revoke(regexp.MustCompile("[0-9a-f]{32}").FindString(command))
	}
	for _, b := range blocks(t, tokensPage, "console") {
		session.play(b)
	}

	metrics, _ := session.run("curl -s http://127.0.0.1:8420/metrics", 0)
	named := regexp.MustCompile("`(larder_\\w+)(?:\\{(\\w+)\\})?`").FindAllStringSubmatch(readPage(t, tokensPage), -1)
	for _, m := range named {
		if found, err := regexp.MatchString(m[1]+`\{.*`+m[2]+`.*token="dingding_access_token"`, metrics); !found || err != nil {
			t.Errorf("%s: no metric %s, %v", tokensPage, m[0], err)
		}
	}
	if len(named) < 5 {
		t.Errorf("%d metrics, want all", len(named))
	}
}

// The PHP of docs/tokens.md, in a real Laravel: where larder has stored a token it is read, and where there is none, fetched under the lock.
func TestDocs_PHPForTokensRuns(t *testing.T) {
	db := testdb.MySQL(t)
	s := tokenServer(t, db.URL(), newVendor(t))
	s.larder("migrate")
	app := laravel.OnMySQL(t, db, "laravel_cache_")
	ask := func(b fencedBlock) (token string) {
		t.Helper()
		app.Ask(t, &token, `
			class Cache { static function __callStatic($method, $arguments) { return $GLOBALS['cache']->$method(...$arguments); } }
			function fetchAndStore() { Cache::put('dingding_access_token', 'fetched by PHP', 7000); return 'fetched by PHP'; }
			`+b.text+`
			answer($token);`)
		return token
	}
	read, fetch := blocks(t, tokensPage, "php")[0], blocks(t, tokensPage, "php")[1]
	if got := ask(fetch); got != "fetched by PHP" {
		t.Errorf("%s:%d: it has the token %q", tokensPage, fetch.line, got)
	}
	token := strings.TrimSpace(s.larder("token", "refresh", "dingding_access_token").stdout)
	for _, b := range []fencedBlock{read, fetch} {
		if got := ask(b); got != token || token == "" {
			t.Errorf("%s:%d: it has the token %q, want larder's, %q", tokensPage, b.line, got, token)
		}
	}
}

// docPages are what people read first, and docs/cli.md.
func docPages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(found) < 5 {
		t.Fatalf("%d pages in docs: %v", len(found), err)
	}
	for i, path := range found {
		found[i] = "docs/" + filepath.Base(path)
	}
	return append(found, readme, readmeChinese, "CHANGELOG.md")
}

// inlineCode is what stands in the prose of a page as code.
var inlineCode = regexp.MustCompile("`([^`\n]+)`")

// What the prose calls a command of larder or a target of make is one, with the flags that it has there.
func TestDocs_CommandsInProseExist(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(readPage(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	for _, page := range docPages(t) {
		text := fence.ReplaceAllString(readPage(t, page), "")
		for _, m := range regexp.MustCompile("(?m)^make ([a-z-]+)").FindAllStringSubmatch(readPage(t, page), -1) { // in a block
			text += "`" + m[0] + "`"
		}
		for _, m := range inlineCode.FindAllStringSubmatch(text, -1) {
			switch words := strings.Fields(m[1]); {
			case len(words) < 2 || strings.HasPrefix(words[1], "-"):
			case words[0] == "make" && !targets[words[1]]:
				t.Errorf("%s: there is no %s", page, m[0])
			case words[0] == "larder":
				if err := findCommand(words[1:]); err != nil {
					t.Errorf("%s: %s: %v", page, m[0], err)
				}
			}
		}
	}
}

// findCommand looks for the command of a command line and for its flags.
func findCommand(args []string) error {
	cmd, rest, err := wholeTree().Find(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 && cmd.HasSubCommands() && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s has no command %s", cmd.CommandPath(), rest[0])
	}
	for _, arg := range rest {
		name, isFlag := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && name != "" && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
			return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), arg)
		}
	}
	return nil
}

// Links between the pages, and from them into the repository, lead somewhere.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	for _, page := range docPages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(fence.ReplaceAllString(readPage(t, page), ""), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue // the tests ask nobody outside
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat("../../" + target); err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(headingAnchors(readPage(t, target)), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, target, anchor)
			}
		}
	}
}

// headingAnchors returns what GitHub calls the headings of a page.
func headingAnchors(text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		bare := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found = append(found, strings.ReplaceAll(bare, " ", "-"))
	}
	return found
}
