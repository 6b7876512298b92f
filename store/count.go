package store

import (
	"context"
	"fmt"

	"github.com/larder-cache/larder/store/record"
)

// CountRows returns how many rows are in the state: of the store's prefix, or of the whole table.
func (s *Store) CountRows(ctx context.Context, state State, allPrefixes bool) (n int64, err error) {
	op := s.begin(record.Count, "")
	defer func() { op.end(ctx, record.Done, n, err) }()
	o := ListOptions{State: state}
	if err := o.setDefaults(); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	prefix := s.prefix
	if allPrefixes {
		prefix = ""
	}
	err = s.withPrefix(prefix, func(condition string, args []any) error {
		var err error
		n, err = s.count(ctx, selection{read: s.sql.count, where: []string{s.inState(o.State), condition}, args: args})
		return err
	})
	if err = s.noRowsIfNotStorable(err); err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return n, nil
}

// othersPage is how many keys one statement of OtherPrefixes reads.
const othersPage = 5000

// OtherPrefixes returns the families of the rows that do not have the store's prefix, live or expired, the largest by rows first. Bytes are not
// counted: only keys are read. If ctx ends before all have been, it returns what was counted until then, with the error.
func (s *Store) OtherPrefixes(ctx context.Context, largest int) (_ Families, err error) {
	op, rows := s.begin(record.Count, ""), int64(0)
	defer func() { op.end(ctx, record.Done, rows, err) }()
	t := newFamilyTally(largest)
	if s.prefix == "" {
		return t.families(), nil
	}
	all := selection{read: s.sql.keys, order: s.sql.byKey, limit: othersPage}
	tally := func(of selection) error {
		for {
			keys, err := s.keys(ctx, of)
			if err != nil {
				return err
			}
			rows += int64(len(keys))
			for _, key := range keys {
				t.add(family(key), Count{Rows: 1})
			}
			if len(keys) < othersPage {
				return nil
			}
			of.after = keys[len(keys)-1]
		}
	}
	err = s.withPrefix(s.prefix, func(condition string, args []any) error { return tally(all.and(not(condition), args...)) })
	if err != nil && s.dialect.wrongCharset(err) {
		err = tally(all) // no row can have the prefix
	}
	if err != nil {
		err = fmt.Errorf("count rows of other prefixes: %w", err)
	}
	return t.families(), err
}
