// Package laravel runs PHP scripts against a real Laravel's database cache, so that tests can hold larder to it.
package laravel

import (
	_ "embed"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

//go:embed boot.php
var boot string

// An App is a Laravel application with one database and one cache prefix.
type App struct {
	Prefix string
	env    []string
}

// OnMySQL returns an application on a test's MySQL or MariaDB database.
func OnMySQL(tb testing.TB, db *testdb.Database, prefix string) *App {
	tb.Helper()
	cfg := db.Config()
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	return newApp(prefix, "DRIVER=mysql", "HOST="+host, "PORT="+port, "DATABASE="+cfg.DBName, "USERNAME="+cfg.User, "PASSWORD="+cfg.Passwd)
}

// OnSQLite returns an application on a SQLite file, which must exist when a script runs.
func OnSQLite(path, prefix string) *App {
	return newApp(prefix, "DRIVER=sqlite", "DATABASE="+path)
}

func newApp(prefix string, settings ...string) *App {
	a := &App{Prefix: prefix, env: append(os.Environ(), "LARAVEL_PREFIX="+prefix)}
	for _, s := range settings {
		a.env = append(a.env, "LARAVEL_"+s)
	}
	return a
}

// Run executes a PHP script that finds $cache, $store, $conn and $schema ready, and returns what it prints. The test fails if the
// script does, or if PHP or Laravel is not installed.
func (a *App) Run(tb testing.TB, script string) string {
	tb.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		tb.Fatal("no PHP for the tests with a real Laravel: install it with:  make test-deps")
	}
	dir := tb.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	cmd := exec.Command(php, "-d", "auto_prepend_file="+write("boot.php", boot), write("script.php", "<?php\n"+script))
	cmd.Env = a.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("Laravel: %v\n%s%s\n(if its packages are missing:  make test-deps)\nscript:\n%s", err, out, stderr.String(), script)
	}
	return string(out)
}

// Ask runs a script that calls answer() once, and decodes the answer into dst.
func (a *App) Ask(tb testing.TB, dst any, script string) {
	tb.Helper()
	out := a.Run(tb, script)
	if err := json.Unmarshal([]byte(out), dst); err != nil {
		tb.Fatalf("Laravel answered %q: %v", out, err)
	}
}

// Version returns the version of the Laravel components, as their packages tell it: "8.83.26".
func Version(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "php-illuminate-cache").Output()
	if err != nil {
		tb.Fatalf("version of php-illuminate-cache: %v", err)
	}
	version, _, _ := strings.Cut(string(out), "+")
	return version
}
