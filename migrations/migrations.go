// Package migrations creates the tables of Laravel's database cache, or adopts those that a Laravel application has already.
//
// [Migrator.Up] makes sure that there is a table cache and a table cache_locks on which larder and every Laravel work:
//
//   - A missing table is created as Laravel 13 makes it.
//   - A table that any Laravel from 5.0 on made is adopted with its rows. What limits it is changed: a TEXT value becomes
//     MEDIUMTEXT, an INT expiration becomes BIGINT, and a missing index on expiration is added. What works as it is stays:
//     a UNIQUE index in place of a PRIMARY KEY, a key of varchar(191), the character set and the collation.
//   - Any other table is refused with a [ShapeError] that lists every difference, and nothing is changed.
//
// What has to be done follows from the tables that are there, not only from what was done before: Up also repairs a table that
// was dropped, or put back in an old shape, since the last run. A database that needs nothing is only read, so that an
// account without any right to change tables can run Up at every deployment.
//
// # Many at once
//
// Any number of servers may call Up on one database at the same time. A lock row in the table larder_migrations_lock lets one of
// them work; the others wait, look again and find it done. The row is a lease on the database's clock, renewed while a run
// lasts, so that a run which crashed delays the others by no more than the lease. It needs no session and no GET_LOCK, and
// holds across the nodes of a Galera cluster too. Every statement is also harmless when it runs twice.
//
// A pool of one connection works as well. The lease is then renewed between statements only.
//
// # Records
//
// Which steps were done stands in a version table as goose keeps it, in larder_migrations. With other table names than
// cache and cache_locks it has a name of its own (see [Migrator.VersionTable]), so that two applications in one database do not
// meet. That larder created a table, and did not adopt it, is a comment of that table.
//
// # Time
//
// Widening a column makes MySQL and MariaDB copy the table: reads go on, writes to that table wait. A million rows of 440 MB took
// 5 to 8 seconds for each of the two columns. Adding the index blocks neither. All of them wait for transactions that have
// used the table, and whatever comes later waits behind them; so do not migrate beside a long transaction on the table, such
// as a backup. A readTimeout in the DSN does not end a statement, only a wait for it: Up then sends it again, and so waits on.
//
// The package writes only to the logger that it is given, and nothing by default.
package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jmoiron/sqlx"
)

// An Engine is a kind of database that the tables can live in.
type Engine string

const (
	// MySQL is MySQL, MariaDB and what speaks their language, such as Galera and TiDB.
	MySQL Engine = "mysql"
	// SQLite is SQLite 3.43 or later, which has octet_length.
	SQLite Engine = "sqlite"
)

// A Migrator creates, adopts and removes the cache tables of one database. It is safe for concurrent use.
type Migrator struct {
	db       *sqlx.DB
	engine   *engine
	names    [2]string // by kind of table: cacheTable, lockTable
	versions string
	log      *slog.Logger
	lockWait time.Duration
	lease    time.Duration
}

// New returns a Migrator for db, which stays the caller's to close. It does not touch the database.
//
// The driver is the caller's too: github.com/go-sql-driver/mysql for [MySQL], with any DSN options, and modernc.org/sqlite or
// another for [SQLite].
func New(db *sql.DB, on Engine, opts ...Option) (*Migrator, error) {
	if db == nil {
		return nil, errors.New("migrations: db is nil")
	}
	engine, ok := engines[on]
	if !ok {
		return nil, fmt.Errorf("migrations: engine %q: want %q or %q", on, MySQL, SQLite)
	}
	c, err := newConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return &Migrator{
		db:       sqlx.NewDb(db, string(on)),
		engine:   engine,
		names:    [2]string{c.table, c.lockTable},
		versions: versionTable(c.table, c.lockTable),
		log:      c.log,
		lockWait: c.lockWait,
		lease:    c.lease,
	}, nil
}

// A Database is what [For] asks of a store, which is a [*store.Store] of this module.
//
// [*store.Store]: https://pkg.go.dev/github.com/larder-cache/larder/store#Store
type Database interface {
	// DB returns the pool to migrate through. Its DriverName is mysql or sqlite.
	DB() *sqlx.DB
	// Table and LockTable return the tables' names.
	Table() string
	LockTable() string
}

// For returns a Migrator for the tables of a store, by their names and through the store's pool.
func For(s Database, opts ...Option) (*Migrator, error) {
	names := []Option{WithTable(s.Table()), WithLockTable(s.LockTable())}
	return New(s.DB().DB, Engine(s.DB().DriverName()), append(names, opts...)...)
}

// VersionTable returns the name of the table that records which steps were done: larder_migrations, or, if the tables are not
// named cache and cache_locks, that with the cache table's name and a checksum of both names.
func (m *Migrator) VersionTable() string { return m.versions }

// Up creates or adopts the tables, and tells what it did. A database that needs nothing is only read.
//
// It waits for another run on the same database and returns a [LockedError] if that takes longer than the lock wait. It returns
// a [ShapeError], and has changed nothing, if a table is none that Laravel makes; a [PrivilegeError] if the account may not do
// what is needed; and [ErrLockLost] if its own lease could not be renewed. After any error Up can be called again and goes
// on where it stopped.
func (m *Migrator) Up(ctx context.Context) (*Report, error) {
	o, err := m.run(ctx, m.planUp)
	if err != nil {
		return nil, m.explain(ctx, "migrate", err)
	}
	return m.reportUp(o), nil
}

// A DownOption allows what Down does not do by itself.
type DownOption func(*allowed)

type allowed struct{ drop bool }

// DropTables allows Down to drop the tables that larder created, with every row and every lock in them.
func DropTables() DownOption { return func(a *allowed) { a.drop = true } }

// Down undoes Up, and tells what it did. Tables that larder adopted stay as they are, with their rows and their widened
// columns; tables that larder created are dropped. The records of both are removed, so that Up starts anew. The version table
// and the lock's table stay, empty but for goose's zero row and the lock's own.
//
// If there is a table to drop and [DropTables] is not given, Down returns a [ConfirmError] and has changed nothing.
// Given it, Down does not ask whether a lock in the table is held: applications that use the tables must be stopped first.
//
// A table that two applications share, and that both have migrated under different names for the other table, is dropped by
// the Down of the one which created it.
func (m *Migrator) Down(ctx context.Context, opts ...DownOption) (*Report, error) {
	var a allowed
	for _, o := range opts {
		o(&a)
	}
	o, err := m.run(ctx, func(ctx context.Context) (*work, error) {
		w, err := m.planDown(ctx)
		if err == nil && !a.drop {
			err = w.confirm()
		}
		return w, err
	})
	if err != nil {
		return nil, m.explain(ctx, "migrate down", err)
	}
	return reportDown(o), nil
}

// Plan returns the statements that Up would run on this database as it is now, in order, and changes nothing. They can be run by
// hand; Up then finds everything done. The lock's own statements are not among them.
func (m *Migrator) Plan(ctx context.Context) (*Plan, error) {
	w, err := m.planUp(ctx)
	if err != nil {
		return nil, m.explain(ctx, "plan the migration", err)
	}
	return w.plan(), nil
}

// PlanDown returns the statements that Down with [DropTables] would run on this database as it is now, and changes nothing.
func (m *Migrator) PlanDown(ctx context.Context) (*Plan, error) {
	w, err := m.planDown(ctx)
	if err != nil {
		return nil, m.explain(ctx, "plan the removal", err)
	}
	return w.plan(), nil
}

// Status tells what the tables look like and which steps are still to be done. It only reads, and a table that Up would refuse
// is not an error here.
func (m *Migrator) Status(ctx context.Context) (*Status, error) {
	s, err := m.inspect(ctx)
	if err != nil {
		return nil, m.explain(ctx, "read the status", err)
	}
	return m.status(s), nil
}
