package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// A batch that is under way when the work is interrupted is done and counted, or else a person would be told of fewer
// rows than are gone. Here each waits for a row that somebody else has locked.
func TestStore_InterruptedWorkCountsTheBatchThatWasUnderWay(t *testing.T) {
	const rows = 1000
	locked := func(t *testing.T, s *store.Store, work func(context.Context) (int64, error)) (done int64, err error) {
		t.Helper()
		tx, err := s.DB().Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec("SELECT 1 FROM cache WHERE `key` = (SELECT MAX(`key`) FROM cache) FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			done, err = work(ctx)
		}()
		testdb.WaitUntilBlocked(t, s.DB().DB)
		cancel()
		select {
		case <-ended:
			t.Error("it has not waited for its statement")
		case <-time.After(20 * time.Millisecond):
		}
		_ = tx.Rollback()
		<-ended
		return done, err
	}
	count := func(t *testing.T, s *store.Store) (n int64) {
		t.Helper()
		n, err := s.CountRows(context.Background(), store.All, true)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, work := range map[string]func(context.Context, *store.Store) (int64, error){
		"prune": func(ctx context.Context, s *store.Store) (int64, error) {
			r, err := s.Prune(ctx, store.PruneOptions{})
			return r.Deleted(), err
		},
		"evict": func(ctx context.Context, s *store.Store) (int64, error) {
			r, err := s.Prune(ctx, store.PruneOptions{MaxRows: 1})
			return r.Deleted(), err
		},
		"flush": func(ctx context.Context, s *store.Store) (int64, error) { return s.Flush(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openMySQL(t, store.WithPrefix("p:"))
			if name == "evict" {
				backlog(t, s, 0, rows)
			} else {
				backlog(t, s, rows, 0)
			}
			done, err := locked(t, s, func(ctx context.Context) (int64, error) { return work(ctx, s) })
			if left := count(t, s); done == 0 || done+left != rows {
				t.Errorf("it says %d are deleted, and %d of %d are left (%v)", done, left, rows, err)
			}
		})
	}
	t.Run("import", func(t *testing.T) {
		s := openMySQL(t, store.WithPrefix("p:"))
		backlog(t, s, 0, 1)
		var key string
		if err := s.DB().Get(&key, "SELECT `key` FROM cache"); err != nil {
			t.Fatal(err)
		}
		batch := []store.Row{{Key: strings.TrimPrefix(key, "p:"), Value: []byte("i:7;"), Expiration: time.Now().Unix() + 60}}
		done, err := locked(t, s, func(ctx context.Context) (int64, error) {
			r, err := s.Import(ctx, batch, store.ImportOptions{})
			return r.Stored, err
		})
		if err != nil || done != 1 {
			t.Errorf("it says %d are stored, %v", done, err)
		}
	})
}

// What never gets its answer is given up.
func TestStore_InterruptedWorkDoesNotWaitForLong(t *testing.T) {
	s := openMySQL(t, store.WithPrefix("p:"))
	backlog(t, s, 1000, 0)
	tx, err := s.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM cache FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if _, err := s.Flush(ctx); !errors.Is(err, context.Canceled) || time.Since(began) > 30*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
