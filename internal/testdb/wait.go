package testdb

import (
	"database/sql"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// WaitUntilBlocked waits until a statement in the database of the pool waits for a lock that another transaction has. The server tells the same as
// before to who asks again within a tenth of a second.
func WaitUntilBlocked(tb testing.TB, db *sql.DB) {
	tb.Helper()
	const waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx t WHERE t.trx_state='LOCK WAIT' AND t.trx_query IS NOT NULL"
	here := waiting + " AND EXISTS (SELECT 1 FROM information_schema.processlist p WHERE p.id=t.trx_mysql_thread_id AND p.db=DATABASE())"
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(150 * time.Millisecond) {
		var blocked int
		err := db.QueryRow(here).Scan(&blocked)
		if IsUnlistable(err) { // for as long as the statement waits; which database it is in cannot be told then
			err = db.QueryRow(waiting).Scan(&blocked)
		}
		if err != nil {
			tb.Fatal(err)
		}
		if blocked > 0 {
			return
		}
	}
	tb.Fatal("no statement waits for a lock")
}

// Leaked is goleak.Find for a machine with more to do: it gives goroutines that are about to end ten seconds. goleak alone gives them less than half
// of one.
func Leaked(options ...goleak.Option) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := goleak.Find(options...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
