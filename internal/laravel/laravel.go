// Package laravel runs PHP scripts against a real Laravel's database cache, so that tests can hold larder to it.
package laravel

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

//go:embed boot.php
var boot string

// EnvPeer is the beginning of the variables that tell where a second Debian with another Laravel is: LARDER_TEST_LARAVEL10 and
// LARDER_TEST_LARAVEL13 hold a folder made by scripts/peer-folder.sh. A script runs in it by chroot, for which it takes root.
const EnvPeer = "LARDER_TEST_LARAVEL"

// A Release is a version of Laravel that scripts can run on.
type Release struct {
	major int
	root  string // the folder of its Debian, "" for this machine's own
}

// host is what this machine's own packages are: Laravel 8 on Debian 12.
var host = Release{}

// Releases returns this machine's own Laravel, and the ones that the environment names. make test-peers names all that it could install.
func Releases() []Release {
	releases := []Release{host}
	for _, major := range []int{10, 13} {
		if root := os.Getenv(EnvPeer + strconv.Itoa(major)); root != "" {
			releases = append(releases, Release{major, root})
		}
	}
	return releases
}

// String returns a name for subtests: "Laravel", "Laravel13".
func (r Release) String() string {
	if r == host {
		return "Laravel"
	}
	return "Laravel" + strconv.Itoa(r.major)
}

// Version returns the version of the Laravel components, as their packages tell it: "8.83.26".
func (r Release) Version(tb testing.TB) string {
	tb.Helper()
	out, err := r.command("/usr/bin/dpkg-query", "-W", "-f", "${Version}", "php-illuminate-cache").Output()
	if err != nil {
		tb.Fatalf("version of php-illuminate-cache: %v%s", err, r.hint())
	}
	version, _, _ := strings.Cut(string(out), "+")
	return version
}

// Since tells whether this is version major.minor or later, for what a test may expect of it.
func (r Release) Since(tb testing.TB, major, minor int) bool {
	tb.Helper()
	version := r.Version(tb)
	var isMajor, isMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &isMajor, &isMinor); err != nil {
		tb.Fatalf("version of php-illuminate-cache is %q: %v", version, err)
	}
	return isMajor > major || isMajor == major && isMinor >= minor
}

// TempDir returns a folder that both the test and the release's scripts can reach, removed when the test ends. A path in it is the test's;
// the package translates it for PHP.
func (r Release) TempDir(tb testing.TB) string {
	tb.Helper()
	if r == host {
		return tb.TempDir()
	}
	dir, err := os.MkdirTemp(filepath.Join(r.root, "srv"), "larder-")
	if err != nil {
		tb.Fatalf("%v%s", err, r.hint())
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// inside is what the release's scripts call a path from its TempDir.
func (r Release) inside(path string) string { return strings.TrimPrefix(path, r.root) }

func (r Release) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	if r != host {
		chroot(cmd, r.root)
	}
	return cmd
}

// hint is what to do if a script or a program does not run at all.
func (r Release) hint() string {
	switch {
	case r == host:
		return "\n(if its packages are missing:  make test-deps)"
	case os.Geteuid() != 0:
		return "\n(" + r.String() + " runs by chroot in " + r.root + ", which takes root)"
	}
	return "\n(" + r.String() + " is expected in " + r.root + ":  make test-peers)"
}

// An App is a Laravel application with one database and one cache prefix.
type App struct {
	Prefix  string
	Release Release
	env     []string
}

// OnMySQL returns an application of this machine's own Laravel on a test's MySQL or MariaDB database.
func OnMySQL(tb testing.TB, db *testdb.Database, prefix string) *App {
	tb.Helper()
	return host.OnMySQL(tb, db, prefix)
}

// OnSQLite returns an application of this machine's own Laravel on a SQLite file, which must exist when a script runs.
func OnSQLite(path, prefix string) *App { return host.OnSQLite(path, prefix) }

// OnMySQL is the function of that name for this release.
func (r Release) OnMySQL(tb testing.TB, db *testdb.Database, prefix string) *App {
	tb.Helper()
	cfg := db.Config()
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	return r.newApp(prefix, "DRIVER=mysql", "HOST="+host, "PORT="+port, "DATABASE="+cfg.DBName, "USERNAME="+cfg.User, "PASSWORD="+cfg.Passwd)
}

// OnSQLite is the function of that name for this release. The file must be in its TempDir.
func (r Release) OnSQLite(path, prefix string) *App {
	return r.newApp(prefix, "DRIVER=sqlite", "DATABASE="+r.inside(path))
}

func (r Release) newApp(prefix string, settings ...string) *App {
	a := &App{Prefix: prefix, Release: r, env: append(os.Environ(), "LARAVEL_PREFIX="+prefix)}
	for _, s := range settings {
		a.env = append(a.env, "LARAVEL_"+s)
	}
	return a
}

// Run executes a PHP script that finds $cache, $store, $conn, $schema and $migration ready, and returns what it prints. The test fails if
// the script does, or if PHP or Laravel is not installed.
func (a *App) Run(tb testing.TB, script string) string {
	tb.Helper()
	cmd := a.script(tb, script)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v: %v\n%s%s%s\nscript:\n%s", a.Release, err, out, stderr.String(), a.Release.hint(), script)
	}
	return string(out)
}

// script returns the command that executes a PHP script.
func (a *App) script(tb testing.TB, script string) *exec.Cmd {
	tb.Helper()
	dir := a.Release.TempDir(tb)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		return a.Release.inside(path)
	}
	php := "php"
	if a.Release != host {
		php = "/usr/bin/php" // inside of the folder, where PATH is not searched
	}
	cmd := a.Release.command(php, "-d", "auto_prepend_file="+write("boot.php", boot), write("script.php", "<?php\n"+script))
	cmd.Env = a.env
	return cmd
}

// Ask runs a script that calls answer() once, and decodes the answer into dst.
func (a *App) Ask(tb testing.TB, dst any, script string) {
	tb.Helper()
	out := a.Run(tb, script)
	if err := json.Unmarshal([]byte(out), dst); err != nil {
		tb.Fatalf("Laravel answered %q: %v", out, err)
	}
}
