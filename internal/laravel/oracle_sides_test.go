package laravel_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// An answer is what a side says to a step: a serialized value, or why there is none.
type answer struct {
	Value []byte
	Fault string // what PHP threw; larder's error by one of the names below
}

// larder's errors. That a key is missing or no number is no fault: Laravel answers null or false then, and this counts as the same.
const (
	faultLookalike = "look-alike"
	faultRefused   = "refused"
	faultCorrupt   = "corrupt"
	faultOverflow  = "overflow"
)

func (a answer) String() string {
	if a.Fault != "" {
		return "fault: " + a.Fault
	}
	return fmt.Sprintf("%q", a.Value)
}

func (a answer) is(value string) bool { return a.Fault == "" && string(a.Value) == value }

const (
	none  = "N;"
	isNo  = "b:0;"
	isYes = "b:1;"
)

// A row is one of the cache table, or of the lock table with the owner for its value.
type row struct {
	value      string
	expiration int64
	types      string // of the three columns on SQLite, which has them by row
}

func (r row) String() string { return fmt.Sprintf("%q until %d %s", r.value, r.expiration, r.types) }

// Tables are the rows of a side by row key.
type tables struct{ cache, locks map[string]row }

func (t tables) String() string {
	var text strings.Builder
	for i, rows := range []map[string]row{t.cache, t.locks} {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			fmt.Fprintf(&text, "\t%s %q = %v\n", []string{"row ", "lock"}[i], key, rows[key])
		}
	}
	return text.String()
}

func (t tables) equal(u tables) bool {
	return maps.Equal(t.cache, u.cache) && maps.Equal(t.locks, u.locks)
}

// Twins are Laravel with its tables and larder with tables of the same make.
type twins struct {
	release laravel.Release
	version [2]int // of the release
	mysql   bool
	php     *laravel.Session
	larder  *store.Store
	now     int64
	db      [2]*sqlx.DB // Laravel's and larder's
	names   [2][2]string
	dump    [2]string
	same    map[[2]string]bool // what the server says of two keys
}

// The two sides.
const (
	theirs = iota
	ours
)

func newTwins(t *testing.T, release laravel.Release, mysql bool, script string) *twins {
	tw := &twins{release: release, mysql: mysql, same: map[[2]string]bool{}}
	if _, err := fmt.Sscanf(release.Version(t), "%d.%d", &tw.version[0], &tw.version[1]); err != nil {
		t.Fatal(err)
	}
	var app *laravel.App
	if mysql {
		app = tw.onMySQL(t)
	} else {
		app = tw.onSQLite(t)
	}
	for side, names := range tw.names {
		var parts []string
		for _, name := range names {
			columns := "SELECT CAST(`key` AS BINARY),CAST(%s AS BINARY),expiration,'' FROM %s"
			if !mysql {
				columns = `SELECT CAST("key" AS BLOB),CAST(%[1]s AS BLOB),expiration,typeof("key")||' '||typeof(%[1]s)||' '||typeof(expiration) FROM %[2]s`
			}
			column := "value"
			if strings.HasSuffix(name, "locks") {
				column = "owner"
			}
			parts = append(parts, strings.Replace(fmt.Sprintf(columns, column, name), "SELECT ", fmt.Sprintf("SELECT '%s',", column), 1))
		}
		tw.dump[side] = strings.Join(parts, " UNION ALL ")
	}
	tw.php = app.Start(t, script)
	return tw
}

// isSince is Release.Since without asking again.
func (tw *twins) isSince(major, minor int) bool {
	return tw.version[0] > major || tw.version[0] == major && tw.version[1] >= minor
}

func (tw *twins) clock() time.Time { return time.Unix(tw.now, 0) }

// onMySQL has both sides in one database.
func (tw *twins) onMySQL(t *testing.T) *laravel.App {
	db := testdb.MySQL(t)
	app := tw.release.OnMySQL(t, db, prefix)
	app.Run(t, `$migration->up(); foreach (['cache', 'cache_locks'] as $table) { $conn->statement("create table larder_$table like $table"); }`)
	tw.names = [2][2]string{{"cache", "cache_locks"}, {"larder_cache", "larder_cache_locks"}}
	tw.larder = tw.open(t, db.URL(), store.WithTable("larder_cache"), store.WithLockTable("larder_cache_locks"))
	tw.db = [2]*sqlx.DB{tw.larder.DB(), tw.larder.DB()}
	return app
}

// onSQLite has two files.
func (tw *twins) onSQLite(t *testing.T) *laravel.App {
	dir := tw.release.TempDir(t)
	path := filepath.Join(dir, "laravel.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	app := tw.release.OnSQLite(path, prefix)
	app.Run(t, `$migration->up();`)
	made, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "larder.db"), made, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	tw.larder = tw.open(t, "sqlite:"+filepath.Join(dir, "larder.db"))
	tw.db = [2]*sqlx.DB{tw.open(t, "sqlite:"+path).DB(), tw.larder.DB()}
	tw.names = [2][2]string{{"cache", "cache_locks"}, {"cache", "cache_locks"}}
	return app
}

func (tw *twins) open(t *testing.T, address string, opts ...store.Option) *store.Store {
	s, err := store.Open(address, append(opts, store.WithPrefix(prefix), store.WithClock(tw.clock))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// tables reads all rows of a side.
func (tw *twins) tables(t *testing.T, side int) tables {
	t.Helper()
	read := tables{map[string]row{}, map[string]row{}}
	rows, err := tw.db[side].QueryContext(t.Context(), tw.dump[side])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var (
			of  string
			key []byte
			r   row
		)
		if err := rows.Scan(&of, &key, &r.value, &r.expiration, &r.types); err != nil {
			t.Fatal(err)
		}
		if of == "owner" {
			read.locks[string(key)] = r
		} else {
			read.cache[string(key)] = r
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return read
}

func (tw *twins) exec(t *testing.T, side int, statement string, args ...any) {
	t.Helper()
	if _, err := tw.db[side].ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (tw *twins) clear(t *testing.T) {
	for side, names := range tw.names {
		for _, name := range names {
			tw.exec(t, side, "DELETE FROM "+name)
		}
	}
}

// poke writes a row into both cache tables, as somebody else might have.
func (tw *twins) poke(t *testing.T, s step) {
	for side := range tw.names {
		tw.exec(t, side, "REPLACE INTO "+tw.names[side][0]+" VALUES (?,?,?)", string(s.Key), string(s.Values[0]), s.Now+s.Fresh)
	}
}

// align makes a row that differs on the two sides what it is on one of them.
func (tw *twins) align(t *testing.T, d rowDiff, to int) {
	column, keep, other := 0, d.rows[to], 1-to
	if d.lock {
		column = 1
	}
	name := tw.names[other][column]
	if keep == nil {
		tw.exec(t, other, "DELETE FROM "+name+" WHERE "+tw.exactly(), d.key)
		return
	}
	var key, value any = d.key, keep.value
	if !tw.mysql && strings.Contains(keep.types, "blob") {
		value = []byte(keep.value)
	}
	columns := " (`key`,value,expiration)"
	if d.lock {
		columns = " (`key`,owner,expiration)"
	}
	tw.exec(t, other, "REPLACE INTO "+name+columns+" VALUES (?,?,?)", key, value, keep.expiration)
}

func (tw *twins) exactly() string {
	if tw.mysql {
		return "CAST(`key` AS BINARY)=CAST(? AS BINARY)"
	}
	return "CAST(`key` AS BLOB)=CAST(? AS BLOB)"
}

// alike tells whether the key column takes the two row keys for one.
func (tw *twins) alike(t *testing.T, a, b string) bool {
	if a == b || !tw.mysql {
		return a == b
	}
	pair := [2]string{min(a, b), max(a, b)}
	if known, ok := tw.same[pair]; ok {
		return known
	}
	var is *bool
	if err := tw.db[theirs].QueryRowContext(t.Context(),
		"SELECT CONVERT(? USING utf8mb4) COLLATE utf8mb4_unicode_ci = CONVERT(? USING utf8mb4) COLLATE utf8mb4_unicode_ci", a, b).Scan(&is); err != nil {
		t.Fatalf("compare %q with %q: %v", a, b, err)
	}
	tw.same[pair] = is != nil && *is // null: one is not UTF-8
	return tw.same[pair]
}

// perform does larder's part of a step.
func (tw *twins) perform(t *testing.T, s step) answer {
	t.Helper()
	tw.now = s.Now
	value, err := tw.larderDoes(t.Context(), s)
	var limit *store.LimitError
	switch {
	case err == nil:
		return answer{Value: value}
	case errors.Is(err, store.ErrLookalikeKey):
		return answer{Fault: faultLookalike}
	case errors.Is(err, store.ErrCorrupt):
		return answer{Fault: faultCorrupt}
	case errors.Is(err, store.ErrOverflow):
		return answer{Fault: faultOverflow}
	case errors.As(err, &limit):
		return answer{Fault: faultRefused}
	}
	t.Fatalf("larder: %v: %v", s, err)
	return answer{}
}

func (tw *twins) larderDoes(ctx context.Context, s step) ([]byte, error) {
	l, key, ttl := tw.larder, string(s.Key), store.ForeverTTL
	if s.TTL != nil {
		ttl = time.Duration(*s.TTL) * time.Second
	}
	if isLockOp(s.Op) {
		return larderLocks(ctx, l.RestoreLock(key, string(s.Owner), ttlOf(s)), s)
	}
	switch s.Op {
	case "get":
		return found(func(dst any) error { return l.Get(ctx, key, dst) })
	case "pull":
		return found(func(dst any) error { return l.Pull(ctx, key, dst) })
	case "has":
		return yes(l.Has(ctx, key))
	case "many":
		return larderMany(ctx, l, s)
	case "put", "forever":
		if s.TTL == nil {
			return done(l.Forever(ctx, key, s.values[0]))
		}
		return done(l.Put(ctx, key, s.values[0], ttl))
	case "putMany":
		values := map[string]any{}
		for i, key := range s.Keys {
			values[string(key)] = s.values[i]
		}
		return done(l.PutMany(ctx, values, ttl))
	case "add":
		return yes(l.Add(ctx, key, s.values[0], ttl))
	case "increment":
		return number(l.Increment(ctx, key, s.By))
	case "decrement":
		return number(l.Decrement(ctx, key, s.By))
	case "touch":
		return yes(l.Touch(ctx, key, ttl))
	case "forget":
		return yes(l.Forget(ctx, key))
	case "flush":
		_, err := l.Flush(ctx)
		return done(err)
	case "remember":
		return encoded(store.Remember(ctx, l, key, ttl, s.make))
	case "rememberForever":
		return encoded(store.RememberForever(ctx, l, key, s.make))
	case "flexible":
		return larderFlexible(ctx, l, s)
	}
	return nil, fmt.Errorf("unknown operation %q", s.Op)
}

// ttlOf is a lock's, of which both sides take none and zero for their default.
func ttlOf(s step) time.Duration {
	if s.TTL == nil {
		return 0
	}
	return time.Duration(*s.TTL) * time.Second
}

func larderLocks(ctx context.Context, lock *store.Lock, s step) ([]byte, error) {
	switch s.Op {
	case "acquire":
		return yes(lock.Acquire(ctx))
	case "release":
		return yes(lock.Release(ctx))
	case "forceRelease":
		return yes(lock.ForceRelease(ctx))
	case "refresh":
		return yes(lock.Refresh(ctx))
	}
	owner, err := lock.CurrentOwner(ctx)
	if s.Op == "isLocked" {
		return yes(owner != "", err)
	}
	if owner == "" {
		return []byte(none), err
	}
	return encoded(php.Value(php.String(owner)), err)
}

func larderMany(ctx context.Context, l *store.Store, s step) ([]byte, error) {
	keys := make([]string, len(s.Keys))
	for i, key := range s.Keys {
		keys[i] = string(key)
	}
	items, err := l.Many(ctx, keys...)
	if err != nil {
		return nil, err
	}
	list := php.NewList()
	for i, key := range keys {
		var value php.Value = php.Null{}
		if item, ok := items[key]; ok {
			if err := item.Decode(&value); err != nil {
				return nil, err
			}
		}
		text, err := php.Encode(value) // on its own, because references count from where a value begins
		if err != nil {
			return nil, err
		}
		list.Set(php.IntKey(int64(i)), php.String(text))
	}
	return encoded(php.Value(list), nil)
}

// larderFlexible runs a refresh to its end, as the PHP side does, and tells its error.
func larderFlexible(ctx context.Context, l *store.Store, s step) ([]byte, error) {
	var failed error
	value, err := store.Flexible(ctx, l, string(s.Key), time.Duration(s.Fresh)*time.Second, ttlOf(s), s.make,
		store.WithRefreshPause(0), store.WithRefreshErrors(func(_ string, err error) { failed = err }))
	if err == nil || errors.Is(err, store.ErrStale) { // the latter tells of an earlier step
		err = l.Wait(ctx)
	}
	if err == nil {
		err = failed
	}
	return encoded(value, err)
}

// make is what remember and flexible call for a value.
func (s step) make(context.Context) (php.Value, error) { return php.Decode(s.Values[0]) }

func found(read func(dst any) error) ([]byte, error) {
	var value php.Value
	err := read(&value)
	if errors.Is(err, store.ErrNotFound) {
		return []byte(none), nil
	}
	return encoded(value, err)
}

func encoded(value php.Value, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return php.Encode(value)
}

func yes(is bool, err error) ([]byte, error) { return encoded(php.Bool(is), err) }
func done(err error) ([]byte, error)         { return yes(true, err) }

func number(n int64, err error) ([]byte, error) {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrNotNumber) {
		return []byte(isNo), nil
	}
	return encoded(php.Int(n), err)
}
