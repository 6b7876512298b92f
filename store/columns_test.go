package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// onColumns opens a store whose tables have another character set or collation than Laravel's default.
func onColumns(t *testing.T, charset, collation string, opts ...store.Option) *store.Store {
	t.Helper()
	s := openMySQL(t, opts...)
	for _, table := range []string{"cache", "cache_locks"} {
		if _, err := s.DB().Exec("ALTER TABLE " + table + " CONVERT TO CHARACTER SET " + charset + " COLLATE " + collation); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A latin1 table, which an old application may have, stores other bytes for "é" than a connection sends. All operations find it.
func TestStore_Latin1Columns(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s := onColumns(t, "latin1", "latin1_swedish_ci", store.WithPrefix("app_"))
	check := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("put", s.Put(ctx, "é", "ü", time.Minute))
	check("get", s.Get(ctx, "é", new(string)))
	check("touch", yes(s.Touch(ctx, "é", time.Hour)))
	check("add", no(s.Add(ctx, "é", "other", time.Minute)))
	check("add of a look-alike", expect(second(s.Add(ctx, "É", "other", time.Minute)), store.ErrLookalikeKey))
	large := strings.Repeat("üx", 3_000_000)
	check("put a large value", s.Put(ctx, "groß", large, time.Hour))
	row, err := s.Row(ctx, "groß")
	check("row", err)
	for r, err := range s.Export(ctx, store.ExportOptions{Pattern: "groß"}) {
		check("export", err)
		if string(r.Value) != string(row.Value) {
			t.Errorf("exported %d bytes, want %d others", len(r.Value), len(row.Value))
		}
		_, err := s.Import(ctx, []store.Row{r}, store.ImportOptions{})
		check("import", err)
	}
	var got string
	if check("get", s.Get(ctx, "groß", &got)); got != large {
		t.Errorf("imported %d bytes, want %d", len(got), len(large))
	}
	check("forget", yes(s.Forget(ctx, "groß")))
	check("pull", s.Pull(ctx, "é", &got))
	if got != "ü" {
		t.Errorf("pulled %q", got)
	}
	for want := int64(1); want <= 3; want++ {
		if n, err := s.IncrementOrAdd(ctx, "zähler", 1, time.Minute); err != nil || n != want {
			t.Errorf("counter is %d, %v, want %d", n, err, want)
		}
	}
	lock := s.RestoreLock("schloß", "süß", time.Minute)
	check("acquire", yes(lock.Acquire(ctx)))
	check("refresh", yes(lock.Refresh(ctx)))
	check("putIfLocked", yes(s.PutIfLocked(ctx, lock, "ö", "x", time.Minute)))
	var locks []string
	for e, err := range s.Locks(ctx) {
		check("locks", err)
		locks = append(locks, e.Name+" "+e.Owner)
	}
	if !slices.Equal(locks, []string{"schloß süß"}) {
		t.Errorf("locks are %q", locks)
	}
	check("release", yes(lock.Release(ctx)))
	check("acquire", yes(lock.Acquire(ctx)))
	if n, err := s.FlushLocks(ctx); err != nil || n != 1 {
		t.Errorf("flushed %d locks, %v, want 1", n, err)
	}
	var keys []string
	for e, err := range s.List(ctx, store.ListOptions{Pattern: "z\u00e4*"}) {
		check("list", err)
		keys = append(keys, e.Key)
	}
	if !slices.Equal(keys, []string{"zähler"}) {
		t.Errorf("list is %q", keys)
	}
	for range s.List(ctx, store.ListOptions{Pattern: "日*"}) {
		t.Error("a key that latin1 cannot hold was listed, or was an error")
	}
	check("forget", yes(s.Forget(ctx, "ö")))
	if n, err := s.Flush(ctx); err != nil || n != 1 {
		t.Errorf("flushed %d, %v, want 1", n, err)
	}
}

// It used to be an error: the server cannot compare the column with such a prefix.
// What looks for a prefix finds no row then, and what looks for others finds all.
func TestStore_FlushOfAPrefixThatTheColumnCannotHoldFindsNothing(t *testing.T) {
	ctx := context.Background()
	s := onColumns(t, "latin1", "latin1_swedish_ci", store.WithPrefix("日:")) // which begins where a range can
	for _, table := range []string{"cache", "cache_locks"} {
		if _, err := s.DB().Exec("INSERT INTO " + table + " VALUES ('?x', 'i:1;', 1), ('x', 'i:1;', 1)"); err != nil {
			t.Fatal(err)
		}
	}
	for what, flush := range map[string]func(context.Context) (int64, error){"rows": s.Flush, "locks": s.FlushLocks} {
		if n, err := flush(ctx); err != nil || n != 0 {
			t.Errorf("flushed %d %s, %v, want 0", n, what, err)
		}
	}
	for e, err := range s.Locks(ctx) {
		t.Errorf("lock %+v, %v was listed", e, err)
	}
	f, err := s.OtherPrefixes(ctx, 1)
	if want := (store.Group{Count: store.Count{Rows: 2}}); err != nil || len(f.Largest) != 1 || f.Largest[0] != want {
		t.Errorf("rows of other prefixes are %+v, %v, want both", f, err)
	}
}

// A column of bytes holds what is no UTF-8, also in values that are read in parts.
func TestStore_BinaryValueColumns(t *testing.T) {
	ctx := context.Background()
	s := openMySQL(t)
	if _, err := s.DB().Exec("ALTER TABLE cache MODIFY `value` MEDIUMBLOB NOT NULL"); err != nil {
		t.Fatal(err)
	}
	const n = 5_000_000
	want := fmt.Sprintf(`s:%d:"%s";`, n, strings.Repeat("\xff\x00\xfe\x80x", n/5))
	_, err := s.DB().Exec(fmt.Sprintf("INSERT INTO cache VALUES ('small', x'%x', 4102444800), ('large', "+
		"CONCAT('s:%d:\"',REPEAT(x'ff00fe8078',%d),'\";'), 4102444800)", "s:4:\"\xff\x00\xfe\x80\";", n, n/5))
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range s.Export(ctx, store.ExportOptions{Pattern: "large"}) {
		if err != nil || string(r.Value) != want {
			t.Errorf("exported %d bytes, %v, want %d others", len(r.Value), err, len(want))
		}
	}
	for key, want := range map[string]string{"small": "\xff\x00\xfe\x80", "large": want[len(`s:5000000:"`) : len(want)-len(`";`)]} {
		var got string
		if err := s.Pull(ctx, key, &got); err != nil || got != want {
			t.Errorf("pulled %d bytes of %s, %v, want %d", len(got), key, err, len(want))
		}
	}
}

// A server does not work with values that exceed its max_allowed_packet, but sends them.
func TestStore_ExportsValuesThatExceedThePacket(t *testing.T) {
	ctx := context.Background()
	db := migrated(t, testdb.Private(t).Database(t)) // its own server: the limit is everybody's
	admin := db.Open(t)
	_, err := admin.Exec("INSERT INTO cache VALUES ('a', CONCAT('s:5000000:\"',REPEAT('x',5000000),'\";'), 4102444800), ('b', 'i:1;', 4102444800)")
	if err != nil {
		t.Fatal(err)
	}
	limitPackets(t, admin, 1)
	s, err := store.Open(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	sizes := map[string]int{}
	for r, err := range s.Export(ctx, store.ExportOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		sizes[r.Key] = len(r.Value)
	}
	if want := map[string]int{"a": 5_000_013, "b": 4}; !maps.Equal(sizes, want) {
		t.Errorf("exported %v, want %v", sizes, want)
	}
}

// An injected clock may use the store, and would wait for a connection forever if the last one were waiting for it.
func TestStore_AsksItsClockWhileItHoldsNoConnection(t *testing.T) {
	ctx := context.Background()
	var s *store.Store
	asked, held := 0, 0
	s = openMySQL(t, store.WithClock(func() time.Time {
		if asked++; s.DB().Stats().InUse > 0 {
			held++
		}
		return time.Unix(1_800_000_000, 0)
	}))
	large := strings.Repeat("x", 3<<20)
	if err := s.PutMany(ctx, map[string]any{"a": large, "b": large, "c": large + large}, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Export(ctx, store.ExportOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if asked == 0 || held > 0 {
		t.Errorf("it asked %d times, %d of them with a connection in hand", asked, held)
	}
}

func second(_ bool, err error) error { return err }

// Some collations sort a letter together with the next one, so that keys with one beginning are not next to each other.
func TestStore_ListsAndFlushesFindEveryKeyAndLockInEveryCollation(t *testing.T) {
	ctx := context.Background()
	keys := []string{"c", "cz", "ch", "cha", "Ch", "l", "ll", "lla", "lj", "n", "nj", "aa", "a", "dz", "เก", "แก", "เ", "h", "m", "_x", "-x", "1", "é", "e😀"}
	for i := range 0x250 {
		keys = append(keys, "p:"+string(rune(i+1))+"x")
	}
	var known []string
	if err := openMySQL(t).DB().Select(&known, "SELECT collation_name FROM information_schema.collations WHERE character_set_name = 'utf8mb4'"); err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, collation := range []string{
		"utf8mb4_unicode_ci", "utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_czech_ci", "utf8mb4_spanish2_ci", "utf8mb4_danish_ci", "utf8mb4_croatian_ci",
		"utf8mb4_unicode_520_ci", "utf8mb4_thai_520_w2", "utf8mb4_uca1400_ai_ci", "uca1400_ai_ci", "utf8mb4_0900_ai_ci", "utf8mb4_0900_bin",
	} {
		if !slices.Contains(known, collation) {
			continue
		}
		tested++
		s := onColumns(t, "utf8mb4", collation)
		want := map[string]bool{}
		for _, key := range keys {
			if added, err := s.Add(ctx, key, 1, time.Minute); err == nil && added { // others are look-alikes here
				want[key] = true
			}
		}
		if _, err := s.DB().Exec("INSERT INTO cache_locks SELECT `key`,'me',expiration FROM cache"); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"c", "ch", "l", "n", "a", "เ", "แ", "p:", "p", "e", "_", "-", "1", "z"} {
			var got, one, locks int64
			for e, err := range s.List(ctx, store.ListOptions{Pattern: prefix + "*"}) {
				if err != nil {
					t.Fatal(err)
				}
				if !want[e.Key] {
					t.Errorf("%s: %q was listed", collation, e.Key)
				}
				got++
				if utf8.RuneCountInString(e.Key) == utf8.RuneCountInString(prefix)+1 {
					one++
				}
			}
			for _, err := range s.List(ctx, store.ListOptions{Pattern: prefix + "?"}) {
				if err != nil {
					t.Fatal(err)
				}
				one--
			}
			mine, err := store.New(s.DB(), store.WithPrefix(prefix))
			if err != nil {
				t.Fatal(err)
			}
			for e, err := range mine.Locks(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if !want[prefix+e.Name] {
					t.Errorf("%s: lock %q was listed", collation, e.Name)
				}
				locks++
			}
			if expected := count(want, prefix); got != expected || locks != expected || one != 0 {
				t.Errorf("%s: %s* finds %d keys and %d locks, want %d; and %s? %d too few", collation, prefix, got, locks, expected, prefix, one)
			}
		}
		flusher, err := store.New(s.DB(), store.WithPrefix("c"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := flusher.Flush(ctx)
		if expected := count(want, "c"); err != nil || n != expected {
			t.Errorf("%s: flush of c deleted %d rows, %v, want %d", collation, n, err, expected)
		}
		n, err = flusher.FlushLocks(ctx)
		if expected := count(want, "c"); err != nil || n != expected {
			t.Errorf("%s: flush of c deleted %d locks, %v, want %d", collation, n, err, expected)
		}
	}
	if tested < 5 {
		t.Errorf("the server knows %d of the collations", tested)
	}
}

func count(keys map[string]bool, prefix string) (n int64) {
	for key := range keys {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}

// Programs that bind values as bytes leave BLOBs in SQLite's text column.
func TestStore_SQLiteBlobValues(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s := openSQLite(t)
	for i, value := range []string{`s:1:"a";`, "i:5;"} {
		if _, err := s.DB().Exec("INSERT INTO cache VALUES (?, CAST(? AS BLOB), unixepoch() + 60)", fmt.Sprint("k", i), value); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Increment(ctx, "k1", 1); err != nil || n != 6 {
		t.Errorf("increment: %d, %v, want 6", n, err)
	}
	var got string
	if err := s.Pull(ctx, "k0", &got); err != nil || got != "a" {
		t.Errorf("pull: %q, %v", got, err)
	}
}

// A row that a transaction of somebody else holds is waited for, and the write then happens once.
func TestStore_WaitsForTheRowsOfOthers(t *testing.T) {
	ctx := context.Background()
	db := migrated(t, testdb.MySQL(t))
	s, err := store.Open(db.URL() + "?innodb_lock_wait_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Put(ctx, "n", 1, time.Hour); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Open(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT * FROM cache FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	released := make(chan error)
	time.AfterFunc(1500*time.Millisecond, func() { released <- tx.Rollback() })
	n, err := s.Increment(ctx, "n", 1) // 1205 after a second, then again
	if err != nil || n != 2 {
		t.Errorf("increment: %d, %v, want 2", n, err)
	}
	if err := <-released; err != nil {
		t.Fatal(err)
	}
}

// What pull deletes is the value that it read, not one that was written since.
func TestStore_PullTakesWhatItRead(t *testing.T) {
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		ctx := context.Background()
		got, done := make(chan string, 1000), make(chan error)
		go func() {
			defer close(got)
			for taken := 0; taken < 100; {
				var v string
				err := s.Pull(ctx, "k", &v)
				if err == nil {
					got <- v
					taken++
				} else if expect(err, store.ErrNotFound) != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		// Each value is put until it has been seen, so that one which is lost between a put and a pull shows up as missing.
		seen := map[string]int{}
		for i := range 100 {
			value := fmt.Sprint("v", i)
			if err := yes(s.Add(ctx, "k", value, time.Minute)); err != nil {
				t.Fatal(err)
			}
			seen[<-got]++
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(seen) != 100 {
			t.Errorf("%s: pulled %d different values, want 100", name, len(seen))
		}
	}
}
