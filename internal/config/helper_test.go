package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secret is in every secret of the tests; no error, notice or print may contain it.
const secret = "S3cr3t"

// A setup is what one test configures: files by name, the environment, flags.
type setup struct {
	files map[string]string
	env   map[string]string
	flags Flags
}

// load loads a setup in a new folder, and tests that nothing that comes out shows the secret. It returns the folder too.
func (s setup) load(t *testing.T) (*Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range s.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(s.flags, func(name string) (string, bool) {
		value, ok := s.env[name]
		return value, ok
	}, dir)
	shown := fmt.Sprint(err)
	if err == nil {
		shown = fmt.Sprintf("%v %+v %#v %q", *c, *c, *c, c.Notices)
	}
	if strings.Contains(shown, secret) {
		t.Errorf("the secret is shown: %s", shown)
	}
	return c, dir, err
}

// must is load for a setup that is in order.
func (s setup) must(t *testing.T) (*Config, string) {
	t.Helper()
	c, dir, err := s.load(t)
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

// wantErrors tests that a setup, or its API keys or its tokens, are refused with exactly these lines, of which each need only contain the wanted text.
func (s setup) wantErrors(t *testing.T, want ...string) {
	t.Helper()
	c, _, err := s.load(t)
	if err == nil {
		err = cmp.Or(c.APIKeysErr, c.TokensErr)
	}
	if err == nil {
		t.Fatalf("no error; want %q", want)
	}
	var got []string
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		for _, e := range joined.Unwrap() {
			got = append(got, e.Error())
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d errors, want %d:\n%v\nwant %q", len(got), len(want), err, want)
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Errorf("error %d is %q; want it to contain %q", i+1, got[i], w)
		}
	}
}

func hasNotice(c *Config, text string) bool {
	return strings.Contains(strings.Join(c.Notices, "\n"), text)
}
