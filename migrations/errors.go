package migrations

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

var (
	// ErrLockLost is returned when a run could not renew its lease, or found that another run had taken over. The run stopped
	// there. The statement that was under way may still be carried out by the server, and does no harm.
	ErrLockLost = errors.New("lost the migration lock")

	// ErrNewer is returned by Down when a newer larder has migrated the database further than this one knows how to undo.
	ErrNewer = errors.New("the database was migrated by a newer larder: run its own `larder migrate down`")
)

// A ShapeError reports tables that are none that Laravel makes. Nothing was changed.
type ShapeError struct {
	Tables []TableStatus // those that were refused
}

func (e *ShapeError) Error() string {
	var b strings.Builder
	for i, t := range e.Tables {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "table %s is not one that Laravel makes, and was left alone:", t.Name)
		for _, d := range t.Differences {
			if d.Outcome == Refused {
				fmt.Fprintf(&b, "\n  - %s", d.Text)
			}
		}
	}
	b.WriteString("\nChange that, or give larder tables of its own under other names.")
	return b.String()
}

// A LockedError reports that another run held the migration lock for the whole wait.
type LockedError struct {
	Holder string        // who holds it: "pid 4242 on web1, run 9f86d081"
	Left   time.Duration // what its lease had left, unless it renews it
	Waited time.Duration

	cause error
}

func (e *LockedError) Error() string {
	waited := e.Waited.Round(time.Millisecond)
	if e.Holder == "" {
		return fmt.Sprintf("could not take the migration lock (table %s); waited %v: %v", mutexTable, waited, e.cause)
	}
	return fmt.Sprintf("%s holds the migration lock (table %s); waited %v. Wait until it is done and try again; "+
		"if it has crashed, its lease ends by itself in %v", e.Holder, mutexTable, waited, e.Left)
}

// Unwrap returns what ended the wait early or kept this run from looking who has the lock, such as the context's error or
// SQLITE_BUSY; else nil.
func (e *LockedError) Unwrap() error { return e.cause }

// A ConfirmError reports that Down would drop tables and was not allowed to. Nothing was changed.
type ConfirmError struct {
	Tables []string
}

func (e *ConfirmError) Error() string {
	return fmt.Sprintf("this drops %s with every row, because larder created it: confirm that with --yes",
		strings.Join(e.Tables, " and "))
}

// A PrivilegeError reports that the database account may not do what the migration needs.
type PrivilegeError struct {
	Grant string // the statement that allows it

	cause error
}

func (e *PrivilegeError) Error() string {
	if noDatabase(e.cause) { // nothing can be looked at, so that there is no dry run either
		return fmt.Sprintf("%v. If there is such a database, allow this user to use it: %s", e.cause, e.Grant)
	}
	return fmt.Sprintf("%v. Either allow it: %s\nor run what `larder migrate --dry-run` prints with an account that may, "+
		"after which larder needs no such right", e.cause, e.Grant)
}

// Unwrap returns the server's refusal.
func (e *PrivilegeError) Unwrap() error { return e.cause }

// explain adds what was being done to an error and, where the server refused it, what to do about it.
func (m *Migrator) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if denied(err) {
		err = &PrivilegeError{Grant: m.grant(ctx, err), cause: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Denied returns the statement by which an administrator allows the account what [Migrator.Up] wants, or "" if it may create the version table, as an
// account does that has these rights on the database. Nothing is executed. SQLite denies nothing here.
func (m *Migrator) Denied(ctx context.Context) (grant string, err error) {
	if m.engine != mysqlEngine {
		return "", nil
	}
	probe, err := m.db.PrepareContext(ctx, fmt.Sprintf(m.engine.createVersions, m.versions)) // a server checks rights when it prepares
	if denied(err) {
		return m.grant(ctx, err), nil
	}
	if err != nil {
		return "", fmt.Errorf("ask for the account's rights: %w", err)
	}
	return "", probe.Close()
}

// An account is a database's account, and the database.
type account struct{ Name, Host, Schema string }

// grant returns the statement that gives this account the rights that a migration needs, which the server refused.
func (m *Migrator) grant(ctx context.Context, refused error) string {
	who, named := refusedAccount(refused)
	if !named {
		// Best effort: with the placeholders it still tells what is missing.
		_ = m.db.GetContext(ctx, &who, "SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS name, "+
			"SUBSTRING_INDEX(CURRENT_USER(), '@', -1) AS host, DATABASE() AS `schema`")
	}
	return fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON `%s`.* TO '%s'@'%s';",
		strings.ReplaceAll(who.Schema, "`", "``"), quote(who.Name), quote(who.Host))
}

// erDatabaseDenied: there is no such database, or no access to it.
const erDatabaseDenied = 1044

func noDatabase(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == erDatabaseDenied
}

// deniedTo is what the server says in any language, of the account as it is in its tables: Access denied for user 'u'@'%' to database 'd'.
var deniedTo = regexp.MustCompile(`(?s)'(.*)'@'(.*)'[^']*'(.*)'`)

// refusedAccount reads the account and the database from the refusal of a connection, which leaves nobody to be asked for them. For others it returns
// placeholders, and false.
func refusedAccount(err error) (account, bool) {
	var e *mysql.MySQLError
	if errors.As(err, &e) && e.Number == erDatabaseDenied {
		if m := deniedTo.FindStringSubmatch(e.Message); m != nil {
			return account{m[1], m[2], m[3]}, true
		}
	}
	return account{"user", "host", "database"}, false
}

// quote escapes what stands between the quotes of a MySQL string, whatever the sql_mode says of backslashes: at worst there is
// one too many.
func quote(text string) string {
	return strings.NewReplacer(`'`, `''`, `\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(text)
}

// denied tells whether the server refused a statement for want of a privilege.
func denied(err error) bool {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Number {
	case erDatabaseDenied,
		1142, // no such right on the table
		1143, // nor on the column
		1227: // nor at all
		return true
	}
	return false
}

// readOnly tells whether the server refused a statement because it takes no writes.
func readOnly(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1290 || e.Number == 1836)
}

// passing tells whether an error is one that trying again is likely to cure, and that left nothing half done.
func passing(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		switch e.Number {
		case 1205, // lock wait timeout
			1213, // deadlock, and on Galera a conflict with another node
			1050, // the table is there meanwhile: somebody else, such as Laravel's own migration, made it
			1061, // the index is there meanwhile
			1062, // the step is recorded meanwhile
			8028, // TiDB: the schema changed during the statement
			9007: // TiDB: write conflict
			return true
		}
		return false
	}
	// SQLite's drivers all have the result code in a method of this name; the lowest 8 bits are the primary code.
	var s interface{ Code() int }
	if errors.As(err, &s) {
		switch s.Code() & 0xff {
		case 5, // SQLITE_BUSY
			6: // SQLITE_LOCKED
			return true
		}
	}
	return false
}
