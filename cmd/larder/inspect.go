package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

func newInspectCmd(a *app) *cobra.Command {
	var reveal, full bool
	cmd := &cobra.Command{
		Use:        "inspect KEY",
		SuggestFor: []string{"show", "describe"},
		Short:      "Show everything about the row of KEY, its value as PHP names it",
		Long: `Show everything about the row of KEY, live or expired: type, size and times, what a well-known key is for, and the value
as PHP names it, with classes, visibility (+ public, # protected, - private), enums and references.

Tokens and other secrets are masked unless --reveal is given. Of long values the beginning is shown, and with --full all.

Exit status 1 if there is no row. With -o json: {"key","row_key","type","class","size","state","expiration","ttl","meaning",
"about","masked","value","problem"}; value is null if the row is corrupt, and problem says why.`,
		Example: "  larder inspect user:7\n  larder inspect dingding_access_token --reveal",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				row, err := s.Row(ctx, args[0])
				if err != nil {
					return a.notThere(ctx, s, args[0], err)
				}
				i := a.inspection(s, row, reveal)
				if a.json() {
					return a.printJSON(i.view)
				}
				return a.drawInspection(i, full)
			})
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show whole tokens and secrets, not only their first 4 characters")
	cmd.Flags().BoolVar(&full, "full", false, "show all of a long value")
	return cmd
}

// An inspectView is all about a row, as -o json prints it.
type inspectView struct {
	Key        json.RawMessage `json:"key"`
	RowKey     json.RawMessage `json:"row_key"` // with the prefix
	Type       string          `json:"type"`
	Class      string          `json:"class"` // of an object or enum, else ""
	Size       int64           `json:"size"`  // bytes of the serialized value
	State      store.State     `json:"state"`
	Expiration int64           `json:"expiration"` // Unix seconds
	TTL        int64           `json:"ttl"`        // seconds; 0 or less if it has expired
	Meaning    string          `json:"meaning"`    // of a well-known key, else ""
	About      string          `json:"about"`      // the same as a sentence
	Masked     bool            `json:"masked"`     // the value or a part of it is not shown
	Value      json.RawMessage `json:"value"`
	Problem    string          `json:"problem"` // why the value cannot be read, else ""
}

// An inspection is a row and its decoded value, what must not be seen of it masked.
type inspection struct {
	view  inspectView
	key   string
	row   store.Row
	value php.Value // nil if it is corrupt
	inner php.Value // of a string that is itself serialized, as a session's is
}

func (a *app) inspection(s *store.Store, row store.Row, reveal bool) inspection {
	e := store.Entry{Key: row.Key, Type: php.TypeName(row.Value), Size: int64(len(row.Value)), Expiration: row.Expiration, TTL: row.TTL}
	k := a.viewKey(s, e, false, reveal)
	i := inspection{key: k.Text, row: row}
	v := viewEntry(e)
	shown := row.Key
	if !reveal {
		shown = known.MaskKey(shown)
	}
	i.view = inspectView{
		Key: jsonKey(shown), RowKey: jsonKey(s.Prefix() + shown), Type: e.Type, Size: e.Size, State: v.State, Expiration: v.Expiration, TTL: v.TTL,
		Meaning: k.Meaning.Name, About: k.Meaning.Text, Value: json.RawMessage("null"),
	}
	_, i.view.Class = php.Head(row.Value)
	value, err := php.Decode(row.Value)
	if err == nil && !reveal {
		value, i.view.Masked = known.Redact(value, k.Secret)
	}
	if err == nil {
		i.view.Value, err = php.JSON(value)
	}
	if err != nil {
		i.view.Type, i.view.Value, i.view.Problem = "corrupt", json.RawMessage("null"), err.Error()
		return i
	}
	i.value = value
	if text, ok := value.(php.String); ok && !k.Secret {
		if inner, err := php.Decode([]byte(text)); err == nil {
			i.inner = inner
		}
	}
	return i
}

func (a *app) drawInspection(i inspection, full bool) error {
	out, v := a.output(), i.view
	var text strings.Builder
	line := func(name, value string, style term.Style) {
		const names = 12
		if value == "" {
			return
		}
		if out.Terminal {
			value = out.FitMiddle(term.Safe(value), out.Width-names)
		}
		text.WriteString(out.Paint(name, term.Title) + strings.Repeat(" ", max(1, names-len(name))) + out.Paint(value, style) + "\n")
	}
	line("Key", i.key, term.Strong)
	var rowKey string
	if json.Unmarshal(v.RowKey, &rowKey) == nil && rowKey != i.key {
		line("Row key", printable(rowKey), term.Normal)
	}
	line("Type", strings.TrimSpace(v.Type+" "+printable(v.Class)), term.Normal)
	line("Size", humanize.Comma(v.Size)+" bytes", term.Normal)
	line("Expires", entryExpires(store.Entry{Expiration: v.Expiration, TTL: i.row.TTL})+", "+expirationText(v.Expiration), urgency(i.row.TTL))
	for n, part := range out.Wrap(v.About, out.Width-12) {
		name := "About"
		if n > 0 {
			name = ""
		}
		line(name, part, term.Normal)
	}
	line("Problem", v.Problem, term.Bad)
	if v.Masked {
		line("Masked", "yes; --reveal shows it", term.Normal)
	}
	if i.value != nil {
		text.WriteString(out.Paint("Value", term.Title) + "\n")
		if err := prettyIndented(&text, i.value, out, full); err != nil {
			return err
		}
	}
	if i.inner != nil {
		text.WriteString(out.Paint("Inside of the string, which is itself serialized", term.Title) + "\n")
		if err := prettyIndented(&text, i.inner, out, full); err != nil {
			return err
		}
	}
	_, err := a.stdout.Write([]byte(text.String()))
	return err
}

// expirationText is a point in time, as far as the calendar goes.
func expirationText(unix int64) string {
	at := time.Unix(unix, 0).UTC()
	if at.Year() < 1 || at.Year() > 9999 {
		return fmt.Sprintf("Unix time %d", unix)
	}
	return at.Format("2006-01-02 15:04:05 UTC")
}

// prettyIndented writes a value below its title. On a terminal lines that are wider go on below.
func prettyIndented(to *strings.Builder, v php.Value, out term.Output, full bool) error {
	var options []php.PrettyOption
	if full {
		const all = 1 << 30
		options = append(options, php.WithMaxDepth(php.MaxDepth), php.WithMaxItems(all), php.WithMaxString(all))
	}
	var pretty strings.Builder
	if err := php.Pretty(&pretty, v, options...); err != nil {
		return err
	}
	for line := range strings.Lines(pretty.String()) {
		line = strings.TrimSuffix(line, "\n")
		text := strings.TrimLeft(line, " ")
		indent := "  " + line[:len(line)-len(text)]
		if len(indent) > out.Width/2 { // deep values in narrow terminals
			indent = "  "
		}
		if full {
			to.WriteString(indent + text + "\n")
			continue
		}
		for n, part := range out.Break(text, out.Width-len(indent)-1) {
			if n > 0 {
				part = " " + part
			}
			to.WriteString(indent + part + "\n")
		}
	}
	return nil
}
