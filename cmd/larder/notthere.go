package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode"

	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/internal/misspelt"
	"github.com/larder-cache/larder/store"
)

// The bounds of looking for what somebody meant: the answer is no already, and nobody waits for more.
const (
	maxMeaning = time.Second
	maxMeant   = 2000 // keys
)

// notThere adds to the error that a key has no live row what may have been meant, for a person: the key as it is spelt in the table, its row that has
// expired, or a row of that key with another prefix. Other errors, and those that a program reads, stay as they are.
func (a *app) notThere(ctx context.Context, s *store.Store, key string, err error) error {
	if !errors.Is(err, store.ErrNotFound) || a.json() {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxMeaning)
	defer cancel()
	if hint := a.meant(ctx, s, key); hint != "" {
		return fmt.Errorf("%w\n%s", err, hint)
	}
	return err
}

// meant returns a line about what may have been meant, "" if nothing is found.
func (a *app) meant(ctx context.Context, s *store.Store, key string) string {
	if row, err := s.Row(ctx, key); err == nil && row.TTL <= 0 {
		return fmt.Sprintf("its row expired %s; larder inspect shows it until it is deleted", expires(row.TTL))
	}
	if bare, ok := strings.CutPrefix(key, s.Prefix()); ok && s.Prefix() != "" {
		if live, err := s.Has(ctx, bare); err == nil && live {
			return fmt.Sprintf("the prefix %q is put before every key: did you mean %q?", s.Prefix(), bare)
		}
	}
	if hint := a.otherPrefix(ctx, s, key); hint != "" {
		return hint
	}
	for beginning := range beginnings(key) {
		if near := misspelt.Nearest(key, keysLike(ctx, s, beginning+"*")); near != "" {
			return fmt.Sprintf("did you mean %q?", near)
		}
	}
	return ""
}

// otherPrefix says that there is such a key with another prefix, or that all rows have other prefixes, with the flag to paste; else it returns "".
func (a *app) otherPrefix(ctx context.Context, s *store.Store, key string) string {
	if prefix, ok := a.elsewhere(ctx, s, key); ok {
		return fmt.Sprintf("there is such a key with the prefix %q; larder uses %q (from %s): did you mean --prefix %s?",
			prefix, s.Prefix(), a.loaded.Prefix.Source, doctor.ShellQuote(prefix))
	}
	return a.emptyPrefix(ctx, s)
}

// emptyPrefix says that no row has the prefix and that others have one that Laravel would make, with the flag to paste; else it returns "". It is how
// a prefix that was derived wrongly, or is another version's of Laravel, looks. What other keys happen to begin with is proposed to nobody: who took it
// would store where PHP never looks.
func (a *app) emptyPrefix(ctx context.Context, s *store.Store) string {
	if s.Prefix() == "" {
		return ""
	}
	found, flags := a.prefixesInUse(ctx, s)
	if found == "" {
		return ""
	}
	return fmt.Sprintf("no row has the prefix %q (from %s), and there are rows with %s: did you mean %s?", s.Prefix(), a.loaded.Prefix.Source, found, flags)
}

// prefixesInUse names the prefixes that may be meant in place of one that no row has, and the flags that choose them. It returns "" if there are none.
func (a *app) prefixesInUse(ctx context.Context, s *store.Store) (names, flags string) {
	found, err := doctor.MeantPrefixes(ctx, s, a.loaded)
	if err != nil {
		return "", "" // it is not known, which is no reason to fail
	}
	var named, flagged []string
	for _, p := range found {
		named = append(named, fmt.Sprintf("%q (%s)", p.Value, p.Version))
		flagged = append(flagged, "--prefix "+doctor.ShellQuote(p.Value))
	}
	return strings.Join(named, " and "), strings.Join(flagged, " or ")
}

// beginnings yields beginnings of a key, the longest first and the empty one last, for most slips are not at the beginning: where they are, the table
// may be small enough to be read. They end with a digit or a punctuation mark, as far as a pattern would take none of their characters for a wild
// card: MySQL finds keys that begin so by its index, and reads all keys for a beginning that ends with a letter, which some collations join with the
// next one.
func beginnings(key string) iter.Seq[string] {
	const most = 8
	return func(yield func(string) bool) {
		end := len(key)
		if wild := strings.IndexAny(key, "*?"); wild >= 0 {
			end = wild
		}
		for n := 0; n < most; n++ {
			end = strings.LastIndexFunc(key[:end], func(r rune) bool { return r > ' ' && r < 0x7f && !unicode.IsLetter(r) })
			if end <= 0 {
				break
			}
			if !yield(key[:end+1]) {
				return
			}
		}
		yield("")
	}
}

func keysLike(ctx context.Context, s *store.Store, pattern string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e, err := range s.List(ctx, store.ListOptions{Pattern: pattern, Limit: maxMeant}) {
			if err != nil || known.MaskKey(e.Key) == e.Key && !yield(e.Key) {
				return
			}
		}
	}
}

// elsewhere finds a prefix of Laravel's own with which there is a live row of that key.
func (a *app) elsewhere(ctx context.Context, s *store.Store, key string) (string, bool) {
	whole, err := store.New(s.DB(), store.WithTable(a.loaded.Table.Value), store.WithLockTable(a.loaded.LockTable.Value))
	if err != nil {
		return "", false
	}
	rowKeys := []string{key}
	prefixes := map[string]string{key: ""}
	for _, p := range a.loaded.LaravelPrefixes {
		prefixes[p.Value+key] = p.Value
		rowKeys = append(rowKeys, p.Value+key)
	}
	found, err := whole.Many(ctx, rowKeys...)
	if err != nil {
		return "", false
	}
	for _, rowKey := range rowKeys {
		if _, ok := found[rowKey]; ok && prefixes[rowKey] != s.Prefix() {
			return prefixes[rowKey], true
		}
	}
	return "", false
}
