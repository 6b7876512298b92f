package main

import (
	"log/slog"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

// output is what the results are drawn on.
func (a *app) output() term.Output { return term.Of(a.stdout, a.lookupEnv) }

// remarkf is sayf for what a person may want to know beside the result; --log-level warn silences it.
func (a *app) remarkf(format string, args ...any) {
	if a.loaded == nil || a.level() <= slog.LevelInfo {
		a.sayf(format, args...)
	}
}

// A keyView tells what a row's key means and how it is shown.
type keyView struct {
	Text    string // fit for a line, without secrets
	Meaning known.Meaning
	Secret  bool // the value is to be masked
}

// viewKey looks at a row's key, whole with its prefix if all prefixes are listed.
func (a *app) viewKey(s *store.Store, e store.Entry, allPrefixes, reveal bool) keyView {
	key := e.Key
	if allPrefixes {
		key = withoutAnyPrefix(s, key)
	}
	v := keyView{Text: printable(e.Key)}
	v.Meaning, _ = known.Key(key, e.Type)
	configured := false
	if a.loaded != nil {
		_, configured = a.loaded.Token(key)
	}
	v.Secret = (configured || v.Meaning.Secret) && !reveal
	if !reveal {
		v.Text = printable(known.MaskKey(e.Key))
	}
	return v
}

// withoutAnyPrefix returns the key in a row key of the store's prefix, or of another that Laravel's configuration makes.
func withoutAnyPrefix(s *store.Store, rowKey string) string {
	if key, ours := strings.CutPrefix(rowKey, s.Prefix()); ours && s.Prefix() != "" {
		return key
	}
	for _, end := range []string{"_cache_", "-cache-"} {
		if _, key, found := strings.Cut(rowKey, end); found {
			return key
		}
	}
	return rowKey
}

// urgency is how the time that a row has left is drawn.
func urgency(ttl time.Duration) term.Style {
	switch {
	case ttl <= 0:
		return term.Bad
	case ttl <= time.Minute:
		return term.Warning
	case ttl > foreverYears:
		return term.Faint
	}
	return term.Normal
}

func bytesText(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// countText is a number of things: "1,200 rows", "1 row".
func countText(n int64, one string) string {
	if n != 1 {
		one += "s"
	}
	return humanize.Comma(n) + " " + one
}
