package migrations

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"

	"github.com/jmoiron/sqlx"
)

var sqliteEngine = &engine{
	files: filesOf(SQLite),
	steps: []step{
		{"00001_create_cache.sql", cacheTable, create},
		{"00002_create_cache_locks.sql", lockTable, create},
		{"00003_index_cache_expiration.sql", cacheTable, addIndex},
		{"00004_index_cache_locks_expiration.sql", lockTable, addIndex},
	},
	inspect:     inspectSQLite,
	compareType: compareTypeSQLite,
	era:         eraSQLite,

	quote: `"`,
	createVersions: `CREATE TABLE IF NOT EXISTS "%s" (` +
		`id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL UNIQUE, is_applied INTEGER NOT NULL, ` +
		`tstamp TIMESTAMP DEFAULT (datetime('now')))`,
	versionsExist: `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '%s' COLLATE NOCASE)`,

	createLock: `CREATE TABLE IF NOT EXISTS "%s" (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, expiration INTEGER NOT NULL)`,
	lookAtLock: `SELECT owner, expiration - unixepoch() FROM "%s" WHERE id = 1`,
	takeLock: `INSERT INTO "%s" (id, owner, expiration) VALUES (1, ?, unixepoch() + ?) ` +
		`ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, expiration = excluded.expiration WHERE expiration <= unixepoch()`,
	renewLock:   `UPDATE "%s" SET expiration = unixepoch() + ? WHERE id = 1 AND owner = ?`,
	releaseLock: `UPDATE "%s" SET expiration = 0 WHERE id = 1 AND owner = ?`,
	noTable: func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "no such table") // SQLite has no code of its own for it
	},
	// The file has one writer at a time. So nothing can be renewed while a statement changes a table, and nobody can take over.
	renewsInside: false,
}

const (
	sqliteTable   = `SELECT type AS kind, COALESCE(sql, '') AS text FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type <> 'trigger'`
	sqliteColumns = `SELECT name, type AS full_type, "notnull" = 0 AS nullable, dflt_value AS def, ` +
		`CASE WHEN hidden > 0 THEN 'generated' ELSE '' END AS extra FROM pragma_table_xinfo(?)`
	// An INTEGER PRIMARY KEY has no index, so the primary key is read from the columns.
	sqliteIndexes = `SELECT 'primary key' AS name, 1 AS is_primary, 1 AS is_unique, 0 AS partial, lower(name) AS col, pk AS seq ` +
		`FROM pragma_table_xinfo(?1) WHERE pk > 0 ` +
		`UNION ALL SELECT l.name, 0, l."unique", l.partial, COALESCE(lower(c.name), '(expression)'), c.seqno ` +
		`FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS c WHERE l.origin <> 'pk' ORDER BY 1, 6`
	// Names of indexes are one namespace with those of tables, over the whole file.
	sqliteTaken = `SELECT type || ' ' || name || ' of table ' || tbl_name FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type <> 'trigger'`
)

var sqlComment = regexp.MustCompile(`/\* (.*?) \*/`)

func inspectSQLite(ctx context.Context, db *sqlx.DB, name, indexName string) (*table, error) {
	t := &table{name: name, indexName: indexName}
	err := db.GetContext(ctx, &t.indexNameTaken, sqliteTaken, indexName)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var info struct{ Kind, Text string }
	err = db.GetContext(ctx, &info, sqliteTable, name)
	if errors.Is(err, sql.ErrNoRows) {
		t.missing = true
		return t, nil
	} else if err != nil {
		return nil, err
	}
	if info.Kind != "table" {
		t.options = []Difference{refused("it is a %s, want a table", info.Kind)}
		return t, nil
	}
	if strings.HasPrefix(strings.ToUpper(info.Text), "CREATE VIRTUAL") {
		t.options = []Difference{refused("it is a virtual table, want a plain one")}
		return t, nil
	}
	if comment := sqlComment.FindStringSubmatch(info.Text); comment != nil {
		t.comment = comment[1]
	}
	if err := db.SelectContext(ctx, &t.columns, sqliteColumns, name); err != nil {
		return nil, err
	}
	var parts []struct {
		Name    string
		Primary bool `db:"is_primary"`
		Unique  bool `db:"is_unique"`
		Partial bool
		Col     string
		Seq     int
	}
	if err := db.SelectContext(ctx, &parts, sqliteIndexes, name); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if n := len(t.indexes); n == 0 || t.indexes[n-1].name != p.Name {
			t.indexes = append(t.indexes, index{name: p.Name, primary: p.Primary, unique: p.Unique, partial: p.Partial})
		}
		i := &t.indexes[len(t.indexes)-1]
		i.columns = append(i.columns, p.Col)
		if strings.EqualFold(i.name, indexName) {
			t.indexNameTaken = i.String()
		}
	}
	return t, nil
}

// compareTypeSQLite goes by SQLite's own rules of affinity, not by the words: INT makes an integer column, CHAR, CLOB and TEXT
// make a text column.
func compareTypeSQLite(c column) []Difference {
	declared := strings.ToUpper(c.FullType)
	integer := strings.Contains(declared, "INT")
	text := !integer && (strings.Contains(declared, "CHAR") || strings.Contains(declared, "CLOB") || strings.Contains(declared, "TEXT"))
	want := "text"
	if strings.EqualFold(c.Name, "expiration") {
		want = "integer"
	}
	if want == "text" && !text || want == "integer" && !integer {
		return []Difference{refused("column %s is %s, want %s", strings.ToLower(c.Name), orNothing(c.FullType), want)}
	}
	return nil
}

func orNothing(declared string) string {
	if declared == "" {
		return "declared without a type"
	}
	return declared
}

// eraSQLite tells which Laravel makes such a table. Laravel's types are the same on SQLite in all versions.
func eraSQLite(t *table) string {
	type shape struct{ primary, indexed bool }
	s := shape{t.primaryKey(), t.indexed()}
	if t.kind == lockTable {
		return map[shape]string{{true, false}: "Laravel 7.10 to 12.40", {true, true}: "Laravel 12.41 or later"}[s]
	}
	return map[shape]string{
		{false, false}: "Laravel 5.0 to 8.50",
		{true, false}:  "Laravel 8.51 to 12.40",
		{true, true}:   "Laravel 12.41 or later",
	}[s]
}
