package fetcher_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

// A day in the life of a fleet, in a bubble of testing/synctest: five processes, a vendor and a table, and everything that happens to them in
// years. What each test of a scenario claims of one thing is claimed here of all of them at once.
const (
	day       = 24 * time.Hour
	fleetSize = 5
)

// A world is a day's table, vendor and processes.
type world struct {
	t      *testing.T
	table  *table
	vendor *market
	random *lockedRand

	begun        time.Time
	disturbances atomic.Int64
	vendorDown   atomic.Int64 // seconds, in all

	mu       sync.Mutex
	troubles int       // that go on
	well     time.Time // since when none does
	wrongs   int       // that were told
	calls    int
	failed   int
	stale    int
	dead     int // hand-outs of tokens that the vendor had ended before their time and nobody had reported here
}

var seeds = flag.Int("seeds", 1, "how many days of each kind TestSimulation lives with random seeds, beside those that are always the same")

func TestSimulation_ADayOfCrashesAndOutages(t *testing.T) {
	for name, info := range map[string]fetcher.Info{
		"SameRenewed":   {Renewal: fetcher.SameRenewed, Margin: 200 * time.Second, RefreshAhead: 10 * time.Minute},
		"SameRemainder": {Renewal: fetcher.SameRemainder, Margin: 30 * time.Second, RefreshAhead: 5 * time.Minute, MaxRefreshAhead: 5 * time.Minute},
		"NewOldValid":   {Renewal: fetcher.NewOldValid, Margin: 200 * time.Second, RefreshAhead: 10 * time.Minute},
		"NewOldDies":    {Renewal: fetcher.NewOldDies, Margin: 200 * time.Second, RefreshAhead: 10 * time.Minute, Overlap: 5 * time.Minute},
	} {
		days := []uint64{1}
		for range *seeds {
			days = append(days, rand.Uint64()) // which the name of the test tells
		}
		for _, seed := range days {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				bubble(t, func(t *testing.T) { newWorld(t, info, seed).live() })
			})
		}
	}
}

func newWorld(t *testing.T, info fetcher.Info, seed uint64) *world {
	info.Name, info.App, info.Fingerprint, info.Life = "market", "app", "credentials", 2*time.Hour
	random := &lockedRand{r: rand.New(rand.NewPCG(seed, 0))}
	w := &world{
		t: t, table: newTable(), random: random, begun: time.Now(), well: time.Now(),
		vendor: &market{info: info, random: random, tokens: map[string]*sold{}},
	}
	w.table.skew = random.upTo(4*time.Minute) - 2*time.Minute
	w.table.delay = 2 * time.Millisecond
	return w
}

// live has the day pass, and then looks back.
func (w *world) live() {
	ctx, cancel := context.WithTimeout(w.t.Context(), day)
	defer cancel()
	var all sync.WaitGroup
	for i := range fleetSize {
		all.Go(func() { w.machine(ctx, i) })
	}
	all.Go(func() { w.every(ctx, time.Hour, time.Hour, func() { w.table.Clear() }) })
	all.Go(func() { w.every(ctx, 30*time.Minute, 2*time.Hour, w.vendorOutage(ctx)) })
	all.Go(func() { w.every(ctx, 30*time.Minute, 2*time.Hour, w.tableOutage(ctx)) })
	all.Go(func() { w.every(ctx, time.Hour, 5*time.Hour, func() { w.disturbances.Add(1); w.vendor.revoke() }) })
	all.Go(func() { w.every(ctx, 17*time.Second, 41*time.Second, w.lookAtTheRow) })
	all.Wait()

	interval := w.vendor.info.Life - w.vendor.info.Margin - w.vendor.info.RefreshAhead
	if limit := w.vendor.info.MaxRefreshAhead; limit > 0 {
		interval = w.vendor.info.Life - limit
	}
	ideal, disturbances := float64(day)/float64(interval), float64(w.disturbances.Load())
	given, refused := w.vendor.counts()
	w.t.Logf("%d calls, %d failed, %d got a stale token, %d an ended one that nobody had reported; %d fetches, ideal are %.1f, %v disturbances; %d refused in %d s without the vendor",
		w.calls, w.failed, w.stale, w.dead, given, ideal, disturbances, refused, w.vendorDown.Load())
	if f := float64(given); f < 0.8*ideal-1 || f > 1.2*ideal+disturbances {
		w.t.Errorf("%d fetches, want those of a quiet day, %.1f, within a fifth, and one for each of the %v disturbances", given, ideal, disturbances)
	}
	// A back-off starts with some attempts, and then is one a minute for the fleet.
	if most := 10*disturbances + float64(w.vendorDown.Load())/45; float64(refused) > most {
		w.t.Errorf("%d fetches failed, want at most %.0f", refused, most)
	}
	if w.calls < 30_000 || w.failed > w.calls/5 {
		w.t.Errorf("%d of %d calls failed", w.failed, w.calls)
	}
}

// wrong fails the test, with few enough words.
func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrongs++; w.wrongs <= 3 {
		w.t.Errorf("%v: %s", time.Since(w.begun).Round(time.Second), fmt.Sprintf(format, args...))
	}
}

// every does something again and again, after pauses of a random length.
func (w *world) every(ctx context.Context, least, most time.Duration, do func()) {
	for w.pause(ctx, least+w.random.upTo(most-least)) {
		do()
	}
}

// pause reports whether the day goes on after it.
func (w *world) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// trouble lasts for 1 to 30 minutes.
func (w *world) trouble(ctx context.Context, begin, end func()) (lasted time.Duration) {
	w.disturbances.Add(1)
	w.mu.Lock()
	w.troubles++
	w.mu.Unlock()
	begin()
	begun := time.Now()
	w.pause(ctx, time.Minute+w.random.upTo(29*time.Minute))
	end()
	w.mu.Lock()
	w.troubles--
	w.well = time.Now()
	w.mu.Unlock()
	return time.Since(begun)
}

func (w *world) vendorOutage(ctx context.Context) func() {
	return func() {
		hangs := w.random.upTo(2) == 0
		lasted := w.trouble(ctx, func() { w.vendor.set(true, hangs) }, func() { w.vendor.set(false, false) })
		w.vendorDown.Add(int64(lasted / time.Second))
	}
}

func (w *world) tableOutage(ctx context.Context) func() {
	return func() {
		begin, end := func() { w.table.Fail(errors.New("database is down")) }, func() { w.table.Fail(nil) }
		if w.random.upTo(3) == 0 {
			begin, end = func() { w.table.Delay(time.Minute) }, func() { w.table.Delay(2 * time.Millisecond) }
		}
		w.trouble(ctx, begin, end)
	}
}

// quiet reports whether nothing has gone wrong for so long that every pause is over which a failure left behind.
func (w *world) quiet() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.troubles == 0 && time.Since(w.well) > 2*time.Minute
}

// lookAtTheRow wants no row to outlive its token: PHP would go on with it.
func (w *world) lookAtTheRow() {
	w.table.mu.Lock()
	item, ok := w.table.many([]string{key})[key]
	w.table.mu.Unlock()
	if token, live := fetcher.TokenOf(item); ok && live && w.vendor.standing(token.Value) == outlived {
		w.wrong("the row lives for another %v, its token does not", item.TTL)
	}
}

// machine runs a process, and another after that has crashed.
func (w *world) machine(ctx context.Context, i int) {
	clock := newClocks()
	for ctx.Err() == nil {
		clock.wall.Store(int64(w.random.upTo(4*time.Minute) - 2*time.Minute))
		life, crash := context.WithTimeout(ctx, time.Hour+w.random.upTo(23*time.Hour))
		w.process(life, clock)
		crash()
		if ctx.Err() == nil {
			w.disturbances.Add(1)
			w.pause(ctx, w.random.upTo(time.Minute))
		}
	}
}

// process lives until ctx ends, and then does nothing more: neither what it is at, nor a release of its lock.
func (w *world) process(ctx context.Context, clock *clocks) {
	gone := &link{Store: w.table}
	f, err := fetcher.NewOn(gone, key, w.vendor, clock.option(), fetcher.WithStale(5*time.Minute))
	if err != nil {
		w.t.Error(err)
		return
	}
	var run sync.WaitGroup
	defer run.Wait()
	run.Go(func() { _ = f.Run(ctx) }) // which waits for what it is at: that takes effect nowhere
	defer gone.dead.Store(true)
	rejected := map[string]time.Time{}
	for w.pause(ctx, 5*time.Second+w.random.upTo(10*time.Second)) {
		w.call(f, rejected)
		if w.random.upTo(1000) == 0 { // somebody sets the clock
			clock.wall.Store(int64(w.random.upTo(4*time.Minute) - 2*time.Minute))
		}
	}
}

// rejectedFor is for how long a rejected token is not handed out, if the vendor gave no other.
const rejectedFor = 10 * time.Minute

// call is an application that asks for the token, uses it, and reports it if the vendor does not accept it.
func (w *world) call(f *fetcher.Fetcher, rejected map[string]time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	quiet := w.quiet()
	token, err := f.Token(ctx)
	stale := errors.Is(err, fetcher.ErrStale)
	standing := w.vendor.standing(token)
	w.mu.Lock()
	w.calls++
	switch {
	case stale:
		w.stale++
	case err != nil:
		w.failed++
	case standing == ended:
		w.dead++
	}
	w.mu.Unlock()
	switch {
	case err != nil && quiet:
		w.wrong("nothing is wrong, and a caller got %v", err)
	case err != nil:
		return
	case standing == outlived:
		w.wrong("a caller got an expired token, unmarked: %+v", f.Status())
	case time.Since(rejected[token]) < rejectedFor:
		w.wrong("a caller got a token that was reported here %v ago: %+v", time.Since(rejected[token]), f.Status())
	}
	if standing != ended {
		return
	}
	next, err := f.Reject(ctx, token)
	if errors.Is(err, fetcher.ErrRejectedTooOften) {
		return // it goes on being handed out, as Reject says
	}
	if rejected[token] = time.Now(); err == nil && w.vendor.standing(next) == outlived {
		w.wrong("for a rejected token came an expired one")
	}
}

// A link is a process's way to the table, until the process is gone.
type link struct {
	fetcher.Store
	dead atomic.Bool
}

var errGone = errors.New("the process is gone")

func (l *link) Many(ctx context.Context, keys ...string) (map[string]store.Item, error) {
	if l.dead.Load() {
		return nil, errGone
	}
	return l.Store.Many(ctx, keys...)
}

func (l *link) Lock(name string, ttl time.Duration) fetcher.Lock {
	return linkLock{l.Store.Lock(name, ttl), l}
}

type linkLock struct {
	fetcher.Lock
	link *link
}

func (l linkLock) Acquire(ctx context.Context) (bool, error) {
	if l.link.dead.Load() {
		return false, errGone
	}
	return l.Lock.Acquire(ctx)
}

func (l linkLock) PutIfLocked(ctx context.Context, key string, value any, ttl time.Duration) (bool, error) {
	if l.link.dead.Load() {
		return false, errGone
	}
	return l.Lock.PutIfLocked(ctx, key, value, ttl)
}

func (l linkLock) Release(ctx context.Context) (bool, error) {
	if l.link.dead.Load() {
		return false, errGone
	}
	return l.Lock.Release(ctx)
}

// A market is a vendor that knows what its tokens are worth.
type market struct {
	info   fetcher.Info
	random *lockedRand

	mu      sync.Mutex
	tokens  map[string]*sold
	last    *sold
	down    bool
	hangs   bool
	given   int
	refused int
}

// A sold is a token that was given.
type sold struct {
	value   string
	expires time.Time
	ends    time.Time // before its time, because it was revoked or a newer one was given; zero: it does not
}

// A worth is what the vendor's API thinks of a token.
type worth int

const (
	valid    worth = iota
	outlived       // its life is over
	ended          // the vendor has ended it before that
)

func (m *market) Info() fetcher.Info { return m.info }

func (m *market) Fetch(ctx context.Context) (fetcher.Token, error) {
	select {
	case <-time.After(50*time.Millisecond + m.random.upTo(300*time.Millisecond)):
	case <-ctx.Done():
		return fetcher.Token{}, ctx.Err()
	}
	m.mu.Lock()
	down, hangs := m.down, m.hangs
	if down {
		m.refused++
	}
	m.mu.Unlock()
	switch {
	case hangs:
		<-ctx.Done()
		return fetcher.Token{}, &fetcher.SourceError{Source: "market", Class: fetcher.ClassTransient, Message: "no reply in time"}
	case down:
		return fetcher.Token{}, &fetcher.SourceError{Source: "market", Class: fetcher.ClassTransient, Message: "503"}
	}
	return m.give(), nil
}

// give gives a token, as the vendor's kind of renewal has it.
func (m *market) give() fetcher.Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given++
	now := time.Now()
	if m.last != nil && m.worth(m.last) == valid {
		switch {
		case m.info.Renewal == fetcher.SameRenewed:
			m.last.expires = now.Add(m.info.Life)
			return fetcher.Token{Value: m.last.value, ExpiresIn: m.info.Life}
		case m.info.Renewal == fetcher.SameRemainder && m.last.expires.Sub(now) > m.info.MaxRefreshAhead:
			return fetcher.Token{Value: m.last.value, ExpiresIn: m.last.expires.Sub(now)}
		case m.info.Renewal == fetcher.NewOldDies:
			m.last.ends = now.Add(m.info.Overlap)
		}
	}
	m.last = &sold{value: numbered(m.given), expires: now.Add(m.info.Life)}
	m.tokens[m.last.value] = m.last
	return fetcher.Token{Value: m.last.value, ExpiresIn: m.info.Life}
}

func (m *market) worth(s *sold) worth {
	switch now := time.Now(); {
	case !s.ends.IsZero() && !now.Before(s.ends):
		return ended
	case !now.Before(s.expires):
		return outlived
	}
	return valid
}

func (m *market) standing(token string) worth {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.tokens[token]; s != nil {
		return m.worth(s)
	}
	return valid // there is none
}

// revoke ends the newest token, as an administrator does.
func (m *market) revoke() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last != nil {
		m.last.ends = time.Now()
	}
}

func (m *market) set(down, hangs bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down, m.hangs = down, down && hangs
}

func (m *market) counts() (given, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.given, m.refused
}

// A lockedRand is a source of randomness for goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

// upTo returns something from 0 to less than most.
func (l *lockedRand) upTo(most time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.r.Int64N(max(1, int64(most))))
}
