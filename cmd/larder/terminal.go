package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

// output is what the results are drawn on.
func (a *app) output() term.Output { return term.Of(a.stdout, a.lookupEnv) }

// onTerminal reports whether a person reads the results as they come.
func (a *app) onTerminal() bool { return a.output().Terminal }

// printText prints a text that anybody may have stored: as it is, but on a terminal line by line without what that would obey, and with a line feed
// at the end.
func (a *app) printText(text string) error {
	if !a.onTerminal() {
		_, err := io.WriteString(a.stdout, text)
		return err
	}
	var safe strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		safe.WriteString(term.Safe(line) + "\n")
	}
	_, err := io.WriteString(a.stdout, safe.String())
	return err
}

// safe returns a text of one line as printText prints it.
func (a *app) safe(text string) string {
	if a.onTerminal() {
		return term.Safe(text)
	}
	return text
}

// safeJSON is standard output for JSON, which on a terminal is spelt without what that would obey.
func (a *app) safeJSON() io.Writer {
	if a.onTerminal() {
		return &jsonEscaper{to: a.stdout}
	}
	return a.stdout
}

// A jsonEscaper writes JSON with escapes for all characters but those that can be seen. JSON itself demands them for control characters up to
// U+001F only; terminals obey U+007F to U+009F too.
type jsonEscaper struct {
	to   io.Writer
	rest []byte // the beginning of a character whose end has not come yet
}

func (e *jsonEscaper) Write(text []byte) (int, error) {
	all := append(e.rest, text...)
	var safe strings.Builder
	for len(all) > 0 && utf8.FullRune(all) {
		r, size := utf8.DecodeRune(all)
		all = all[size:]
		switch {
		case r == '\n', strconv.IsPrint(r):
			safe.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&safe, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	e.rest = append([]byte(nil), all...)
	if _, err := io.WriteString(e.to, safe.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

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

// fitHelp has help fit the terminal that it is shown on.
func (a *app) fitHelp(root *cobra.Command) {
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := a.output()
		if !out.Terminal {
			help(cmd, args)
			return
		}
		var text bytes.Buffer
		printed := cmd.OutOrStdout()
		cmd.SetOut(&text)
		help(cmd, args)
		cmd.SetOut(printed)
		_, _ = io.WriteString(printed, out.Reflow(text.String())) // which remembers the error
	})
}
