package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// The server ends random connections while the clients work.
func TestHistory_MySQLWithKilledConnections(t *testing.T) {
	db := migrated(t, testdb.MySQL(t))
	clients := openClients(t, 0, db)
	stop, stopped := make(chan struct{}), make(chan struct{})
	var kills atomic.Int32
	go func() {
		defer close(stopped)
		killConnections(t, db, stop, &kills)
	}()
	h := newHistory(t)
	h.work(clients)
	close(stop)
	<-stopped

	if kills.Load() < historyRounds {
		t.Errorf("only %d connections were killed", kills.Load())
	}
	t.Logf("%d connections were killed", kills.Load())
	h.wantOneOrder()
}

// The network loses answers to statements that were executed.
func TestHistory_MySQLWithLostAnswers(t *testing.T) {
	h := newHistory(t)
	h.work(openClients(t, 10, migrated(t, testdb.MySQL(t))))
	h.wantOneOrder()
}

// killConnections ends one of the database's connections after another.
func killConnections(t *testing.T, db *testdb.Database, stop <-chan struct{}, kills *atomic.Int32) {
	cfg := db.Config()
	name := cfg.DBName
	cfg.DBName = "" // or it would find itself
	pool := newStore(t, cfg).DB()
	for {
		select {
		case <-stop:
			return
		case <-time.After(rand.N(5 * time.Millisecond)):
		}
		var id int64
		err := pool.Get(&id, "SELECT id FROM information_schema.processlist WHERE db = ? ORDER BY RAND() LIMIT 1", name)
		if errors.Is(err, sql.ErrNoRows) || testdb.IsUnlistable(err) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := pool.Exec(fmt.Sprint("KILL CONNECTION ", id)); err == nil { // it may have gone by itself
			kills.Add(1)
		}
	}
}

// envChild makes the test binary a client, so that tests can run some of them as processes and kill them. Its value is what to do, the owner
// of its locks, and the database's address, with a | between each two.
const envChild = "LARDER_STORE_CHILD"

// child does its job until it is killed, or until its standard input ends because the test has. Each line that it prints is one system call,
// so that the test knows what it had begun and what it was told.
func child(job string) int {
	part := strings.SplitN(job, "|", 3)
	s, err := store.Open(part[2], store.WithClock(func() time.Time { return time.Unix(modelStart, 0) }))
	if err != nil {
		fmt.Println(err)
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	work := map[string]func(context.Context, *store.Store, string) error{
		"count": childCounts, "count under lock": childCountsUnderLock, "hold": childHolds,
	}[part[0]]
	for err == nil {
		err = work(context.Background(), s, part[1])
	}
	fmt.Println("failed:", err)
	return 2
}

func childCounts(ctx context.Context, s *store.Store, _ string) error {
	fmt.Println("started")
	n, err := s.Increment(ctx, "hits", 1)
	if err == nil {
		fmt.Println("done", n)
	}
	return err
}

// childCountsUnderLock counts with nothing but the lock between the reading and the writing.
func childCountsUnderLock(ctx context.Context, s *store.Store, owner string) error {
	lock := s.RestoreLock("counter", owner, time.Minute)
	fmt.Println("started")
	for {
		acquired, err := lock.Acquire(ctx)
		if err != nil {
			return err
		}
		if acquired {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var n int64
	if err := s.Get(ctx, "hits", &n); err != nil {
		return err
	}
	if written, err := s.PutIfLocked(ctx, lock, "hits", n+1, time.Hour); err != nil || !written {
		return fmt.Errorf("the lock that was acquired is held: %t, %w", written, err)
	}
	if released, err := lock.Release(ctx); err != nil || !released {
		return fmt.Errorf("the lock that was acquired is released: %t, %w", released, err)
	}
	fmt.Println("done", n+1)
	return nil
}

func childHolds(ctx context.Context, s *store.Store, owner string) error {
	acquired, err := s.RestoreLock("held", owner, time.Minute).Acquire(ctx)
	if err != nil || !acquired {
		return fmt.Errorf("acquired: %t, %w", acquired, err)
	}
	fmt.Println("done 0")
	select {}
}

// A victim is a client that is killed, with SIGKILL, after it was told that it had done its work a number of times.
type victim struct {
	started int
	done    []int64 // what it was told
}

func runVictim(t *testing.T, job, owner, address string, times int) (v victim) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+strings.Join([]string{job, owner, address}, "|"))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Error(err)
		return v
	}
	defer func() { _ = stdin.Close() }()
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return v
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var n int64
		switch line := lines.Text(); {
		case line == "started":
			v.started++
		case strings.HasPrefix(line, "done "):
			_, _ = fmt.Sscanf(line, "done %d", &n)
			if v.done = append(v.done, n); len(v.done) == times {
				time.Sleep(rand.N(time.Millisecond)) // to meet it at any of its steps
				_ = cmd.Process.Kill()
			}
		default:
			t.Errorf("%s: %s", owner, line)
		}
	}
	_ = cmd.Wait()
	return v
}

// onEachEngine runs a test with a store, whose clock the test sets, and the address at which processes find the same tables.
func onEachEngine(t *testing.T, test func(t *testing.T, s *store.Store, address string, clock *atomic.Int64)) {
	for name, open := range map[string]func(*testing.T) (address string, migrate func(testing.TB, *sql.DB)){
		"SQLite": func(t *testing.T) (string, func(testing.TB, *sql.DB)) {
			return "sqlite:" + testdb.SQLite(t), migrateSQLite
		},
		"MySQL": func(t *testing.T) (string, func(testing.TB, *sql.DB)) { return testdb.MySQL(t).URL(), migrateMySQL },
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(atomic.Int64)
			clock.Store(modelStart)
			address, migrate := open(t)
			s, err := store.Open(address, store.WithClock(func() time.Time { return time.Unix(clock.Load(), 0) }))
			test(t, prepared(t, s, err, migrate), address, clock)
		})
	}
}

const (
	victims = 4 // at a time
	waves   = 2
)

// runVictims lets several clients work at once and kills each of them. It returns what all of them began and were told.
func runVictims(t *testing.T, job, address string, gone func(owner string)) (all victim) {
	t.Helper()
	var mu sync.Mutex
	for wave := range waves {
		var wg sync.WaitGroup
		for i := range victims {
			wg.Go(func() {
				owner := fmt.Sprintf("victim %d.%d", wave, i)
				v := runVictim(t, job, owner, address, 5+rand.IntN(40))
				gone(owner)
				mu.Lock()
				defer mu.Unlock()
				all.started += v.started
				all.done = append(all.done, v.done...)
			})
		}
		wg.Wait()
	}
	return all
}

// wantCount checks the counter of clients which were killed: everything that they were told has happened, once, and what each was at when it
// was killed has happened once or not at all.
func wantCount(t *testing.T, s *store.Store, all victim) {
	t.Helper()
	var n int64
	if err := s.Get(t.Context(), "hits", &n); err != nil {
		t.Fatal(err)
	}
	if n < int64(len(all.done)) || n > int64(all.started) {
		t.Errorf("the counter is %d, want %d, which were acknowledged, to %d, which were begun", n, len(all.done), all.started)
	}
	slices.Sort(all.done)
	if len(slices.Compact(all.done)) != len(all.done) {
		t.Errorf("two clients were told the same number")
	}
	t.Logf("%d acknowledged, %d counted, %d begun", len(all.done), n, all.started)
}

func TestIncrement_ByKilledProcessesHappensOnceOrNever(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store, address string, _ *atomic.Int64) {
		if err := s.Put(t.Context(), "hits", 0, time.Hour); err != nil {
			t.Fatal(err)
		}
		all := runVictims(t, "count", address, func(string) {})
		wantCount(t, s, all)
	})
}

// No two processes ever hold the lock, or one would write what the other has counted. The locks of the killed ones, which would end with
// their TTL, are released for them: again and again, because a server may execute what a client had sent before it was killed.
func TestLock_OfKilledProcessesNeverHasTwoHolders(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store, address string, _ *atomic.Int64) {
		if err := s.Put(t.Context(), "hits", 0, time.Hour); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		all := runVictims(t, "count under lock", address, func(owner string) {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := s.RestoreLock("counter", owner, time.Minute).Release(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					select {
					case <-ctx.Done():
					case <-time.After(5 * time.Millisecond):
					}
				}
			})
		})
		cancel()
		wg.Wait()
		wantCount(t, s, all)
	})
}

func TestLock_OfAKilledProcessIsFreeAfterItsTTLAndNotBefore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store, address string, clock *atomic.Int64) {
		runVictim(t, "hold", "victim", address, 1)
		next := s.Lock("held", time.Minute)
		for _, second := range []int64{0, 1, 59} {
			clock.Store(modelStart + second)
			if err := no(next.Acquire(t.Context())); err != nil {
				t.Errorf("after %d s: %v", second, err)
			}
		}
		clock.Store(modelStart + 60)
		if err := yes(next.Acquire(t.Context())); err != nil {
			t.Error("after the TTL:", err)
		}
	})
}
