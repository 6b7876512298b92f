package store

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// StatsOptions say how closely Stats looks.
type StatsOptions struct {
	// Biggest is how many of the largest rows are named. Defaults to 10.
	Biggest int

	// Families is how many families of keys are told apart, the largest. Defaults to 50.
	Families int

	// Kind names what a row is counted as instead of in its key's family, by its key and the type of its value as php.TypeName tells it; "" for its
	// family. It is for keys whose beginning tells nothing, such as hashes, and should know a handful of names. Defaults to none.
	Kind func(key, typeName string) string

	// Beginnings are beginnings of row keys to be counted: Laravel's prefixes, say. A row that begins with several counts for the longest.
	// Defaults to none.
	Beginnings []string

	// SampleAbove is the number of rows in the table beyond which Stats looks at about that many, spread over all of it, instead of all.
	// Defaults to 0: it looks at all.
	SampleAbove int64
}

// A Count is a number of rows and the size of their stored values.
type Count struct {
	Rows  int64
	Bytes int64
}

func (c *Count) add(o Count) { c.Rows += o.Rows; c.Bytes += o.Bytes }

// A Group is rows that have something in common.
type Group struct {
	Name string
	Count
}

// Families are rows grouped by how their keys begin: up to and including "_cache_" or "-cache-", which the prefixes of Laravel's own
// configuration end with, or else the first ":", "." or "_". So "user:7:name" and "user:8" are of the family "user:". Keys with none of these
// are the family "".
type Families struct {
	Largest []Group // by bytes
	Rest    Count   // the rows of all other families
}

// A Bucket is how many live rows expire within a span of time from now, and not within that of the bucket before it.
type Bucket struct {
	Name string        // "<1m", "<10m", "<1h", "<6h", "<1d", "<7d", "<30d", "<1y", "longer", "forever"
	Less time.Duration // the end of the span, which is not part of it; 0 for the last two
	Count
}

// Stats are what stands in the cache table.
type Stats struct {
	Count            // all rows of the store's prefix
	Live    Count    // of these, the live ones
	Expired Count    // of these, the expired ones
	Forever Count    // of the live ones, those that were stored forever
	Corrupt Count    // of all, those whose value is no PHP serialization, as far as its beginning tells
	Types   []Group  // all, by the type of the value as php.TypeName tells it; most bytes first
	Kinds   []Group  // those that the options' Kind names; most bytes first
	Keys    Families // all others
	Expires []Bucket // the live ones, soonest first, each bucket whether or not there are rows in it
	Biggest []Entry  // the largest values, live or expired; largest first

	Beginnings []Count // of the whole table, those that begin as the options ask, in their order

	Others        Count    // the rows of other prefixes, live or expired
	OtherPrefixes Families // of the row keys of these

	// Sampled tells that not all rows were looked at. All counts are then estimates: those of the rows that were looked at, multiplied.
	// Biggest are the largest of these rows only.
	Sampled bool
	Looked  int64 // how many rows of the table were looked at, those of other prefixes among them
}

// foreverFrom is how far ahead an expiration lies that was set to be forever. Laravel's is ten years of 365 days ahead when it is
// written, which leaves it a year to be told apart from one that is meant.
const foreverFrom = 9 * 365 * 24 * time.Hour

// Forever reports whether the row is live and was stored forever, as far as its expiration tells: it lies more than nine years ahead, or is the last
// second that an INT column holds, which is what Forever writes there.
func (e Entry) Forever() bool {
	return e.TTL > foreverFrom || e.Live() && e.Expiration == math.MaxInt32
}

func newBuckets() []Bucket {
	const day = 24 * time.Hour
	return []Bucket{
		{Name: "<1m", Less: time.Minute}, {Name: "<10m", Less: 10 * time.Minute}, {Name: "<1h", Less: time.Hour}, {Name: "<6h", Less: 6 * time.Hour},
		{Name: "<1d", Less: day}, {Name: "<7d", Less: 7 * day}, {Name: "<30d", Less: 30 * day}, {Name: "<1y", Less: 365 * day},
		{Name: "longer"}, {Name: "forever"},
	}
}

// Stats counts the rows of the store's prefix, and those of others beside them. A row is forever while it expires more than nine years
// from now.
//
// It goes through the table once, in pages by key, and reads the beginning of each value only, so that neither memory nor the time of any one
// statement grows with the table. Rows written meanwhile may or may not be counted. A corrupt value is a number in Corrupt and no error.
//
// Of more families than the options ask for, the small ones are put together as the pass goes on. Keys of one family come one after the other
// but where the column's collation puts others among them, so that a family's count may lack the rows before such a gap, which Rest has.
func (s *Store) Stats(ctx context.Context, o StatsOptions) (*Stats, error) {
	op := s.begin(record.Stats, "")
	stats, err := s.stats(ctx, o)
	if err != nil {
		op.end(ctx, record.Done, 0, err)
		return nil, fmt.Errorf("stats: %w", err)
	}
	op.end(ctx, record.Done, stats.Looked, nil)
	return stats, nil
}

func (o *StatsOptions) setDefaults() error {
	if o.Biggest == 0 {
		o.Biggest = 10
	}
	if o.Families == 0 {
		o.Families = 50
	}
	if o.Biggest < 0 || o.Families < 0 || o.SampleAbove < 0 {
		return &LimitError{What: "stats option", Limit: "0 (the default) or more", Got: fmt.Sprintf("%+v", *o)}
	}
	return nil
}

func (s *Store) stats(ctx context.Context, o StatsOptions) (*Stats, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	t := newTally(o)
	rows := selection{read: s.sql.list, limit: listPage}
	var total int64
	if o.SampleAbove > 0 {
		var err error
		if total, err = s.count(ctx, selection{read: s.sql.count}); err != nil {
			return nil, err
		}
		if t.stats.Sampled = total > o.SampleAbove; t.stats.Sampled {
			rows = rows.and(s.sql.sample, (total+o.SampleAbove-1)/o.SampleAbove)
		}
	}
	err := s.pages(ctx, rows, func(page []listed) error {
		for _, row := range page {
			t.look(s, row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.result(total), nil
}

// A tally is the pass of one Stats. Its memory is bounded by the options.
type tally struct {
	stats   Stats
	types   map[string]Count
	kinds   map[string]Count
	keys    familyTally
	others  familyTally
	biggest entryHeap
	most    int // entries in biggest

	beginnings []string
	kind       func(key, typeName string) string
}

func newTally(o StatsOptions) *tally {
	return &tally{
		stats: Stats{Expires: newBuckets(), Beginnings: make([]Count, len(o.Beginnings))}, types: map[string]Count{}, kinds: map[string]Count{}, most: o.Biggest,
		keys: newFamilyTally(o.Families), others: newFamilyTally(o.Families),
		beginnings: o.Beginnings, kind: o.Kind,
	}
}

func (t *tally) look(s *Store, row listed) {
	t.stats.Looked++
	one := Count{Rows: 1, Bytes: row.size}
	longest := -1
	for i, beginning := range t.beginnings {
		if strings.HasPrefix(row.key, beginning) && (longest < 0 || len(beginning) > len(t.beginnings[longest])) {
			longest = i
		}
	}
	if longest >= 0 {
		t.stats.Beginnings[longest].add(one)
	}
	key, ours := strings.CutPrefix(row.key, s.prefix)
	if !ours {
		t.stats.Others.add(one)
		t.others.add(family(row.key), one)
		return
	}
	e := s.entry(key, row)
	t.stats.add(one)
	if kind := t.kindOf(e); kind != "" {
		count(t.kinds, kind, one)
	} else {
		t.keys.add(family(key), one)
	}
	count(t.types, e.Type, one)
	if e.Type == "corrupt" {
		t.stats.Corrupt.add(one)
	}
	if e.Live() {
		t.stats.Live.add(one)
		t.stats.Expires[bucketOf(t.stats.Expires, e)].add(one)
	} else {
		t.stats.Expired.add(one)
	}
	if e.Forever() {
		t.stats.Forever.add(one)
	}
	if len(t.biggest) < t.most {
		heap.Push(&t.biggest, e)
	} else if e.Size > t.biggest[0].Size {
		t.biggest[0] = e
		heap.Fix(&t.biggest, 0)
	}
}

func (t *tally) kindOf(e Entry) string {
	if t.kind == nil {
		return ""
	}
	return t.kind(e.Key, e.Type)
}

func count(in map[string]Count, name string, one Count) {
	sum := in[name]
	sum.add(one)
	in[name] = sum
}

func bucketOf(buckets []Bucket, e Entry) int {
	if e.Forever() {
		return len(buckets) - 1
	}
	for i, b := range buckets {
		if b.Less == 0 || e.TTL < b.Less {
			return i
		}
	}
	return len(buckets) - 1
}

// result finishes the tally, for a table of that many rows if it was a sample.
func (t *tally) result(total int64) *Stats {
	st := &t.stats
	st.Types, st.Kinds = groups(t.types), groups(t.kinds)
	st.Keys, st.OtherPrefixes = t.keys.families(), t.others.families()
	st.Biggest = t.biggest
	slices.SortFunc(st.Biggest, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Key, b.Key))
	})
	if st.Sampled && st.Looked > 0 {
		st.multiply(float64(total) / float64(st.Looked))
	}
	return st
}

// multiply makes estimates for the table of what was counted in a sample.
func (st *Stats) multiply(by float64) {
	counts := []*Count{&st.Count, &st.Live, &st.Expired, &st.Forever, &st.Corrupt, &st.Others, &st.Keys.Rest, &st.OtherPrefixes.Rest}
	for _, some := range [][]Group{st.Types, st.Kinds, st.Keys.Largest, st.OtherPrefixes.Largest} {
		for i := range some {
			counts = append(counts, &some[i].Count)
		}
	}
	for i := range st.Beginnings {
		counts = append(counts, &st.Beginnings[i])
	}
	for i := range st.Expires {
		counts = append(counts, &st.Expires[i].Count)
	}
	for _, c := range counts {
		c.Rows, c.Bytes = int64(math.Round(float64(c.Rows)*by)), int64(math.Round(float64(c.Bytes)*by))
	}
}

// family returns the beginning of a key, as Families has it.
func family(key string) string {
	for _, end := range []string{"_cache_", "-cache-"} {
		if i := strings.Index(key, end); i >= 0 {
			return key[:i+len(end)]
		}
	}
	return key[:strings.IndexAny(key, ":._")+1]
}

// A familyTally counts families and keeps the largest. Because the keys come in order, a family that is put into the rest does not
// come again, and which one that is can be decided before all of them are known.
type familyTally struct {
	most  int
	known map[string]Count
	rest  Count
}

func newFamilyTally(most int) familyTally { return familyTally{most: most, known: map[string]Count{}} }

func (f *familyTally) add(name string, one Count) {
	if _, known := f.known[name]; !known && len(f.known) >= 2*f.most+100 {
		f.trim()
	}
	count(f.known, name, one)
}

// trim keeps the largest families. It leaves much room, so that it is not called for each key.
func (f *familyTally) trim() []Group {
	all := groups(f.known)
	kept := all[:min(len(all), f.most)]
	for _, g := range all[len(kept):] {
		f.rest.add(g.Count)
		delete(f.known, g.Name)
	}
	return kept
}

func (f *familyTally) families() Families { return Families{Largest: f.trim(), Rest: f.rest} }

// groups returns the largest first.
func groups(of map[string]Count) []Group {
	var all []Group
	for name, count := range of {
		all = append(all, Group{name, count})
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Name, b.Name))
	})
	return all
}

// An entryHeap has the smallest entry first.
type entryHeap []Entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].Size < h[j].Size }
func (h entryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(e any)        { *h = append(*h, e.(Entry)) }

func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
