package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/larder-cache/larder/store/php"
	"github.com/larder-cache/larder/store/record"
)

// An Entry is what List tells of a row, without its value.
type Entry struct {
	Key        string        // without prefix; the whole row key if all prefixes were asked for
	Type       string        // of the value, as php.TypeName tells it: "string", "array", "corrupt"
	Size       int64         // of the stored value, in bytes
	Expiration int64         // Unix seconds, as in the column
	TTL        time.Duration // how long the row still lives, by the database server's clock; 0 or less if it has expired

	// Head is the beginning of the value in PHP's serialization: all of it if it is short, else 200 bytes or more, for a preview.
	Head []byte
}

// Live reports whether the row was live when it was read.
func (e Entry) Live() bool { return e.TTL > 0 }

// State says which rows List returns.
type State string

// The states that List selects by.
const (
	Live    State = "live"
	Expired State = "expired"
	All     State = "all"
)

// Order says how List sorts.
type Order string

// The orders of List.
const (
	ByKey        Order = "key"        // as the column's collation sorts
	ByExpiration Order = "expiration" // soonest first
	BySize       Order = "size"       // largest first
)

// ListOptions narrow and sort a List. The zero value lists the live rows of the store's prefix by key.
type ListOptions struct {
	Pattern     string // "*" stands for any characters, "?" for one, all else for itself. Defaults to "*".
	State       State  // Defaults to Live.
	Order       Order  // Defaults to ByKey.
	Limit       int    // How many entries at most. Defaults to all.
	AllPrefixes bool   // Every row of the table; patterns then match the whole row key. Defaults to false.
}

func (o *ListOptions) setDefaults() error {
	if o.Pattern == "" {
		o.Pattern = "*"
	}
	if o.State == "" {
		o.State = Live
	}
	if o.Order == "" {
		o.Order = ByKey
	}
	switch {
	case o.State != Live && o.State != Expired && o.State != All:
		return &LimitError{What: "state", Limit: "live, expired or all", Got: fmt.Sprintf("%q", o.State)}
	case o.Order != ByKey && o.Order != ByExpiration && o.Order != BySize:
		return &LimitError{What: "order", Limit: "key, expiration or size", Got: fmt.Sprintf("%q", o.Order)}
	case o.Limit < 0:
		return &LimitError{What: "limit", Limit: "0 (all) or more", Got: fmt.Sprint(o.Limit)}
	}
	return nil
}

// listPage is how many rows one statement reads that lists rows by key.
const listPage = 1000

// isExact tells that the server finds the rows that the pattern matches and no others, so that none will be left out here.
func (o ListOptions) isExact() bool {
	literal, tail, _ := cutAny(o.Pattern, "*?")
	return o.Pattern == literal+"*" && tail == ""
}

// pageSize is how many rows to ask for at a time: no more than are wanted, for the server reads the head of each value.
func (o ListOptions) pageSize() int64 {
	if o.Limit > 0 && o.isExact() {
		return min(int64(o.Limit), listPage)
	}
	return listPage
}

// List returns the entries of the rows that the options select, as they are found. It never reads whole values.
//
// By key it reads page after page, so that it holds no statement open and its memory does not grow with the table; rows written
// meanwhile may or may not be seen, and no row is seen twice. In other orders it is one statement, which the server sorts. With a Limit of up to
// 1,000, and a Pattern that has at most a "*" at its end, its rows are read before the first is seen. Otherwise it holds its connection until
// the loop ends: a body that asks the same store needs a second one, which a pool of one does not have, and a server ends a statement
// whose rows nobody takes (MySQL's net_write_timeout, 60 s).
//
// The sequence ends with an error, if there is one, as its last element.
func (s *Store) List(ctx context.Context, o ListOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		op, rows := s.begin(record.List, ""), int64(0)
		err := o.setDefaults()
		defer func() { op.end(ctx, record.Done, rows, err) }() // also when the loop's body panics
		if err == nil {
			err = s.list(ctx, o, func(e Entry) bool { rows++; return yield(e, nil) })
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("list: %w", err))
		}
	}
}

var errStop = errors.New("the caller has seen enough")

func (s *Store) list(ctx context.Context, o ListOptions, yield func(Entry) bool) error {
	prefix := s.prefix
	if o.AllPrefixes {
		prefix = ""
	}
	seen := 0
	visit := func(row listed) error {
		key := row.key[len(prefix):]
		if !Match(o.Pattern, key) {
			return nil
		}
		if seen++; !yield(s.entry(key, row)) || seen == o.Limit {
			return errStop
		}
		return nil
	}
	literal, _, _ := cutAny(o.Pattern, "*?")
	err := s.withPrefix(prefix+literal, func(condition string, args []any) error {
		rows := selection{read: s.sql.list, where: []string{s.inState(o.State), condition}, args: args}
		if o.Order == ByKey {
			rows.limit = o.pageSize()
			return s.pages(ctx, rows, func(page []listed) error { return eachOf(page, visit) })
		}
		return s.listSorted(ctx, o, rows, visit)
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return s.noRowsIfNotStorable(err)
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// inState returns the condition for the rows in a state, "" for all of them.
func (s *Store) inState(state State) string {
	switch state {
	case Live:
		return s.sql.isLive
	case Expired:
		return s.sql.isExpired
	}
	return ""
}

// listSorted is list in an order that pages cannot follow: it is one statement, which the server sorts.
func (s *Store) listSorted(ctx context.Context, o ListOptions, rows selection, visit func(listed) error) error {
	rows.order = s.sql.byExpiry
	if o.Order == BySize {
		rows.order = s.sql.bySize
	}
	if o.isExact() {
		rows.limit = int64(o.Limit)
	}
	if rows.limit > 0 && rows.limit <= listPage { // few enough to be held, so that a slow reader keeps no statement open
		page, err := s.page(ctx, rows)
		if err != nil {
			return err
		}
		return eachOf(page, visit)
	}
	err := s.eachListed(ctx, rows, visit)
	if err != nil && !errors.Is(err, errStop) {
		err = s.dialect.explain(err)
	}
	return err
}

func eachOf(page []listed, visit func(listed) error) error {
	for _, row := range page {
		if err := visit(row); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) entry(key string, row listed) Entry {
	head := s.dialect.headFromColumn(row.head)
	return Entry{
		Key:        key,
		Head:       head,
		Type:       typeOf(head, row),
		Size:       row.size,
		Expiration: row.expiration,
		TTL:        remaining(row.expiration, row.now),
	}
}

// typeOf tells the type from the head of a value. A string that is shorter than it says was cut by a TEXT column, and a number that something
// follows was not written by PHP.
func typeOf(head []byte, row listed) string {
	name := php.TypeName(head)
	switch {
	case !bytes.Equal(head, row.head): // base64 is not cut by the columns that have it
		return name
	case name == "null", name == "bool", name == "int", name == "float":
		if row.size != int64(bytes.IndexByte(head, ';')+1) {
			return "corrupt"
		}
		return name
	case name != "string":
		return name
	}
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("s:")), []byte(":"))
	length, err := strconv.ParseInt(string(digits), 10, 64)
	if err == nil && row.size != int64(len(`s::"";`)+len(digits))+length {
		return "corrupt"
	}
	return name
}

// Match reports whether a pattern as List has it, in which "*" stands for any characters, "?" for one and all else for itself, matches all of key.
func Match(pattern, key string) bool {
	star, mark := -1, 0 // where the last "*" was, and how much of the key it has taken
	i, j := 0, 0
	for j < len(key) {
		_, of := utf8.DecodeRuneInString(pattern[i:]) // 0 at its end
		_, n := utf8.DecodeRuneInString(key[j:])
		switch {
		case of > 0 && pattern[i] == '*':
			star, mark = i, j
			i++
		case of > 0 && (pattern[i] == '?' || pattern[i:i+of] == key[j:j+n]): // the bytes: those that are not UTF-8 are all one rune
			i += of
			j += n
		case star >= 0:
			_, n := utf8.DecodeRuneInString(key[mark:])
			mark += n
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
