package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestOpen_RefusesAddressesThatMakeNoSense(t *testing.T) {
	const secret = "s3cret"
	for _, c := range []struct{ address, want string }{
		{"", "want mysql://"},
		{"larder.db", "want mysql://"},
		{"sqlite:", "want a path"},
		{"postgres://u:" + secret + "@h/db", `scheme "postgres"`},
		{"mysql://u:" + secret + "@h", "want the database's name"},
		{"mysql://u:" + secret + "@h/", "want the database's name"},
		{"mysql://u:" + secret + "%zz@h/db", "%25"},
		{"mysql://u:" + secret + "@h:port:x/db", "host is malformed"},
		{"mysql://u:" + secret + "/x?@h/db", "database address"},
		{"mysql://u:" + secret + "@h/db?timeout=never", `option "timeout"`},
		{"mysql://u:" + secret + "@h/db?ssl-ca=/nowhere.pem", "/nowhere.pem"},
		{"mysql://u:" + secret + "@h/db?clientFoundRows=true", "clientFoundRows"},
		{"u:" + secret + "@tcp(h)/db?clientFoundRows=true", "clientFoundRows"},
		{"mysql://u:" + secret + "@h/db?charset=gbk", `option "charset": larder speaks utf8mb4 alone`},
		{"mysql://u:" + secret + "@h/db?charset=utf8mb4,latin1", `option "charset"`},
		{"mysql://u:" + secret + "@h/db?collation=latin1_swedish_ci", `option "collation"`},
		{"mysql://u:" + secret + "@h/db?character_set_client=gbk", `option "character_set_client"`},
		{"u:" + secret + "@tcp(h)/db?charset=gbk", `option "charset"`},
		{"mysql://u:x?timeout=" + secret + "@h/db", `write "?" as %3F`},
		{"u:" + secret + "://x@h/db", "want mysql://"},
		{"u:" + secret, "want mysql://"},
		{"u:" + secret + "@tcp(h)/", "want mysql://"},
		{"u:" + secret + "/db", "want mysql://"},
		{"u:" + secret + "@h/db", "want mysql://"},
	} {
		s, err := store.Open(c.address)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s was accepted", c.address)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q does not say %q", c.address, err, c.want)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the password: %v", c.address, err)
		}
	}
}

func TestOpen_RefusesNamesThatAreNoIdentifiers(t *testing.T) {
	for _, name := range []string{"", "a b", "a`b", "a.b", `a"b`, strings.Repeat("x", 65), "tablé"} {
		for _, o := range []store.Option{store.WithTable(name), store.WithLockTable(name)} {
			_, err := store.Open("sqlite::memory:", o)
			var limit *store.LimitError
			if !errors.As(err, &limit) {
				t.Errorf("%q: error is %v, want a LimitError", name, err)
			}
		}
	}
	if _, err := store.Open("sqlite::memory:", store.WithPrefix("\xff")); err == nil {
		t.Error("a prefix that is not UTF-8 was accepted")
	}
}

// I19: constructing a store neither connects nor creates a file.
func TestOpen_DoesNotConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there.db")
	for _, address := range []string{"sqlite:" + path, "mysql://u:p@127.0.0.1:1/db"} {
		s, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpen_EveryNotationReachesTheDatabase(t *testing.T) {
	db := migrated(t, testdb.MySQL(t))
	for _, address := range []string{
		db.URL(),
		strings.Replace(db.URL(), "mysql://", "mariadb://", 1),
		db.DSN(),
		db.URL() + "?timeout=3s&charset=utf8mb4",
	} {
		s, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(context.Background(), "k", 1, time.Minute); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	}
}

func TestOpen_FailsOverToTheNextHost(t *testing.T) {
	db := migrated(t, testdb.MySQL(t))
	good := db.Config().Addr
	s, err := store.Open(strings.Replace(db.URL(), good, "127.0.0.1:1,"+good, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Put(context.Background(), "k", 1, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestOpen_ARefusedConnectionEndsInAnErrorSoon(t *testing.T) {
	s, err := store.Open("mysql://u:p@127.0.0.1:1/db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var network *net.OpError
	if err := s.Get(context.Background(), "k", new(any)); !errors.As(err, &network) {
		t.Errorf("error is %v, want the refused connection", err)
	}
}

// A session without strict mode would cut what does not fit; Open asks for a strict one whatever the server's default.
func TestOpen_SessionIsStrict(t *testing.T) {
	db := migrated(t, testdb.MySQL(t))
	admin := db.Open(t)
	var before string
	if err := admin.QueryRow("SELECT @@GLOBAL.sql_mode").Scan(&before); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("SET GLOBAL sql_mode = ''"); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = admin.Exec("SET GLOBAL sql_mode = ?", before) }()
	s, err := store.Open(db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.DB().Exec("ALTER TABLE cache MODIFY value TEXT NOT NULL"); err != nil {
		t.Fatal(err)
	}
	var limit *store.LimitError
	if err := s.Put(context.Background(), "k", strings.Repeat("x", 70000), time.Minute); !errors.As(err, &limit) {
		t.Errorf("error is %v, want a LimitError", err)
	}
}

func TestOpen_SQLitePragmasTook(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "odd?name#100%.db", "日本.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := store.Open("sqlite:" + path)
		if err != nil {
			t.Fatal(err)
		}
		var mode string
		var timeout int
		if err := s.DB().Get(&mode, "PRAGMA journal_mode"); err != nil {
			t.Fatal(err)
		}
		if err := s.DB().Get(&timeout, "PRAGMA busy_timeout"); err != nil {
			t.Fatal(err)
		}
		if mode != "wal" || timeout != 5000 {
			t.Errorf("%s: journal mode %s, busy timeout %d", name, mode, timeout)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the file is not where it was asked for: %v", err)
		}
		_ = s.Close()
	}
}

// Tokens go into the file, and into its companions.
func TestOpen_ASQLiteFileIsForNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "larder.db")
	s, err := store.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	migrateSQLite(t, s.DB().DB)
	for _, end := range []string{"", "-wal", "-shm"} {
		about, err := os.Stat(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if about.Mode().Perm() != 0o600 {
			t.Errorf("larder.db%s is %s", end, about.Mode())
		}
	}

	shared := filepath.Join(t.TempDir(), "shared.db")
	if err := os.WriteFile(shared, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o664); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	other, err := store.Open("sqlite:" + shared)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	migrateSQLite(t, other.DB().DB)
	if about, err := os.Stat(shared); err != nil || about.Mode().Perm() != 0o664 {
		t.Errorf("a file that was there is %v, %v", about.Mode(), err)
	}
}

func TestOpen_AnErrorNamesTheSQLiteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "larder.db")
	s, err := store.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Has(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v, want one that names %s", err, path)
	}
}

func TestOpen_ServerThatDiesDuringTheHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "garbage")
			_ = c.Close()
		}
	}()
	s, err := store.Open("mysql://u:p@" + l.Addr().String() + "/db")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Get(context.Background(), "k", new(any)); err == nil {
		t.Error("got a value from a server that speaks garbage")
	}
}
