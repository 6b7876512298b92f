//go:build unix

package doctor

import (
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
