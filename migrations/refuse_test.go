package migrations_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
)

func wantIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

const plain = "`key` VARCHAR(255) NOT NULL PRIMARY KEY, value MEDIUMTEXT NOT NULL, expiration INT NOT NULL"

var foreign = []struct {
	name          string
	mysql, sqlite string // "": the engine has no such thing
	want          []string
}{
	{
		"extra columns and a BLOB",
		"CREATE TABLE cache (`key` VARCHAR(255) NOT NULL PRIMARY KEY, value BLOB NOT NULL, expiration INT NOT NULL, tenant_id INT, note VARCHAR(9) DEFAULT 'x')",
		"CREATE TABLE cache (key VARCHAR NOT NULL PRIMARY KEY, value BLOB NOT NULL, expiration INTEGER NOT NULL, tenant_id INT, note VARCHAR(9) DEFAULT 'x')",
		[]string{"column value is blob, want", "unknown column tenant_id (int", "unknown column note (varchar(9))"},
	},
	{
		"another program's table",
		"CREATE TABLE cache (id INT AUTO_INCREMENT PRIMARY KEY, data TEXT)",
		"CREATE TABLE cache (id INTEGER PRIMARY KEY, data TEXT)",
		[]string{"column key is missing", "column value is missing", "column expiration is missing", "unknown column id (int", "unknown column data (text)", "want none but on the whole key"},
	},
	{
		"nothing identifies a key",
		"CREATE TABLE cache (`key` VARCHAR(255) NOT NULL, value TEXT NOT NULL, expiration INT NOT NULL, KEY (`key`))",
		"CREATE TABLE cache (key VARCHAR NOT NULL, value TEXT NOT NULL, expiration INT NOT NULL)",
		[]string{"no unique index on key"},
	},
	{
		"a key among others",
		"CREATE TABLE cache (`key` VARCHAR(255) NOT NULL, value TEXT NOT NULL, expiration INT NOT NULL, PRIMARY KEY (`key`, expiration))",
		"CREATE TABLE cache (key VARCHAR NOT NULL, value TEXT NOT NULL, expiration INT NOT NULL, PRIMARY KEY (key, expiration))",
		[]string{"no unique index on key"},
	},
	{
		"part of a key",
		"CREATE TABLE cache (" + plain + ", UNIQUE short (`key`(100)))",
		"",
		[]string{"unique index short on (key(100)), want none but on the whole key"},
	},
	{
		"part of the rows",
		"",
		"CREATE TABLE cache (key VARCHAR NOT NULL, value TEXT NOT NULL, expiration INT NOT NULL); CREATE UNIQUE INDEX u ON cache (key) WHERE expiration > 5",
		[]string{"no unique index on key"},
	},
	{
		"a date at most once",
		"CREATE TABLE cache (" + plain + ", UNIQUE once (expiration))",
		"CREATE TABLE cache (key VARCHAR NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL); CREATE UNIQUE INDEX once ON cache (expiration)",
		[]string{"unique index once on (expiration), want none but on the whole key"},
	},
	{
		"NULL, defaults and the wrong types",
		"CREATE TABLE cache (`key` VARBINARY(255) NOT NULL PRIMARY KEY, value TEXT, expiration BIGINT UNSIGNED NOT NULL DEFAULT 0)",
		"CREATE TABLE cache (key INT NOT NULL PRIMARY KEY, value TEXT, expiration DATETIME NOT NULL DEFAULT 0)",
		[]string{"column key is ", "column value may be NULL, want NOT NULL", "column expiration has the default 0, want none", "column expiration is "},
	},
	{
		"a key too short",
		"CREATE TABLE cache (`key` VARCHAR(64) NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL)",
		"",
		[]string{"column key is varchar(64), want varchar(255)"},
	},
	{
		"a generated column",
		"CREATE TABLE cache (" + plain + ", size INT AS (LENGTH(value)) STORED)",
		"CREATE TABLE cache (key VARCHAR NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL, size INT AS (length(value)))",
		[]string{"unknown column size (int"},
	},
	{
		"a generated column in place of a plain one",
		"CREATE TABLE cache (`key` VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT AS (LENGTH(value)) STORED)",
		"CREATE TABLE cache (key VARCHAR NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL AS (length(value)))",
		[]string{"column expiration is ", "generated, want a plain column"},
	},
	{
		"the name of the index taken",
		"CREATE TABLE cache (" + plain + ", KEY cache_expiration_index (`key`))",
		"CREATE TABLE cache (key VARCHAR NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL); CREATE INDEX cache_expiration_index ON cache (key)",
		[]string{"no index on expiration, and its name is taken by cache_expiration_index on (key)"},
	},
	{
		"the name of the index taken by another table",
		"",
		"CREATE TABLE other (a INT); CREATE INDEX cache_expiration_index ON other (a)",
		[]string{"the name of its index on expiration is taken by index cache_expiration_index of table other"},
	},
	{
		"a view",
		"CREATE VIEW cache AS SELECT 1 AS `key`, 2 AS value, 3 AS expiration",
		"CREATE VIEW cache AS SELECT 1 AS key, 2 AS value, 3 AS expiration",
		[]string{"it is a view, want a table"},
	},
	{
		"MyISAM",
		"CREATE TABLE cache (`key` VARCHAR(191) NOT NULL PRIMARY KEY, value TEXT NOT NULL, expiration INT NOT NULL) ENGINE=MyISAM",
		"",
		[]string{"engine is MyISAM, want InnoDB, which locks single rows (ALTER TABLE `cache` ENGINE=InnoDB)"},
	},
	{
		"partitions",
		"CREATE TABLE cache (" + plain + ") PARTITION BY KEY (`key`) PARTITIONS 2",
		"",
		[]string{"it is partitioned, want a plain table (ALTER TABLE `cache` REMOVE PARTITIONING)"},
	},
	{
		"a virtual table",
		"",
		"CREATE VIRTUAL TABLE cache USING fts5(key, value, expiration)",
		[]string{"it is a virtual table, want a plain one"},
	},
	{
		"a lock table with an extra column",
		"CREATE TABLE cache_locks (`key` VARCHAR(255) NOT NULL PRIMARY KEY, owner VARCHAR(255) NOT NULL, expiration INT NOT NULL, pid INT)",
		"CREATE TABLE cache_locks (key VARCHAR NOT NULL PRIMARY KEY, owner VARCHAR NOT NULL, expiration INT NOT NULL, pid INT)",
		[]string{"table cache_locks is not one", "unknown column pid (int"},
	},
}

func TestUp_RefusesAForeignTableAndListsEveryDifference(t *testing.T) {
	for _, f := range foreign {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range []*bench{newMySQL(t), newSQLite(t)} {
				statements := f.mysql
				if b.kind == migrations.SQLite {
					statements = f.sqlite
				}
				if statements == "" {
					continue
				}
				b.exec(strings.Split(statements, "; ")...)
				tables := b.tables()

				_, err := b.migrator().Up(t.Context())
				var shape *migrations.ShapeError
				if !errors.As(err, &shape) {
					t.Fatalf("%s: error %v, want a ShapeError", b.kind, err)
				}
				for _, want := range f.want {
					if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
						t.Errorf("%s: error does not say %q:\n%v", b.kind, want, err)
					}
				}
				wantEqual(t, string(b.kind)+": tables after the refusal", b.tables(), tables)
				if _, err := b.migrator().Plan(t.Context()); !errors.As(err, &shape) {
					t.Errorf("%s: plan: error %v, want a ShapeError", b.kind, err)
				}
				if b.status().UpToDate() {
					t.Errorf("%s: status calls it up to date", b.kind)
				}
			}
		})
	}
}

func TestStatus_TellsWhatIsDifferent(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	eras[4].make(b)
	want := `cache: there, not yet adopted, of the shape that Laravel 5.5.22 to 8.50 makes
  - key is varchar(191), want varchar(255): it holds no more than 191 characters; stays as it is
  - expiration is INT, which ends at 2038-01-19, want BIGINT; ` + "`larder migrate`" + ` changes it
  - key has a UNIQUE index in place of a PRIMARY KEY, which works the same; stays as it is
  - no index on expiration, so pruning reads the whole table; ` + "`larder migrate`" + ` changes it
cache_locks: there, not yet adopted, of the shape that Laravel 7.10 to 12.40 makes
  - key is varchar(191), want varchar(255): it holds no more than 191 characters; stays as it is
  - owner is varchar(191), want varchar(255): it holds no more than 191 characters; stays as it is
  - expiration is INT, which ends at 2038-01-19, want BIGINT; ` + "`larder migrate`" + ` changes it
  - no index on expiration, so pruning reads the whole table; ` + "`larder migrate`" + ` changes it
larder_migrations: 0 steps done, to do: 1_create_cache, 2_create_cache_locks, 3_widen_cache_value, 4_widen_cache_expiration, ` +
		`5_widen_cache_locks_expiration, 6_index_cache_expiration, 7_index_cache_locks_expiration
`
	if got := b.status().String(); got != want {
		t.Errorf("status:\n%s\nwant:\n%s", got, want)
	}
	if tables := b.tables(); len(tables) != 2 {
		t.Errorf("status left the tables %q", tables)
	}
}

func TestNew_RefusesImpossibleOptions(t *testing.T) {
	b := newSQLite(t)
	names := []string{"", "a b", "a-b", "a.b", "a`b", `a"b`, "a'b", "a;b", "a\x00b", "ключ", "%", "{{table}}", strings.Repeat("a", 65),
		"larder_migrations", "LARDER_MIGRATIONS_LOCK"}
	for _, name := range names {
		if _, err := migrations.New(b.db, migrations.SQLite, migrations.WithTable(name)); err == nil {
			t.Errorf("table %q was accepted", name)
		}
		if _, err := migrations.New(b.db, migrations.SQLite, migrations.WithLockTable(name)); err == nil {
			t.Errorf("lock table %q was accepted", name)
		}
	}
	for what, opt := range map[string]migrations.Option{
		"two equal names":  migrations.WithTable("CACHE_locks"),
		"no logger":        migrations.WithLogger(nil),
		"a negative wait":  migrations.WithLockWait(-1),
		"a short lease":    migrations.WithLockLease(2e9),
		"half a second":    migrations.WithLockLease(3500e6),
		"a negative lease": migrations.WithLockLease(-60e9),
	} {
		if _, err := migrations.New(b.db, migrations.SQLite, opt); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if _, err := migrations.New(nil, migrations.SQLite); err == nil {
		t.Error("no database was accepted")
	}
	if _, err := migrations.New(b.db, "postgres"); err == nil {
		t.Error("postgres was accepted")
	}
}

// FuzzVersionTable checks that whatever names are accepted lead to a version table's name that the server accepts, and that
// different tables never share one.
func FuzzVersionTable(f *testing.F) {
	f.Add("cache", "cache_locks", "cache", "other")
	f.Add("cache", "cache_locks", "Cache", "cache_locks")
	f.Add(strings.Repeat("a", 64), "l", strings.Repeat("a", 63)+"b", "l")
	f.Add("a", "b_c", "a_b", "c")
	db, err := sql.Open("sqlite", testdb.SQLite(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, table, locks, table2, locks2 string) {
		a, err := migrations.New(db, migrations.SQLite, migrations.WithTable(table), migrations.WithLockTable(locks))
		if err != nil {
			return
		}
		b, err := migrations.New(db, migrations.SQLite, migrations.WithTable(table2), migrations.WithLockTable(locks2))
		if err != nil {
			return
		}
		if name := a.VersionTable(); len(name) > 64 || strings.ContainsAny(name, "`\"' ") {
			t.Errorf("%q, %q: version table %q", table, locks, name)
		}
		if same := table == table2 && locks == locks2; same != (a.VersionTable() == b.VersionTable()) {
			t.Errorf("%q, %q and %q, %q: version tables %q and %q", table, locks, table2, locks2, a.VersionTable(), b.VersionTable())
		}
	})
}
