package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func do(t *testing.T, db interface {
	Exec(string, ...any) (sql.Result, error)
}, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// account makes an account without rights and returns a store as it has it, and the name as it stands in GRANT.
func account(t *testing.T, d *testdb.Database, admin *sql.DB, name string, rights ...string) (*store.Store, string) {
	t.Helper()
	cfg := d.Config()
	cfg.User, cfg.Passwd, cfg.Params = name, "p", nil
	quoted := "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(name) + "'@'%'"
	do(t, admin, "CREATE USER "+quoted+" IDENTIFIED BY 'p'")
	t.Cleanup(func() { do(t, admin, "DROP USER "+quoted) })
	for _, right := range rights {
		do(t, admin, strings.NewReplacer("{db}", "`"+cfg.DBName+"`", "{me}", quoted).Replace(right))
	}
	return newStore(t, cfg), quoted
}

func denied(t *testing.T, s *store.Store) (of [2][]string, grants []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	rights, err := s.Rights(ctx)
	if err != nil || len(rights) != 2 || rights[0].Table != "cache" || rights[1].Table != "cache_locks" {
		t.Fatalf("%+v, %v", rights, err)
	}
	for i, r := range rights {
		of[i] = r.Denied
		if (r.Denied == nil) != (r.Grant == "") {
			t.Errorf("%+v", r)
		}
		if r.Grant != "" {
			grants = append(grants, r.Grant)
		}
	}
	return of, grants
}

// What is said to be denied is what the server refuses, and the statement that is to be pasted allows exactly that.
func TestStore_RightsAreWhatTheServerAllows(t *testing.T) {
	d := migrated(t, testdb.MySQL(t))
	admin := d.Open(t)
	id := d.Config().DBName[len("larder_test_"):]
	role := "larder_role_" + id
	do(t, admin, "CREATE ROLE "+role, "GRANT SELECT, INSERT ON `"+d.Config().DBName+"`.* TO "+role)
	t.Cleanup(func() { do(t, admin, "DROP ROLE "+role) })
	defaultRole := "SET DEFAULT ROLE " + role + " TO {me}" // MySQL
	var version string
	if err := admin.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(version, "MariaDB") {
		defaultRole = "SET DEFAULT ROLE " + role + " FOR {me}"
	}

	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	for i, tt := range []struct {
		rights []string
		denied [2][]string
	}{
		{[]string{"GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.* TO {me}"}, [2][]string{}},
		{[]string{"GRANT SELECT, INSERT, UPDATE, DELETE ON {db}.cache TO {me}"}, [2][]string{nil, all}},
		{[]string{"GRANT SELECT ON {db}.* TO {me}"}, [2][]string{all[1:], all[1:]}},
		{[]string{"GRANT SELECT ON {db}.cache TO {me}", "GRANT INSERT, UPDATE, DELETE ON {db}.cache_locks TO {me}"}, [2][]string{all[1:], all[:1]}},
		{[]string{"GRANT SELECT(`key`,value), INSERT(`key`,value,expiration), UPDATE(expiration), DELETE ON {db}.cache TO {me}"}, [2][]string{{"SELECT", "UPDATE"}, all}},
		{[]string{"GRANT " + role + " TO {me}", defaultRole}, [2][]string{all[2:], all[2:]}},
	} {
		s, name := account(t, d, admin, fmt.Sprintf("u%d'@\\_%s", i, id), tt.rights...)
		of, grants := denied(t, s)
		if !reflect.DeepEqual(of, tt.denied) {
			t.Errorf("%v: denied %q, want %q", tt.rights, of, tt.denied)
		}
		for _, grant := range grants {
			if !strings.Contains(grant, " ON `"+d.Config().DBName+"`.`cache") || !strings.HasSuffix(grant, " TO "+name+";") {
				t.Errorf("%s", grant)
			}
		}
		do(t, admin, grants...)
		if of, _ := denied(t, s); of[0] != nil || of[1] != nil {
			t.Errorf("after %q it is still denied %q", grants, of)
		}
		if err := s.Put(t.Context(), "k", "v", time.Minute); err != nil {
			t.Error(err)
		}
		if ok, err := s.Lock("l", time.Minute).Acquire(t.Context()); err != nil || !ok {
			t.Error(ok, err)
		}
		if _, err := s.Lock("l", time.Minute).ForceRelease(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The question changes nothing, is not replicated, and waits for nobody.
func TestStore_RightsAreAskedWithoutATrace(t *testing.T) {
	d := migrated(t, testdb.MySQL(t))
	admin := d.Open(t)
	admin.SetMaxOpenConns(1)
	do(t, admin, "CREATE TABLE fired (n int)", "INSERT INTO cache VALUES ('k','i:1;',4000000000)",
		"CREATE TRIGGER i BEFORE INSERT ON cache FOR EACH ROW INSERT INTO fired VALUES (1)",
		"CREATE TRIGGER u BEFORE UPDATE ON cache FOR EACH ROW INSERT INTO fired VALUES (1)",
		"CREATE TRIGGER d BEFORE DELETE ON cache FOR EACH ROW INSERT INTO fired VALUES (1)")
	cfg := d.Config()
	cfg.Params = map[string]string{"sql_safe_updates": "1", "lock_wait_timeout": "2", "innodb_lock_wait_timeout": "2"}
	s := newStore(t, cfg)
	for _, lock := range []string{"LOCK TABLES cache READ, fired READ", "LOCK TABLES cache WRITE, cache_locks WRITE, fired WRITE"} {
		do(t, admin, lock)
		if of, _ := denied(t, s); of[0] != nil || of[1] != nil {
			t.Errorf("denied %q", of)
		}
		do(t, admin, "UNLOCK TABLES")
	}
	var rows, fired int
	if err := admin.QueryRow("SELECT (SELECT COUNT(*) FROM cache WHERE value='i:1;'),(SELECT COUNT(*) FROM fired)").Scan(&rows, &fired); err != nil || rows != 1 || fired != 0 {
		t.Errorf("%d rows, triggers fired %d times, %v", rows, fired, err)
	}
}

func TestStore_RightsOfTablesThatAreNotThereOrOfAnotherShapeAreNotDenied(t *testing.T) {
	d := testdb.MySQL(t)
	s := newStore(t, d.Config())
	if of, _ := denied(t, s); of[0] != nil || of[1] != nil {
		t.Errorf("denied %q", of)
	}
	do(t, d.Open(t), "CREATE TABLE cache (x int)")
	if of, _ := denied(t, s); of[0] != nil || of[1] != nil {
		t.Errorf("denied %q", of)
	}
}

func TestStore_RightsOfASQLiteFileAreThoseOfTheFile(t *testing.T) {
	path := testdb.SQLite(t)
	s, err := store.Open("sqlite:" + path)
	s = prepared(t, s, err, migrateSQLite)
	if of, _ := denied(t, s); of[0] != nil || of[1] != nil {
		t.Errorf("denied %q", of)
	}
	tx, err := s.DB().Begin() // takes the write lock
	if err != nil {
		t.Fatal(err)
	}
	other, err := store.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	started := time.Now()
	if rights, err := other.Rights(t.Context()); err != nil || rights[0].Denied != nil || time.Since(started) > 3*time.Second {
		t.Errorf("beside a writer: %+v, %v, after %v", rights, err, time.Since(started))
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := other.Put(t.Context(), "k", "v", time.Minute); err != nil { // which waits again
		t.Error(err)
	}
	var wait int
	if err := other.DB().Get(&wait, "SELECT timeout FROM pragma_busy_timeout"); err != nil || wait != 5000 {
		t.Errorf("it waits for %d ms from then on, %v", wait, err)
	}

	readOnly, err := sqlx.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = readOnly.Close() }()
	if s, err = store.New(readOnly); err != nil {
		t.Fatal(err)
	}
	rights, err := s.Rights(t.Context())
	want := []string{"INSERT", "UPDATE", "DELETE"}
	if err != nil || !reflect.DeepEqual(rights, []store.TableRights{{Table: "cache", Denied: want}, {Table: "cache_locks", Denied: want}}) {
		t.Errorf("%+v, %v", rights, err)
	}
}

func TestStore_TablesAreThoseOfLaravelsColumns(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *store.Store, _ string, _ *atomic.Int64) {
		q := func(statement string) string {
			if s.DB().DriverName() == "sqlite" {
				return strings.ReplaceAll(statement, "`", `"`)
			}
			return statement
		}
		do(t, s.DB(), q("CREATE TABLE my_cache (`key` varchar(255) NOT NULL PRIMARY KEY, value text, expiration int, more int)"),
			q("CREATE TABLE my_locks (`key` varchar(255) NOT NULL PRIMARY KEY, owner text, expiration int)"),
			q("CREATE TABLE settings (`key` varchar(255) NOT NULL PRIMARY KEY, value text)"), q("CREATE TABLE keyless (value text, owner text, expiration int)"),
			q("CREATE VIEW seen AS SELECT * FROM my_cache"))
		found, err := s.Tables(t.Context())
		if err != nil || !reflect.DeepEqual(found, store.Tables{Cache: []string{"cache", "my_cache"}, Locks: []string{"cache_locks", "my_locks"}}) {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
