package main

import (
	"bytes"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/larder-cache/larder/internal/testdb"
)

// envMain makes the test binary be larder, so that tests can run it as processes of its own.
const envMain = "LARDER_TEST_MAIN"

// atOnce has a larder that was built with -race end without waiting for a second first, as the detector has it by default.
const atOnce = "atexit_sleep_ms=0"

// patience is how long a test waits for what another process does before it fails: far longer than that takes, also on a machine with more to do.
const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(envMain) != "" {
		main()
		return
	}
	testscript.Main(withServers{m}, map[string]func(){"larder": main})
}

// withServers stops the database servers that tests have started.
type withServers struct{ m *testing.M }

func (w withServers) Run() int {
	ignoreNothing()
	return testdb.Run(w.m)
}

// ignoreNothing has child processes heed what this one ignores, perhaps since it was started under nohup. Some tests send it to them.
func ignoreNothing() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// A server is a machine that larder runs on: a folder of its own, and variables.
type server struct {
	t   *testing.T
	dir string
	env []string
}

// newServer returns a server whose larder uses the database, with further variables as NAME=value.
func newServer(t *testing.T, database string, env ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), env: append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), envMain + "=1", "GORACE=" + atOnce}, env...)}
	if database != "" {
		s.env = append(s.env, "LARDER_DATABASE="+database)
	}
	return s
}

// file writes a file into the server's folder.
func (s *server) file(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.dir+"/"+name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// A result is what one run of larder left behind.
type result struct {
	stdout, stderr string
	code           int
}

// larder runs one command line in this process.
func (s *server) larder(args ...string) result { return s.larderWith("", args...) }

// larderWith is larder with standard input.
func (s *server) larderWith(stdin string, args ...string) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(s.t.Context(), args, environment{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, lookupEnv: s.lookupEnv, dir: s.dir,
	})
	return result{stdout.String(), stderr.String(), code}
}

func (s *server) lookupEnv(name string) (string, bool) {
	for _, v := range s.env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// process runs one command line as a process of its own.
func (s *server) process(args ...string) result {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// together runs one command line in several processes at once.
func (s *server) together(processes int, args ...string) []result {
	var wg sync.WaitGroup
	results := make([]result, processes)
	for i := range results {
		wg.Go(func() { results[i] = s.process(args...) })
	}
	wg.Wait()
	return results
}

// want runs one command line and checks its exit status and what it prints on standard output.
func (s *server) want(code int, stdout string, args ...string) {
	s.t.Helper()
	r := s.larder(args...)
	if r.code != code || r.stdout != stdout {
		s.t.Errorf("larder %s: exit %d, %q, want exit %d, %q\n%s", strings.Join(args, " "), r.code, r.stdout, code, stdout, r.stderr)
	}
}

// wantError runs one command line and checks its exit status and that standard error says all of the given texts.
func (s *server) wantError(code int, args []string, says ...string) {
	s.t.Helper()
	r := s.larder(args...)
	if r.code != code {
		s.t.Errorf("larder %s: exit %d, want %d\n%s", strings.Join(args, " "), r.code, code, r.stderr)
	}
	for _, text := range says {
		if !strings.Contains(r.stderr, text) {
			s.t.Errorf("larder %s: standard error does not say %q:\n%s", strings.Join(args, " "), text, r.stderr)
		}
	}
}

// openDatabase returns a connection of the test's own to a database, by its address.
func openDatabase(t *testing.T, database string) *sql.DB {
	t.Helper()
	path, sqlite := strings.CutPrefix(database, "sqlite:")
	driver, dsn := "sqlite", path
	if !sqlite {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		cfg := mysql.NewConfig()
		cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		cfg.Passwd, _ = u.User.Password()
		driver, dsn = "mysql", cfg.FormatDSN()
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// onEachEngine runs a test against a MySQL and a SQLite database, both empty.
func onEachEngine(t *testing.T, test func(t *testing.T, database string)) {
	t.Run("MySQL", func(t *testing.T) { test(t, testdb.MySQL(t).URL()) })
	t.Run("SQLite", func(t *testing.T) { test(t, "sqlite:"+testdb.SQLite(t)) })
}
