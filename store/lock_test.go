package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// At READ COMMITTED, which applications set and managed servers have, a statement keeps no row that it only reads. PutIfLocked must keep the
// lock's nevertheless, or the next holder's write could come between its test and its own.
func TestStore_PutIfLockedKeepsTheLockRowUntilItHasWritten(t *testing.T) {
	ctx := t.Context()
	db := migrated(t, testdb.MySQL(t))
	admin := db.Open(t)
	var version string
	if err := admin.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	isolation := "transaction_isolation"
	if strings.Contains(version, "MariaDB") { // before 11.1
		isolation = "tx_isolation"
	}
	s, err := store.Open(db.URL() + "?" + isolation + "=%27READ-COMMITTED%27")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	lock := s.Lock("job", time.Minute)
	if err := yes(lock.Acquire(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "key", "old", time.Minute); err != nil {
		t.Fatal(err)
	}

	// Somebody else keeps the cache row, so that the statement stops between the test of the lock and the write.
	tx, err := admin.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM cache WHERE `key`='key' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- yes(s.PutIfLocked(ctx, lock, "key", "new", time.Minute)) }()
	testdb.WaitUntilBlocked(t, s.DB().DB)

	if _, err := admin.Exec("SELECT 1 FROM cache_locks WHERE `key`='job' FOR UPDATE NOWAIT"); err == nil {
		t.Error("the next holder could take the lock over while the write is under way")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// Where the lock stands in another table, its row there says nothing, and a row of its name here is somebody else's.
func TestStore_PutIfLockedRefusesALockOfAnotherTable(t *testing.T) {
	ctx, s := t.Context(), openSQLite(t)
	if _, err := s.DB().Exec("CREATE TABLE other_locks AS SELECT * FROM cache_locks; CREATE UNIQUE INDEX other ON other_locks (key)"); err != nil {
		t.Fatal(err)
	}
	otherTable, err := store.New(s.DB(), store.WithLockTable("other_locks"))
	if err != nil {
		t.Fatal(err)
	}
	otherPrefix, err := store.New(s.DB(), store.WithPrefix("p_"))
	if err != nil {
		t.Fatal(err)
	}
	var path string
	if err := s.DB().Get(&path, "SELECT file FROM pragma_database_list WHERE name='main'"); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	var pools [2]*store.Store // of one file and another, of which nobody knows
	for i, of := range []*store.Store{s, openSQLite(t)} {
		var file string
		if err := of.DB().Get(&file, "SELECT file FROM pragma_database_list WHERE name='main'"); err != nil {
			t.Fatal(err)
		}
		db, err := sqlx.Open("sqlite", "file:"+file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if pools[i], err = store.New(db); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pools[0].PutIfLocked(ctx, pools[1].Lock("job", time.Minute), "key", "value", time.Minute); !errors.Is(err, store.ErrOtherLocks) {
		t.Errorf("a lock of another pool: %v", err)
	}
	for name, c := range map[string]struct {
		of   *store.Store
		want error
	}{
		"another lock table": {otherTable, store.ErrOtherLocks},
		"another database":   {openSQLite(t), store.ErrOtherLocks},
		"another prefix":     {otherPrefix, nil},
		"the same file":      {again, nil},
	} {
		lock := c.of.RestoreLock("job", "me", time.Minute)
		for _, acquired := range []*store.Lock{lock, s.RestoreLock("job", "me", time.Minute)} {
			if err := yes(acquired.Acquire(ctx)); err != nil {
				t.Fatal(name, err)
			}
		}
		stored, err := s.PutIfLocked(ctx, lock, "key", "value", time.Minute)
		if !errors.Is(err, c.want) || stored != (c.want == nil) {
			t.Errorf("a lock of %s: %v, %v, want %v", name, stored, err, c.want)
		}
	}
}
