package migrations

import (
	"fmt"
	"slices"
	"strings"
)

// The two tables, as indexes of Migrator.names and of schema.tables.
const (
	cacheTable = iota
	lockTable
)

// wanted are the columns of each kind of table, in Laravel's order.
var wanted = [2][]string{
	cacheTable: {"key", "value", "expiration"},
	lockTable:  {"key", "owner", "expiration"},
}

// A table is what the database tells of one of the two tables.
type table struct {
	name    string
	kind    int // cacheTable or lockTable
	missing bool
	comment string
	options []Difference
	columns []column
	indexes []index
	// indexName is the name for an index on expiration, and indexNameTaken what else has it already.
	indexName, indexNameTaken string

	// What follows is filled in by compare.
	differences []Difference
	era         string
}

type column struct {
	Name      string
	Type      string // "varchar", "int": without length and attributes
	FullType  string `db:"full_type"` // as declared: "varchar(191)", "int(11) unsigned"
	Chars     int64  // greatest length in characters; 0 where there is none
	Nullable  bool
	Default   *string `db:"def"`
	Extra     string  // what makes it more than a plain column: "auto_increment", "VIRTUAL GENERATED"
	Charset   string
	Collation string
	Comment   string
}

// An index lists its columns in order, in lower case: "key", but "key(100)" if it holds only so many characters of it, and
// "(expression)".
type index struct {
	name            string
	primary, unique bool
	partial         bool // covers only some rows (SQLite), or cannot be searched by range (FULLTEXT)
	columns         []string
}

func (i index) String() string {
	return i.name + " on (" + strings.Join(i.columns, ", ") + ")"
}

// A Difference is one way in which a table is not what Laravel 13 makes.
type Difference struct {
	Text    string  `json:"text"`
	Outcome Outcome `json:"outcome"`
	Aspect  Aspect  `json:"aspect,omitempty"` // what of the table it is about, where that has a name

	cure task // what removes it, if Outcome is Cured
}

// An Aspect is something of a table that can be different, apart from its having other columns and constraints than Laravel's.
type Aspect string

const (
	// AspectEngine is the storage engine.
	AspectEngine Aspect = "engine"
	// AspectKey is how long a key can be.
	AspectKey Aspect = "key"
	// AspectValue is how long a value can be.
	AspectValue Aspect = "value"
	// AspectExpiration is how far in the future an expiration can be.
	AspectExpiration Aspect = "expiration"
	// AspectIndex is the index on expiration.
	AspectIndex Aspect = "index"
	// AspectCharset is the character set of a column.
	AspectCharset Aspect = "charset"
	// AspectCollation is the collation of a column.
	AspectCollation Aspect = "collation"
)

// about returns the difference with what it is about.
func (d Difference) about(aspect Aspect) Difference {
	d.Aspect = aspect
	return d
}

// An Outcome says what Up makes of a Difference.
type Outcome string

const (
	// Cured is a difference that Up removes.
	Cured Outcome = "cured"
	// Kept is a difference that works as it is and that Up leaves.
	Kept Outcome = "kept"
	// Refused is a difference for which Up refuses the table.
	Refused Outcome = "refused"
)

func cured(cure task, format string, args ...any) Difference {
	return Difference{Text: fmt.Sprintf(format, args...), Outcome: Cured, cure: cure}
}

func kept(format string, args ...any) Difference {
	return Difference{Text: fmt.Sprintf(format, args...), Outcome: Kept}
}

func refused(format string, args ...any) Difference {
	return Difference{Text: fmt.Sprintf(format, args...), Outcome: Refused}
}

// compare fills in what is different and which Laravel made the table.
func (t *table) compare(e *engine) {
	if t.missing {
		if t.indexNameTaken != "" {
			t.differences = []Difference{refused("the name of its index on expiration is taken by %s", t.indexNameTaken)}
		}
		return
	}
	t.differences = t.options
	if len(t.columns) == 0 {
		return // it is no table at all
	}
	t.differences = slices.Concat(t.options, t.compareColumns(wanted[t.kind], e), t.compareIndexes())
	if !t.has(Refused) {
		t.era = e.era(t)
	}
}

func (t *table) has(o Outcome) bool {
	return slices.ContainsFunc(t.differences, func(d Difference) bool { return d.Outcome == o })
}

// needs tells whether the table lacks what a task would give it.
func (t *table) needs(do task) bool {
	if t.missing {
		return do == create || do == addIndex
	}
	return slices.ContainsFunc(t.differences, func(d Difference) bool { return d.Outcome == Cured && d.cure == do })
}

// why returns the reason for a task, as a sentence about the table.
func (t *table) why(do task) string {
	if do == create {
		return fmt.Sprintf("there is no table %s", t.name)
	}
	for _, d := range t.differences {
		if d.Outcome == Cured && d.cure == do {
			return t.name + ": " + d.Text
		}
	}
	return fmt.Sprintf("pruning %s reads the expired rows in this order", t.name)
}

func (t *table) column(name string) (column, bool) {
	for _, c := range t.columns {
		if strings.EqualFold(c.Name, name) { // as both engines compare column names
			return c, true
		}
	}
	return column{}, false
}

func (t *table) compareColumns(names []string, e *engine) (diffs []Difference) {
	for _, name := range names {
		c, ok := t.column(name)
		if !ok {
			diffs = append(diffs, refused("column %s is missing", name))
			continue
		}
		if c.Nullable {
			diffs = append(diffs, refused("column %s may be NULL, want NOT NULL", name))
		}
		if c.Default != nil {
			diffs = append(diffs, refused("column %s has the default %s, want none", name, *c.Default))
		}
		if c.Extra != "" {
			diffs = append(diffs, refused("column %s is %s, want a plain column", name, strings.ToLower(c.Extra)))
		}
		diffs = append(diffs, e.compareType(c)...)
	}
	for _, c := range t.columns {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, c.Name) }) {
			diffs = append(diffs, refused("unknown column %s (%s)", c.Name, c.FullType))
		}
	}
	return diffs
}

func (t *table) compareIndexes() (diffs []Difference) {
	if _, ok := t.column("key"); ok && !slices.ContainsFunc(t.indexes, index.identifiesKey) {
		diffs = append(diffs, refused("no unique index on key"))
	}
	for _, i := range t.indexes {
		if i.unique && !slices.Contains(i.columns, "key") {
			diffs = append(diffs, refused("unique index %s, want none but on the whole key", i))
		}
	}
	if !slices.ContainsFunc(t.indexes, func(i index) bool { return i.primary && i.identifiesKey() }) &&
		slices.ContainsFunc(t.indexes, index.identifiesKey) {
		diffs = append(diffs, kept("key has a UNIQUE index in place of a PRIMARY KEY, which works the same"))
	}
	if !slices.ContainsFunc(t.indexes, index.ordersExpiration) {
		if t.indexNameTaken != "" {
			diffs = append(diffs, refused("no index on expiration, and its name is taken by %s", t.indexNameTaken).about(AspectIndex))
		} else {
			diffs = append(diffs, cured(addIndex, "no index on expiration, so pruning reads the whole table").about(AspectIndex))
		}
	}
	return diffs
}

// identifiesKey tells whether the index makes sure that a key is there at most once.
func (i index) identifiesKey() bool {
	return i.unique && !i.partial && slices.Equal(i.columns, []string{"key"})
}

// ordersExpiration tells whether expired rows can be found by the index.
func (i index) ordersExpiration() bool { return !i.partial && i.columns[0] == "expiration" }

// primaryKey tells whether the table has a PRIMARY KEY, as Laravel makes it from 8.51 on.
func (t *table) primaryKey() bool {
	return slices.ContainsFunc(t.indexes, func(i index) bool { return i.primary })
}

// indexed tells whether the table has an index on expiration, as Laravel makes it from 12.41 on.
func (t *table) indexed() bool { return slices.ContainsFunc(t.indexes, index.ordersExpiration) }
