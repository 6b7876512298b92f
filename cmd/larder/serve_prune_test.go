package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// Days of the fleet's pruning pass in a bubble of time, which the store's clock follows.
func TestServe_OnePrunesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open("sqlite:"+testdb.SQLite(t), store.WithClock(time.Now))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		m, err := migrations.For(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows := func() (n int) {
			if err := s.DB().Get(&n, "SELECT COUNT(*) FROM cache"); err != nil {
				t.Fatal(err)
			}
			return n
		}
		put := func() {
			for key, ttl := range map[string]time.Duration{"brief": time.Second, "lasting": 30 * 24 * time.Hour} {
				if err := s.Put(t.Context(), key, 1, ttl); err != nil {
					t.Fatal(err)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		logs, ended := make([]bytes.Buffer, 2), make(chan struct{})
		for i := range logs {
			go func() {
				pruneNowAndThen(ctx, s, pruneEvery, slog.New(slog.NewTextHandler(&logs[i], nil)))
				ended <- struct{}{}
			}()
		}

		put()
		time.Sleep(pruneEvery/2 - time.Second)
		if n := rows(); n != 2 {
			t.Errorf("%d rows before anybody should have pruned, want 2", n)
		}
		time.Sleep(pruneEvery + 2*time.Second)
		if n := rows(); n != 1 {
			t.Errorf("%d rows after the time in which everybody prunes, want 1", n)
		}

		other := s.Lock("larder:prune:cache", 24*time.Hour) // as a larder prune that takes a day
		if acquired, err := other.Acquire(t.Context()); err != nil || !acquired {
			t.Fatal(acquired, err)
		}
		put()
		time.Sleep(12 * time.Hour)
		if n := rows(); n != 2 {
			t.Errorf("%d rows while another one prunes, want 2", n)
		}
		if _, err := other.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pruneEvery/2 + pruneEvery + time.Second)
		if n := rows(); n != 1 {
			t.Errorf("%d rows after the other one has ended, want 1", n)
		}

		if _, err := s.DB().Exec("DROP TABLE cache"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pruneEvery/2 + pruneEvery + time.Second)
		cancel()
		for range logs {
			<-ended
		}
		both := ""
		for i := range logs {
			log := logs[i].String()
			if n := strings.Count(log, "level=WARN"); n == 0 || !strings.Contains(log, `msg="prune failed" error="prune: table does not exist`) {
				t.Errorf("without a table, a server says %d warnings:\n%s", n, log)
			}
			if strings.Contains(log, "another pruner") {
				t.Errorf("that another one prunes is in the log:\n%s", log)
			}
			both += log
		}
		if n := strings.Count(both, "expired=1"); n != 2 {
			t.Errorf("%d prunes have deleted a row, want 2:\n%s", n, both)
		}
	})
}

func TestServe_Prunes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database)
		s.larder("migrate")
		s.larder("put", "lasting", "1")
		db := openDatabase(t, database)
		if _, err := db.Exec("INSERT INTO cache VALUES ('expired', 'i:1;', 1)"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var stdout, stderr bytes.Buffer
		code := make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0"}, environment{
				stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, lookupEnv: s.lookupEnv, dir: s.dir, pruneEvery: 20 * time.Millisecond,
			})
		}()
		left := 0
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if err := db.QueryRow("SELECT COUNT(*) FROM cache").Scan(&left); err != nil {
				t.Fatal(err)
			}
			if left == 1 {
				break
			}
		}
		cancel()
		if got := <-code; got != 0 || left != 1 {
			t.Errorf("exit status %d, %d rows left, want 0 and 1\n%s", got, left, stderr.String())
		}
	})
}
