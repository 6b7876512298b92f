package testdb

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// WaitUntilBlocked waits until a statement in the database of the pool waits for a lock that another transaction has. The server tells the same as
// before to who asks again within a tenth of a second.
func WaitUntilBlocked(tb testing.TB, db *sql.DB) {
	tb.Helper()
	var version string
	if err := db.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		tb.Fatal(err)
	}
	waiting := "SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks l" +
		" ON l.engine_lock_id=w.requesting_engine_lock_id WHERE l.object_schema=DATABASE()"
	if strings.Contains(version, "MariaDB") { // which has no such table; MySQL's list of processes is not to be had while a statement has some characters
		waiting = "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id=t.trx_mysql_thread_id" +
			" WHERE t.trx_state='LOCK WAIT' AND t.trx_query IS NOT NULL AND p.db=DATABASE()"
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(150 * time.Millisecond) {
		var blocked int
		if err := db.QueryRow(waiting).Scan(&blocked); err != nil {
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
