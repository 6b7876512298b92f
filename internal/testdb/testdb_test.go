package testdb_test

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func TestMySQL_EachTestHasItsOwnEmptyDatabase(t *testing.T) {
	a, b := testdb.MySQL(t), testdb.MySQL(t)
	if _, err := a.Open(t).Exec("CREATE TABLE t (i INT)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	if err := b.Open(t).QueryRow("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if tables != 0 {
		t.Errorf("second database has %d tables, want none", tables)
	}
}

func TestMySQL_DatabaseIsDroppedAfterItsTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) { name = testdb.MySQL(t).Config().DBName })
	var left int
	err := testdb.MySQL(t).Open(t).QueryRow("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", name).Scan(&left)
	if err != nil {
		t.Fatal(err)
	}
	if left != 0 {
		t.Errorf("database %s is still there", name)
	}
}

func TestSQLite_FileDoesNotExistYet(t *testing.T) {
	if _, err := os.Stat(testdb.SQLite(t)); !os.IsNotExist(err) {
		t.Errorf("stat: %v, want not to exist", err)
	}
}

func TestServer_RestartsOnItsDataAfterACrash(t *testing.T) {
	s := testdb.Private(t)
	db := s.Database(t).Open(t)
	if _, err := db.Exec("CREATE TABLE t (i INT)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err == nil {
		t.Error("a server that crashed answers")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Error(err)
	}
}

func TestFreePort_IsGivenToNobodyElseAndCanBeListenedOn(t *testing.T) {
	const ports = 1000 // of 28,000, so that one that is given again would show
	free := map[int]bool{}
	for range ports {
		port, err := testdb.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		free[port] = true
	}
	if len(free) != ports {
		t.Errorf("%d different ports, want %d", len(free), ports)
	}
	for range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if port := l.Addr().(*net.TCPAddr).Port; free[port] {
			t.Errorf("port %d was given to another one", port)
		}
		_ = l.Close()
	}
	for port := range free {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
