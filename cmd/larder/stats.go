package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

func newStatsCmd(a *app) *cobra.Command {
	var (
		o      store.StatsOptions
		reveal bool
	)
	cmd := &cobra.Command{
		Use:        "stats",
		SuggestFor: []string{"info", "du"},
		Short:      "Count what is in the table, by prefix, type, size and time",
		Long: `Count the rows of the prefix and the bytes of their values: live, expired, forever and corrupt ones; by how the keys
begin, or, where they are hashes, by what they are for (rate limiter, session), and by type; the largest; and when they expire. Rows of other prefixes are counted beside them.

Every row is looked at, in pages, and no value is read whole. Of a table with more rows than --sample-above about that
many are looked at, spread over all of it, and the numbers are estimates, which is said.

With -o json: one object with all of it.`,
		Example: "  larder stats\n  larder stats --biggest 50 --sample-above 0",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Biggest < 1 || o.Families < 1 || o.SampleAbove < 0 {
				return usagef("--biggest and --families: want 1 or more; --sample-above: 0 (never) or more")
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				progress := a.progress("counting", -1)
				o.Kind = known.Kind
				stats, err := s.Stats(ctx, o)
				progress.Done()
				if err != nil {
					return err
				}
				if a.json() {
					return a.printJSON(viewStats(s, stats))
				}
				if err := a.drawStats(s, stats, reveal); err != nil || stats.Rows > 0 {
					return err
				}
				if hint := a.hintOfPrefix(ctx, s); hint != "" {
					a.remarkf("%s", hint)
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&o.Biggest, "biggest", 10, "how many of the largest rows are named")
	cmd.Flags().IntVar(&o.Families, "families", 10, "how many beginnings of keys are told apart, the largest")
	cmd.Flags().Int64Var(&o.SampleAbove, "sample-above", 1_000_000, "from how many rows on to estimate; 0: never")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show keys whole that hold a secret")
	return cmd
}

// A statsView is what stats counts, as -o json prints it.
type statsView struct {
	Prefix  string       `json:"prefix"`
	Exact   bool         `json:"exact"`  // or an estimate
	Looked  int64        `json:"looked"` // rows that were looked at, also of other prefixes
	Rows    int64        `json:"rows"`
	Bytes   int64        `json:"bytes"`
	Live    countView    `json:"live"`
	Expired countView    `json:"expired"`
	Forever countView    `json:"forever"`
	Corrupt countView    `json:"corrupt"`
	Types   []groupView  `json:"types"`
	Kinds   []groupView  `json:"kinds"` // whose keys are hashes, and not in Keys
	Keys    familiesView `json:"keys"`
	Expires []bucketView `json:"expires"`
	Biggest []entryView  `json:"biggest"`
	Others  othersView   `json:"others"`
}

type countView struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

type groupView struct {
	Name json.RawMessage `json:"name"`
	countView
}

type familiesView struct {
	Largest []groupView `json:"largest"`
	Rest    countView   `json:"rest"`
}

type bucketView struct {
	Name string `json:"name"`
	Less int64  `json:"less"` // seconds from now; 0 if there is no end
	countView
}

type othersView struct {
	countView
	Prefixes familiesView `json:"prefixes"`
}

func viewStats(s *store.Store, st *store.Stats) statsView {
	v := statsView{
		Prefix: s.Prefix(), Exact: !st.Sampled, Looked: st.Looked, Rows: st.Rows, Bytes: st.Bytes,
		Live: countView(st.Live), Expired: countView(st.Expired), Forever: countView(st.Forever), Corrupt: countView(st.Corrupt),
		Types: viewGroups(st.Types), Kinds: viewGroups(st.Kinds), Keys: viewFamilies(st.Keys), Expires: []bucketView{}, Biggest: []entryView{},
		Others: othersView{countView(st.Others), viewFamilies(st.OtherPrefixes)},
	}
	for _, b := range st.Expires {
		v.Expires = append(v.Expires, bucketView{b.Name, int64(b.Less.Seconds()), countView(b.Count)})
	}
	for _, e := range st.Biggest {
		v.Biggest = append(v.Biggest, viewEntry(e))
	}
	return v
}

func viewGroups(groups []store.Group) []groupView {
	views := []groupView{}
	for _, g := range groups {
		views = append(views, groupView{jsonKey(g.Name), countView(g.Count)})
	}
	return views
}

func viewFamilies(f store.Families) familiesView {
	return familiesView{viewGroups(f.Largest), countView(f.Rest)}
}

// drawStats draws what was counted, with bars for shares. Each chart says which rows it is about.
func (a *app) drawStats(s *store.Store, st *store.Stats, reveal bool) error {
	d := &drawing{output: a.output()}
	how, looked := "exact", ""
	if st.Sampled {
		how = fmt.Sprintf("estimated from %s, --sample-above 0 counts all", countText(st.Looked, "row"))
		looked = " of those looked at"
	}
	d.line(fmt.Sprintf("%s, %s of prefix %q (%s)", countText(st.Rows, "row"), bytesText(st.Bytes), s.Prefix(), how), term.Strong)
	d.chart("BY STATE, bars by bytes", []column{{"live", st.Live, term.Normal}, {"  of these forever", st.Forever, term.Normal},
		{"expired", st.Expired, term.Warning}, {"corrupt (of both)", st.Corrupt, term.Bad}}, byBytes(st.Bytes))
	d.chart("BY TYPE, live and expired, bars by bytes", fromGroups(st.Types, store.Count{}), byBytes(st.Bytes))
	d.chart("BY BEGINNING OF THE KEY, live and expired, bars by bytes", fromGroups(withKinds(st), st.Keys.Rest), byBytes(st.Bytes))
	if st.Live.Rows > 0 {
		d.chart("LIVE ROWS BY WHEN THEY EXPIRE, bars by rows", fromBuckets(st.Expires), byRows(st.Live.Rows))
	}
	a.drawBiggest(d, "BIGGEST"+looked+", live and expired", s, st.Biggest, reveal)
	if st.Others.Rows > 0 {
		d.chart(fmt.Sprintf("OTHER PREFIXES: %s, %s, live and expired, bars by bytes", countText(st.Others.Rows, "row"), bytesText(st.Others.Bytes)),
			fromGroups(st.OtherPrefixes.Largest, st.OtherPrefixes.Rest), byBytes(st.Others.Bytes))
	}
	_, err := a.stdout.Write([]byte(d.text.String()))
	return err
}

// A drawing is the text that comes to be.
type drawing struct {
	output term.Output
	text   strings.Builder
}

// line draws a line of text, which a terminal that is narrower has on several.
func (d *drawing) line(text string, style term.Style) {
	for _, part := range d.output.Wrap(text, d.output.Width) {
		d.text.WriteString(d.output.Paint(part, style) + "\n")
	}
}

// A column is one line of a chart.
type column struct {
	name  string
	count store.Count
	style term.Style
}

func fromGroups(groups []store.Group, rest store.Count) []column {
	var columns []column
	for _, g := range groups {
		name := printable(g.Name)
		if name == "" {
			name = "(none)"
		}
		columns = append(columns, column{name: name, count: g.Count})
	}
	if rest.Rows > 0 {
		columns = append(columns, column{name: "(others)", count: rest})
	}
	return columns
}

// withKinds returns the families of keys and, in brackets, the kinds of rows whose keys begin in as many ways as there are rows; most bytes first.
func withKinds(st *store.Stats) []store.Group {
	all := slices.Clone(st.Keys.Largest)
	for _, kind := range st.Kinds {
		all = append(all, store.Group{Name: "(" + kind.Name + ")", Count: kind.Count})
	}
	slices.SortStableFunc(all, func(a, b store.Group) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return all
}

// fromBuckets names each bucket by both of its ends.
func fromBuckets(buckets []store.Bucket) []column {
	columns, from := make([]column, len(buckets)), ""
	for i, b := range buckets {
		name, end := b.Name, strings.TrimPrefix(b.Name, "<")
		switch {
		case end == b.Name: // it has no end
		case from == "":
			name = "within " + end
		default:
			name = from + " to " + end
		}
		columns[i], from = column{name: name, count: b.Count}, end
	}
	return columns
}

// A scale is what a chart's bars show of a count, and of what that is a share.
type scale struct {
	part  func(store.Count) int64
	whole int64
}

func byBytes(whole int64) scale { return scale{func(c store.Count) int64 { return c.Bytes }, whole} }
func byRows(whole int64) scale  { return scale{func(c store.Count) int64 { return c.Rows }, whole} }

// barWidth is what is left of a line beside the name and the numbers.
func (d *drawing) barWidth() int {
	if d.output.Terminal {
		return max(4, min(40, d.output.Width-52))
	}
	return 28
}

// chart draws the columns below each other, each with its share as a bar.
func (d *drawing) chart(title string, columns []column, of scale) {
	if len(columns) == 0 {
		return
	}
	d.title(title)
	t := term.NewTable(&d.text, d.output, term.Column{Least: 8, Middle: true}, term.Column{Right: true}, term.Column{Right: true},
		term.Column{Right: true}, term.Column{})
	for _, c := range columns {
		style := c.style
		if c.count.Rows == 0 {
			style = term.Faint
		}
		part := of.part(c.count)
		t.Add(term.Cell{Text: c.name, Style: style}, term.Cell{Text: humanize.Comma(c.count.Rows)}, term.Cell{Text: bytesText(c.count.Bytes)},
			term.Cell{Text: percent(part, of.whole)},
			term.Cell{Text: strings.TrimRight(d.output.Bar(part, of.whole, d.barWidth()), " "), Style: term.Good})
	}
	_ = t.Flush() // a strings.Builder takes everything
}

// percent is a share, of which what is more than nothing is seen.
func percent(part, whole int64) string {
	switch share := 100 * float64(part) / float64(max(whole, 1)); {
	case part <= 0:
		return "-"
	case share < 1:
		return "<1%"
	default:
		return fmt.Sprintf("%.0f%%", share)
	}
}

func (d *drawing) title(title string) {
	d.text.WriteByte('\n')
	d.line(title, term.Title)
}

func (a *app) drawBiggest(d *drawing, title string, s *store.Store, biggest []store.Entry, reveal bool) {
	if len(biggest) == 0 {
		return
	}
	d.title(title)
	t := term.NewTable(&d.text, d.output, term.Column{Least: 8, Middle: true}, term.Column{}, term.Column{Right: true}, term.Column{})
	for _, e := range biggest {
		t.Add(term.Cell{Text: a.viewKey(s, e, false, reveal).Text}, term.Cell{Text: e.Type}, term.Cell{Text: bytesText(e.Size)},
			term.Cell{Text: entryExpires(e), Style: urgency(e.TTL)})
	}
	_ = t.Flush() // as above
}
