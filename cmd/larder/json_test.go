package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher/fetchertest"
)

// A contract is the tables of docs/json.md: for each command or route the types of its fields by their paths.
type contract map[string]*section

// A section holds types by paths such as "tables[].name?"; the path of a whole line is "". Commands under one heading share it.
type section struct {
	types map[string]string
	seen  map[string]bool // the paths that something printed
}

var (
	sectionNames = regexp.MustCompile("`([^`]+)`")
	fieldRow     = regexp.MustCompile("^\\| (?:`([^`]+)`(\\?)?|\\(the line\\)) \\| (\\w+) \\|")
)

func readContract(t *testing.T) contract {
	t.Helper()
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	c := contract{}
	var current *section
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "### "):
			current = &section{map[string]string{}, map[string]bool{}}
			for _, m := range sectionNames.FindAllStringSubmatch(line, -1) {
				c[m[1]] = current
			}
		case strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| field"):
			m := fieldRow.FindStringSubmatch(line)
			if m == nil || current == nil {
				t.Fatalf("docs/json.md: cannot read %s", line)
			}
			current.types[m[1]+m[2]] = m[3]
		}
	}
	return c
}

// check compares a value with what the document says of it, and notes which fields it has seen.
func (s *section) check(value any) error { return s.walk("", value) }

func (s *section) walk(path string, value any) error {
	for _, name := range []string{path, path + "?"} {
		if kind, ok := s.types[name]; ok {
			s.seen[name] = true
			return kindOf(path, kind, value)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		names := s.below(path)
		if len(names) == 0 {
			return fmt.Errorf("%q is not in docs/json.md", path)
		}
		for name, optional := range names {
			if _, ok := v[name]; !ok && !optional {
				return fmt.Errorf("%q is missing", strings.TrimPrefix(path+"."+name, "."))
			}
		}
		for name, inner := range v {
			if _, ok := names[name]; !ok {
				return fmt.Errorf("%q is not in docs/json.md", strings.TrimPrefix(path+"."+name, "."))
			}
			deeper := strings.TrimPrefix(path+"."+name, ".")
			if names[name] && len(s.below(deeper+"?")) > 0 { // an object that may be left out
				deeper += "?"
			}
			if err := s.walk(deeper, inner); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, inner := range v {
			if err := s.walk(path+"[]", inner); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%q is %T, which is not in docs/json.md", path, value)
}

// below returns the names of the fields of the object at a path, and whether they may be left out.
func (s *section) below(path string) map[string]bool {
	names := map[string]bool{}
	for field := range s.types {
		rest := field
		if path != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(field, path+"."); !ok {
				continue
			}
		}
		name := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz_0123456789"))]
		names[name] = strings.HasPrefix(rest, name+"?")
	}
	return names
}

func kindOf(path, kind string, value any) error {
	ok := false
	switch v := value.(type) {
	case string:
		ok = kind == "string" || kind == "text"
	case bool:
		ok = kind == "boolean"
	case json.Number:
		_, err := v.Int64()
		ok = kind == "integer" && err == nil
	case map[string]any:
		_, bytes := v["$bytes"]
		ok = kind == "object" || kind == "text" && bytes
	}
	if !ok && kind != "any" {
		return fmt.Errorf("%q is %v, want %s", path, value, kind)
	}
	return nil
}

func decodeJSON(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// TestJSON_IsWhatTheDocumentSays runs every command, so that each table of docs/json.md is held to what is printed, and each field is printed once.
func TestJSON_IsWhatTheDocumentSays(t *testing.T) {
	document := readContract(t)
	onEachEngine(t, func(t *testing.T, database string) {
		vendor := newVendor(t)
		s := tokenServer(t, database, vendor)
		ran := map[string]bool{}
		// run checks what a command prints against the section of that name.
		run := func(section string, code int, args ...string) string {
			t.Helper()
			ran[section] = true
			r := s.larder(append([]string{"-o", "json"}, args...)...)
			if r.code != code {
				t.Errorf("larder %s: exit %d, want %d\n%s", strings.Join(args, " "), r.code, code, r.stderr)
			}
			if wanted := document[section].types; (r.stdout == "") != (len(wanted) == 0) {
				t.Errorf("larder %s prints %q, docs/json.md has %d fields", strings.Join(args, " "), r.stdout, len(wanted))
			}
			for line := range strings.Lines(r.stdout) {
				if err := document[section].check(decodeJSON(t, line)); err != nil {
					t.Errorf("larder %s: %v\n%s", strings.Join(args, " "), err, line)
				}
			}
			return r.stdout
		}
		laravel55(t, database)
		run("larder migrate --dry-run", 0, "migrate", "--dry-run")
		run("larder migrate status", 1, "migrate", "status")
		run("larder migrate", 0, "migrate")
		run("larder migrate up", 0, "migrate", "up")
		run("larder migrate status", 0, "migrate", "status")

		run("larder put", 0, "put", "a", "hello")
		run("larder put", 0, "put", "user:1", `{"b":[1]}`, "--json", "--ttl", "60")
		run("larder put", 0, "put", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "1", "--json")
		run("larder put", 0, "put", "theirs", "x", "--prefix", "other_cache_")
		run("larder add", 0, "add", "n", "1", "--json")
		run("larder add", 1, "add", "n", "1")
		run("larder increment", 0, "increment", "n")
		run("larder decrement", 0, "decrement", "n", "5")
		run("larder touch", 0, "touch", "a", "--ttl", "600")
		run("larder has", 0, "has", "a")
		run("larder get", 0, "get", "user:1")
		run("larder list", 0, "list")
		run("larder list", 0, "list", "--long")
		run("larder inspect", 0, "inspect", "user:1")
		run("larder inspect", 0, "inspect", "n")
		run("larder stats", 0, "stats")
		rows := run("larder export", 0, "export")
		s.file("rows.jsonl", rows)
		run("larder import", 0, "import", s.dir+"/rows.jsonl")
		run("larder pull", 0, "pull", "a")
		run("larder forget", 0, "forget", "n")
		run("larder lock acquire", 0, "lock", "acquire", "job", "--ttl", "60", "--owner", "me")
		run("larder lock list", 0, "lock", "list")
		run("larder lock release", 0, "lock", "release", "job", "--owner", "me")
		run("larder doctor", 0, "doctor")
		run("larder prune", 0, "prune")
		run("larder token list", 0, "token", "list")
		vendor.FailNext(1, fetchertest.BadCredentials)
		if r := s.larder("token", "get", "dingding_access_token"); r.code != 3 {
			t.Errorf("token get of a vendor that refuses: %+v", r)
		}
		run("larder token list", 0, "token", "list")
		s.larder("token", "refresh", "dingding_access_token")
		s.larder("forget", "dingding_access_token")
		first := decodeJSON(t, run("larder token get", 0, "token", "get", "dingding_access_token")).(map[string]any)["access_token"].(string)
		run("larder token list", 0, "token", "list")
		run("larder token refresh", 0, "token", "refresh", "dingding_access_token")
		vendor.Revoke(first)
		run("larder token reject", 0, "token", "reject", "dingding_access_token", first)
		run("larder token check", 0, "token", "check", "dingding_access_token")
		vendor.FailNext(1, fetchertest.BadCredentials)
		run("larder token check", 1, "token", "check", "dingding_access_token")
		run("larder version", 0, "version")
		serveJSON(t, s, first, document, ran)
		run("larder flush", 0, "flush", "--yes")
		run("larder migrate down --dry-run", 0, "migrate", "down", "--dry-run")
		run("larder migrate down", 0, "migrate", "down", "--yes")

		for section := range document {
			if !ran[section] {
				t.Errorf("%s is in docs/json.md, and nothing here runs it", section)
			}
		}
	})
	// What only happens in trouble, or to keys and values that are not UTF-8.
	rare := []string{"stale?", "failure?.request?", "key_base64?", "value_base64?", "tokens[].last_error?", "tokens[].alarms[].kind", "tokens[].alarms[].text", "tokens[].alarms[].since"}
	for name, s := range document {
		for field := range s.types {
			if !s.seen[field] && !slices.Contains(rare, field) {
				t.Errorf("%s: docs/json.md has %q, and nothing printed it", name, field)
			}
		}
	}
}

// serveJSON checks the routes of the HTTP service: of the server's own, and of one whose secret the vendor does not take. The rejected token is one
// that has been replaced already.
func serveJSON(t *testing.T, s *server, rejected string, document contract, ran map[string]bool) {
	t.Helper()
	ask := func(v *service, section, method, path, body string, status int) {
		t.Helper()
		ran[section] = true
		req, err := http.NewRequest(method, v.address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Errorf("%s %s: %d %s, %v, want %d", method, path, resp.StatusCode, text, err, status)
		}
		if err := document[section].check(decodeJSON(t, string(text))); err != nil {
			t.Errorf("%s %s: %v\n%s", method, path, err, text)
		}
	}
	const token = "/v1/tokens/dingding_access_token"
	v := s.serve()
	v.await("/readyz")
	ask(v, "GET /healthz", "GET", "/healthz", "", 200)
	ask(v, "GET /readyz", "GET", "/readyz", "", 200)
	ask(v, "GET /v1/tokens/{name}", "GET", token, "", 200)
	ask(v, "GET /v1/tokens", "GET", "/v1/tokens", "", 200)
	ask(v, "POST /v1/tokens/{name}/reject", "POST", token+"/reject", `{"access_token":"`+rejected+`"}`, 200)
	ask(v, "errors", "GET", "/v1/tokens/nothing", "", 404)
	ask(v, "errors", "GET", "/nowhere", "", 404)

	refused := *s
	refused.env = append([]string{}, s.env...)
	for i, variable := range refused.env {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "CORP_SECRET":
			refused.env[i] = "CORP_SECRET=another"
		case "LARDER_PREFIX":
			refused.env[i] = "LARDER_PREFIX=refused_"
		}
	}
	v = refused.serve()
	ask(v, "errors", "GET", token, "", 502)
	ask(v, "GET /v1/tokens", "GET", "/v1/tokens", "", 200)
}

// laravel55 makes the cache table as Laravel 5.5 to 8.50 does.
func laravel55(t *testing.T, database string) {
	t.Helper()
	db := openDatabase(t, database)
	statements := []string{"CREATE TABLE cache (`key` VARCHAR(255) NOT NULL, value MEDIUMTEXT NOT NULL, expiration INT NOT NULL, UNIQUE (`key`)) " +
		"DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"}
	if strings.HasPrefix(database, "sqlite:") {
		statements = []string{
			`CREATE TABLE "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null)`,
			`CREATE UNIQUE INDEX "cache_key_unique" on "cache" ("key")`,
		}
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJSON_EveryCommandIsInTheDocument fails for a command of which docs/json.md says nothing.
func TestJSON_EveryCommandIsInTheDocument(t *testing.T) {
	document := readContract(t)
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	eachCommand(wholeTree(), func(cmd *cobra.Command) {
		_, tabled := document[cmd.CommandPath()]
		if cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return // a script for that shell
		}
		if !tabled && !strings.Contains(string(text), "`"+cmd.CommandPath()+"`") {
			t.Errorf("docs/json.md says nothing of %s -o json", cmd.CommandPath())
		}
	})
}

// eachCommand visits a command and all below it that are not hidden.
func eachCommand(cmd *cobra.Command, visit func(*cobra.Command)) {
	if cmd.Hidden {
		return
	}
	visit(cmd)
	for _, child := range cmd.Commands() {
		eachCommand(child, visit)
	}
}
