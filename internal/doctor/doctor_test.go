package doctor

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// A clinic is a database of a test's own, and how larder is configured for it.
type clinic struct {
	t       *testing.T
	engine  string
	address string
	db      *sql.DB
	flags   config.Flags
	env     map[string]string
	dir     string
	now     func() time.Time
}

// onBoth runs a test on an empty MariaDB or MySQL database, and on an empty SQLite file.
func onBoth(t *testing.T, test func(t *testing.T, c *clinic)) {
	t.Run("MySQL", func(t *testing.T) { test(t, onMySQL(t, testdb.MySQL(t))) })
	t.Run("SQLite", func(t *testing.T) {
		path := testdb.SQLite(t)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		test(t, &clinic{t: t, engine: "sqlite", address: "sqlite:" + path, db: db, dir: t.TempDir(), env: map[string]string{}})
	})
}

func onMySQL(t *testing.T, d *testdb.Database) *clinic {
	return &clinic{t: t, engine: "mysql", address: d.URL(), db: d.Open(t), dir: t.TempDir(), env: map[string]string{}}
}

func (c *clinic) exec(statements ...string) {
	c.t.Helper()
	for _, s := range statements {
		if c.engine == "sqlite" {
			s = strings.ReplaceAll(s, "`", `"`)
		}
		if _, err := c.db.Exec(s); err != nil {
			c.t.Fatalf("%s: %v", s, err)
		}
	}
}

// today are the tables as Laravel 12.55 and later make them.
func (c *clinic) today() {
	c.t.Helper()
	c.exec("CREATE TABLE cache (`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL)",
		"CREATE INDEX cache_expiration_index ON cache (expiration)",
		"CREATE TABLE cache_locks (`key` varchar(255) NOT NULL PRIMARY KEY, owner varchar(255) NOT NULL, expiration bigint NOT NULL)",
		"CREATE INDEX cache_locks_expiration_index ON cache_locks (expiration)")
}

// fill puts n rows into the cache table, to expire in so many seconds.
func (c *clinic) fill(n int, prefix, value string, seconds int64) {
	c.t.Helper()
	for from := 0; from < n; from += 1000 {
		var tuples []string
		for i := from; i < min(n, from+1000); i++ {
			tuples = append(tuples, fmt.Sprintf("('%s%d','%s',%d)", prefix, i, value, time.Now().Unix()+seconds))
		}
		c.exec("INSERT INTO cache VALUES " + strings.Join(tuples, ","))
	}
}

// A diagnosis is what an examination found.
type diagnosis struct {
	t     *testing.T
	found []Finding
	sum   Summary
}

func (c *clinic) examine() diagnosis {
	c.t.Helper()
	flags := c.flags
	flags.Database = &c.address
	cfg, err := config.Load(flags, func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, c.dir)
	p := Patient{Config: cfg, ConfigErr: err, Now: c.now}
	if err == nil {
		p.Store, p.StoreErr = store.Open(c.address, store.WithPrefix(cfg.Prefix.Value), store.WithTable(cfg.Table.Value), store.WithLockTable(cfg.LockTable.Value))
		if p.StoreErr == nil {
			defer func() { _ = p.Store.Close() }()
		}
	}
	return examine(c.t, p)
}

func examine(t *testing.T, p Patient) diagnosis {
	d := diagnosis{t: t}
	d.sum = Examine(t.Context(), p, func(f Finding) {
		d.found = append(d.found, f)
		if f.Status != OK && f.Remedy == "" || f.Message == "" || f.Check == "" {
			t.Errorf("a finding without remedy, message or name: %+v", f)
		}
	})
	return d
}

// wants checks that there is a finding of the check with that status whose message and remedy contain the texts.
func (d diagnosis) wants(check string, status Status, texts ...string) {
	d.t.Helper()
	var of []string
next:
	for _, f := range d.found {
		if f.Check != check {
			continue
		}
		of = append(of, fmt.Sprintf("%s: %s → %s", f.Status, f.Message, f.Remedy))
		for _, text := range texts {
			if !strings.Contains(f.Message+" → "+f.Remedy, text) {
				continue next
			}
		}
		if f.Status == status {
			return
		}
	}
	d.t.Errorf("no finding of %s is %s and says %q; there are:\n%s", check, status, texts, strings.Join(of, "\n"))
}

// all checks that all findings of a check are of that status, and that there is one.
func (d diagnosis) all(status Status, checks ...string) {
	d.t.Helper()
	for _, check := range checks {
		n := 0
		for _, f := range d.found {
			if f.Check == check {
				n++
				if f.Status != status {
					d.t.Errorf("%s is %s, want %s: %s", check, f.Status, status, f.Message)
				}
			}
		}
		if n == 0 {
			d.t.Errorf("%s has found nothing", check)
		}
	}
}

func text(s string) *string { return &s }

func TestExamine_AHealthyCacheHasNoProblem(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.flags.Prefix = text("app_")
		c.today()
		c.fill(10, "app_", `s:3:"bar";`, 600)
		d := c.examine()
		if d.sum.Problems+d.sum.Warnings+d.sum.LeftOut != 0 || !d.sum.Connected || d.sum.OK != len(d.found) {
			t.Errorf("%+v: %+v", d.sum, d.found)
		}
		d.all(OK, "connection", "clock", "tables", "era", "index", "prefix", "backlog", "values", "locks", "tokens")
		if c.engine == "mysql" {
			d.all(OK, "encryption", "writable", "sql_mode", "max_allowed_packet", "isolation level", "engine", "collation", "value column", "expiration column")
			d.wants("era", OK, "cache: made by Laravel 12.55 or later")
			d.wants("collation", OK, "one row", "COLLATE utf8mb4_bin")
		} else {
			d.all(OK, "journal mode")
		}
	})
}

func TestExamine_WithoutConfigurationOrConnectionTheRestIsExamined(t *testing.T) {
	c := &clinic{t: t, address: "mysql://nobody:s3cret@127.0.0.1:1/x", dir: t.TempDir(), env: map[string]string{}}
	d := c.examine()
	d.all(OK, "settings")
	d.all(Problem, "connection")
	if d.sum.Connected || d.sum.LeftOut == 0 {
		t.Errorf("%+v", d.sum)
	}
	if strings.Contains(fmt.Sprint(d.found), "s3cret") {
		t.Errorf("the password is shown: %v", d.found)
	}
	c.flags.ConfigFile = text("missing.yaml")
	d = c.examine()
	d.wants("configuration", Problem, "missing.yaml")
	if len(d.found) != 1 {
		t.Errorf("found %v", d.found)
	}
}

func TestCheckConfiguration_NoticesAreWarnings(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.file(".env", "CACHE_STORE=redis\nDB_HOST=h\nDB_DATABASE=d\nAPP_NAME=Laravel")
		d := c.examine()
		d.wants("configuration", OK, "read: .env")
		d.wants("configuration", Warning, "default cache store", "Cache::store('database')")
		d.wants("configuration", Warning, "taken to be", "→ set CACHE_PREFIX or --prefix")
		d.wants("settings", OK, `prefix "laravel-cache-", from .env:4 (APP_NAME)`)
	})
}

func TestCheckConfigCache_AnOlderCacheIsAProblem(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.file(".env", "DB_HOST=h\nDB_DATABASE=d\nCACHE_PREFIX=x")
		c.file("bootstrap/cache/config.php", "<?php")
		d := c.examine()
		d.wants("config cache", Warning, "shadows .env", "php artisan config:cache")
		for _, f := range d.found {
			if f.Check == "configuration" && strings.Contains(f.Message, "config.php") {
				t.Errorf("it is told twice: %v", f)
			}
		}
		hourAgo := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(c.dir, "bootstrap/cache/config.php"), hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
		c.examine().wants("config cache", Problem, "changed 59m", "older settings")
	})
}

func (c *clinic) file(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func TestExamine_ACheckThatFailsDoesNotStopTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.flags.Prefix = text("app_")
		c.exec("CREATE TABLE cache (`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expires bigint NOT NULL)",
			"CREATE TABLE cache_locks (`key` varchar(255) NOT NULL PRIMARY KEY, owner varchar(255) NOT NULL, expiration bigint NOT NULL)")
		d := c.examine()
		d.wants("tables", Problem, "column expiration is missing", "RENAME T", "_before")
		d.wants("backlog", Warning, "could not be found out")
		d.all(OK, "locks", "tokens")
	})
}

func TestExamine_AnEndedContextEndsIt(t *testing.T) {
	c := onMySQL(t, testdb.MySQL(t))
	c.today()
	s, err := store.Open(c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sum := Examine(ctx, Patient{Config: &config.Config{}, Store: s}, func(Finding) {})
	if sum.Connected {
		t.Error("it went on")
	}
}

// A shell makes of the quoted text the text again.
func TestShellQuote_IsOneWordForAShell(t *testing.T) {
	for _, text := range []string{
		"", "plain-Word_1.2/3", "with blank", "it's", "$HOME `id` $(id) \\ \" !", "-rf", "用户:7", "line\nbreak\t'\\1", "\x1b[31m", "not\xffutf8", "\u202egpj.exe", "\u0085\n",
	} {
		out, err := exec.Command("bash", "-c", "printf %s "+ShellQuote(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q is %s, which a shell reads as %q, %v", text, ShellQuote(text), out, err)
		}
		if strings.ContainsFunc(ShellQuote(text), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is %q, which is not to be seen", text, ShellQuote(text))
		}
	}
}
