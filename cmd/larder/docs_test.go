package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

// blocks returns the blocks of docs/tokens.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("no blocks of %s", language)
	}
	return found
}

func TestDocs_ConfigurationOfTokensIsTaken(t *testing.T) {
	var env []string
	for _, m := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(blocks(t, "yaml")[0], -1) {
		if m[1] != "NAME" {
			env = append(env, m[1]+"=value-of-"+m[1])
		}
	}
	s := newServer(t, "sqlite:"+testdb.SQLite(t), env...)
	s.file("larder.yaml", blocks(t, "yaml")[0])
	s.larder("migrate")
	r := s.larder("token", "list")
	if want := strings.Count(blocks(t, "yaml")[0], "source: "); r.code != 0 || strings.Count(r.stdout, "missing") != want {
		t.Errorf("%+v, want %d tokens", r, want)
	}
}

func TestDocs_CommandsForTokensWork(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	ran := 0
	for _, block := range blocks(t, "console") {
		for line := range strings.Lines(block) {
			args, ok := strings.CutPrefix(line, "$ larder ")
			if !ok {
				continue
			}
			ran++
			if r := s.larder(strings.Fields(args)...); r.code != 0 {
				t.Errorf("%s: %+v", line, r)
			}
		}
	}
	if ran < 5 {
		t.Errorf("%d commands, want all of them", ran)
	}
}
