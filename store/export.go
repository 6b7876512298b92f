package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// A Row is a whole row of the cache table, to be copied: live or expired, sound or corrupt.
type Row struct {
	Key        string        // without prefix; the whole row key if all prefixes were asked for
	Value      []byte        // the stored bytes, after base64 where Laravel has it on SQLite, so that they mean the same in every engine
	Expiration int64         // Unix seconds, as in the column
	TTL        time.Duration // how long the row still lived when it was read, by the database server's clock; 0 or less if it had expired
}

// ExportOptions narrow an Export. The zero value exports the live rows of the store's prefix.
type ExportOptions struct {
	Pattern     string // As in ListOptions. Defaults to "*".
	State       State  // Defaults to Live.
	After       string // The key after which to begin, in the column's own order: the last one of an Export that was stopped.
	AllPrefixes bool   // Every row of the table, by whole row keys. Defaults to false.

	// MaxSize leaves out the rows whose values are larger, in bytes as stored, without reading them. Defaults to 0: none is.
	MaxSize int64
}

// Export returns the rows that the options select, whole, in the order in which the key column sorts.
//
// It reads page after page by key, and of each as many values at a time as make up 4 MiB; one that is larger by itself and in parts, which are
// those of one moment. So it holds no statement open while a row is looked at, and its memory grows with the largest value, of which there is one
// copy, and another in SQLite while it gives a part of it, and not with the table. Rows written meanwhile are seen as they were before or after, or
// not at all, and no row is seen twice. The sequence ends with an error, if there is one, as its last element; an Export with the last key as After
// goes on from there.
func (s *Store) Export(ctx context.Context, o ExportOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var (
			op   = s.begin(record.Export, "")
			rows int64
			err  error
		)
		defer func() { op.end(ctx, record.Done, rows, err) }() // also when the loop's body panics
		err = s.export(ctx, o, func(r Row) bool { rows++; return yield(r, nil) })
		if errors.Is(err, errStop) {
			err = nil
		}
		if err != nil {
			yield(Row{}, fmt.Errorf("export: %w", err))
		}
	}
}

func (s *Store) export(ctx context.Context, o ExportOptions, yield func(Row) bool) error {
	list := ListOptions{Pattern: o.Pattern, State: o.State}
	if err := list.setDefaults(); err != nil {
		return err
	}
	prefix := s.prefix
	if o.AllPrefixes {
		prefix = ""
	}
	literal, _, _ := cutAny(list.Pattern, "*?")
	err := s.withPrefix(prefix+literal, func(condition string, args []any) error {
		rows := selection{read: s.sql.sizes, where: []string{s.inState(list.State), condition}, args: args, limit: listPage}
		if o.After != "" {
			rows.after = prefix + o.After
		}
		return s.pages(ctx, rows, func(page []listed) error {
			page = slices.DeleteFunc(page, func(row listed) bool {
				return !Match(list.Pattern, row.key[len(prefix):]) || o.MaxSize > 0 && row.size > o.MaxSize
			})
			return s.exportValues(ctx, list.State, prefix, page, yield)
		})
	})
	return s.noRowsIfNotStorable(err)
}

// exportValues reads the values of a page, as many at a time as maxBatch allows, and yields the rows in the page's order. A row that is gone, or no
// longer in the wanted state, is left out.
func (s *Store) exportValues(ctx context.Context, state State, prefix string, page []listed, yield func(Row) bool) error {
	for len(page) > 0 {
		n := together(page)
		wanted := make([]any, n)
		for i, row := range page[:n] {
			wanted[i] = row.key
		}
		read := s.exportRows
		if page[0].size > maxBatch {
			read = s.exportLarge
		}
		rows, err := read(ctx, wanted)
		if err != nil {
			return err
		}
		for _, rowKey := range wanted {
			r, found := rows[rowKey.(string)]
			if !found || state == Live && r.TTL <= 0 || state == Expired && r.TTL > 0 {
				continue
			}
			delete(rows, r.Key) // the values that have been yielded are the caller's, to keep or to drop
			r.Key = r.Key[len(prefix):]
			if !yield(r) {
				return errStop
			}
		}
		page = page[n:]
	}
	return nil
}

// together is how many of the next rows are read at a time.
func together(page []listed) int {
	n := 0
	for size := int64(0); n < len(page) && size+page[n].size <= maxBatch; n++ {
		size += page[n].size
	}
	return max(n, 1)
}

// exportRows returns the rows of the row keys, by row key.
func (s *Store) exportRows(ctx context.Context, rowKeys []any) (map[string]Row, error) {
	if len(rowKeys) == 0 {
		return nil, nil
	}
	rows := make(map[string]Row, len(rowKeys))
	err := s.repeat(ctx, reading, func() error {
		clear(rows)
		found, err := s.read.QueryContext(ctx, s.text(s.sql.many)+tuple(len(rowKeys)), rowKeys...)
		if err != nil {
			return err
		}
		defer func() { _ = found.Close() }()
		for found.Next() {
			var (
				r   Row
				now int64
			)
			if err := found.Scan(&r.Key, &r.Value, &r.Expiration, &now); err != nil {
				return err
			}
			r.Value, r.TTL = s.dialect.fromColumn(r.Value), remaining(r.Expiration, now)
			rows[r.Key] = r // by its own spelling, so that a look-alike is none of the wanted
		}
		return found.Err()
	})
	return rows, err
}
