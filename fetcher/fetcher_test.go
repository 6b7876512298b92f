package fetcher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/internal/workers"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

func TestMain(m *testing.M) {
	workers.ServeIfAsked()
	testdb.Main(m)
}

const key = "dingding_access_token"

// A fleet is one database with the tables, for any number of processes.
type fleet struct {
	t      testing.TB
	url    string
	reader *store.Store // the test's own
}

// onEachEngine runs test with an empty SQLite and an empty MySQL database, and then wants no goroutine to be left.
func onEachEngine(t *testing.T, test func(t *testing.T, f *fleet)) {
	for _, engine := range []migrations.Engine{migrations.SQLite, migrations.MySQL} {
		t.Run(string(engine), func(t *testing.T) { test(t, newFleet(t, engine)) })
	}
}

// inBubble runs test with an empty SQLite database where time passes when everybody sleeps, for what is to be exact on a busy machine too.
func inBubble(t *testing.T, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, url: "sqlite:" + testdb.SQLite(t)}
		f.migrate(migrations.SQLite)
		test(t, f)
	})
}

func newFleet(t *testing.T, engine migrations.Engine) *fleet {
	before := goleak.IgnoreCurrent() // should the server not start
	t.Cleanup(func() {               // after all other clean-up
		if err := testdb.Leaked(before); err != nil {
			t.Error(err)
		}
	})
	f := &fleet{t: t}
	if engine == migrations.SQLite {
		f.url = "sqlite:" + testdb.SQLite(t)
	} else {
		f.url = testdb.MySQL(t).URL()
	}
	before = goleak.IgnoreCurrent()
	f.migrate(engine)
	return f
}

// migrate makes the tables, and the test's own store.
func (f *fleet) migrate(engine migrations.Engine) {
	f.t.Helper()
	f.reader = f.process()
	m, err := migrations.New(f.reader.DB().DB, engine)
	if err == nil {
		_, err = m.Up(context.Background())
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// process returns a store of its own, as another process would have.
func (f *fleet) process(opts ...store.Option) *store.Store {
	f.t.Helper()
	s, err := store.Open(f.url, opts...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Close() })
	return s
}

// write stores a value as others may have left it, byte for byte.
func (f *fleet) write(value string) {
	f.t.Helper()
	db := f.reader.DB()
	if _, err := db.Exec(db.Rebind("REPLACE INTO cache VALUES (?, ?, ?)"), key, value, time.Now().Unix()+1000); err != nil {
		f.t.Fatal(err)
	}
}

// row returns what is stored, "" if no row is.
func (f *fleet) row() (value string, expiration int64) {
	f.t.Helper()
	item, err := f.reader.Item(context.Background(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.t.Fatal(err)
	}
	return string(item.Raw), item.Expiration
}

// lock is the lock of the key as another process takes it.
func (f *fleet) lock(ttl time.Duration) *store.Lock {
	return f.process().Lock(fetcher.LockName(key), ttl)
}

func (f *fleet) acquired(lock *store.Lock) {
	f.t.Helper()
	if ok, err := lock.Acquire(context.Background()); !ok || err != nil {
		f.t.Fatalf("acquire: %v, %v, want true", ok, err)
	}
}

func newFetcher(t testing.TB, s *store.Store, source fetcher.Source, opts ...fetcher.Option) *fetcher.Fetcher {
	t.Helper()
	f, err := fetcher.New(s, key, source, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func newFake(t testing.TB, opts ...fetchertest.Option) (*fetchertest.Fake, *dingtalk.Source) {
	t.Helper()
	fake := fetchertest.NewDingTalk(opts...)
	t.Cleanup(fake.Close)
	source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL))
	if err != nil {
		t.Fatal(err)
	}
	return fake, source
}

// A stub is a source that does what the test wants.
type stub struct {
	calls atomic.Int32
	fetch func(ctx context.Context) (fetcher.Token, error)
}

func (s *stub) Info() fetcher.Info { return fetcher.Info{Name: "stub", Margin: 200 * time.Second} }

func (s *stub) Fetch(ctx context.Context) (fetcher.Token, error) {
	s.calls.Add(1)
	return s.fetch(ctx)
}

func returning(value string, life time.Duration) *stub {
	return &stub{fetch: func(context.Context) (fetcher.Token, error) {
		return fetcher.Token{Value: value, ExpiresIn: life}, nil
	}}
}

func TestFetcher_ColdStartFetchesOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		fake, source := newFake(t, fetchertest.WithLatency(30*time.Millisecond))
		var wg sync.WaitGroup
		var mu sync.Mutex
		tokens := map[string]int{}
		for range 4 {
			process := newFetcher(t, f.process(), source, fetcher.WithTimeout(10*time.Second))
			for range 100 {
				wg.Go(func() {
					token, err := process.Token(t.Context())
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					tokens[token]++
				})
			}
		}
		wg.Wait()
		if fake.Count() != 1 || len(tokens) != 1 {
			t.Errorf("%d fetches for %d different tokens, want 1 for 1", fake.Count(), len(tokens))
		}
	})
}

func TestFetcher_StoresTheTokenAsLaravelWould(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		_, source := newFake(t)
		before := time.Now().Unix()
		token, err := newFetcher(t, f.process(), source).Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		value, expiration := f.row()
		if want := fmt.Sprintf(`s:32:"%s";`, token); value != want {
			t.Errorf("row is %s, want %s", value, want)
		}
		if after := time.Now().Unix(); expiration < before+7000 || expiration > after+7000 {
			t.Errorf("expiration is %d, want now+7000, %d to %d", expiration, before+7000, after+7000)
		}
	})
}

func TestFetcher_SecondProcessReadsTheRow(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		fake, source := newFake(t)
		first, err := newFetcher(t, f.process(), source).Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := newFetcher(t, f.process(), source).Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first.Origin != fetcher.FromSource || second.Origin != fetcher.FromRow || first.Token.Value != second.Token.Value || fake.Count() != 1 {
			t.Errorf("got %v and %v with %d fetches", first, second, fake.Count())
		}
		for _, r := range []fetcher.Result{first, second} {
			if r.Token.ExpiresIn < 6990*time.Second || r.Token.ExpiresIn > 7000*time.Second {
				t.Errorf("%s: row lives %v, want 7000 s", r.Origin, r.Token.ExpiresIn)
			}
		}
	})
}

func TestFetcher_ExpiredRowIsFetchedAgain(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	var now atomic.Int64
	clock := func() time.Time { return time.Unix(now.Load(), 0) }
	fake, source := newFake(t, fetchertest.WithClock(clock))
	db := f.process(store.WithClock(clock))

	var tokens []string
	for _, at := range []int64{1_000_000, 1_006_999, 1_007_000, 1_020_000} {
		now.Store(at)
		token, err := newFetcher(t, db, source, fetcher.WithRefreshAhead(0)).Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	// At 1,007,000 the row has expired and the token has not: DingTalk returns the same one, with a new life.
	if fake.Count() != 3 || tokens[0] != tokens[1] || tokens[1] != tokens[2] || tokens[2] == tokens[3] {
		t.Errorf("%d fetches, tokens %q", fake.Count(), tokens)
	}
}

func TestFetcher_RowLivesAsLongAsTheTokenLessTheMargin(t *testing.T) {
	inBubble(t, rowLivesAsLongAsTheTokenLessTheMargin)
}

func rowLivesAsLongAsTheTokenLessTheMargin(t *testing.T, f *fleet) {
	s := f.process(store.WithClock(func() time.Time { return time.Unix(1000, 0) }))
	margin := fetcher.WithMargin
	for _, c := range []struct {
		life time.Duration
		opts []fetcher.Option
		want int64 // seconds
	}{
		{7200 * time.Second, nil, 7000},
		{7200 * time.Second, []fetcher.Option{margin(0)}, 7200},
		{7200 * time.Second, []fetcher.Option{margin(10 * time.Minute)}, 6600},
		{7200 * time.Second, []fetcher.Option{margin(24 * time.Hour)}, 3600}, // at most half
		{401 * time.Second, nil, 201},
		{400 * time.Second, nil, 200},
		{200 * time.Second, nil, 100},
		{30 * time.Second, nil, 15},
		{time.Second, nil, 1}, // rows have whole seconds only
	} {
		result, err := newFetcher(t, s, returning("token", c.life), c.opts...).Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		item, err := s.Item(t.Context(), key)
		if err != nil || item.Expiration != 1000+c.want || result.Token.ExpiresIn != item.TTL {
			t.Errorf("life %v: expiration %d, said %v, %v, want %d", c.life, item.Expiration, result.Token.ExpiresIn, err, 1000+c.want)
		}
		if _, err := s.Forget(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFetcher_CountsTheLifeFromTheRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fleet) {
		s := f.process(store.WithClock(func() time.Time { return time.Unix(1000, 0) }))
		slow := &stub{fetch: func(context.Context) (fetcher.Token, error) {
			time.Sleep(1050 * time.Millisecond)
			return fetcher.Token{Value: "token", ExpiresIn: 7200 * time.Second}, nil
		}}
		if _, err := newFetcher(t, s, slow).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if item, err := s.Item(t.Context(), key); err != nil || item.Expiration != 1000+6999 {
			t.Errorf("expiration %d, %v, want 7999", item.Expiration, err)
		}
	})
}

func TestFetcher_ReadsRowsThatOthersWrote(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	const fetched = "fetched"
	for name, c := range map[string]struct{ value, want string }{
		"a string":                      {`s:5:"token";`, "token"},
		"an SDK's reply":                {`a:4:{s:7:"errcode";i:0;s:12:"access_token";s:5:"token";s:6:"errmsg";s:2:"ok";s:10:"expires_in";i:7200;}`, "token"},
		"an empty string":               {`s:0:"";`, fetched},
		"a blank":                       {`s:1:" ";`, fetched},
		"a line break at the end":       {"s:6:\"token\n\";", fetched},
		"a null":                        {`N;`, fetched},
		"false":                         {`b:0;`, fetched},
		"a number":                      {`i:42;`, fetched},
		"a failed reply":                {`a:2:{s:7:"errcode";i:40096;s:6:"errmsg";s:3:"bad";}`, fetched},
		"a reply with an empty token":   {`a:1:{s:12:"access_token";s:0:"";}`, fetched},
		"a reply with a null token":     {`a:1:{s:12:"access_token";N;}`, fetched},
		"a list":                        {`a:1:{i:0;s:5:"token";}`, fetched},
		"an object":                     {`O:8:"stdClass":1:{s:12:"access_token";s:5:"token";}`, fetched},
		"a string with a wrong length":  {`s:9:"token";`, fetched},
		"a string that is cut off":      {`s:5:"tok`, fetched},
		"no PHP serialization":          {`token`, fetched},
		"nothing":                       {``, fetched},
		"a string that is too long":     {`s:8193:"` + strings.Repeat("x", 8193) + `";`, fetched},
		"a string that is not ASCII":    {`s:6:"tökén";`, fetched},
		"a string that is just allowed": {`s:8192:"` + strings.Repeat("x", 8192) + `";`, strings.Repeat("x", 8192)},
	} {
		t.Run(name, func(t *testing.T) {
			f.write(c.value)
			token, err := newFetcher(t, f.process(), returning(fetched, time.Hour)).Token(t.Context())
			if err != nil || token != c.want {
				t.Fatalf("got %.20q, %v, want %.20q", token, err, c.want)
			}
			if value, _ := f.row(); c.want == fetched && value != `s:7:"fetched";` {
				t.Errorf("row is %s, want the fetched token", value)
			}
		})
	}
}

func TestFetcher_CancelledCallerDoesNotFailTheOthers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		started, finish := make(chan struct{}), make(chan struct{})
		source := &stub{fetch: func(ctx context.Context) (fetcher.Token, error) {
			close(started)
			select {
			case <-finish:
				return fetcher.Token{Value: "token", ExpiresIn: time.Hour}, nil
			case <-ctx.Done():
				return fetcher.Token{}, ctx.Err()
			}
		}}
		process := newFetcher(t, f.process(), source, fetcher.WithTimeout(time.Minute))

		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := process.Token(ctx); first <- err }()
		<-started
		go func() { _, err := process.Token(t.Context()); second <- err }()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("first caller: %v, want its own cancellation", err)
		}
		close(finish)
		if err := <-second; err != nil {
			t.Errorf("second caller: %v, want a token", err)
		}
		if value, _ := f.row(); value != `s:5:"token";` || source.calls.Load() != 1 {
			t.Errorf("row is %q after %d fetches", value, source.calls.Load())
		}
	})
}

func TestFetcher_FetchGoesOnWhenEveryCallerHasLeft(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	fake, source := newFake(t, fetchertest.WithLatency(200*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, "the vendor is asked", func() bool { return fake.Count() == 1 })
		cancel()
	}()
	if _, err := newFetcher(t, f.process(), source).Token(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("caller: %v, want its own cancellation", err)
	}
	eventually(t, "the token is stored", func() bool { value, _ := f.row(); return value != "" })
	if fake.Count() != 1 {
		t.Errorf("%d fetches, want 1", fake.Count())
	}
}

// eventually waits for what others do, far longer than that takes on a machine with more to do.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not within a minute: %s", what)
			return
		}
	}
}

func TestFetcher_WaiterEndsWithItsOwnContext(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.acquired(f.lock(time.Minute))
		source := returning("token", time.Hour)
		process := newFetcher(t, f.process(), source, fetcher.WithWait(time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := process.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the caller's deadline, which is before the end of the wait", err)
		}
		// A caller who stays sees the end of the wait.
		if _, err := process.Token(t.Context()); !errors.Is(err, store.ErrLockTimeout) || source.calls.Load() != 0 {
			t.Errorf("%v after %d fetches, want store.ErrLockTimeout after none", err, source.calls.Load())
		}
	})
}

func TestFetcher_WaitsForTheTokenThatAnotherProcessFetches(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		other, lock := f.process(), f.lock(time.Minute)
		f.acquired(lock)
		time.AfterFunc(80*time.Millisecond, func() {
			if err := other.Put(context.Background(), key, "theirs", time.Hour); err != nil {
				t.Error(err)
			}
		})
		source := returning("mine", time.Hour)
		result, err := newFetcher(t, f.process(), source).Get(t.Context())
		if err != nil || result.Token.Value != "theirs" || result.Origin != fetcher.FromRow || source.calls.Load() != 0 {
			t.Errorf("got %v, %v after %d fetches, want theirs after none", result, err, source.calls.Load())
		}
	})
}

func TestFetcher_FetchesWhenTheOtherProcessGaveUp(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		lock := f.lock(time.Minute)
		f.acquired(lock)
		time.AfterFunc(80*time.Millisecond, func() { _, _ = lock.Release(context.Background()) })
		result, err := newFetcher(t, f.process(), returning("mine", time.Hour)).Get(t.Context())
		if err != nil || result.Origin != fetcher.FromSource {
			t.Errorf("got %v, %v, want a fetched token", result, err)
		}
	})
}

func TestFetcher_TakesOverFromAHolderThatDied(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		f.acquired(f.lock(time.Second)) // and never released
		result, err := newFetcher(t, f.process(), returning("mine", time.Hour)).Get(t.Context())
		if err != nil || result.Origin != fetcher.FromSource {
			t.Errorf("got %v, %v, want a fetched token", result, err)
		}
	})
}

func TestFetcher_LateHolderDoesNotOverwriteItsSuccessor(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		successor, theirs := f.process(), f.lock(time.Minute)
		for name, delay := range map[string]time.Duration{"successor has stored": 0, "successor is fetching": 80 * time.Millisecond} {
			t.Run(name, func(t *testing.T) {
				late := &stub{fetch: func(ctx context.Context) (fetcher.Token, error) {
					// As if the lock had ended meanwhile.
					if _, err := theirs.ForceRelease(ctx); err != nil {
						t.Error(err)
					}
					f.acquired(theirs)
					put := func() {
						if ok, err := successor.PutIfLocked(context.Background(), theirs, key, "newer", time.Hour); !ok || err != nil {
							t.Errorf("successor: %v, %v", ok, err)
						}
					}
					if delay == 0 {
						put()
					} else {
						time.AfterFunc(delay, put)
					}
					return fetcher.Token{Value: "older", ExpiresIn: time.Hour}, nil
				}}
				token, err := newFetcher(t, f.process(), late).Token(t.Context())
				value, _ := f.row()
				if err != nil || token != "newer" || value != `s:5:"newer";` || late.calls.Load() != 1 {
					t.Errorf("got %q, %v with the row %s, want the newer token in both", token, err, value)
				}
				_, _ = successor.Forget(t.Context(), key)
				_, _ = theirs.Release(t.Context())
			})
		}
	})
}

func TestFetcher_FailedFetchStoresNothingAndFreesTheLock(t *testing.T) {
	onEachEngine(t, func(t *testing.T, f *fleet) {
		fake, source := newFake(t)
		for _, failure := range fetchertest.Failures() {
			process := newFetcher(t, f.process(), source, fetcher.WithTimeout(500*time.Millisecond))
			fake.FailNext(1, failure)
			begun := time.Now()
			token, err := process.Token(t.Context())
			var sourceError *fetcher.SourceError
			if token != "" || !errors.As(err, &sourceError) || !strings.HasPrefix(err.Error(), `token "dingding_access_token": dingtalk gettoken: `) {
				t.Errorf("%s: %q, %v, want a *fetcher.SourceError", failure.Name, token, err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s: took %v", failure.Name, took)
			}
			if value, _ := f.row(); value != "" {
				t.Errorf("%s: stored %s", failure.Name, value)
			}
			lock := f.lock(time.Minute)
			f.acquired(lock)
			if _, err := lock.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := f.reader.Forget(t.Context(), fetcher.StateKey(key)); err != nil {
				t.Fatal(err)
			}
		}
		if token, err := newFetcher(t, f.process(), source).Token(t.Context()); err != nil || len(token) != 32 {
			t.Errorf("afterwards: %q, %v, want a token", token, err)
		}
	})
}

func TestFetcher_StoresNoTokenThatCannotBeUsed(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	for name, source := range map[string]*stub{
		"empty":     returning("", time.Hour),
		"blank":     returning(" ", time.Hour),
		"NUL":       returning("tok\x00en", time.Hour),
		"not ASCII": returning("tökén", time.Hour),
		"too long":  returning(strings.Repeat("x", 8193), time.Hour),
		"no life":   returning("token", 0),
		"dead":      returning("token", -time.Second),
		"over": {fetch: func(context.Context) (fetcher.Token, error) {
			time.Sleep(2 * time.Millisecond)
			return fetcher.Token{Value: "token", ExpiresIn: time.Millisecond}, nil
		}},
	} {
		token, err := newFetcher(t, f.process(), source).Token(t.Context())
		var failure *fetcher.SourceError
		if token != "" || !errors.As(err, &failure) || failure.Class != fetcher.ClassProtocol || failure.Source != "stub" {
			t.Errorf("%s: %q, %v, want a protocol error", name, token, err)
		}
		if value, _ := f.row(); value != "" {
			t.Errorf("%s: stored %.20q", name, value)
		}
	}
}

func TestFetcher_UnreadableDatabaseFetchesNothing(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	source := returning("token", time.Hour)
	closed := f.process()
	_ = closed.Close()
	noLocks := f.process(store.WithLockTable("no_such_table"))
	for name, c := range map[string]struct {
		store *store.Store
		want  error
	}{
		"closed":        {closed, nil},
		"no lock table": {noLocks, store.ErrNoTable},
	} {
		token, err := newFetcher(t, c.store, source).Token(t.Context())
		if token != "" || err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v, want %v", name, token, err, c.want)
		}
	}
	if source.calls.Load() != 0 {
		t.Errorf("%d fetches, want none", source.calls.Load())
	}
}

func TestFetcher_FetchesForAtMost1500msByDefault(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fleet) {
		var left time.Duration
		source := &stub{fetch: func(ctx context.Context) (fetcher.Token, error) {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return fetcher.Token{Value: "token", ExpiresIn: time.Hour}, nil
		}}
		if _, err := newFetcher(t, f.process(), source).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left != 1500*time.Millisecond {
			t.Errorf("the source had %v, want 1.5 s", left)
		}
	})
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	s := newFleet(t, migrations.SQLite).process()
	source := returning("token", time.Hour)
	for name, c := range map[string]struct {
		store  *store.Store
		key    string
		source fetcher.Source
		opts   []fetcher.Option
	}{
		"no store":                {nil, key, source, nil},
		"no key":                  {s, "", source, nil},
		"no source":               {s, key, nil, nil},
		"negative margin":         {s, key, source, []fetcher.Option{fetcher.WithMargin(-1)}},
		"no timeout":              {s, key, source, []fetcher.Option{fetcher.WithTimeout(0)}},
		"no lock TTL":             {s, key, source, []fetcher.Option{fetcher.WithLockTTL(0)}},
		"no wait":                 {s, key, source, []fetcher.Option{fetcher.WithWait(0)}},
		"lock ends while fetched": {s, key, source, []fetcher.Option{fetcher.WithLockTTL(time.Second), fetcher.WithTimeout(time.Second)}},
	} {
		if _, err := fetcher.New(c.store, c.key, c.source, c.opts...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// printed is v printed and logged in every way.
func printed(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	return b.String()
}

func TestFetcher_PrintsNeitherSecretsNorTokens(t *testing.T) {
	f := newFleet(t, migrations.SQLite)
	fake, source := newFake(t)
	process := newFetcher(t, f.process(), source)
	result, err := process.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, v := range map[string]any{
		"result": result, "token": result.Token, "tokens": []fetcher.Token{result.Token}, "fetcher": process, "source": source, "calls": fake.Calls(),
	} {
		text := printed(v)
		if strings.Contains(text, result.Token.Value[4:12]) || strings.Contains(text, fake.AppSecret) || strings.Contains(text, fmt.Sprintf("%x", result.Token.Value[4:12])) {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
	result.Token.ExpiresIn = 7000 * time.Second // it was a little less
	if got, want := fmt.Sprint(result.Token), result.Token.Value[:4]+"… (expires in 1h56m40s)"; got != want {
		t.Errorf("token prints as %q, want %q", got, want)
	}
}

func TestMask_ShowsAtMostAQuarter(t *testing.T) {
	for token, want := range map[string]string{"": "…", "short": "…", "123456789012345": "…", "1234567890123456": "1234…"} {
		if got := fetcher.Mask(token); got != want {
			t.Errorf("Mask(%q) is %q, want %q", token, got, want)
		}
	}
}
