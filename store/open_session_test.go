package store_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// A SQLite transaction that begins by reading fails when it writes after another process has: SQLite does not wait then, whatever the busy
// timeout. So the store's take the write lock when they begin.
func TestOpen_SQLiteTransactionsTakeTheWriteLockAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "larder.db")
	s, err := store.Open("sqlite:" + path)
	prepared(t, s, err, migrateSQLite)
	other, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	write := func() error {
		_, err := other.Exec("INSERT INTO cache VALUES ('theirs', 'i:1;', 1)")
		return err
	}

	tx, err := s.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := write(); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("while the transaction has written nothing, another process's write says %v, want that the database is locked", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := write(); err != nil {
		t.Errorf("after the transaction: %v", err)
	}
}

// limitPackets has the server take packets of so many MiB at most from new connections, until the test ends.
func limitPackets(t *testing.T, admin *sql.DB, mib int) {
	t.Helper()
	var before int64
	if err := admin.QueryRow("SELECT @@GLOBAL.max_allowed_packet").Scan(&before); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("SET GLOBAL max_allowed_packet = ?", mib<<20); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec("SET GLOBAL max_allowed_packet = ?", before) })
}

// The driver asks the server for its max_allowed_packet, as Open documents, so that a value over it is refused here: the server would close
// the connection in the middle of it, and nobody could tell why.
func TestOpen_AsksTheServerForItsPacketLimit(t *testing.T) {
	ctx := context.Background()
	db := migrated(t, testdb.MySQL(t))
	admin := db.Open(t)
	limitPackets(t, admin, 1)
	s, err := store.Open(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.DB().SetMaxOpenConns(1)

	connection := func() (id int64) {
		t.Helper()
		if err := s.DB().Get(&id, "SELECT CONNECTION_ID()"); err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := connection()
	err = s.Put(ctx, "big", strings.Repeat("x", 2<<20), time.Minute)
	var limit *store.LimitError
	if !errors.As(err, &limit) || limit.What != "value" || !strings.Contains(limit.Remedy, "max_allowed_packet") {
		t.Errorf("error is %v, want a LimitError that names max_allowed_packet", err)
	}
	if err := s.Put(ctx, "small", strings.Repeat("x", 1<<19), time.Minute); err != nil {
		t.Error(err)
	}
	if again := connection(); again != first {
		t.Errorf("connection %d was lost, and %d made in its place", first, again)
	}
}

// Values that are each small enough are stored together, however much they are in all.
func TestStore_PutManyKeepsToTheServersPacketLimit(t *testing.T) {
	ctx := context.Background()
	db := migrated(t, testdb.MySQL(t))
	limitPackets(t, db.Open(t), 16) // MariaDB's default
	s, err := store.Open(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	values := map[string]any{}
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		values[key] = strings.Repeat(key, 7<<19) // 3.5 MiB
	}
	if err := s.PutMany(ctx, values, time.Minute); err != nil {
		t.Fatal(err)
	}
	var got string
	for key, want := range values {
		if err := s.Get(ctx, key, &got); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", key, len(got), err)
		}
	}
}
