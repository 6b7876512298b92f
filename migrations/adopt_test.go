package migrations_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larder-cache/larder/migrations"
)

// An era is a pair of tables as some Laravel made them. The statements are those that its schema builder sends.
type era struct {
	name    string
	mysql   []string
	sqlite  []string
	cache   string // which Laravel Status must name for the cache table
	onLite  string // the same on SQLite, where fewer can be told apart
	short   bool   // keys end at 191 characters
	utf8mb3 bool   // no emoji
}

func (e era) keyLength() int {
	if e.short {
		return 191
	}
	return 255
}

const utf8mb4 = " default character set utf8mb4 collate 'utf8mb4_unicode_ci'"

var eras = []era{
	{
		name: "5.0 to 5.5.21",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` text not null, `expiration` int not null)" + utf8mb4,
			"alter table `cache` add unique `cache_key_unique`(`key`)",
		},
		sqlite: []string{
			`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null)`,
			`create unique index "cache_key_unique" on "cache" ("key")`,
		},
		cache: "Laravel 5.0 to 5.5.21", onLite: "Laravel 5.0 to 8.50",
	},
	{
		name: "5.0 to 5.3, in utf8",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` text not null, `expiration` int not null) default character set utf8 collate utf8_unicode_ci",
			"alter table `cache` add unique `cache_key_unique`(`key`)",
		},
		cache: "Laravel 5.0 to 5.5.21", utf8mb3: true,
	},
	{
		name: "5.5.22 to 8.50",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` int not null)" + utf8mb4,
			"alter table `cache` add unique `cache_key_unique`(`key`)",
		},
		sqlite: []string{
			`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null)`,
			`create unique index "cache_key_unique" on "cache" ("key")`,
		},
		cache: "Laravel 5.5.22 to 8.50", onLite: "Laravel 5.0 to 8.50",
	},
	{
		name: "7.10 to 8.50 with cache_locks made by hand",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` int not null)" + utf8mb4,
			"alter table `cache` add unique `cache_key_unique`(`key`)",
			"create table `cache_locks` (`key` varchar(255) not null, `owner` varchar(255) not null, `expiration` int not null)" + utf8mb4,
			"alter table `cache_locks` add primary key `cache_locks_key_primary`(`key`)",
		},
		sqlite: []string{
			`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null)`,
			`create unique index "cache_key_unique" on "cache" ("key")`,
			`create table "cache_locks" ("key" varchar not null, "owner" varchar not null, "expiration" integer not null, primary key ("key"))`,
		},
		cache: "Laravel 5.5.22 to 8.50", onLite: "Laravel 5.0 to 8.50",
	},
	{
		name: "5.5.22 to 8.50 with defaultStringLength(191)",
		mysql: []string{
			"create table `cache` (`key` varchar(191) not null, `value` mediumtext not null, `expiration` int not null)" + utf8mb4 + " row_format=compact",
			"alter table `cache` add unique `cache_key_unique`(`key`)",
			"create table `cache_locks` (`key` varchar(191) not null, `owner` varchar(191) not null, `expiration` int not null)" + utf8mb4 + " row_format=compact",
			"alter table `cache_locks` add primary key `cache_locks_key_primary`(`key`)",
		},
		cache: "Laravel 5.5.22 to 8.50", short: true,
	},
	{
		name: "8.51",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` int not null)" + utf8mb4,
			"alter table `cache` add primary key `cache_key_primary`(`key`)",
		},
		sqlite: []string{
			`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null, primary key ("key"))`,
		},
		cache: "Laravel 8.51 to 12.40", onLite: "Laravel 8.51 to 12.40",
	},
	{
		name: "8.53 to 12.40",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` int not null, primary key (`key`))" + utf8mb4,
			"create table `cache_locks` (`key` varchar(255) not null, `owner` varchar(255) not null, `expiration` int not null, primary key (`key`))" + utf8mb4,
		},
		sqlite: []string{
			`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null, primary key ("key"))`,
			`create table "cache_locks" ("key" varchar not null, "owner" varchar not null, "expiration" integer not null, primary key ("key"))`,
		},
		cache: "Laravel 8.51 to 12.40", onLite: "Laravel 8.51 to 12.40",
	},
	{
		name: "12.41 to 12.54",
		mysql: []string{
			"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` int not null, primary key (`key`))" + utf8mb4,
			"alter table `cache` add index `cache_expiration_index`(`expiration`)",
			"create table `cache_locks` (`key` varchar(255) not null, `owner` varchar(255) not null, `expiration` int not null, primary key (`key`))" + utf8mb4,
			"alter table `cache_locks` add index `cache_locks_expiration_index`(`expiration`)",
		},
		sqlite: laravel13SQLite,
		cache:  "Laravel 12.41 to 12.54", onLite: "Laravel 12.41 or later",
	},
	{
		name: "12.55 to 13", mysql: laravel13MySQL, sqlite: laravel13SQLite,
		cache: "Laravel 12.55 or later", onLite: "Laravel 12.41 or later",
	},
}

var laravel13MySQL = []string{
	"create table `cache` (`key` varchar(255) not null, `value` mediumtext not null, `expiration` bigint not null, primary key (`key`))" + utf8mb4,
	"alter table `cache` add index `cache_expiration_index`(`expiration`)",
	"create table `cache_locks` (`key` varchar(255) not null, `owner` varchar(255) not null, `expiration` bigint not null, primary key (`key`))" + utf8mb4,
	"alter table `cache_locks` add index `cache_locks_expiration_index`(`expiration`)",
}

var laravel13SQLite = []string{
	`create table "cache" ("key" varchar not null, "value" text not null, "expiration" integer not null, primary key ("key"))`,
	`create index "cache_expiration_index" on "cache" ("expiration")`,
	`create table "cache_locks" ("key" varchar not null, "owner" varchar not null, "expiration" integer not null, primary key ("key"))`,
	`create index "cache_locks_expiration_index" on "cache_locks" ("expiration")`,
}

// make makes the era's tables, and tells whether it is one that the engine has.
func (e era) make(b *bench) bool {
	b.Helper()
	statements := e.mysql
	if b.kind == migrations.SQLite {
		statements = e.sqlite
	}
	b.exec(statements...)
	return statements != nil
}

func (e era) hasLocks() bool { return strings.Contains(strings.Join(e.mysql, " "), "cache_locks") }

// shape returns columns and indexes of both tables, as the database describes them.
func (b *bench) shape(tables ...string) []string {
	b.Helper()
	var all []string
	for _, table := range tables {
		if b.kind == migrations.SQLite {
			all = append(all, b.rows(`SELECT 'column', cid, name, type, "notnull", COALESCE(dflt_value, '-'), pk, hidden FROM pragma_table_xinfo(?)`, table)...)
			all = append(all, b.rows(`SELECT 'index', l.name, l."unique", l.origin, l.partial, c.seqno, c.name, c.coll, c.desc FROM pragma_index_list(?) AS l, `+
				`pragma_index_xinfo(l.name) AS c ORDER BY l.name, c.seqno`, table)...)
			continue
		}
		all = append(all, b.rows("SELECT table_name, engine, table_collation, row_format FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", table)...)
		all = append(all, b.rows("SELECT 'column', ordinal_position, column_name, column_type, is_nullable, COALESCE(column_default, '-'), extra, COALESCE(collation_name, '-') "+
			"FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY 2", table)...)
		all = append(all, b.rows("SELECT 'index', index_name, non_unique, seq_in_index, column_name, COALESCE(sub_part, '-'), index_type, collation "+
			"FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? ORDER BY 2, 4", table)...)
	}
	return all
}

func TestUp_CreatesTheTablesThatLaravel13Makes(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		created := b.shape("cache", "cache_locks")
		b.exec("DROP TABLE cache", "DROP TABLE cache_locks")
		eras[len(eras)-1].make(b)
		wantEqual(b, "shape", created, b.shape("cache", "cache_locks"))
	})
}

func TestUp_AdoptsEveryLaravelEraWithItsRows(t *testing.T) {
	onBoth(t, func(b *bench) {
		for _, e := range eras {
			b.Run(e.name, func(t *testing.T) {
				b := &bench{T: t, kind: b.kind, address: b.address, db: b.db}
				if !e.make(b) {
					return // SQLite has no such shape
				}
				var locks []string
				rows := b.fill("cache", "value", e)
				if e.hasLocks() {
					locks = b.fill("cache_locks", "owner", e)
				}
				wantEra(b, e)

				r := b.up()
				if e.hasLocks() {
					wantResults(b, r, migrations.TableAdopted, migrations.TableAdopted)
					wantEqual(b, "locks", b.dump("cache_locks", "owner"), locks)
				} else {
					wantResults(b, r, migrations.TableAdopted, migrations.TableCreated)
				}
				wantEqual(b, "rows", b.dump("cache", "value"), rows)
				wantWorkable(b)
				wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)

				b.exec("DROP TABLE cache", "DROP TABLE cache_locks", "DELETE FROM larder_migrations")
			})
		}
	})
}

func wantEra(b *bench, e era) {
	b.Helper()
	want := e.cache
	if b.kind == migrations.SQLite {
		want = e.onLite
	}
	if got := b.status().Tables[0]; got.Era != want || got.State != migrations.Found {
		b.Errorf("cache is %s of era %q, want found of era %q", got.State, got.Era, want)
	}
}

// wantWorkable checks that nothing is left of what limits old tables: dates, the size of values, a full scan for pruning.
func wantWorkable(b *bench) {
	b.Helper()
	s := b.status()
	if !s.UpToDate() {
		b.Errorf("not up to date:\n%s", s)
	}
	for _, table := range s.Tables {
		for _, d := range table.Differences {
			if d.Outcome != migrations.Kept {
				b.Errorf("%s: %s: %s", table.Name, d.Text, d.Outcome)
			}
		}
	}
	b.exec("INSERT INTO cache VALUES ('big', '"+strings.Repeat("x", 70000)+"', 4000000000)", "DELETE FROM cache WHERE "+b.quote("key")+" = 'big'")
	for _, table := range []string{"cache", "cache_locks"} {
		indexes := strings.Join(b.shape(table), "\n")
		if !strings.Contains(indexes, table+"_expiration_index") {
			b.Errorf("%s has no index on expiration:\n%s", table, indexes)
		}
	}
}

func TestUp_LeavesCharacterSetCollationAndCommentsOfAnAdoptedTable(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	b.exec("CREATE TABLE cache (`key` VARCHAR(255) COLLATE utf8mb4_bin NOT NULL, "+
		"value TEXT CHARACTER SET utf8 COLLATE utf8_general_ci NOT NULL COMMENT 'it''s; -- a \\\\ \\n comment', "+
		"expiration INT NOT NULL COMMENT 'when', UNIQUE (`key`)) CHARSET latin1 COMMENT 'ours'",
		"INSERT INTO cache VALUES ('a', 'ü', 1)")
	columns := "SELECT column_name, character_set_name, collation_name, column_comment FROM information_schema.columns " +
		"WHERE table_schema = DATABASE() AND table_name = 'cache' ORDER BY 1"
	before, rows := b.rows(columns), b.dump("cache", "value")
	b.up()
	wantEqual(t, "columns", b.rows(columns), before)
	wantEqual(t, "rows", b.dump("cache", "value"), rows)
	wantWorkable(b)
}

func TestUp_TakesAnIndexOnExpirationByAnyName(t *testing.T) {
	onBoth(t, func(b *bench) {
		eras[len(eras)-3].make(b)
		b.exec("CREATE INDEX mine ON cache (expiration, "+b.quote("key")+")", "CREATE INDEX yours ON cache_locks (expiration)")
		before := b.shape("cache", "cache_locks")
		if b.kind == migrations.MySQL {
			b.exec("ALTER TABLE cache MODIFY expiration BIGINT NOT NULL", "ALTER TABLE cache_locks MODIFY expiration BIGINT NOT NULL")
			before = b.shape("cache", "cache_locks")
		}
		b.up()
		wantEqual(b, "shape", b.shape("cache", "cache_locks"), before)
	})
}

func TestUp_RepairsWhatWasUndoneSinceTheLastRun(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("DROP TABLE cache", "DROP TABLE cache_locks")
		eras[0].make(b)
		rows := b.fill("cache", "value", eras[0])
		if b.status().UpToDate() {
			b.Error("status calls it up to date")
		}
		wantResults(b, b.up(), migrations.TableChanged, migrations.TableCreated)
		wantEqual(b, "rows", b.dump("cache", "value"), rows)
		wantWorkable(b)
		wantAppliedOnce(b)
	})
}

// wantAppliedOnce checks that each step is recorded exactly once.
func wantAppliedOnce(b *bench) {
	b.Helper()
	want := []string{"0", "1", "2", "3", "4", "5", "6", "7"}
	if b.kind == migrations.SQLite {
		want = want[:5]
	}
	wantEqual(b, "recorded steps", b.rows("SELECT version_id FROM larder_migrations ORDER BY version_id"), want)
}

func TestUp_HealsARecordThatACrashLeftWithoutRows(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("DELETE FROM larder_migrations")
		wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)
		wantAppliedOnce(b)
	})
}

func TestUp_LeavesTheRecordsOfANewerLarder(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("INSERT INTO larder_migrations (version_id, is_applied) VALUES (99, 1)")
		wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)
		_, err := b.migrator().Down(b.Context(), migrations.DropTables())
		wantIs(b, err, migrations.ErrNewer)
	})
}

func TestUp_WorksWithOneConnection(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.db.SetMaxOpenConns(1)
		eras[0].make(b)
		b.up()
		wantWorkable(b)
	})
}

func TestUp_KeepsTwoApplicationsInOneDatabaseApart(t *testing.T) {
	onBoth(t, func(b *bench) {
		shop := []migrations.Option{migrations.WithTable("Shop_Cache"), migrations.WithLockTable("shop$locks")}
		half := migrations.WithTable("half") // shares cache_locks with the default
		wantResults(b, b.up(), migrations.TableCreated, migrations.TableCreated)
		wantResults(b, b.up(shop...), migrations.TableCreated, migrations.TableCreated)
		wantResults(b, b.up(half), migrations.TableCreated, migrations.TableAdopted)
		for _, opts := range [][]migrations.Option{nil, shop, {half}} {
			wantResults(b, b.up(opts...), migrations.TableUpToDate, migrations.TableUpToDate)
		}

		down, err := b.migrator(half).Down(b.Context(), migrations.DropTables())
		if err != nil {
			b.Fatal(err)
		}
		wantResults(b, down, migrations.TableDropped, migrations.TableLeft)
		wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)
		down, err = b.migrator(shop...).Down(b.Context(), migrations.DropTables())
		if err != nil {
			b.Fatal(err)
		}
		wantResults(b, down, migrations.TableDropped, migrations.TableDropped)
		wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)
	})
}

func TestUp_TakesNamesOfEveryLength(t *testing.T) {
	onBoth(t, func(b *bench) {
		table, locks := strings.Repeat("t", 64), strings.Repeat("t", 63)+"_"
		opts := []migrations.Option{migrations.WithTable(table), migrations.WithLockTable(locks)}
		b.up(opts...)
		wantResults(b, b.up(opts...), migrations.TableUpToDate, migrations.TableUpToDate)
		if !slices.Contains(b.tables(), b.migrator(opts...).VersionTable()) {
			b.Errorf("no version table among %q", b.tables())
		}
	})
}

// On a server that tells the names of tables apart by case, Cache is not cache, though information_schema compares them as one.
func TestUp_TellsTableNamesApartByCaseWhereTheServerDoes(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	if b.rows("SELECT @@lower_case_table_names")[0] != "0" {
		return // there is nothing to tell apart
	}
	b.exec("CREATE TABLE Cache (tenant INT)", "CREATE TABLE CACHE_LOCKS (tenant INT)")
	wantResults(t, b.up(), migrations.TableCreated, migrations.TableCreated)
	if s := b.status(migrations.WithTable("Cache")); s.Tables[0].State != migrations.Foreign {
		t.Errorf("Cache is %s, want foreign", s.Tables[0].State)
	}
}

func ExampleReport() {
	fmt.Print(&migrations.Report{Tables: []migrations.TableReport{
		{Name: "cache", Result: migrations.TableAdopted, Era: "Laravel 5.5.22 to 8.50", Changes: []string{"expiration is now BIGINT"}},
		{Name: "cache_locks", Result: migrations.TableCreated},
	}})
	// Output:
	// cache: adopted (of the shape that Laravel 5.5.22 to 8.50 makes)
	//   - expiration is now BIGINT
	// cache_locks: created
}
