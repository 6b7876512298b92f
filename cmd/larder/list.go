package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// A listView is how list shows what it finds.
type listView struct {
	long   bool
	reveal bool
}

func newListCmd(a *app) *cobra.Command {
	var (
		o            store.ListOptions
		view         listView
		state, order string
	)
	cmd := &cobra.Command{
		Use:        "list [PATTERN]",
		Aliases:    []string{"ls"},
		SuggestFor: []string{"keys", "scan"},
		Short:      "List the rows of the prefix",
		Long: `List the live rows of the prefix whose key matches PATTERN, in which "*" stands for any characters and "?"
for one; --state all lists the expired ones too. Values are never read whole: on a terminal, and with --long,
the beginning of each is shown. Tokens and other secrets are masked unless --reveal is given.

How many rows other prefixes have is said on standard error; --log-level warn silences it.

With -o json each row is one line: {"key","type","size","state","expiration","ttl"}, and with --long also
"class", "meaning" and "preview". Keys are whole there, also those that hold a secret.`,
		Example: "  larder list\n  larder list 'user:*' --state all --sort size --limit 20",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Pattern = args[0]
			}
			o.State, o.Order = store.State(state), store.Order(order)
			if err := checkState(o.State); err != nil {
				return err
			}
			switch o.Order {
			case store.ByKey, store.ByExpiration, store.BySize:
			default:
				return usagef("--sort %q: want key, expiration or size", order)
			}
			if o.Limit < 0 {
				return usagef("--limit %d: want 0 (all) or more", o.Limit)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.list(ctx, s, o, view) })
		},
	}
	cmd.Flags().StringVar(&state, "state", "live", "which rows: live, expired or all")
	cmd.Flags().StringVar(&order, "sort", "key", "by what: key, expiration (soonest first) or size (largest first)")
	cmd.Flags().IntVar(&o.Limit, "limit", 0, "how many rows at most (default: all)")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "list all of the table, by whole row keys")
	cmd.Flags().BoolVarP(&view.long, "long", "l", false, "show what the values begin with also where the output is no terminal")
	cmd.Flags().BoolVar(&view.reveal, "reveal", false, "show whole tokens and secrets, not only their first 4 characters")
	return cmd
}

func checkState(state store.State) error {
	switch state {
	case store.Live, store.Expired, store.All:
		return nil
	}
	return usagef("--state %q: want live, expired or all", state)
}

// An entryView is a row without its value, as -o json prints it.
type entryView struct {
	Key        json.RawMessage `json:"key"`
	Type       string          `json:"type"`
	Size       int64           `json:"size"` // bytes, as stored
	State      store.State     `json:"state"`
	Expiration int64           `json:"expiration"` // Unix seconds
	TTL        int64           `json:"ttl"`        // seconds; 0 or less if it has expired
	*longView
}

// A longView is what --long adds.
type longView struct {
	Class   string `json:"class"`   // of an object or enum, else ""
	Meaning string `json:"meaning"` // of a well-known key, else ""
	Preview string `json:"preview"` // the beginning of the value, as PHP would name it
}

func viewEntry(e store.Entry) entryView {
	v := entryView{Key: jsonKey(e.Key), Type: e.Type, Size: e.Size, State: store.Expired, Expiration: e.Expiration, TTL: int64(e.TTL / time.Second)}
	if e.Live() {
		v.State = store.Live
	}
	return v
}

// Columns are aligned over this many rows at a time, so that the first ones appear before the last are read.
const alignedRows = 500

func (a *app) list(ctx context.Context, s *store.Store, o store.ListOptions, view listView) error {
	l := newLister(a, s, o, view)
	err := l.listRows(ctx)
	l.progress.Done()
	if err == nil && !a.json() {
		l.summarize(ctx)
	}
	return err
}

// A lister shows the rows that it finds, as lines of JSON or in a table, and then what there is to say about them.
type lister struct {
	app      *app
	store    *store.Store
	options  store.ListOptions
	view     listView
	out      term.Output
	table    *term.Table // stays empty with JSON
	progress *term.Progress

	rows, size int64 // what was shown
	more       bool  // rows follow that were not
}

func newLister(a *app, s *store.Store, o store.ListOptions, view listView) *lister {
	l := &lister{app: a, store: s, options: o, view: view, out: a.output(), progress: &term.Progress{}}
	if !l.out.Terminal { // else the rows are seen
		l.progress = a.progress("listing", -1)
	}
	columns := []term.Column{
		{Title: "KEY", Least: 16, Middle: true}, {Title: "TYPE"}, {Title: "SIZE", Right: true}, {Title: "EXPIRES"},
	}
	if l.hasValueColumn() {
		columns = append(columns, term.Column{Title: "VALUE", Least: 8})
	}
	l.table = term.NewTable(a.stdout, l.out, columns...)
	return l
}

func (l *lister) hasValueColumn() bool { return l.view.long || l.out.Terminal }

// listRows shows the rows as they are found.
func (l *lister) listRows(ctx context.Context) error {
	o, limit := l.options, int64(l.options.Limit)
	if limit > 0 && l.out.Terminal && !l.app.json() {
		o.Limit++ // one row more tells whether more follow, which to count might take a look at all of them
	}
	for e, err := range l.store.List(ctx, o) {
		if err != nil {
			_ = l.table.Flush() // what was found before the error is shown; the error says more
			return err
		}
		if l.more = limit > 0 && l.rows == limit; l.more {
			break
		}
		l.rows, l.size = l.rows+1, l.size+e.Size
		l.progress.Set(l.rows, -1)
		if err := l.show(e); err != nil {
			return err
		}
	}
	return l.table.Flush()
}

// show shows a row in the form that is wanted.
func (l *lister) show(e store.Entry) error {
	k := l.app.viewKey(l.store, e, l.options.AllPrefixes, l.view.reveal)
	if l.app.json() {
		return l.printJSON(e, k)
	}
	return l.tabulate(e, k)
}

func (l *lister) printJSON(e store.Entry, k keyView) error {
	v := viewEntry(e)
	if l.view.long {
		_, class := php.Head([]byte(e.Head))
		v.longView = &longView{Class: class, Meaning: k.Meaning.Name, Preview: preview(e, k, l.view.reveal)}
	}
	return l.app.printJSON(v)
}

func (l *lister) tabulate(e store.Entry, k keyView) error {
	kind := term.Cell{Text: e.Type}
	if e.Type == "corrupt" {
		kind.Style = term.Bad
	}
	cells := []term.Cell{{Text: k.Text}, kind, {Text: strconv.FormatInt(e.Size, 10)}, {Text: entryExpires(e), Style: urgency(e.TTL)}}
	if l.hasValueColumn() {
		cells = append(cells, term.Cell{Text: preview(e, k, l.view.reveal), Style: term.Faint})
	}
	l.table.Add(cells...)
	if l.table.Len() < alignedRows {
		return nil
	}
	return l.table.Flush()
}

// summarize tells, below the table, how much it was, and what is not in it.
func (l *lister) summarize(ctx context.Context) {
	switch {
	case l.rows == 0:
		l.app.sayf("%s", nothingListed(l.store, l.options))
		if hint := l.app.hintOfPrefix(ctx, l.store); hint != "" && !l.options.AllPrefixes {
			l.app.remarkf("%s", hint)
			return
		}
	case l.out.Terminal && l.more:
		l.app.remarkf("%s, %s; more follow, --limit 0 lists all", countText(l.rows, "row"), bytesText(l.size))
	case l.out.Terminal:
		l.app.remarkf("%s, %s", countText(l.rows, "row"), bytesText(l.size))
	}
	if !l.options.AllPrefixes && l.store.Prefix() != "" {
		l.app.remarkOnOthers(ctx, l.store)
	}
}

// hintOfPrefix is emptyPrefix for those who have seen nothing, within the time that they may be expected to wait.
func (a *app) hintOfPrefix(ctx context.Context, s *store.Store) string {
	ctx, cancel := context.WithTimeout(ctx, maxCounting)
	defer cancel()
	return a.emptyPrefix(ctx, s)
}

// maxCounting is how long list counts the rows of other prefixes, of which there may be millions.
const maxCounting = 2 * time.Second

// remarkOnOthers tells how many rows other prefixes have, so that nobody takes the list for the table.
func (a *app) remarkOnOthers(ctx context.Context, s *store.Store) {
	if a.level() > slog.LevelInfo {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxCounting)
	defer cancel()
	const named = 3
	others, err := s.OtherPrefixes(ctx, named)
	total := others.Rest.Rows
	var names []string
	for _, g := range others.Largest {
		total += g.Rows
		name := g.Name + "…"
		if g.Name == "" {
			name = "(none)"
		}
		names = append(names, fmt.Sprintf("%s (%s)", printable(name), humanize.Comma(g.Rows)))
	}
	if total == 0 {
		return // or they could not be counted, which is no reason to fail
	}
	atLeast := ""
	if err != nil {
		atLeast = "more than "
	}
	if others.Rest.Rows > 0 {
		names = append(names, fmt.Sprintf("others (%s)", humanize.Comma(others.Rest.Rows)))
	}
	line := fmt.Sprintf("%s%s of other prefixes (--all-prefixes): %s", atLeast, countText(total, "row"), strings.Join(names, ", "))
	if o := term.Of(a.stderr, a.lookupEnv); o.Terminal {
		line = o.Fit(line, o.Width-len("larder: "))
	}
	a.sayf("%s", line)
}

func nothingListed(s *store.Store, o store.ListOptions) string {
	text := "no rows"
	if o.State != store.All {
		text = fmt.Sprintf("no %s rows", o.State)
	}
	if o.Pattern != "" {
		text += fmt.Sprintf(" that match %q", o.Pattern)
	}
	if !o.AllPrefixes && s.Prefix() != "" {
		text += fmt.Sprintf(" with prefix %q; --all-prefixes shows those of others", s.Prefix())
	}
	if o.State == store.Live {
		text += "; --state all shows expired ones"
	}
	return text
}

// foreverYears is from how long a time on "forever" says more than the number.
const foreverYears = 9 * 365 * 24 * time.Hour

// entryExpires says when a row expires, or that it was stored forever, also where its column cannot hold a time as far ahead as that.
func entryExpires(e store.Entry) string {
	if e.Forever() {
		return "forever"
	}
	return expires(e.TTL)
}

// expires says when something ends, to two units.
func expires(ttl time.Duration) string {
	switch {
	case ttl > foreverYears:
		return "forever"
	case ttl > 0:
		return "in " + duration.Rough(ttl)
	}
	return duration.Rough(ttl) + " ago"
}
