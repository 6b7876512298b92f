package store_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
	"github.com/larder-cache/larder/store/storetest"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(envChild); job != "" {
		os.Exit(child(job))
	}
	// The tests of the model spend 10 s then, all engines together, with the race detector. The command line has the last word.
	if err := flag.Set("rapid.checks", "60"); err != nil {
		panic(err)
	}
	testdb.Main(m)
}

func TestConformance_SQLite(t *testing.T) { storetest.Run(t, openSQLite) }

func TestConformance_MySQL(t *testing.T) { storetest.Run(t, openMySQL) }

// The shape that Laravel before 8.51 left, with a UNIQUE key instead of a primary one and INT, serves as well as the new.
func TestConformance_MySQLTableOfLaravel5(t *testing.T) {
	storetest.Run(t, func(tb testing.TB, opts ...store.Option) *store.Store {
		s := openMySQL(tb, opts...)
		for _, statement := range []string{
			"ALTER TABLE cache DROP PRIMARY KEY, ADD UNIQUE cache_key_unique (`key`), MODIFY expiration INT NOT NULL",
			"ALTER TABLE cache_locks DROP PRIMARY KEY, ADD UNIQUE cache_locks_key_unique (`key`), MODIFY expiration INT NOT NULL",
		} {
			if _, err := s.DB().Exec(statement); err != nil {
				tb.Fatal(err)
			}
		}
		return s
	})
}

// A user's own pool may send parameters to the server instead of interpolating them, and count found rows.
func TestConformance_MySQLPreparedStatementsAndFoundRows(t *testing.T) {
	storetest.Run(t, func(tb testing.TB, opts ...store.Option) *store.Store {
		cfg := migrated(tb, testdb.MySQL(tb)).Config()
		cfg.ClientFoundRows, cfg.InterpolateParams, cfg.MaxAllowedPacket = true, false, 0
		return newStore(tb, cfg, opts...)
	})
}

// With a memory, too, every case holds, and the memory is what has answered some of them.
func TestConformance_SQLiteWithMemory(t *testing.T) { runWithMemory(t, openSQLite) }

func TestConformance_MySQLWithMemory(t *testing.T) { runWithMemory(t, openMySQL) }

func runWithMemory(t *testing.T, open storetest.Opener) {
	var counter record.Counter
	storetest.Run(t, func(tb testing.TB, opts ...store.Option) *store.Store {
		return open(tb, append(opts, store.WithMemory(1<<20, storetest.MaxAge), store.WithRecorder(&counter))...)
	})
	if hits := counter.Total(record.Get, record.MemoryHit).Operations; hits < 50 {
		t.Errorf("the memory has answered %d times only", hits)
	}
}

func openSQLite(tb testing.TB, opts ...store.Option) *store.Store {
	tb.Helper()
	s, err := store.Open("sqlite:"+testdb.SQLite(tb), opts...)
	return prepared(tb, s, err, migrateSQLite)
}

func openMySQL(tb testing.TB, opts ...store.Option) *store.Store {
	tb.Helper()
	s, err := store.Open(testdb.MySQL(tb).URL(), opts...)
	return prepared(tb, s, err, migrateMySQL)
}

func prepared(tb testing.TB, s *store.Store, err error, migrate func(testing.TB, *sql.DB)) *store.Store {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	migrate(tb, s.DB().DB)
	return s
}

func migrated(tb testing.TB, db *testdb.Database) *testdb.Database {
	tb.Helper()
	migrateMySQL(tb, db.Open(tb))
	return db
}

func newStore(tb testing.TB, cfg *mysql.Config, opts ...store.Option) *store.Store {
	tb.Helper()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	db := sqlx.NewDb(sql.OpenDB(connector), "mysql")
	tb.Cleanup(func() { _ = db.Close() })
	s, err := store.New(db, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Each operation is one round trip. They are counted on the wire, between the driver and a real server.
func TestStore_EachOperationIsOneRoundTrip(t *testing.T) {
	ctx := context.Background()
	wire := newWire()
	cfg := migrated(t, testdb.MySQL(t)).Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc = true, 64<<20, wire.dial
	s := newStore(t, cfg)
	s.DB().SetMaxOpenConns(1)
	if err := s.DB().Ping(); err != nil { // the handshake has its own round trips
		t.Fatal(err)
	}

	lock := s.Lock("lock", time.Minute)
	for _, op := range []struct {
		name string
		run  func() error
	}{
		{"Put new", func() error { return s.Put(ctx, "key", "value", time.Minute) }},
		{"Put existing", func() error { return s.Put(ctx, "key", "value", time.Hour) }},
		{"Get", func() error { return s.Get(ctx, "key", new(string)) }},
		{"Get missing", func() error { return expect(s.Get(ctx, "nothing", new(string)), store.ErrNotFound) }},
		{"Item", func() error { _, err := s.Item(ctx, "key"); return err }},
		{"Has", func() error { return yes(s.Has(ctx, "key")) }},
		{"Many", func() error { _, err := s.Many(ctx, "key", "other", "third"); return err }},
		{"PutMany", func() error { return s.PutMany(ctx, map[string]any{"a": 1, "b": 2, "c": 3}, time.Minute) }},
		{"Forever", func() error { return s.Forever(ctx, "forever", "value") }},
		{"Add new", func() error { return yes(s.Add(ctx, "added", "value", time.Minute)) }},
		{"Add held", func() error { return no(s.Add(ctx, "added", "value", time.Minute)) }},
		{"Touch", func() error { return yes(s.Touch(ctx, "key", time.Minute)) }},
		{"Touch missing", func() error { return no(s.Touch(ctx, "nothing", time.Minute)) }},
		{"Increment", func() error { _, err := s.Increment(ctx, "a", 1); return err }},
		{"Increment below zero", func() error { _, err := s.Increment(ctx, "a", -9); return err }},
		{"Increment missing", func() error { _, err := s.Increment(ctx, "nothing", 1); return expect(err, store.ErrNotFound) }},
		{"Forget", func() error { return yes(s.Forget(ctx, "key")) }},
		{"Acquire", func() error { return yes(lock.Acquire(ctx)) }},
		{"Acquire again", func() error { return yes(lock.Acquire(ctx)) }},
		{"Acquire held", func() error { return no(s.Lock("lock", time.Minute).Acquire(ctx)) }},
		{"CurrentOwner", func() error { _, err := lock.CurrentOwner(ctx); return err }},
		{"Refresh", func() error { return yes(lock.Refresh(ctx)) }},
		{"PutIfLocked", func() error { return yes(s.PutIfLocked(ctx, lock, "key", "value", time.Minute)) }},
		{"Release", func() error { return yes(lock.Release(ctx)) }},
		{"ForceRelease", func() error { return no(lock.ForceRelease(ctx)) }},
	} {
		before := wire.trips()
		if err := op.run(); err != nil {
			t.Errorf("%s: %v", op.name, err)
		}
		if n := wire.trips() - before; n != 1 {
			t.Errorf("%s takes %d round trips, want 1", op.name, n)
		}
	}
}

func expect(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("error is %v, want %v", err, want)
}

func yes(answer bool, err error) error {
	if err == nil && !answer {
		return errors.New("the answer is no, want yes")
	}
	return err
}

func no(answer bool, err error) error {
	if err == nil && answer {
		return errors.New("the answer is yes, want no")
	}
	return err
}

func TestStore_LostConnection(t *testing.T) {
	ours := func(s *store.Store) *store.Lock { return s.RestoreLock("ours", "me", time.Minute) }
	for _, c := range []struct {
		name  string
		run   func(context.Context, *store.Store) error
		to    string // how the statement begins whose answer is lost
		trips int32  // statements that are sent
		want  error
	}{
		{"put is repeated", func(ctx context.Context, s *store.Store) error { return s.Put(ctx, "k", 2, time.Minute) }, "INSERT", 2, nil},
		{"get is repeated", func(ctx context.Context, s *store.Store) error { return s.Get(ctx, "k", new(int)) }, "SELECT", 2, nil},
		{"touch is repeated", func(ctx context.Context, s *store.Store) error { return yes(s.Touch(ctx, "k", time.Minute)) }, "UPDATE", 2, nil},
		{"forget is repeated", func(ctx context.Context, s *store.Store) error { _, err := s.Forget(ctx, "k"); return err }, "DELETE", 2, nil},
		{"putMany is repeated", func(ctx context.Context, s *store.Store) error { return s.PutMany(ctx, many(2), time.Minute) }, "INSERT", 2, nil},
		{"putMany in a transaction is repeated", func(ctx context.Context, s *store.Store) error {
			return s.PutMany(ctx, many(1001), time.Minute)
		}, "INSERT", 2 + 4, nil},
		{"putMany whose commit is lost is repeated", func(ctx context.Context, s *store.Store) error {
			return s.PutMany(ctx, many(1001), time.Minute)
		}, "COMMIT", 4 + 4, nil},
		{"acquire is repeated and still ours", func(ctx context.Context, s *store.Store) error {
			return yes(s.Lock("l", time.Minute).Acquire(ctx))
		}, "INSERT", 2, nil},
		{"refresh is repeated", func(ctx context.Context, s *store.Store) error { return yes(ours(s).Refresh(ctx)) }, "UPDATE", 2, nil},
		{"release is repeated", func(ctx context.Context, s *store.Store) error { _, err := ours(s).Release(ctx); return err }, "DELETE", 2, nil},
		{"force release is repeated", func(ctx context.Context, s *store.Store) error {
			_, err := ours(s).ForceRelease(ctx)
			return err
		}, "DELETE", 2, nil},
		{"putIfLocked is repeated", func(ctx context.Context, s *store.Store) error {
			return yes(s.PutIfLocked(ctx, ours(s), "k", 2, time.Minute))
		}, "INSERT", 2, nil},
		{"increment is unknown and not repeated", func(ctx context.Context, s *store.Store) error {
			return bad(s.Increment(ctx, "k", 1))
		}, "UPDATE", 1, store.ErrOutcomeUnknown},
		{"increment in two steps is unknown and not repeated", func(ctx context.Context, s *store.Store) error {
			return bad(s.Increment(ctx, "text", 1))
		}, "UPDATE `cache` SET `value`='i:6;'", 3, store.ErrOutcomeUnknown},
		{"add is unknown and not repeated", func(ctx context.Context, s *store.Store) error {
			return yes(s.Add(ctx, "new", 1, time.Minute))
		}, "INSERT", 1, store.ErrOutcomeUnknown},
		{"pull is unknown and not repeated", func(ctx context.Context, s *store.Store) error {
			return s.Pull(ctx, "k", new(int))
		}, "DELETE FROM `cache` WHERE `key`=", 3, store.ErrOutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			wire := newWire()
			cfg := migrated(t, testdb.MySQL(t)).Config()
			cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc, cfg.Logger = true, 64<<20, wire.dial, &mysql.NopLogger{}
			s := newStore(t, cfg)
			for _, err := range []error{s.Put(ctx, "k", 1, time.Minute), s.Put(ctx, "text", "5", time.Minute), yes(ours(s).Acquire(ctx))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			wire.loseNextAnswerTo(c.to)
			before := wire.statements.Load()
			if err := c.run(ctx, s); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if got := wire.statements.Load() - before; got != c.trips {
				t.Errorf("sent %d statements, want %d", got, c.trips)
			}
		})
	}
}

func TestStore_DeadlockIsRepeated(t *testing.T) {
	ctx := context.Background()
	s := openMySQL(t)
	for _, key := range []string{"a", "b"} {
		if err := s.Put(ctx, key, 0, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	// Transactions that lock the two rows one way, while the store counts both the other way, in a transaction of its own for
	// each statement; and a PutMany, which locks several rows at once.
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			tx, err := s.DB().Beginx()
			if err != nil {
				done <- err
				return
			}
			for _, key := range []string{"b", "a"} {
				if _, err = tx.Exec("UPDATE cache SET expiration = expiration + 1 WHERE `key` = ?", key); err != nil {
					break // deadlock: this one is the victim
				}
			}
			_ = tx.Commit()
		}
	}()
	for range 200 {
		if err := s.PutMany(ctx, map[string]any{"a": 1, "b": 2}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestStore_AnEndedContextIsNotUnknown(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		_, err := s.Increment(ctx, "k", 1)
		if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("%s: error is %v, want only that the context ended", name, err)
		}
	}
}

// A context that ends while every connection is in use ends an operation that was not sent.
func TestStore_AContextThatEndsInTheQueueOfThePoolIsNotUnknown(t *testing.T) {
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		s.DB().SetMaxOpenConns(1)
		lock := s.Lock("l", time.Minute)
		for operation, run := range map[string]func(context.Context) error{
			"Put":         func(ctx context.Context) error { return s.Put(ctx, "k", 1, time.Minute) },
			"Forever":     func(ctx context.Context) error { return s.Forever(ctx, "k", 1) },
			"PutMany":     func(ctx context.Context) error { return s.PutMany(ctx, map[string]any{"k": 1}, time.Minute) },
			"big PutMany": func(ctx context.Context) error { return s.PutMany(ctx, many(1001), time.Minute) },
			"Add":         func(ctx context.Context) error { return yes(s.Add(ctx, "k", 1, time.Minute)) },
			"Increment":   func(ctx context.Context) error { _, err := s.Increment(ctx, "k", 1); return err },
			"Touch":       func(ctx context.Context) error { return yes(s.Touch(ctx, "k", time.Minute)) },
			"Forget":      func(ctx context.Context) error { return yes(s.Forget(ctx, "k")) },
			"Acquire":     func(ctx context.Context) error { return yes(lock.Acquire(ctx)) },
			"Refresh":     func(ctx context.Context) error { return yes(lock.Refresh(ctx)) },
			"Release":     func(ctx context.Context) error { return yes(lock.Release(ctx)) },
			"PutIfLocked": func(ctx context.Context) error { return yes(s.PutIfLocked(ctx, lock, "k", 1, time.Minute)) },
		} {
			conn, err := s.DB().Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			err = run(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("%s: %s: error is %v, want only that the context ended", name, operation, err)
			}
			_ = conn.Close()
		}
	}
}

// Keys may be made of what strangers send, and errors end in logs.
func TestStore_ErrorsDoNotRepeatLongKeys(t *testing.T) {
	ctx, s, long := t.Context(), openSQLite(t), strings.Repeat("long", 25_000)
	make := func(context.Context) (int, error) { return 1, nil }
	lock := s.RestoreLock(long, "me", time.Minute)
	if _, err := s.DB().Exec("DROP TABLE cache; DROP TABLE cache_locks"); err != nil {
		t.Fatal(err)
	}
	memo := s.Memo()
	for name, run := range map[string]func() error{
		"Get": func() error { return s.Get(ctx, long, new(int)) }, "Item": func() error { _, err := s.Item(ctx, long); return err },
		"Has": func() error { return yes(s.Has(ctx, long)) }, "Pull": func() error { return s.Pull(ctx, long, new(int)) },
		"Put": func() error { return s.Put(ctx, long, 1, time.Minute) }, "Forever": func() error { return s.Forever(ctx, long, 1) },
		"PutMany": func() error { return s.PutMany(ctx, map[string]any{long: 1}, time.Minute) },
		"Add":     func() error { return yes(s.Add(ctx, long, 1, time.Minute)) },
		"Touch":   func() error { return yes(s.Touch(ctx, long, time.Minute)) }, "Forget": func() error { return yes(s.Forget(ctx, long)) },
		"Increment":      func() error { _, err := s.Increment(ctx, long, 1); return err },
		"Decrement":      func() error { _, err := s.Decrement(ctx, long, 1); return err },
		"IncrementOrAdd": func() error { _, err := s.IncrementOrAdd(ctx, long, 1, time.Minute); return err },
		"PutIfLocked":    func() error { return yes(s.PutIfLocked(ctx, lock, "k"+long, 1, time.Minute)) },
		"Remember":       func() error { _, err := store.Remember(ctx, s, long, time.Minute, make); return err },
		"Flexible":       func() error { _, err := store.Flexible(ctx, s, long, time.Minute, time.Hour, make); return err },
		"Memo.Get":       func() error { return memo.Get(ctx, long, new(int)) }, "Memo.Has": func() error { return yes(memo.Has(ctx, long)) },
		"Acquire": func() error { return yes(lock.Acquire(ctx)) }, "Block": func() error { return lock.Block(ctx, 0) },
		"Hold": func() error { _, _, err := lock.Hold(ctx); return err }, "Refresh": func() error { return yes(lock.Refresh(ctx)) },
		"Release": func() error { return yes(lock.Release(ctx)) }, "ForceRelease": func() error { return yes(lock.ForceRelease(ctx)) },
		"Owner":  func() error { _, err := lock.CurrentOwner(ctx); return err },
		"Funnel": func() error { return s.Funnel(long).Then(ctx, func(context.Context) error { return nil }) },
	} {
		err := run()
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if text := err.Error(); len(text) > 1000 || !strings.Contains(text, "longlong") {
			t.Errorf("%s: the error has %d bytes: %.200s", name, len(text), text)
		}
	}
}

func many(n int) map[string]any {
	values := make(map[string]any, n)
	for i := range n {
		values[fmt.Sprint("key", i)] = i
	}
	return values
}

func TestStore_NoAccessIsAnErrorOfItsOwn(t *testing.T) {
	for name, change := range map[string]func(*mysql.Config){
		"a wrong password":    func(c *mysql.Config) { c.Passwd = "wr0ng-pass" },
		"an unknown user":     func(c *mysql.Config) { c.User = "nobody_of_that_name" },
		"an unknown database": func(c *mysql.Config) { c.DBName = "no_such_database" },
	} {
		cfg := testdb.MySQL(t).Config()
		change(cfg)
		s, err := store.Open("mysql://" + url.UserPassword(cfg.User, cfg.Passwd).String() + "@" + cfg.Addr + "/" + cfg.DBName)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Put(context.Background(), "k", 1, time.Minute)
		if !errors.Is(err, store.ErrNoAccess) || strings.Contains(err.Error(), "wr0ng-pass") {
			t.Errorf("%s: error is %v, want ErrNoAccess", name, err)
		}
		_ = s.Close()
	}
}

func TestStore_MissingTableSaysWhatToRun(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "sqlite:" + testdb.SQLite(t), "mysql": testdb.MySQL(t).URL()} {
		s, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		err = s.Put(context.Background(), "k", 1, time.Minute)
		if !errors.Is(err, store.ErrNoTable) || !strings.Contains(err.Error(), "larder migrate") {
			t.Errorf("%s: error is %v", name, err)
		}
		_, err = s.Lock("l", time.Minute).Acquire(context.Background())
		if !errors.Is(err, store.ErrNoTable) {
			t.Errorf("%s: lock error is %v, want ErrNoTable and never \"held\"", name, err)
		}
	}
}

// The ordinary clock is the server's: expirations are by it, whatever this machine's clock says.
func TestStore_ClockIsTheServers(t *testing.T) {
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t), "mysql": openMySQL(t)} {
		ctx := context.Background()
		if err := s.Put(ctx, "k", "v", time.Hour); err != nil {
			t.Fatal(err)
		}
		item, err := s.Item(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		now := "unixepoch()"
		if name == "mysql" {
			now = "UNIX_TIMESTAMP()"
		}
		var server int64
		if err := s.DB().Get(&server, "SELECT "+now); err != nil {
			t.Fatal(err)
		}
		if d := item.Expiration - server; d < 3598 || d > 3600 {
			t.Errorf("%s: expires %d s from the server's now, want 3600", name, d)
		}
		if item.TTL < 3598*time.Second || item.TTL > time.Hour {
			t.Errorf("%s: ttl is %s", name, item.TTL)
		}
	}
}

// A server that says it has changed nothing, again and again, of a row that nobody else changes, is not asked for ever. Here triggers keep the row.
func TestStore_ARowThatTheServerDoesNotChangeIsAnError(t *testing.T) {
	ctx, s := t.Context(), openSQLite(t)
	if err := s.Put(ctx, "k", "5", time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"DELETE", "UPDATE"} {
		_, err := s.DB().Exec("CREATE TRIGGER no_" + change + " BEFORE " + change + " ON cache BEGIN SELECT RAISE(IGNORE); END")
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range map[string]error{"pull": s.Pull(ctx, "k", new(string)), "increment": bad(s.Increment(ctx, "k", 1))} {
		if err == nil || !strings.Contains(err.Error(), "the server does not find the row") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// The clock with its fractions is the one that counts whole seconds, also for a store that was given another clock.
func TestStore_ServerTimeIsTheServersClock(t *testing.T) {
	another := store.WithClock(func() time.Time { return time.Unix(1, 0) })
	for name, s := range map[string]*store.Store{"sqlite": openSQLite(t, another), "mysql": openMySQL(t, another)} {
		clock := "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)"
		if name == "mysql" {
			clock = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
		}
		var before, after int64
		if err := s.DB().Get(&before, clock); err != nil {
			t.Fatal(err)
		}
		now, err := s.ServerTime(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.DB().Get(&after, clock); err != nil {
			t.Fatal(err)
		}
		if got := now.UnixMilli(); got < before-1 || got > after+1 {
			t.Errorf("%s: the server's clock says %d ms, and %d before and %d after it", name, got, before, after)
		}
	}
}

func TestStore_TwoTablesInOneDatabase(t *testing.T) {
	ctx := context.Background()
	db := migrated(t, testdb.MySQL(t))
	if _, err := db.Open(t).Exec("CREATE TABLE `app$cache` LIKE cache"); err != nil {
		t.Fatal(err)
	}
	one, err := store.Open(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = one.Close() }()
	two, err := store.New(one.DB(), store.WithTable("app$cache"))
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Put(ctx, "k", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := expect(one.Get(ctx, "k", new(any)), store.ErrNotFound); err != nil {
		t.Error(err)
	}
}
