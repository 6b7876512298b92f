//go:build unix

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
)

// The scripts of docs/locks.md run, and its PHP, one after the other on one database.
func TestDocs_LocksAreAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/locks.md")
	if err != nil {
		t.Fatal(err)
	}
	db := testdb.MySQL(t)
	s, st := lockServer(t, db.URL())
	s.file("orders.csv", "2\n1\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, s.dir+"/larder"); err != nil {
		t.Fatal(err)
	}
	s.file("php", "#!/bin/sh\necho \"$@\" >>artisan\n")
	if err := os.Chmod(s.dir+"/php", 0o700); err != nil {
		t.Fatal(err)
	}
	app := laravel.OnMySQL(t, db, "app_")
	ran := map[string]int{}
	for _, m := range regexp.MustCompile("(?s)```(sh|php)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		language, block := m[1], m[2]
		ran[language]++
		if language == "php" {
			app.Run(t, strings.ReplaceAll(block, "Cache::", "$cache->"))
			continue
		}
		cmd := exec.Command("sh", "-e", "-c", block)
		cmd.Dir, cmd.Env = s.dir, append(s.env, "PATH="+s.dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s%s%v", block, out, err)
		}
	}
	if ran["sh"] != 3 || ran["php"] != 2 || !s.has("artisan")() {
		t.Errorf("blocks: %v", ran)
	}
	for lock, err := range st.Locks(t.Context()) {
		t.Errorf("lock %q is left, %v", lock.Name, err)
	}
}
