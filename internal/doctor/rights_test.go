//go:build unix

package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// as returns the clinic as another account of the server sees it, which has these rights.
func (c *clinic) as(d *testdb.Database, rights ...string) (other *clinic, account string) {
	c.t.Helper()
	cfg := d.Config()
	name := "visitor_" + strings.TrimPrefix(cfg.DBName, "larder_test_")
	account = "'" + name + "'@'%'"
	c.exec("CREATE USER " + account + " IDENTIFIED BY 'p'")
	c.t.Cleanup(func() { c.exec("DROP USER " + account) })
	for _, right := range rights {
		c.exec("GRANT " + right + " TO " + account)
	}
	visitor := *c
	visitor.address = fmt.Sprintf("mysql://%s:p@%s/%s", name, cfg.Addr, cfg.DBName)
	return &visitor, account
}

func TestCheckRights_AnAccountThatMayOnlyReadIsToldWhatToGrant(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	c.flags.Prefix = text("app_")
	c.examine().wants("rights", OK, "may SELECT, INSERT, UPDATE and DELETE on cache and cache_locks")

	name := "`" + d.Config().DBName + "`"
	visitor, account := c.as(d, "SELECT ON "+name+".*", "DELETE ON "+name+".cache_locks")
	found := visitor.examine()
	found.wants("rights", Problem, "this account may not INSERT, UPDATE or DELETE on cache →", "GRANT INSERT, UPDATE, DELETE ON "+name+".`cache` TO "+account+";    -- by an administrator")
	found.wants("rights", Problem, "this account may not INSERT or UPDATE on cache_locks →", "GRANT INSERT, UPDATE ON "+name+".`cache_locks` TO "+account+";")
	if found.sum.LeftOut != 0 {
		t.Errorf("it may read, and %d checks were left out", found.sum.LeftOut)
	}
	for _, f := range found.found {
		if f.Check == "rights" {
			c.exec(f.Remedy)
		}
	}
	visitor.examine().all(OK, "rights")
}

// Checks that cannot read would all say the same.
func TestCheckRights_WhoMayNotReadIsToldOnce(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	c.flags.Prefix = text("app_")
	name := "`" + d.Config().DBName + "`"
	visitor, _ := c.as(d, "INSERT ON "+name+".cache", "SELECT, INSERT, UPDATE, DELETE ON "+name+".cache_locks")
	found := visitor.examine()
	found.wants("rights", Problem, "may not SELECT, UPDATE or DELETE on cache")
	found.wants("rights", OK, "DELETE on cache_locks")
	if found.sum.Problems != 1 || found.sum.Warnings != 0 || found.sum.LeftOut == 0 {
		t.Errorf("%+v: %+v", found.sum, found.found)
	}
}

// A server does not tell an account without any right on a table whether the table exists.
func TestCheckTables_OneThatMayBeThereIsNotToBeMigrated(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	visitor, account := c.as(d, "SELECT, INSERT, UPDATE, DELETE ON `"+d.Config().DBName+"`.cache")
	found := visitor.examine()
	found.wants("tables", OK, "cache is there")
	found.wants("tables", Problem, "no table cache_locks, or this account has no right on it",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `"+d.Config().DBName+"`.`cache_locks` TO "+account+";    -- by an administrator; if it says that there is no such table: larder migrate")
	found.wants("rights", OK, "DELETE on cache")
	if found.sum.Problems != 1 {
		t.Errorf("%+v: %+v", found.sum, found.found)
	}
}

func TestCheckTables_AMisspeltNameIsNotToBeMigrated(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.exec("CREATE TABLE old_things (`key` varchar(255) NOT NULL PRIMARY KEY, value text, expiration int)",
			"CREATE TABLE cache_before (`key` varchar(255) NOT NULL PRIMARY KEY, value text, expiration int)")
		for _, tt := range []struct{ flag, variable, remedy string }{
			{"cahce", "", "--table cache    # if a new table is meant: larder migrate"},
			{"", "cahce", "LARDER_TABLE=cache    # or correct LARDER_TABLE; if a new table is meant: larder migrate"},
		} {
			c.flags.Table, c.env = nil, map[string]string{}
			if tt.flag != "" {
				c.flags.Table = &tt.flag
			} else {
				c.env["LARDER_TABLE"] = tt.variable
			}
			d := c.examine()
			d.wants("tables", Problem, "there is no table cahce (from ", "; of its columns there is cache, old_things → "+tt.remedy)
			d.wants("tables", OK, "cache_locks is there")
		}
		c.flags.Table, c.env = nil, map[string]string{}
		c.file(".env", "DB_HOST=h\nDB_DATABASE=d\nCACHE_PREFIX=x\nDB_CACHE_TABLE=chache\nDB_CACHE_LOCK_TABLE=locks")
		d := c.examine()
		d.wants("tables", Problem, "no table chache", "LARDER_TABLE=cache    # or correct .env:4 (DB_CACHE_TABLE); if")
		d.wants("tables", Problem, "no table locks", "of its columns there is cache_locks", "LARDER_LOCK_TABLE=cache_locks    # or correct .env:5 (DB_CACHE_LOCK_TABLE)")

		c.exec("DROP TABLE cache", "DROP TABLE old_things")
		d = c.examine()
		d.wants("tables", Problem, "there is no table chache → larder migrate")
	})
}

// asNobody runs this test again as a user who is not root, and has no rights on what root owns. It reports whether it did.
func asNobody(t *testing.T, dir string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env, cmd.Dir = append(os.Environ(), "LARDER_TEST_FOLDER="+dir), dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return true
}

// An owner who has taken away his own rights is as a stranger is, but for what he is told.
func TestCheckWritable_AFileAndAFolderThatMayNotBeWritten(t *testing.T) {
	root := os.Getenv("LARDER_TEST_FOLDER")
	if root == "" {
		var err error
		if root, err = os.MkdirTemp("", "larder-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "folder"), 0o700); _ = os.RemoveAll(root) })
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"file", "folder", "both"} {
			dir := filepath.Join(root, name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			c := &clinic{t: t, engine: "sqlite", address: "sqlite:" + filepath.Join(dir, "larder.db")}
			s, err := store.Open(c.address)
			if err != nil {
				t.Fatal(err)
			}
			c.db = s.DB().DB
			c.today()
			if name == "both" {
				t.Cleanup(func() { _ = s.Close() }) // its -wal and -shm stay
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for name, mode := range map[string]os.FileMode{
			"file": 0o777, "file/larder.db": 0o444, "folder/larder.db": 0o666, "folder": 0o555,
			"both/larder.db": 0o666, "both/larder.db-wal": 0o666, "both/larder.db-shm": 0o666, "both": 0o555,
		} {
			if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
		if asNobody(t, root) {
			return
		}
	}
	for _, tt := range []struct {
		folder, check string
		status        Status
		what          string
	}{
		{"file", "writable", Problem, "file/larder.db"}, {"folder", "connection", Problem, "folder"}, {"both", "writable", Warning, "both"},
	} {
		c := &clinic{t: t, engine: "sqlite", address: "sqlite:" + filepath.Join(root, tt.folder, "larder.db"), dir: root, env: map[string]string{}}
		path := filepath.Join(root, tt.what)
		remedy := "chmod u+rwX " + path
		if owner := ownerOf(path); owner != whoami() {
			remedy = "sudo -u " + owner + " larder doctor    # as the user whose it is, and as whom PHP should run; or: sudo chown " + whoami() + " " + path
		}
		c.examine().wants(tt.check, tt.status, whoami()+" may ", "→ "+remedy)
	}
}

func TestCheckWritable_AFileThatMayBeWritten(t *testing.T) {
	c := &clinic{t: t, engine: "sqlite", address: "sqlite:" + testdb.SQLite(t), dir: t.TempDir(), env: map[string]string{}}
	c.examine().wants("writable", OK, "larder.db and its folder can be written")
	if f := (&exam{Patient: Patient{Config: &config.Config{Database: config.Setting{Value: c.address}}}}).closedFile(); f != nil {
		t.Errorf("%+v", f)
	}
}
