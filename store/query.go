package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// What statements have in common, whatever the engine: clauses around the texts of a dialect, and pages of rows.

// A selection is rows of a table, and what is to be read of them.
type selection struct {
	read  string   // a text of the dialect that reads and that clauses may follow
	where []string // conditions, of which "" is none
	args  []any    // of the conditions, in their order
	after string   // a row key: only those that sort after it; "" for all
	order string   // "" for any
	limit int64    // how many rows at most; 0 for all
}

// and returns the selection of those rows that also meet the condition.
func (q selection) and(condition string, args ...any) selection {
	q.where, q.args = append(slices.Clip(q.where), condition), append(slices.Clip(q.args), args...)
	return q
}

// statement returns the text that reads the selection, and its arguments.
func (s *Store) statement(q selection) (text string, args []any) {
	// The one cursor that there is: of two lower ends of one column, SQLite would go in by the first and pass by everything up to the other.
	if q.after != "" {
		q = q.and(s.sql.afterKey, q.after)
	}
	text = q.read + where(q.where...)
	if q.order != "" {
		text += " ORDER BY " + q.order
	}
	if q.limit > 0 {
		text += " LIMIT " + strconv.FormatInt(q.limit, 10)
	}
	return s.text(text), q.args
}

// where returns the clause for rows that meet all conditions.
func where(conditions ...string) string {
	given := strings.Join(slices.DeleteFunc(slices.Clone(conditions), func(c string) bool { return c == "" }), " AND ")
	if given == "" {
		return ""
	}
	return " WHERE " + given
}

// and returns what follows other conditions.
func and(condition string) string {
	if condition == "" {
		return ""
	}
	return " AND " + condition
}

// not returns the condition for all other rows.
func not(condition string) string { return "NOT (" + condition + ")" }

// anyOf returns the condition for rows that meet it with one of n sets of arguments.
func anyOf(n int, condition string) string {
	return "(" + strings.TrimSuffix(strings.Repeat(condition+" OR ", n), " OR ") + ")"
}

// placeholders returns "?,?,?" with n question marks, and tuple the same in parentheses.
func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
func tuple(n int) string        { return "(" + placeholders(n) + ")" }

// listed is one row as the texts return it that list rows.
type listed struct {
	key        string
	size       int64
	head       []byte
	expiration int64
	now        int64
}

// pages reads a selection in the order of its keys and shows it page by page, each of as many rows as its limit says. No statement is open
// while a page is looked at. Rows that are written meanwhile may or may not be seen, and none is seen twice.
func (s *Store) pages(ctx context.Context, q selection, visit func(page []listed) error) error {
	q.order = s.sql.byKey
	for {
		page, err := s.page(ctx, q)
		if err != nil || len(page) == 0 {
			return err
		}
		more := int64(len(page)) == q.limit
		q.after = page[len(page)-1].key
		if err := visit(page); err != nil || !more {
			return err
		}
	}
}

// page reads a selection whole, so that what a repeated statement finds is not seen twice.
func (s *Store) page(ctx context.Context, q selection) ([]listed, error) {
	text, args := s.statement(q)
	var page []listed
	err := s.repeat(ctx, reading, func() error {
		page = page[:0]
		read := func(row listed) error { page = append(page, row); return nil }
		return s.scanListed(ctx, func() {}, text, args, read) // to the end: a context to cancel would cost the driver a watcher
	})
	return page, err
}

// eachListed shows the rows of a selection as they arrive. The statement is not repeated if it fails, because some of them may have been seen.
func (s *Store) eachListed(ctx context.Context, q selection, visit func(listed) error) error {
	text, args := s.statement(q)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.scanListed(ctx, cancel, text, args, visit)
}

func (s *Store) scanListed(ctx context.Context, stop func(), text string, args []any, visit func(listed) error) error {
	rows, err := s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() {
		stop() // first: rows that nobody wants any more would otherwise be read to the end
		_ = rows.Close()
	}()
	for rows.Next() {
		var row listed
		if err := rows.Scan(&row.key, &row.size, &row.head, &row.expiration, &row.now); err != nil {
			return err
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// keys reads a selection of row keys alone.
func (s *Store) keys(ctx context.Context, q selection) (keys []string, err error) {
	text, args := s.statement(q)
	err = s.repeat(ctx, reading, func() error {
		keys = nil
		return s.read.SelectContext(ctx, &keys, text, args...)
	})
	return keys, err
}

// count returns how many rows a selection of their number has.
func (s *Store) count(ctx context.Context, q selection) (n int64, err error) {
	text, args := s.statement(q)
	err = s.repeat(ctx, reading, func() error { return s.read.QueryRowContext(ctx, text, args...).Scan(&n) })
	return n, err
}

// withPrefix runs a statement with the dialect's condition for a prefix, and again with its other form where the column's character
// set calls for it.
func (s *Store) withPrefix(prefix string, run func(condition string, args []any) error) error {
	err := run(s.dialect.withPrefix(prefix))
	if err != nil && s.dialect.wrongCharset(err) {
		err = run(s.dialect.withPrefixAnywhere(prefix))
	}
	return err
}

// noRowsIfNotStorable returns nil for the error that the key column's character set has no such characters as the prefix: there is no such row.
func (s *Store) noRowsIfNotStorable(err error) error {
	if err != nil && s.dialect.wrongCharset(err) {
		return nil
	}
	return err
}
