package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

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
begin and by type; the largest; and when they expire. Rows of other prefixes are counted beside them.

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
		Types: viewGroups(st.Types), Keys: viewFamilies(st.Keys), Expires: []bucketView{}, Biggest: []entryView{},
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

// drawStats draws what was counted, with bars for shares.
func (a *app) drawStats(s *store.Store, st *store.Stats, reveal bool) error {
	d := &drawing{output: a.output()}
	how := "exact"
	if st.Sampled {
		how = fmt.Sprintf("estimated from %s, --sample-above 0 counts all", countText(st.Looked, "row"))
	}
	d.printf("%s, %s of prefix %q (%s)", d.output.Paint(countText(st.Rows, "row"), term.Strong), bytesText(st.Bytes), s.Prefix(), how)
	d.table("", []column{{"live", st.Live, term.Normal}, {"expired", st.Expired, term.Warning}, {"forever", st.Forever, term.Normal},
		{"corrupt", st.Corrupt, term.Bad}}, st.Bytes)
	d.table("BY TYPE, of all bytes", fromGroups(st.Types, store.Count{}), st.Bytes)
	d.table("BY KEY, of all bytes", fromGroups(st.Keys.Largest, st.Keys.Rest), st.Bytes)
	d.histogram(st.Expires)
	a.drawBiggest(d, s, st.Biggest, reveal)
	if st.Others.Rows > 0 {
		d.table("OTHER PREFIXES: "+countText(st.Others.Rows, "row")+", "+bytesText(st.Others.Bytes),
			fromGroups(st.OtherPrefixes.Largest, st.OtherPrefixes.Rest), st.Others.Bytes)
	}
	_, err := a.stdout.Write([]byte(d.text.String()))
	return err
}

// A drawing is the text that comes to be.
type drawing struct {
	output term.Output
	text   strings.Builder
}

func (d *drawing) printf(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if d.output.Terminal && !d.output.Colour {
		line = d.output.Fit(line, d.output.Width)
	}
	d.text.WriteString(line + "\n")
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

// barWidth is what is left of a line beside the name and the numbers.
func (d *drawing) barWidth() int {
	if d.output.Terminal {
		return max(4, min(40, d.output.Width-52))
	}
	return 28
}

// table draws a chart by bytes.
func (d *drawing) table(title string, columns []column, whole int64) {
	if len(columns) == 0 {
		return
	}
	d.title(title)
	t := term.NewTable(&d.text, d.output, term.Column{Least: 8, Middle: true}, term.Column{Right: true}, term.Column{Right: true}, term.Column{})
	for _, c := range columns {
		style := c.style
		if c.count.Rows == 0 {
			style = term.Faint
		}
		t.Add(term.Cell{Text: c.name, Style: style}, term.Cell{Text: humanize.Comma(c.count.Rows)}, term.Cell{Text: bytesText(c.count.Bytes)},
			term.Cell{Text: strings.TrimRight(d.output.Bar(c.count.Bytes, whole, d.barWidth()), " "), Style: term.Good})
	}
	_ = t.Flush() // a strings.Builder takes everything
}

func (d *drawing) title(title string) {
	d.text.WriteByte('\n')
	if title != "" {
		d.printf("%s", d.output.Paint(d.output.Fit(title, d.width()), term.Title))
	}
}

func (d *drawing) width() int {
	if d.output.Terminal {
		return d.output.Width
	}
	return 1 << 30
}

// histogram draws when rows expire, by how many they are.
func (d *drawing) histogram(buckets []store.Bucket) {
	most := int64(0)
	for _, b := range buckets {
		most = max(most, b.Rows)
	}
	if most == 0 {
		return
	}
	d.title("EXPIRING, in rows")
	t := term.NewTable(&d.text, d.output, term.Column{Least: 8}, term.Column{Right: true}, term.Column{Right: true}, term.Column{})
	names := map[string]string{"<1m": "within 1m", "<10m": "10m", "<1h": "1h", "<6h": "6h", "<1d": "1d", "<7d": "7d", "<30d": "30d", "<1y": "1y"}
	for _, b := range buckets {
		name, ok := names[b.Name]
		if !ok {
			name = b.Name
		}
		t.Add(term.Cell{Text: name}, term.Cell{Text: humanize.Comma(b.Rows)}, term.Cell{Text: bytesText(b.Bytes)},
			term.Cell{Text: strings.TrimRight(d.output.Bar(b.Rows, most, d.barWidth()), " "), Style: term.Good})
	}
	_ = t.Flush() // as above
}

func (a *app) drawBiggest(d *drawing, s *store.Store, biggest []store.Entry, reveal bool) {
	if len(biggest) == 0 {
		return
	}
	d.title("BIGGEST")
	t := term.NewTable(&d.text, d.output, term.Column{Least: 16, Middle: true}, term.Column{}, term.Column{Right: true}, term.Column{})
	for _, e := range biggest {
		t.Add(term.Cell{Text: a.viewKey(s, e, false, reveal).Text}, term.Cell{Text: e.Type}, term.Cell{Text: bytesText(e.Size)},
			term.Cell{Text: expires(e.TTL), Style: urgency(e.TTL)})
	}
	_ = t.Flush() // as above
}
