package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestLockOwner_IsOneWordThatNamesMachineAndProcess(t *testing.T) {
	const random = "K3ZQ6W2B7OUMF5AXZZZZZZZZZZ"
	for host, want := range map[string]string{
		"web-2":                   "web-2:4711:k3zq6w2b7oumf5ax",
		"Web_2.example.org":       "Web_2.example.org:4711:k3zq6w2b7oumf5ax",
		"":                        "unknown:4711:k3zq6w2b7oumf5ax",
		"--":                      "unknown:4711:k3zq6w2b7oumf5ax",
		"-a b'\"$:\x1b[31m\n服":    "a-b------31m--:4711:k3zq6w2b7oumf5ax",
		strings.Repeat("h", 1000): strings.Repeat("h", 64) + ":4711:k3zq6w2b7oumf5ax",
	} {
		if got := lockOwner(host, 4711, random); got != want {
			t.Errorf("lockOwner(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestNewLockOwner_IsNewEachTime(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		owner := newLockOwner(4711)
		if seen[owner] || !regexp.MustCompile(`^[\w.-]+:4711:[a-z2-7]{16}$`).MatchString(owner) {
			t.Fatalf("%q, again: %t", owner, seen[owner])
		}
		seen[owner] = true
	}
}
