package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/larder-cache/larder/store/record"
)

// UsedPrefixes returns those of the prefixes that keys of the table have, of live or expired rows, in the order given. A key has the longest of
// them that it begins with. The store's own prefix does not matter.
//
// It is one statement, and quick on a table of any size where the prefixes contain a digit or an ASCII punctuation mark; for another one MySQL
// may have to read all keys. Only the last key is looked at that begins with each prefix: a prefix is not found if that one has a longer one.
func (s *Store) UsedPrefixes(ctx context.Context, prefixes ...string) (used []string, err error) {
	op := s.begin(record.Count, "")
	defer func() { op.end(ctx, record.Done, int64(len(used)), err) }()
	if len(prefixes) == 0 {
		return nil, nil
	}
	last, err := s.lastKeys(ctx, prefixes, s.dialect.withPrefix)
	if err != nil && s.dialect.wrongCharset(err) {
		last, err = s.lastKeys(ctx, prefixes, s.dialect.withPrefixAnywhere)
	}
	if err != nil {
		return nil, fmt.Errorf("look for prefixes: %w", err)
	}
	for _, prefix := range prefixes {
		if slices.ContainsFunc(last, func(key string) bool { return longestPrefix(key, prefixes) == prefix }) {
			used = append(used, prefix)
		}
	}
	return used, nil
}

// lastKeys returns the last key, in the column's order, that begins with each of the prefixes.
func (s *Store) lastKeys(ctx context.Context, prefixes []string, begins func(string) (string, []any)) ([]string, error) {
	selects, args := make([]string, len(prefixes)), []any(nil)
	for i, prefix := range prefixes {
		condition, values := begins(prefix)
		text, values := s.statement(selection{read: s.sql.keys, where: []string{condition}, args: values, order: s.sql.byKey + " DESC", limit: 1})
		selects[i], args = fmt.Sprintf(s.sql.keysOf, text, i), append(args, values...)
	}
	var keys []string
	err := s.repeat(ctx, reading, func() error {
		keys = nil
		return s.read.SelectContext(ctx, &keys, strings.Join(selects, " UNION ALL "), args...)
	})
	return keys, err
}

// longestPrefix returns the longest of the prefixes that a key begins with.
func longestPrefix(key string, prefixes []string) string {
	longest := ""
	for _, prefix := range prefixes {
		if strings.HasPrefix(key, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return longest
}
