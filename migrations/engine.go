package migrations

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

//go:embed mysql/*.sql sqlite/*.sql
var files embed.FS

// An engine is what differs between databases. Its statements hold %s for a table's name.
type engine struct {
	files fs.FS  // one DDL statement a file, numbered from 1
	steps []step // what each file does; steps[i] has the version i+1

	// inspect reads a table's definition. The index name is the one that an index on expiration would get.
	inspect     func(ctx context.Context, db *sqlx.DB, name, indexName string) (*table, error)
	compareType func(column) []Difference
	era         func(t *table) string

	quote          string // around names
	createVersions string
	versionsExist  string // answers 1 or 0

	createLock  string
	lookAtLock  string // answers with the owner and the seconds that the lease has left
	takeLock    string // arguments: owner, seconds. Takes the lock if it is free or expired, else does nothing
	renewLock   string // arguments: seconds, owner
	releaseLock string // argument: owner
	noTable     func(error) bool

	// renewsInside tells whether the lease can be renewed while a statement changes a table.
	renewsInside bool
}

// A step is one file: one task on one table.
type step struct {
	file  string
	table int // cacheTable or lockTable
	task  task
}

// name returns the step's number and what it does, as its file is named.
func (s step) name() string { return strings.TrimSuffix(strings.TrimLeft(s.file, "0"), ".sql") }

// creation returns the version of the step that creates a kind of table. Its record says that Up has dealt with the table.
func (e *engine) creation(kind int) int64 {
	return 1 + int64(slices.IndexFunc(e.steps, func(s step) bool { return s.table == kind && s.task == create }))
}

// A task is what a step does to its table.
type task int

const (
	_ task = iota
	create
	widenValue
	widenExpiration
	addIndex
)

// done describes a task that was carried out on a table.
func (do task) done(t *table) string {
	switch do {
	case create:
		return "created"
	case widenValue:
		return "value is now MEDIUMTEXT"
	case widenExpiration:
		return "expiration is now BIGINT"
	case addIndex:
		return "index " + t.indexName + " added"
	}
	return fmt.Sprintf("task %d", do)
}

var engines = map[Engine]*engine{
	MySQL:  mysqlEngine,
	SQLite: sqliteEngine,
}

func filesOf(kind Engine) fs.FS {
	sub, err := fs.Sub(files, string(kind))
	if err != nil {
		panic(err) // the folder's name is a constant of this package
	}
	return sub
}
