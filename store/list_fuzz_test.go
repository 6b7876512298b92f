package store_test

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/larder-cache/larder/store"
)

// FuzzList holds the whole way of a pattern, from the range of keys that the statement reads to the matching of each, against the definition
// of a pattern. Each key is stored under each prefix, of which the second goes on where the first ends.
func FuzzList(f *testing.F) {
	for _, pattern := range modelPatterns {
		f.Add(pattern, "app:", "foo\nfoo\x01\nFoo\nfóo\nbar\n💰key")
	}
	f.Add("a*b*c?d", "\x7f", "abcxd\na*b*c?d\n\U0010FFFF")
	f.Add("*a*a*a*a*a*b", "", strings.Repeat("a", 60))
	f.Add("?\xff", "", "a\uFFFD\na\U0010FFFF") // bytes that are not UTF-8 are not the character that stands for them
	s, err := store.Open("sqlite::memory:")
	prepared(f, s, err, migrateSQLite)
	f.Fuzz(func(t *testing.T, pattern, prefix, lines string) {
		keys := strings.Split(lines, "\n")
		if strings.Count(pattern, "*") > 6 || len(keys) > 20 {
			return // the definition, which tries everything, would not end
		}
		if _, err := s.FlushAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{prefix, prefix + "x"} {
			s, err := store.New(s.DB(), store.WithPrefix(prefix))
			if err != nil {
				return // a prefix that is not UTF-8
			}
			for _, key := range keys {
				if err := s.Put(t.Context(), key, 1, time.Hour); err != nil {
					return // a key that no table holds
				}
			}
		}
		wantListed(t.Context(), t, s, prefix, pattern)
	})
}

// On MySQL the range is a union of ranges, for keys which collations sort in unexpected places: controls, spaces, what they ignore,
// what they join, and what they do not know.
func TestList_FindsByCollationWhatMatchesByteForByte(t *testing.T) {
	s := openMySQL(t)
	for _, collation := range []string{"utf8mb4_unicode_ci", "utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_czech_ci", "utf8mb4_unicode_520_ci"} {
		t.Run(collation, func(t *testing.T) {
			if _, err := s.FlushAll(t.Context()); err != nil { // or keys that are one in the next collation would be in its way
				t.Fatal(err)
			}
			altered(t, s, "MODIFY `key` VARCHAR(255) COLLATE "+collation+" NOT NULL")
			text := rapid.StringOfN(rapid.SampledFrom([]rune("aaAácChHsß1:_.% \t\x00\x01\x1f\x7f*?\\'แกิ漢💰🦄\u00ad\u0301\ufffd\uffff\U0010ffff")), 0, 6, -1)
			rapid.Check(t, func(t *rapid.T) {
				if _, err := s.FlushAll(t.Context()); err != nil {
					t.Fatal(err)
				}
				values := map[string]any{}
				prefix := text.Draw(t, "prefix")
				for _, key := range rapid.SliceOfN(text, 1, 30).Draw(t, "keys") {
					values[prefix+key] = 1
					values[key] = 1
				}
				if err := s.PutMany(t.Context(), values, time.Hour); err != nil {
					t.Fatal(err)
				}
				wantListed(t.Context(), t, s, prefix, text.Draw(t, "pattern")+"*")
			})
		})
	}
}

// wantListed checks that a store with the prefix lists those keys of the table that match, whatever look-alikes have taken over.
func wantListed(ctx context.Context, t rapid.TB, s *store.Store, prefix, pattern string) {
	t.Helper()
	var all []string
	if err := s.DB().Select(&all, "SELECT `key` FROM cache"); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, key := range all {
		if rest, ours := strings.CutPrefix(key, prefix); ours && utf8.ValidString(rest) && (pattern == "" || matches(pattern, rest)) {
			wanted[rest] = true
		}
	}
	view, err := store.New(s.DB(), store.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range view.List(ctx, store.ListOptions{Pattern: pattern}) {
		if err != nil {
			t.Fatalf("pattern %q: %v", pattern, err)
		}
		if !wanted[e.Key] {
			t.Errorf("pattern %q with prefix %q lists %q of %q", pattern, prefix, e.Key, all)
		}
		delete(wanted, e.Key)
	}
	if len(wanted) > 0 {
		t.Errorf("pattern %q with prefix %q does not list %q of %q", pattern, prefix, wanted, all)
	}
}

func TestList_BytesThatAreNotUTF8DoNotMatchTheReplacementCharacter(t *testing.T) {
	s := openSQLite(t)
	if err := s.Put(t.Context(), "a\uFFFD", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	for e := range s.List(t.Context(), store.ListOptions{Pattern: "?\xff"}) {
		t.Errorf("listed %q", e.Key)
	}
}

// The body of a loop over a bounded list may use the store, also where there is one connection.
func TestList_ABoundedListHoldsNoConnectionWhileItIsShown(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			s.DB().SetMaxOpenConns(1)
			one, err := store.New(s.DB(), store.WithPrefix("p"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // which the loop would wait for
			defer cancel()
			if err := one.PutMany(ctx, map[string]any{"a": 1, "b": 2, "c": 3}, time.Minute); err != nil {
				t.Fatal(err)
			}
			for _, order := range []store.Order{store.ByKey, store.ByExpiration, store.BySize} {
				for e, err := range one.List(ctx, store.ListOptions{Order: order, Limit: 1}) {
					if err != nil {
						t.Fatalf("by %s: %v", order, err)
					}
					if gone, err := one.Forget(ctx, e.Key); err != nil || !gone {
						t.Fatalf("by %s: forget is %v, %v", order, gone, err)
					}
				}
			}
		})
	}
}
