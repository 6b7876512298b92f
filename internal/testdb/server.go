package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A Server is a MariaDB or MySQL server that the tests may do anything to.
type Server struct {
	cfg  *mysql.Config
	pid  int
	stop func()

	start  func() (*exec.Cmd, <-chan struct{}, error) // of a private server, on its data
	exited <-chan struct{}
}

// Stop ends the server and removes its files. A server that was there before the tests is left alone.
func (s *Server) Stop() { s.stop() }

// PID returns the process id of a private server, for tests that kill or pause it; 0 for any other.
func (s *Server) PID() int { return s.pid }

// Crash kills a private server as a machine that fails does. Its data stay for [Server.Restart].
func (s *Server) Crash() error {
	process, err := os.FindProcess(s.pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	<-s.exited
	return nil
}

// Restart starts a private server again that crashed, at the same address, and waits until it answers.
func (s *Server) Restart() error {
	cmd, exited, err := s.start()
	if err != nil {
		return err
	}
	s.pid, s.exited = cmd.Process.Pid, exited
	return waitReady(s.cfg, exited)
}

// findDaemon returns the server program to start, MariaDB's first. /usr/sbin is where Debian puts them, and is not
// on every user's PATH.
func findDaemon() string {
	for _, name := range []string{"mariadbd", "mysqld"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if path := filepath.Join("/usr/sbin", name); isExecutable(path) {
			return path
		}
	}
	return ""
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// unsafeButFast trades durability, which a throwaway server does not need, for start-up and write time.
var unsafeButFast = []string{
	"--innodb-flush-log-at-trx-commit=2",
	"--innodb-flush-method=nosync",
	"--innodb-doublewrite=0",
	"--innodb-buffer-pool-size=64M",
	"--skip-log-bin",
	"--performance-schema=0",
	"--innodb-fast-shutdown=2",
}

// StartPrivate starts a throwaway server from the given mariadbd or mysqld program, with further options at will,
// and waits until it answers. Its data lives in a temporary folder.
func StartPrivate(daemon string, options ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "larder-testdb-")
	if err != nil {
		return nil, err
	}
	s, err := startPrivate(daemon, dir, options)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func startPrivate(daemon, dir string, options []string) (*Server, error) {
	data := filepath.Join(dir, "data")
	if err := initialize(daemon, data); err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "log")
	args := append([]string{
		"--no-defaults",
		"--datadir=" + data,
		"--socket=" + filepath.Join(dir, "s"), // short: a socket's path may have 107 bytes
		"--pid-file=" + filepath.Join(dir, "pid"),
		"--tmpdir=" + dir, // its own: a server that starts deletes the temporary tables that it finds there
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--port=%d", port),
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_unicode_ci",
	}, unsafeButFast...)
	args = append(args, asRoot()...)
	args = append(args, options...)

	s := &Server{start: func() (*exec.Cmd, <-chan struct{}, error) { return run(daemon, args, logPath) }}
	cmd, exited, err := s.start()
	if err != nil {
		return nil, err
	}
	s.pid, s.exited = cmd.Process.Pid, exited
	s.stop = func() {
		select {
		case <-s.exited: // the process id may be another's by now
		default:
			_ = s.Crash() // nothing in it is worth a clean shutdown
		}
		_ = os.RemoveAll(dir)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr = "root", "unix", filepath.Join(dir, "s")
	if err := waitReady(cfg, exited); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s did not come up: %w%s", daemon, err, tail(logPath))
	}
	if err := createAccount(cfg); err != nil {
		s.stop()
		return nil, err
	}
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = account, password, "tcp", fmt.Sprintf("127.0.0.1:%d", port)
	s.cfg = cfg
	return s, nil
}

// run starts the program, whose output is added to the log.
func run(daemon string, args []string, logPath string) (*exec.Cmd, <-chan struct{}, error) {
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = logFile.Close() }()
	cmd := exec.Command(daemon, args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	exited, err := startTied(cmd)
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", daemon, err)
	}
	return cmd, exited, nil
}

// The account that tests use has a password with every character that an address must escape.
const account, password = "larder", "p@ss:w/ör d?&%"

func createAccount(cfg *mysql.Config) error {
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		"CREATE USER '" + account + "'@'127.0.0.1' IDENTIFIED BY '" + password + "'",
		"GRANT ALL ON *.* TO '" + account + "'@'127.0.0.1' WITH GRANT OPTION",
	} {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("create the test account: %w", err)
		}
	}
	return nil
}

// initialize creates an empty data folder. MariaDB brings a script for it, MySQL's server does it itself.
func initialize(daemon, data string) error {
	var cmd *exec.Cmd
	if script := besides(daemon, "mariadb-install-db"); script != "" && strings.Contains(filepath.Base(daemon), "maria") {
		cmd = exec.Command(script, append([]string{
			"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db",
			"--innodb-flush-method=nosync",
		}, asRoot()...)...)
	} else {
		cmd = exec.Command(daemon, append([]string{
			"--no-defaults", "--initialize-insecure", "--datadir=" + data, "--innodb-flush-method=nosync",
		}, asRoot()...)...)
	}
	// Its own folder for temporary tables: another server that starts deletes those that it finds in a shared one.
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(data))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create the data folder with %s: %w\n%s", cmd.Path, err, out)
	}
	return nil
}

// besides finds a helper program on PATH or next to the server's own folder.
func besides(daemon, name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{filepath.Dir(daemon), filepath.Join(filepath.Dir(daemon), "../bin"), "/usr/bin"} {
		if path := filepath.Join(dir, name); isExecutable(path) {
			return path
		}
	}
	return ""
}

// asRoot is what the servers want to hear before they run as root, as they do in a container.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// startTied starts the program so that it dies with this process, even when the tests are killed, where a system has that. The kernel
// sends the signal when the thread that started the child ends, so that thread is kept for as long as the child lives.
func startTied(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	tie(cmd)
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(done)
	}()
	return done, <-started
}

func waitReady(cfg *mysql.Config, exited <-chan struct{}) error {
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		// A connection refused is expected here; the driver's own logger would print each.
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it exited")
		case <-ctx.Done():
			return err
		case <-time.After(25 * time.Millisecond):
		}
	}
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	const keep = 2000
	if len(text) > keep {
		text = text[len(text)-keep:]
	}
	return "\n" + string(text)
}
