package store_test

import (
	"database/sql"
	"testing"

	"github.com/larder-cache/larder/migrations"
)

func migrateMySQL(tb testing.TB, db *sql.DB)  { migrate(tb, db, migrations.MySQL) }
func migrateSQLite(tb testing.TB, db *sql.DB) { migrate(tb, db, migrations.SQLite) }

func migrate(tb testing.TB, db *sql.DB, engine migrations.Engine) {
	tb.Helper()
	m, err := migrations.New(db, engine)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := m.Up(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}
