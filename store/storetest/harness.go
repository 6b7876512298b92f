// Package storetest is the conformance suite of the store: what Laravel's own tests demand of its database cache, re-expressed,
// and what larder promises beyond. Each engine runs all of it:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t testing.TB, opts ...store.Option) *store.Store { ... })
//	}
//
// A case looks at the answer and at the table. It covers reading, writing and counting; locks one by one (Lock, PutIfLocked, Hold, WithoutOverlapping,
// Funnel) and as a table (Locks, FlushLocks); limits and look-alike keys; List, Prune and Stats; Remember, Flexible and Memo.
//
// # Ids
//
// The name of a case that restates one of Laravel's begins with its id:
//
//   - S: the database store's own tests.
//   - I: its integration tests, run against each engine.
//   - L: locks.
//   - F: funnels.
//   - R: the repository, which is what PHP code calls Cache.
//   - X: the repository's integration tests, of flexible above all.
//   - E: what Laravel leaves untested, and what was seen to happen to people's tables.
//
// A case may restate several, and an id may have several cases. Where larder's answer differs from Laravel's on purpose, the case has Laravel's id
// and larder's answer: reading deletes nothing, for one, so that the expired row of I12 goes when it is pruned.
//
// # Ids without a case
//
//   - S4, S7, E18: they are about PostgreSQL, which larder does not speak to.
//   - R9: a cache that has no tags, or whose locks cannot be flushed, says so when it is called. Here there is no method for tags, and locks can be.
//   - X5: keys that are cases of a PHP enum. Keys in Go are strings.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/store"
)

// An Opener returns a store with the options, on empty tables that nobody else uses, and closes it when the test ends.
type Opener func(t testing.TB, opts ...store.Option) *store.Store

// Run runs every case of the suite on stores from open.
func Run(t *testing.T, open Opener) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, newHarness(t, open)) })
	}
}

func cases() []testCase {
	return slices.Concat(reading, writing, counting, locking, lockTable, limits, browsing, pruning, remembering, dumping)
}

type testCase struct {
	name string
	run  func(t *testing.T, h *harness)
}

// MaxAge is how long a store under test may go on answering from a memory of its own, by the suite's clock: store.WithMemory(size,
// storetest.MaxAge) makes another form of an Opener. Whenever the suite writes as somebody else it moves its clock on by so much, which the
// server, who counts in seconds, does not notice.
const MaxAge = time.Microsecond

// prefix is what the suite's stores are opened with.
const prefix = "prefix"

// start is where the suite's clock begins, in Unix seconds.
const start = 1_000_000_000

// A harness is one case's store and its view of the tables behind it.
type harness struct {
	t     *testing.T
	ctx   context.Context
	open  Opener
	store *store.Store
	clock *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set sets the time in Unix seconds. The fraction stays, or what others wrote would be unseen again.
func (c *clock) Set(unix int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = time.Unix(unix, int64(c.now.Nanosecond()))
}

// Add moves the time on.
func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newHarness(t *testing.T, open Opener) *harness {
	h := &harness{t: t, ctx: context.Background(), open: open, clock: &clock{now: time.Unix(start, 0)}}
	h.store = open(t, store.WithPrefix(prefix), store.WithClock(h.clock.Now))
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) wantErr(err, want error) {
	h.t.Helper()
	if !errors.Is(err, want) {
		h.t.Fatalf("error is %v, want %v", err, want)
	}
}

// wantRefused checks that err names the limit of what.
func (h *harness) wantRefused(err error, what string) {
	h.t.Helper()
	var limit *store.LimitError
	if !errors.As(err, &limit) {
		h.t.Fatalf("error is %v, want a LimitError for the %s", err, what)
	}
	if limit.What != what {
		h.t.Fatalf("LimitError is for the %s, want for the %s: %v", limit.What, what, err)
	}
}

// yes and no check an answer that came with an error.
func (h *harness) yes(answer bool, err error) {
	h.t.Helper()
	h.must(err)
	if !answer {
		h.t.Fatal("the answer is no, want yes")
	}
}

func (h *harness) no(answer bool, err error) {
	h.t.Helper()
	h.must(err)
	if answer {
		h.t.Fatal("the answer is yes, want no")
	}
}

// wantString checks that key holds a string, and does so when it is asked again.
func (h *harness) wantString(key, want string) {
	h.t.Helper()
	for range 2 {
		var got string
		h.must(h.store.Get(h.ctx, key, &got))
		if got != want {
			h.t.Fatalf("%s holds %q, want %q", key, got, want)
		}
	}
}

func (h *harness) wantMissing(key string) {
	h.t.Helper()
	var any any
	h.wantErr(h.store.Get(h.ctx, key, &any), store.ErrNotFound)
}

func (h *harness) wantNumber(want int64) func(got int64, err error) {
	return func(got int64, err error) {
		h.t.Helper()
		h.must(err)
		if got != want {
			h.t.Fatalf("number is %d, want %d", got, want)
		}
	}
}

// A row is what stands in the cache table.
type row struct {
	Key        string
	Value      []byte
	Expiration int64
}

func (r row) String() string { return fmt.Sprintf("{%q %q %d}", r.Key, r.Value, r.Expiration) }

// companion is the row in which Laravel's flexible keeps the time of a value.
const companion = "illuminate:cache:flexible:created:"

func (h *harness) db() *sqlx.DB { return h.store.DB() }

// isMySQL tells which quotes the engine takes, and whether it compares keys by a collation.
func (h *harness) isMySQL() bool { return h.db().DriverName() == "mysql" }

// hasIntColumn tells whether the expiration column ends in 2038.
func (h *harness) hasIntColumn() bool {
	if !h.isMySQL() {
		return false
	}
	var kind string
	h.must(h.db().GetContext(h.ctx, &kind, "SELECT data_type FROM information_schema.columns"+
		" WHERE table_schema = DATABASE() AND table_name = 'cache' AND column_name = 'expiration'"))
	return kind == "int"
}

// rows returns all of the cache table, by key's bytes.
func (h *harness) rows() []row {
	h.t.Helper()
	var rows []row
	h.must(h.db().SelectContext(h.ctx, &rows, "SELECT * FROM cache"))
	slices.SortFunc(rows, func(a, b row) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return rows
}

// wantRows checks the whole table, by key's bytes.
func (h *harness) wantRows(want ...row) {
	h.t.Helper()
	got := h.rows()
	same := func(a, b row) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Expiration == b.Expiration
	}
	if !slices.EqualFunc(got, want, same) {
		h.t.Fatalf("table holds %s, want %s", format(got), format(want))
	}
}

// wantRow checks that the table holds this row and no other.
func (h *harness) wantRow(key, value string, expiration int64) {
	h.t.Helper()
	h.wantRows(row{key, []byte(value), expiration})
}

func format(rows []row) string {
	s := ""
	for _, r := range rows {
		s += "\n\t" + r.String()
	}
	if s == "" {
		return "no row"
	}
	return s
}

// insert puts a row into the cache table as somebody else might have.
func (h *harness) insert(key, value string, expiration int64) {
	h.t.Helper()
	h.exec("INSERT INTO cache VALUES (?, ?, ?)", key, value, expiration)
}

func (h *harness) insertLock(key, owner string, expiration int64) {
	h.t.Helper()
	h.exec("INSERT INTO cache_locks VALUES (?, ?, ?)", key, owner, expiration)
}

func (h *harness) exec(statement string, args ...any) {
	h.t.Helper()
	_, err := h.db().ExecContext(h.ctx, statement, args...)
	h.must(err)
	h.clock.Add(MaxAge)
}

// copyTable creates an empty table with the columns of another, on MySQL also with its indexes.
func (h *harness) copyTable(from, to string) {
	h.t.Helper()
	if h.isMySQL() {
		h.exec("CREATE TABLE `" + to + "` LIKE " + from)
		return
	}
	h.exec(`CREATE TABLE "` + to + `" AS SELECT * FROM ` + from + ` WHERE 0`)
	h.exec(`CREATE UNIQUE INDEX "` + to + `_key" ON "` + to + `" ("key")`)
}

// lockRow returns the owner and the expiration of a lock, and whether it has a row.
func (h *harness) lockRow(key string) (owner string, expiration int64, found bool) {
	h.t.Helper()
	rows, err := h.db().QueryContext(h.ctx, "SELECT * FROM cache_locks")
	h.must(err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var k, o string
		var e int64
		h.must(rows.Scan(&k, &o, &e))
		if k == key {
			return o, e, true
		}
	}
	h.must(rows.Err())
	return "", 0, false
}

// waitUntilBlocked waits until that many of this database's transactions wait for a lock of another. MySQL only, which looks anew when
// nobody has asked for a tenth of a second.
func (h *harness) waitUntilBlocked(want int) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(150 * time.Millisecond) {
		var blocked int
		err := h.db().GetContext(h.ctx, &blocked, "SELECT COUNT(*) FROM information_schema.innodb_trx t"+
			" JOIN information_schema.processlist p ON p.id=t.trx_mysql_thread_id WHERE t.trx_state='LOCK WAIT' AND p.db=DATABASE()")
		if server := new(mysql.MySQLError); !errors.As(err, &server) || server.Number != 3854 { // MySQL's list takes in no statement with 😀
			h.must(err)
		}
		if blocked == want {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d transactions are blocked, want %d", blocked, want)
		}
	}
}

// clients is how many concurrent callers the contended cases have.
const clients = 8

// wantWinners runs try in concurrent clients at once and checks for how many it returns true.
func (h *harness) wantWinners(want int, try func(s *store.Store, client int) (bool, error)) {
	h.t.Helper()
	var (
		gate    = make(chan struct{})
		wg      sync.WaitGroup
		mu      sync.Mutex
		winners int
		failed  []error
	)
	for i := range clients {
		wg.Go(func() {
			<-gate
			won, err := try(h.store, i)
			mu.Lock()
			defer mu.Unlock()
			if won {
				winners++
			}
			if err != nil {
				failed = append(failed, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	h.must(errors.Join(failed...))
	if winners != want {
		h.t.Fatalf("%d of %d clients won, want %d", winners, clients, want)
	}
}
