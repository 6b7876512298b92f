package migrations_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	_ "modernc.org/sqlite"
)

// envChild makes the test binary a process that migrates one database, so that tests can run many of them, and kill one.
// Its value is engine, start time, step to hang at, and address, with a | between each two.
const envChild = "LARDER_MIGRATIONS_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(envChild); job != "" {
		os.Exit(child(job))
	}
	testdb.Main(m)
}

func child(job string) int {
	var kind, start, hangAt, address string
	if part := strings.SplitN(job, "|", 4); len(part) == 4 {
		kind, start, hangAt, address = part[0], part[1], part[2], part[3]
	}
	at, err := time.Parse(time.RFC3339Nano, start)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	db, err := sql.Open(kind, address) // the engines have the names of the drivers
	if err != nil {
		fmt.Println(err)
		return 2
	}
	log := slog.New(hook(func(r slog.Record) {
		if hangAt != "" && strings.Contains(text(r), hangAt) {
			fmt.Println("hanging")
			select {}
		}
	}))
	m, err := migrations.New(db, migrations.Engine(kind), migrations.WithLogger(log), migrations.WithLockLease(3*time.Second))
	if err != nil {
		fmt.Println(err)
		return 2
	}
	time.Sleep(time.Until(at))
	if _, err := m.Up(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func childCommand(kind migrations.Engine, start time.Time, hangAt, address string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+strings.Join([]string{string(kind), start.Format(time.RFC3339Nano), hangAt, address}, "|"))
	return cmd
}

// A hook is a logger that calls back, so that a test can act at a certain point of a migration.
type hook func(slog.Record)

func (h hook) Enabled(context.Context, slog.Level) bool      { return true }
func (h hook) Handle(_ context.Context, r slog.Record) error { h(r); return nil }
func (h hook) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h hook) WithGroup(string) slog.Handler                 { return h }
func text(r slog.Record) (s string) {
	s = r.Message
	r.Attrs(func(a slog.Attr) bool { s += " " + a.String(); return true })
	return s
}

// A bench is one empty database of one engine.
type bench struct {
	*testing.T
	kind    migrations.Engine
	address string
	db      *sql.DB
}

// onBoth runs a test on a fresh MariaDB or MySQL database and on a fresh SQLite file.
func onBoth(t *testing.T, test func(b *bench)) {
	t.Run("MySQL", func(t *testing.T) { t.Parallel(); test(newMySQL(t)) })
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(newSQLite(t)) })
}

func newMySQL(t *testing.T) *bench {
	b := &bench{T: t, kind: migrations.MySQL, address: testdb.MySQL(t).DSN()}
	b.db = b.open()
	return b
}

func newSQLite(t *testing.T) *bench {
	b := &bench{T: t, kind: migrations.SQLite, address: testdb.SQLite(t)}
	b.db = b.open()
	return b
}

// open returns one more connection pool on the database.
func (b *bench) open() *sql.DB {
	b.Helper()
	db, err := sql.Open(string(b.kind), b.address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func (b *bench) exec(statements ...string) {
	b.Helper()
	for _, s := range statements {
		if _, err := b.db.Exec(s); err != nil {
			b.Fatalf("%s: %v", s, err)
		}
	}
}

func (b *bench) migrator(opts ...migrations.Option) *migrations.Migrator {
	b.Helper()
	m, err := migrations.New(b.db, b.kind, opts...)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func (b *bench) up(opts ...migrations.Option) *migrations.Report {
	b.Helper()
	r, err := b.migrator(opts...).Up(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func (b *bench) status(opts ...migrations.Option) *migrations.Status {
	b.Helper()
	s, err := b.migrator(opts...).Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// rows returns all that a query answers, one string a row.
func (b *bench) rows(query string, args ...any) []string {
	b.Helper()
	rows, err := b.db.Query(query, args...)
	if err != nil {
		b.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	all := []string{}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(values...); err != nil {
			b.Fatal(err)
		}
		var row []string
		for _, v := range values {
			row = append(row, string(*v.(*sql.RawBytes)))
		}
		all = append(all, strings.Join(row, " "))
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return all
}

// tables lists the names of the tables in the database.
func (b *bench) tables() []string {
	b.Helper()
	if b.kind == migrations.SQLite {
		return b.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
	}
	return b.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name")
}

// quote quotes a name as the engine does.
func (b *bench) quote(name string) string {
	if b.kind == migrations.SQLite {
		return `"` + name + `"`
	}
	return "`" + name + "`"
}

// fill stores rows that a migration might damage, and returns what dump must return of them ever after.
func (b *bench) fill(table, second string, e era) []string {
	b.Helper()
	long := strings.Repeat("ключ ", e.keyLength()/5)
	noise := make([]byte, 20000)
	_, _ = rand.Read(noise)
	insert := fmt.Sprintf("INSERT INTO %s (%s, %s, %s) VALUES (?, ?, ?)", b.quote(table), b.quote("key"), b.quote(second), b.quote("expiration"))
	now := time.Now().Unix()
	for _, row := range []struct {
		key, value string
		expiration int64
	}{
		{"laravel_cache_expired", `s:3:"bar";`, 1},
		{"laravel_cache_live", "s:5:\"grüße\";", now + 3600},
		{"laravel_cache_forever", "i:1;", now + 315360000},
		{"laravel_cache_last", "N;", 1<<31 - 1},
		{"", "", 0},
		{"nul", "O:1:\"A\":1:{s:4:\"\x00A\x00x\";b:1;}", now},
		{strings.Repeat("k", e.keyLength()), fmt.Sprintf("%x", noise), now},
		{long, `it's "quoted" \ and	; -- not a comment`, now},
		{"emoji 😀", "s:4:\"😀\";", now},
	} {
		if second == "owner" {
			row.value = "owner" + row.value[:min(3, len(row.value))]
		}
		if e.utf8mb3 {
			row.key, row.value = strings.ReplaceAll(row.key, "😀", "☺"), strings.ReplaceAll(row.value, "😀", "☺")
		}
		if _, err := b.db.Exec(insert, row.key, row.value, row.expiration); err != nil {
			b.Fatalf("fill %s: %q: %v", table, row.key, err)
		}
	}
	return b.dump(table, second)
}

func (b *bench) dump(table, second string) []string {
	b.Helper()
	return b.rows(fmt.Sprintf("SELECT HEX(%s), HEX(%s), %s FROM %s ORDER BY 1", b.quote("key"), b.quote(second), b.quote("expiration"), b.quote(table)))
}

func wantEqual(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func wantResults(t testing.TB, r *migrations.Report, want ...migrations.Result) {
	t.Helper()
	var got []migrations.Result
	for _, table := range r.Tables {
		got = append(got, table.Result)
	}
	if !slices.Equal(got, want) {
		t.Errorf("results %v, want %v; report:\n%s", got, want, r)
	}
}

// withoutCreate returns an account of the same database that may read and write its rows and do nothing else.
func (b *bench) withoutCreate() *bench {
	b.Helper()
	cfg, err := mysql.ParseDSN(b.address)
	if err != nil {
		b.Fatal(err)
	}
	name := "dml_" + strings.TrimPrefix(cfg.DBName, "larder_test_")
	host := b.rows("SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', -1)")[0]
	account := fmt.Sprintf("'%s'@'%s'", name, host)
	b.exec("CREATE USER "+account+" IDENTIFIED BY 'dml'", "GRANT SELECT, INSERT, UPDATE, DELETE ON `"+cfg.DBName+"`.* TO "+account)
	b.Cleanup(func() { b.exec("DROP USER " + account) })
	cfg.User, cfg.Passwd = name, "dml"
	weak := &bench{T: b.T, kind: b.kind, address: cfg.FormatDSN()}
	weak.db = weak.open()
	return weak
}
