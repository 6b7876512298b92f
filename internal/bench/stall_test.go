package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/store"
)

// window is how long writers are looked at for one worst wait.
const window = 500 * time.Millisecond

// Writers store by hand, three puts to one insert, and note how long each statement took. They repeat nothing, so that they see each deadlock.
type writers struct {
	quit chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	waits waits
}

// waits are what writers saw.
type waits struct {
	windows   []time.Duration // the longest of each window
	deadlocks int
	statement int
	failed    error
}

func (w waits) worst() time.Duration { return slices.Max(append(w.windows, 0)) }

// usualWorst is the median of the windows' worst waits, in nanoseconds.
func (w waits) usualWorst() float64 {
	var of []float64
	for _, d := range w.windows {
		of = append(of, float64(d))
	}
	return median(of)
}

// startWriters has n writers store under keys of these names until they are stopped, each with a pause before each statement.
func (s *subject) startWriters(n int, pause time.Duration, names ...string) *writers {
	w := &writers{quit: make(chan struct{})}
	started := time.Now()
	for range n {
		w.wg.Go(func() {
			for {
				select {
				case <-w.quit:
					return
				case <-time.After(pause):
				}
				start := time.Now()
				err := s.writeByHand(names[rand.N(len(names))])
				w.note(start.Sub(started), time.Since(start), err)
			}
		})
	}
	return w
}

func (s *subject) writeByHand(name string) error {
	key := fillKey(name, rand.N(100_000))
	if rand.N(4) == 0 {
		return s.statement("INSERT IGNORE INTO cache (`key`,`value`,expiration) VALUES (?,?,UNIX_TIMESTAMP()+?)", key, "i:1;", 3600)
	}
	return s.statement(byHandPut, key, `s:4:"text";`, 3600+rand.N(3600))
}

func (w *writers) note(at, took time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waits.statement++
	var server *mysql.MySQLError
	switch {
	case errors.As(err, &server) && server.Number == 1213:
		w.waits.deadlocks++
	case err != nil:
		w.waits.failed = err
	}
	i := int(at / window)
	for len(w.waits.windows) <= i {
		w.waits.windows = append(w.waits.windows, 0)
	}
	w.waits.windows[i] = max(w.waits.windows[i], took)
}

func (w *writers) stop() waits {
	close(w.quit)
	w.wg.Wait()
	return w.waits
}

// pruneStall compares the worst waits of 16 writers while a fifth of 500,000 rows is pruned with those while nothing is. The two are measured
// in turn, and each is the median of the worst of many half seconds.
func (s *subject) pruneStall(tb testing.TB) []result {
	tb.Helper()
	const expired, rounds, at = 100_000, 3, 16
	s.fill(tb, "live", 4*expired, inADay)
	var calm, busy waits
	gather := func(into *waits, while func()) {
		tb.Helper()
		w := s.startWriters(at, 0, "new", "live", "old") // the last are what the pruner is about to delete
		while()
		seen := w.stop()
		if seen.failed != nil {
			tb.Fatal(seen.failed)
		}
		into.windows = append(into.windows, seen.windows...)
		into.deadlocks += seen.deadlocks
		into.statement += seen.statement
	}
	var took time.Duration
	for range rounds {
		if err := s.statement("DELETE FROM cache WHERE `key` LIKE ?", prefix+"old:%"); err != nil { // what writers put there
			tb.Fatal(err)
		}
		s.fill(tb, "old", expired, lastDay)
		gather(&calm, func() { time.Sleep(max(took, 4*window)) })
		gather(&busy, func() {
			start := time.Now()
			res, err := s.store.Prune(context.Background(), store.PruneOptions{})
			took = time.Since(start)
			if err != nil || res.Expired < expired/4 {
				tb.Errorf("%d rows pruned: %v", res.Expired, err)
			}
		})
	}
	words := func(w waits) string {
		return fmt.Sprintf("%s, the worst of all %s, %d writes", duration(w.usualWorst()), duration(float64(w.worst())), w.statement)
	}
	return []result{
		{
			kind: ratio, name: "prune-stall", value: busy.usualWorst() / calm.usualWorst(), goal: 3,
			larder: words(busy), reference: words(calm) + " without pruning",
		},
		{
			kind: count, name: "prune-stall-deadlocks", value: float64(busy.deadlocks), atMost: true,
			larder: fmt.Sprintf("of %d writers, nothing repeated", at), reference: fmt.Sprintf("%d without pruning", calm.deadlocks),
		},
	}
}
