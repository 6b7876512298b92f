package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// A tape keeps what was recorded.
type tape struct {
	mu         sync.Mutex
	operations []record.Operation
	events     []record.Event
	retries    []record.Retry
}

func (t *tape) Operation(_ context.Context, o record.Operation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operations = append(t.operations, o)
	t.events = slices.AppendSeq(t.events, o.Events())
}

func (t *tape) Retry(_ context.Context, r record.Retry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retries = append(t.retries, r)
}

// told returns what was recorded since the last call, as "put stored key 1", and checks what all operations have in common.
func (t *tape) told(tb testing.TB) []string {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	var told []string
	for _, o := range t.operations {
		told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s %s %d", o.Name, o.Outcome, o.Key, o.Rows)))
		if !slices.Contains(record.Names(), o.Name) {
			tb.Errorf("%s is not among the names", o.Name)
		}
		if o.Duration <= 0 || (o.Err != nil) != o.Outcome.IsError() {
			tb.Errorf("%s has duration %s and error %v", o.Name, o.Duration, o.Err)
		}
	}
	t.operations, t.events = nil, nil
	return told
}

// want checks what was recorded since the last check.
func (t *tape) want(tb testing.TB, what string, want ...string) {
	tb.Helper()
	if got := t.told(tb); !slices.Equal(got, want) {
		tb.Errorf("%s is recorded as %q, want %q", what, got, want)
	}
}

// silent says why a method is no operation of its own.
type silent string

// operations has an entry for each exported method of a store and of a lock: what it records, or why it records nothing. Entries run in their
// order, on one store.
var operations = []struct {
	method string
	run    func(ctx context.Context, s *store.Store) error
	want   []string
	silent silent
}{
	{method: "Store.Put", want: []string{"put stored a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.Put(ctx, "a", 1, time.Minute)
	}},
	{method: "Store.Get", want: []string{"get hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.Get(ctx, "a", new(int))
	}},
	{method: "Store.Get", want: []string{"get miss none 0"}, run: func(ctx context.Context, s *store.Store) error {
		return expect(s.Get(ctx, "none", new(int)), store.ErrNotFound)
	}},
	{method: "Store.Get", want: []string{"get mismatch a 0"}, run: func(ctx context.Context, s *store.Store) error {
		if s.Get(ctx, "a", new(string)) == nil {
			return errors.New("an int was read as a string")
		}
		return nil
	}},
	{method: "Store.Item", want: []string{"get hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Item(ctx, "a")
		return err
	}},
	{method: "Store.Has", want: []string{"has hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.Has(ctx, "a"))
	}},
	{method: "Store.Has", want: []string{"has miss none 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Has(ctx, "none"))
	}},
	{method: "Store.Many", want: []string{"many miss  1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Many(ctx, "a", "none")
		return err
	}},
	{method: "Store.Many", want: []string{"many hit  1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Many(ctx, "a")
		return err
	}},
	{method: "Store.Touch", want: []string{"touch hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.Touch(ctx, "a", time.Hour))
	}},
	{method: "Store.Touch", want: []string{"touch miss none 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Touch(ctx, "none", time.Hour))
	}},
	{method: "Store.Increment", want: []string{"increment hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.Increment(ctx, "a", 1))
	}},
	{method: "Store.Increment", want: []string{"increment miss none 0"}, run: func(ctx context.Context, s *store.Store) error {
		return expect(bad(s.Increment(ctx, "none", 1)), store.ErrNotFound)
	}},
	{method: "Store.Decrement", want: []string{"decrement hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.Decrement(ctx, "a", 1))
	}},
	{method: "Store.IncrementOrAdd", want: []string{"increment_or_add stored n 1"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.IncrementOrAdd(ctx, "n", 1, time.Minute))
	}},
	{method: "Store.IncrementOrAdd", want: []string{"increment_or_add hit n 1"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.IncrementOrAdd(ctx, "n", 1, time.Minute))
	}},
	{method: "Store.Add", want: []string{"add stored b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.Add(ctx, "b", 1, time.Minute))
	}},
	{method: "Store.Add", want: []string{"add not_stored b 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Add(ctx, "b", 1, time.Minute))
	}},
	{method: "Store.Pull", want: []string{"pull hit b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.Pull(ctx, "b", new(int))
	}},
	{method: "Store.Pull", want: []string{"pull miss b 0"}, run: func(ctx context.Context, s *store.Store) error {
		return expect(s.Pull(ctx, "b", new(int)), store.ErrNotFound)
	}},
	{method: "Store.PutMany", want: []string{"put_many stored  2"}, run: func(ctx context.Context, s *store.Store) error {
		return s.PutMany(ctx, map[string]any{"b": 1, "c": 2}, time.Minute)
	}},
	{method: "Store.Forget", want: []string{"forget forgotten b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.Forget(ctx, "b"))
	}},
	{method: "Store.Forget", want: []string{"forget miss b 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Forget(ctx, "b"))
	}},
	{method: "Store.Forever", want: []string{"forever stored b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.Forever(ctx, "b", 1)
	}},
	{method: "Store.Put", want: []string{"put forgotten b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.Put(ctx, "b", 1, 0)
	}},
	{method: "Store.Put", want: []string{"put refused b 0"}, run: func(ctx context.Context, s *store.Store) error {
		if s.Put(ctx, "b", func() {}, time.Minute) == nil {
			return errors.New("a function was stored")
		}
		return nil
	}},
	{method: "Store.List", want: []string{"list done  3"}, run: func(ctx context.Context, s *store.Store) error {
		return drain(s.List(ctx, store.ListOptions{}))
	}},
	{method: "Store.Stats", want: []string{"stats done  3"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Stats(ctx, store.StatsOptions{})
		return err
	}},
	{method: "Store.CountRows", want: []string{"count done  3"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.CountRows(ctx, store.Live, false))
	}},
	{method: "Store.OtherPrefixes", want: []string{"count done  0"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.OtherPrefixes(ctx, 1)
		return err
	}},
	{method: "Store.UsedPrefixes", want: []string{"count done  1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.UsedPrefixes(ctx, "p", "q")
		return err
	}},
	{method: "Store.Row", want: []string{"row hit a 1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Row(ctx, "a")
		return err
	}},
	{method: "Store.Export", want: []string{"export done  3"}, run: func(ctx context.Context, s *store.Store) error {
		return drain(s.Export(ctx, store.ExportOptions{}))
	}},
	{method: "Store.Import", want: []string{"import stored  0"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Import(ctx, []store.Row{{Key: "old", Value: []byte("N;"), Expiration: 1}}, store.ImportOptions{})
		return err
	}},
	{method: "Store.Prune", want: []string{"prune_batch forgotten  1", "prune done  1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Prune(ctx, store.PruneOptions{MaxRows: 2})
		return err
	}},
	{method: "Lock.Acquire", want: []string{"lock_acquire acquired l 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.RestoreLock("l", "me", time.Minute).Acquire(ctx))
	}},
	{method: "Lock.Acquire", want: []string{"lock_acquire held l 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Lock("l", time.Minute).Acquire(ctx))
	}},
	{method: "Lock.Block", want: []string{"lock_acquire acquired l 1"}, run: func(ctx context.Context, s *store.Store) error {
		return s.RestoreLock("l", "me", time.Minute).Block(ctx, 0)
	}},
	{method: "Lock.Block", want: []string{"lock_acquire held l 0"}, run: func(ctx context.Context, s *store.Store) error {
		return expect(s.Lock("l", time.Minute).Block(ctx, time.Millisecond), store.ErrLockTimeout)
	}},
	{method: "Lock.Refresh", want: []string{"lock_refresh acquired l 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.RestoreLock("l", "me", time.Minute).Refresh(ctx))
	}},
	{method: "Lock.RefreshFor", want: []string{"lock_refresh not_held l 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.RestoreLock("l", "you", time.Minute).RefreshFor(ctx, time.Hour))
	}},
	{method: "Lock.CurrentOwner", want: []string{"lock_owner held l 1"}, run: func(ctx context.Context, s *store.Store) error {
		_, err := s.Lock("l", 0).CurrentOwner(ctx)
		return err
	}},
	{method: "Store.Locks", want: []string{"lock_list done  1"}, run: func(ctx context.Context, s *store.Store) error { return drain(s.Locks(ctx)) }},
	{method: "Store.AllLocks", want: []string{"lock_list done  1"}, run: func(ctx context.Context, s *store.Store) error { return drain(s.AllLocks(ctx)) }},
	{method: "Lock.Holder", want: []string{"lock_owner held l 1"}, run: func(ctx context.Context, s *store.Store) error {
		_, _, err := s.Lock("l", 0).Holder(ctx)
		return err
	}},
	{method: "Store.PutIfLocked", want: []string{"put_if_locked stored b 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.PutIfLocked(ctx, s.RestoreLock("l", "me", 0), "b", 1, time.Minute))
	}},
	{method: "Store.PutIfLocked", want: []string{"put_if_locked not_stored b 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.PutIfLocked(ctx, s.RestoreLock("l", "you", 0), "b", 1, time.Minute))
	}},
	{method: "Lock.Release", want: []string{"lock_release released l 1"}, run: func(ctx context.Context, s *store.Store) error {
		return yes(s.RestoreLock("l", "me", 0).Release(ctx))
	}},
	{method: "Lock.ForceRelease", want: []string{"lock_force_release not_held l 0"}, run: func(ctx context.Context, s *store.Store) error {
		return no(s.Lock("l", 0).ForceRelease(ctx))
	}},
	{method: "Lock.Hold", want: []string{"lock_acquire acquired l 1", "lock_release released l 1"}, run: func(ctx context.Context, s *store.Store) error {
		_, release, err := s.Lock("l", time.Minute).Hold(ctx)
		if err != nil {
			return err
		}
		return release()
	}},
	{method: "Store.Flush", want: []string{"flush forgotten  3"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.Flush(ctx))
	}},
	{method: "Store.FlushAll", want: []string{"flush forgotten  0"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.FlushAll(ctx))
	}},
	{method: "Store.FlushWithProgress", want: []string{"flush forgotten  0"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.FlushWithProgress(ctx, false, func(int64) {}))
	}},
	{method: "Store.FlushLocks", want: []string{"lock_acquire acquired m 1", "lock_flush forgotten  1"}, run: func(ctx context.Context, s *store.Store) error {
		return errors.Join(yes(s.Lock("m", time.Minute).Acquire(ctx)), bad(s.FlushLocks(ctx)))
	}},
	{method: "Store.FlushAllLocks", want: []string{"lock_flush forgotten  0"}, run: func(ctx context.Context, s *store.Store) error {
		return bad(s.FlushAllLocks(ctx))
	}},
	{method: "Store.Close", silent: "it ends the store"},
	{method: "Store.DB", silent: "what is done with the pool is the caller's"},
	{method: "Store.Funnel", silent: "its slots are locks, and recorded"},
	{method: "Store.Lock", silent: "it asks nothing"},
	{method: "Store.Memo", silent: "what it asks the store is recorded"},
	{method: "Store.Prefix", silent: "it asks nothing"},
	{method: "Store.Table", silent: "it asks nothing"},
	{method: "Store.LockTable", silent: "it asks nothing"},
	{method: "Store.Tables", silent: "it asks about the database, not the cache"},
	{method: "Store.Rights", silent: "it asks about the account, not the cache"},
	{method: "Store.RestoreLock", silent: "it asks nothing"},
	{method: "Store.Server", silent: "it asks about the server, not the cache"},
	{method: "Store.ServerTime", silent: "it asks about the server, not the cache"},
	{method: "Store.Wait", silent: "what it waits for is recorded"},
	{method: "Lock.Name", silent: "it asks nothing"},
	{method: "Lock.Owner", silent: "it asks nothing"},
}

// drain reads a sequence to its end.
func drain[T any](rows iter.Seq2[T, error]) error {
	for _, err := range rows {
		if err != nil {
			return err
		}
	}
	return nil
}

// bad returns the error of a call whose number does not matter.
func bad(_ int64, err error) error { return err }

func TestRecorder_EveryOperationIsRecordedOnce(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			var r tape
			s := open(t, store.WithPrefix("p"), store.WithRecorder(&r))
			for _, o := range operations {
				if o.run == nil {
					continue
				}
				if err := o.run(context.Background(), s); err != nil {
					t.Errorf("%s: %v", o.method, err)
				}
				r.want(t, o.method, o.want...)
			}
		})
	}
}

var engines = map[string]func(testing.TB, ...store.Option) *store.Store{"sqlite": openSQLite, "mysql": openMySQL}

func TestRecorder_NoExportedMethodIsLeftOut(t *testing.T) {
	listed := map[string]bool{}
	for _, o := range operations {
		listed[o.method] = true
		if (o.run == nil) == (o.silent == "") {
			t.Errorf("%s wants either a run or a reason", o.method)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[*store.Store](), reflect.TypeFor[*store.Lock]()} {
		for i := range of.NumMethod() {
			if name := of.Elem().Name() + "." + of.Method(i).Name; !listed[name] {
				t.Errorf("%s has no entry: is it recorded?", name)
			}
		}
	}
}

func TestRecorder_RememberIsRecordedAsWhatItDoes(t *testing.T) {
	ctx := context.Background()
	var r tape
	s := openSQLite(t, store.WithRecorder(&r))
	remember := func() {
		if _, err := store.Remember(ctx, s, "k", time.Minute, func(context.Context) (int, error) { return 1, nil }); err != nil {
			t.Fatal(err)
		}
	}
	remember()
	r.want(t, "a miss", "get miss k 0", "get miss k 0", "put stored k 1")
	remember()
	r.want(t, "a hit", "get hit k 1")
}

// What calls a function of the caller's is recorded also if that panics, with what was done until then.
func TestRecorder_HearsOfAnOperationWhoseCallbackPanics(t *testing.T) {
	ctx := context.Background()
	var r tape
	s := openSQLite(t, store.WithPrefix("p"), store.WithRecorder(&r))
	for _, c := range []struct {
		what string
		run  func()
		want []string
	}{
		{"a list", func() {
			for range s.List(ctx, store.ListOptions{}) {
				panic("the loop's body")
			}
		}, []string{"list done  1"}},
		{"an export", func() {
			for range s.Export(ctx, store.ExportOptions{}) {
				panic("the loop's body")
			}
		}, []string{"export done  1"}},
		{"a prune", func() {
			_, _ = s.Prune(ctx, store.PruneOptions{MaxRows: 1, Progress: func(store.PruneProgress) { panic("progress") }})
		}, []string{"prune_batch forgotten  199", "prune done  199"}},
		{"a list of locks", func() {
			for range s.Locks(ctx) {
				panic("the loop's body")
			}
		}, []string{"lock_list done  1"}},
		{"a flush", func() {
			_, _ = s.FlushWithProgress(ctx, false, func(int64) { panic("progress") })
		}, []string{"flush forgotten  199"}},
	} {
		for _, err := range []error{s.PutMany(ctx, many(300), time.Minute), yes(s.RestoreLock("l", "me", 0).Acquire(ctx))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.told(t)
		func() {
			defer func() { _ = recover() }()
			c.run()
		}()
		r.want(t, c.what, c.want...)
	}
}

func TestRecorder_LaravelsEvents(t *testing.T) {
	ctx := context.Background()
	var r tape
	s := openSQLite(t, store.WithPrefix("p"), store.WithRecorder(&r))
	for _, step := range []struct {
		what string
		run  func() error
		want string
	}{
		{"put", func() error { return s.Put(ctx, "a", 1, time.Minute) }, "KeyWritten a"},
		{"put of what cannot be stored", func() error { _ = s.Put(ctx, "a", func() {}, time.Minute); return nil }, "KeyWriteFailed a"},
		{"put for no time", func() error { return s.Put(ctx, "b", 1, 0) }, "KeyForgotten b"},
		{"get", func() error { return s.Get(ctx, "a", new(int)) }, "CacheHit a"},
		{"many", func() error { _, err := s.Many(ctx, "a", "b"); return err }, "CacheHit a CacheMissed b"},
		{"putMany", func() error { return s.PutMany(ctx, map[string]any{"b": 2}, time.Minute) }, "KeyWritten b"},
		{"pull", func() error { return s.Pull(ctx, "b", new(int)) }, "CacheHit b KeyForgotten b"},
		{"forget", func() error { return yes(s.Forget(ctx, "a")) }, "KeyForgotten a"},
		{"forget nothing", func() error { return no(s.Forget(ctx, "a")) }, ""},
		{"add", func() error { return yes(s.Add(ctx, "a", 1, time.Minute)) }, ""},
		{"flush", func() error { return bad(s.Flush(ctx)) }, "CacheFlushed "},
	} {
		if err := step.run(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		var got []string
		for _, e := range r.events {
			got = append(got, string(e.Name)+" "+e.Key)
			if (e.Err != nil) != strings.HasSuffix(string(e.Name), "Failed") {
				t.Errorf("%s: %s has error %v", step.what, e.Name, e.Err)
			}
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("%s tells %q, want %q", step.what, got, step.want)
		}
		r.told(t)
	}
}

func TestRecorder_RepeatsHaveACause(t *testing.T) {
	ctx := context.Background()
	wire := newWire()
	cfg := migrated(t, testdb.MySQL(t)).Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.DialFunc, cfg.Logger = true, 64<<20, wire.dial, &mysql.NopLogger{}
	var r tape
	s := newStore(t, cfg, store.WithRecorder(&r))
	if err := s.Put(ctx, "k", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	wire.loseNextAnswer()
	if err := s.Put(ctx, "k", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	wire.loseNextAnswer()
	if err := expect(bad(s.Increment(ctx, "k", 1)), store.ErrOutcomeUnknown); err != nil {
		t.Fatal(err)
	}
	r.want(t, "a lost answer", "put stored k 1", "put stored k 1", "increment outcome_unknown k 0")
	if len(r.retries) != 1 || r.retries[0].Cause != record.LostConnection || r.retries[0].Attempt != 1 || r.retries[0].Err == nil {
		t.Errorf("repeats are %+v, want one for the lost connection", r.retries)
	}
}

func TestRecorder_ABusyFileIsACause(t *testing.T) {
	ctx := context.Background()
	var counter record.Counter
	s := openSQLite(t, store.WithRecorder(&counter))
	tx, err := s.DB().Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("INSERT INTO cache VALUES ('held', 'i:1;', 1)"); err != nil {
		t.Fatal(err)
	}
	var path string
	if err := tx.Get(&path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
		t.Fatal(err)
	}
	other, err := store.Open("sqlite:"+path, store.WithRecorder(&counter))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.DB().Exec("PRAGMA busy_timeout=1"); err != nil {
		t.Fatal(err)
	}
	if err := other.Put(ctx, "k", 1, time.Minute); err == nil {
		t.Fatal("two write at once")
	}
	if n := counter.Retries()[record.Busy]; n != 10 {
		t.Errorf("%d repeats are recorded, want 10", n)
	}
	if n := counter.Total(record.Put, record.Failed).Operations; n != 1 {
		t.Errorf("%d failed puts are recorded, want 1", n)
	}
}

func TestRecorder_CostsNoAllocation(t *testing.T) {
	ctx := context.Background()
	gets := func(opts ...store.Option) float64 {
		s := openSQLite(t, opts...)
		if err := s.Put(ctx, "k", "v", time.Minute); err != nil {
			t.Fatal(err)
		}
		var got string
		return testing.AllocsPerRun(200, func() {
			if err := s.Get(ctx, "k", &got); err != nil {
				t.Fatal(err)
			}
		})
	}
	without, with := gets(), gets(store.WithRecorder(new(record.Counter)))
	if with > without {
		t.Errorf("a get allocates %.0f times with a recorder, %.0f without", with, without)
	}
}

func TestWithRecorder_RefusesNil(t *testing.T) {
	if _, err := store.Open("sqlite:x", store.WithRecorder(nil)); err == nil {
		t.Error("nil is taken for a recorder")
	}
}
