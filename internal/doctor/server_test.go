package doctor

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestCheckServer_SettingsOfTheServer(t *testing.T) {
	database := testdb.Roomy(t).Database(t) // on a server of its own, for what is set there is everybody's
	c := onMySQL(t, database)
	c.today()
	c.exec("SET GLOBAL sql_mode = ''", "SET GLOBAL max_allowed_packet = 1048576", "SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET GLOBAL read_only = ON",
		"CHANGE MASTER TO MASTER_HOST='db1.example', MASTER_PORT=3307, MASTER_USER='u'")
	d := c.examine()
	d.wants("sql_mode", Warning, "not:", "SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES")
	d.wants("max_allowed_packet", Warning, "1.0 MiB", "SET GLOBAL max_allowed_packet")
	d.wants("isolation level", Warning, "SERIALIZABLE", "READ COMMITTED")
	d.wants("writable", Problem, "read_only is on", "db1.example:3307", "SET GLOBAL read_only = OFF")
	// Who may write is not told that the rights are lacking, where it is the server that refuses.
	visitor, _ := c.as(database, "SELECT, INSERT, UPDATE, DELETE ON `"+database.Config().DBName+"`.*")
	d = visitor.examine()
	d.wants("writable", Problem, "read_only is on")
	d.wants("rights", OK, "may SELECT, INSERT, UPDATE and DELETE on cache and cache_locks")

	c.exec("SET GLOBAL read_only = OFF", "SET GLOBAL TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
	d = c.examine()
	d.wants("writable", Warning, "replica of db1.example:3307")
	d.wants("isolation level", Warning, "rolled back")

	c.address += "?sql_mode=%27%27"
	c.examine().wants("sql_mode", Problem, "take sql_mode out")
}

func TestCheckEncryption_IsWantedWhereTheConnectionLeavesTheMachine(t *testing.T) {
	d, _ := testdb.TLS(t, "127.0.0.1")
	c := onMySQL(t, d)
	c.examine().wants("encryption", OK, "does not leave this machine")
	c.address += "?tls=skip-verify"
	c.examine().wants("encryption", OK, "TLSv1.")

	e := &exam{server: &store.Server{Product: "MySQL"}}
	found, _ := checkEncryption(t.Context(), e)
	diagnosis{t: t, found: named(found, "encryption")}.wants("encryption", Warning, "?tls=true", "as they are")
}

func named(found []Finding, check string) []Finding {
	for i := range found {
		found[i].Check = check
	}
	return found
}

// No cluster is among the servers that the ordinary tests start.
func TestCheckCluster_TellsNodesThatAreLost(t *testing.T) {
	for _, tt := range []struct {
		server store.Server
		status Status
		text   string
	}{
		{store.Server{Galera: "Primary", GaleraReady: true, Nodes: 3}, OK, "a Galera cluster of 3 nodes → let every server write to one and the same node"},
		{store.Server{Galera: "non-Primary", GaleraReady: false, Nodes: 1}, Problem, "pc.bootstrap"},
		{store.Server{Galera: "Primary", GaleraReady: false, Nodes: 3}, Problem, "wsrep_ready false"},
		{store.Server{GroupReplication: "g", SinglePrimary: true}, OK, "one primary"},
		{store.Server{GroupReplication: "g"}, Warning, "several primaries"},
	} {
		found, err := checkCluster(t.Context(), &exam{server: &tt.server})
		if err != nil {
			t.Fatal(err)
		}
		diagnosis{t: t, found: named(found, "cluster")}.wants("cluster", tt.status, tt.text)
	}
	if found, _ := checkCluster(t.Context(), &exam{server: &store.Server{}}); found != nil {
		t.Errorf("a single server is a cluster: %v", found)
	}
}

func TestCheckClock_MeasuresTheDifferenceAndItsBound(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		for _, tt := range []struct {
			off    time.Duration
			status Status
			text   string
		}{
			{0, OK, "agree (± "}, {5 * time.Second, Warning, "ahead of"}, {-5 * time.Second, Warning, "behind"},
			{90 * time.Second, Problem, "1m 30s ahead of"}, {-time.Hour, Problem, "behind"},
		} {
			c.now = func() time.Time { return time.Now().Add(tt.off) }
			c.examine().wants("clock", tt.status, tt.text)
		}
	})
}

// A clock that is looked at by a slow connection may be right: what is within the bound is no finding.
func TestCheckClock_ASlowConnectionProvesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		asked, calls := time.Now().Add(-10*time.Second), 0
		c.now = func() time.Time {
			calls++
			return asked.Add(time.Duration((calls+1)%2) * 20 * time.Second) // 20 s between question and answer
		}
		c.examine().wants("clock", OK, "agree (± 10s)")
	})
}

func TestCheckJournal_WantsWAL(t *testing.T) {
	path := testdb.SQLite(t)
	db, err := sqlx.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("CREATE TABLE x (y)"); err != nil {
		t.Fatal(err)
	}
	s, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	examine(t, Patient{Config: &config.Config{}, Store: s}).wants("journal mode", Warning, "delete", "PRAGMA journal_mode=WAL;")
}

func TestCheckPermissions_TokensAreForNobodyElse(t *testing.T) {
	path := testdb.SQLite(t)
	c := &clinic{t: t, engine: "sqlite", address: "sqlite:" + path, dir: t.TempDir(), env: map[string]string{}}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod := func(mode os.FileMode) {
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Chmod(path+end, mode); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	chmod(0o600)
	c.examine().wants("file permissions", OK, "closed to other users")
	chmod(0o644)
	c.examine().wants("file permissions", OK, "can read", "chmod o-rw")
	c.env["CORP_ID"], c.env["CORP_SECRET"] = "id", "secret"
	c.examine().wants("file permissions", Warning, "access tokens in it", "chmod o-rw "+path)
	chmod(0o606)
	c.examine().wants("file permissions", Warning, "can write")
	if strings.Contains(path, "'") {
		t.Fatal("the path is quoted, and the test expects it is not")
	}
}
