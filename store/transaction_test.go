package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Until a transaction's commit is sent, a context that ends has changed nothing, and the error says only that it has ended.
func TestInTransaction_AContextThatEndsBeforeTheCommitIsNotUnknown(t *testing.T) {
	s, err := Open("sqlite::memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.DB().Exec("CREATE TABLE t (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	for name, after := range map[string]func(context.Context, *sqlx.Tx) error{
		"before the commit": func(context.Context, *sqlx.Tx) error { return nil },
		"before a statement": func(ctx context.Context, tx *sqlx.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (2)")
			return err
		},
		"when it is rolled back already": func(ctx context.Context, tx *sqlx.Tx) error {
			for {
				if _, err := tx.Exec("INSERT INTO t VALUES (2)"); err != nil { // sql.ErrTxDone, in the end
					return err
				}
				time.Sleep(time.Millisecond)
			}
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.repeat(ctx, idempotent, func() error {
			return s.inTransaction(ctx, func(tx *sqlx.Tx) error {
				if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (1)"); err != nil {
					t.Error(err)
				}
				cancel()
				return after(ctx, tx)
			})
		})
		var rows int
		if err := s.DB().Get(&rows, "SELECT COUNT(*) FROM t"); err != nil || rows != 0 {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("%s: error is %v, want only that the context ended", name, err)
		}
	}
}
