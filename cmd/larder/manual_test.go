package main

import (
	"os"
	"strings"
	"testing"
)

// docs/cli.md says what the commands say of themselves. If it does not: make docs.
func TestDocs_CommandsAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	now := newServer(t, "").larder("docs", "markdown").stdout
	if now != string(page) {
		t.Errorf("docs/cli.md is not what the commands say now: make docs\n%s", firstDifference(string(page), now))
	}
}

// firstDifference shows where two texts part.
func firstDifference(was, is string) string {
	old, now := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range max(len(old), len(now)) {
		at := func(lines []string) string {
			if i < len(lines) {
				return lines[i]
			}
			return "(the end)"
		}
		if at(old) != at(now) {
			return "was: " + at(old) + "\nis:  " + at(now)
		}
	}
	return "none"
}

func TestVersion_TellsTheCommit(t *testing.T) {
	defer func(v, c string) { version, commit = v, c }(version, commit)
	version, commit = "v1.2.3", "0123abc"
	r := newServer(t, "").larder("version")
	if !strings.HasPrefix(r.stdout, "larder v1.2.3 (commit 0123abc, go1.") {
		t.Errorf("it prints %s", r.stdout)
	}
}
