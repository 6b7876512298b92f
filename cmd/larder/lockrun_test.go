//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// A running is a larder that runs as a process of its own.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *text
}

// A text is what a process that runs has written.
type text struct {
	mu      sync.Mutex
	written strings.Builder
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.String()
}

// start runs one command line without waiting for its end.
func (s *server) start(args ...string) *running {
	s.t.Helper()
	r := s.prepare(args...)
	r.begin()
	return r
}

// prepare is start without the start.
func (s *server) prepare(args ...string) *running {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	r := &running{t: s.t, cmd: exec.Command(self, args...), stderr: new(text)}
	r.cmd.Dir, r.cmd.Env, r.cmd.Stderr = s.dir, s.env, r.stderr
	return r
}

// begin starts what was prepared.
func (r *running) begin() {
	r.t.Helper()
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = r.cmd.Process.Kill(); _, _ = r.cmd.Process.Wait() })
}

func (r *running) wantExit(code int, says string) {
	r.t.Helper()
	_ = r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(r.stderr.String(), says) {
		r.t.Errorf("exit %d, %q, want exit %d and %q", got, r.stderr, code, says)
	}
}

func (r *running) wantSays(text string) {
	r.t.Helper()
	if !strings.Contains(r.stderr.String(), text) {
		r.t.Errorf("it says %q, want %q", r.stderr, text)
	}
}

// eventually waits until the condition holds, for what another process does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func (s *server) has(file string) func() bool {
	return func() bool { _, err := os.Stat(s.dir + "/" + file); return err == nil }
}

func lockServer(t *testing.T, database string) (*server, *store.Store) {
	s := newServer(t, database, "LARDER_PREFIX=app_")
	if r := s.larder("migrate"); r.code != 0 {
		t.Fatalf("migrate: %+v", r)
	}
	st, err := store.Open(database, store.WithPrefix("app_"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return s, st
}

func TestLockRun_ForwardsSignalsAndGivesTheLockBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, st := lockServer(t, database)
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
			_ = os.Remove(s.dir + "/ready")
			r := s.start("lock", "run", "job", "--", "sh", "-c", `trap "exit 42" INT TERM HUP QUIT USR1 USR2; touch ready; while :; do sleep 0.05; done`)
			eventually(t, "the command runs", s.has("ready"))
			_ = r.cmd.Process.Signal(signal)
			r.wantExit(42, "")
			if owner, err := st.Lock("job", 0).CurrentOwner(t.Context()); err != nil || owner != "" {
				t.Errorf("after %s the lock is held by %q, %v", signal, owner, err)
			}
		}
	})
}

func TestLockRun_LostLockEndsTheCommand(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, database string) {
		s, st := lockServer(t, database)
		lose := func() {
			t.Helper()
			eventually(t, "the command runs", s.has("ready"))
			if gone, err := st.Lock("job", 0).ForceRelease(t.Context()); err != nil || !gone {
				t.Fatalf("force release: %t, %v", gone, err)
			}
		}
		r := s.start("lock", "run", "job", "--ttl", "4s", "--", "sh", "-c", "touch ready; sleep 60; touch after")
		lose()
		r.wantExit(exitError, "lock is lost")
		if s.has("after")() {
			t.Error("the command went on")
		}

		_ = os.Remove(s.dir + "/ready")
		r = s.start("lock", "run", "job", "--ttl", "4s", "--grace", "200ms", "--", "sh", "-c", `trap "" TERM; touch ready; while :; do sleep 0.05; done`)
		lose()
		r.wantExit(exitError, "killing it")

		_ = os.Remove(s.dir + "/ready")
		r = s.start("lock", "run", "job", "--ttl", "4s", "--on-lost", "warn", "--", "sh", "-c", untilDone("warned")+"; exit 5")
		lose()
		eventually(t, "it warns", func() bool { return strings.Contains(r.stderr.String(), "goes on") })
		s.file("warned", "")
		r.wantExit(5, "goes on")
	})
}

func TestLockRun_OneOfManyRunsAtATime(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, _ := lockServer(t, database)
		for _, r := range s.together(6, "lock", "run", "job", "--wait", "60s", "--", "sh", "-c", "mkdir inside && sleep 0.1 && rmdir inside") {
			if r.code != 0 {
				t.Errorf("two ran at once, or one did not get the lock: %+v", r)
			}
		}
	})
}

func TestLock_ExcludesLaravelsAndIsExcludedByIt(t *testing.T) {
	db := testdb.MySQL(t)
	s, _ := lockServer(t, db.URL())
	app := laravel.OnMySQL(t, db, "app_")
	var got bool
	app.Ask(t, &got, `answer($cache->lock('job', 60, 'php')->get());`)
	if !got {
		t.Fatal("Laravel does not get the lock")
	}
	s.wantError(exitNo, []string{"lock", "run", "job", "--", "true"}, `held by "php"`)
	s.want(0, "", "lock", "release", "job", "--owner", "php")
	r := s.start("lock", "run", "job", "--", "sh", "-c", "touch ready; while ! test -e done; do sleep 0.05; done")
	eventually(t, "the command runs", s.has("ready"))
	app.Ask(t, &got, `answer($cache->lock('job', 60)->get());`)
	if got {
		t.Error("Laravel gets a lock that lock run holds")
	}
	s.file("done", "")
	r.wantExit(0, "")
	app.Ask(t, &got, `answer($cache->lock('job', 60)->get());`)
	if !got {
		t.Error("Laravel does not get the lock after lock run")
	}
}

// It said "unknown shorthand flag: 'c' in -c", and no more.
func TestLockRun_FlagsOfTheCommandBeforeTheDashesSayWhereTheyGo(t *testing.T) {
	s := newServer(t, "sqlite:"+testdb.SQLite(t))
	s.wantError(2, []string{"lock", "run", "n", "sh", "-c", "true"}, "'c' in -c", "behind --, as in larder lock run NAME -- command")
	s.wantError(2, []string{"lock", "run", "n", "php", "--version"}, "unknown flag: --version", "behind --")
	s.wantError(2, []string{"lock", "run", "n", "--wiat", "5s"}, "did you mean --wait?")
}
