//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// inSection is a shell command that runs while it holds an advisory lock on the file "section", and leaves a file "overlap" if that is locked
// already. Everything that the command starts has the lock too, so that it lasts until the last one of them is gone, however they end.
func inSection(command string) string {
	return "exec 9>>section; flock -n 9 || { touch overlap; exit 99; }; " + command
}

// untilDone is a shell command that leaves a file "ready" and waits for a file to appear.
func untilDone(file string) string {
	return "touch ready; while ! test -e " + file + "; do sleep 0.05; done"
}

func (s *server) wantNoOverlap() {
	s.t.Helper()
	if s.has("overlap")() {
		s.t.Error("two commands ran at once")
	}
}

// wantSectionFree fails if something that ran in the section is left.
func (s *server) wantSectionFree() {
	s.t.Helper()
	if err := exec.Command("flock", "-n", s.dir+"/section", "true").Run(); err != nil {
		s.t.Errorf("something of the command is left and runs: %v", err)
	}
}

// number reads a number that a command wrote into a file.
func (s *server) number(file string) int64 {
	s.t.Helper()
	text, err := os.ReadFile(s.dir + "/" + file)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// expirationOf returns when the lock's row ends, in Unix seconds.
func expirationOf(t *testing.T, st *store.Store, name string) (expiration int64) {
	t.Helper()
	for lock, err := range st.Locks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if lock.Name == name {
			expiration = lock.Expiration
		}
	}
	return expiration
}

func wantOwner(t *testing.T, st *store.Store, name, want string) {
	t.Helper()
	if owner, err := st.Lock(name, 0).CurrentOwner(t.Context()); err != nil || owner != want {
		t.Errorf("lock %q is held by %q, %v, want %q", name, owner, err, want)
	}
}

// pause stops a process and waits until it has stopped.
func (r *running) pause() {
	r.t.Helper()
	var status syscall.WaitStatus
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		r.t.Fatal(err)
	}
	if _, err := syscall.Wait4(r.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		r.t.Fatalf("it is not stopped: %v, %v", status, err)
	}
}

// Two servers that run a job over and over, and PHP that does the same with Cache::lock, for the same section.
func TestLockRun_NeverTwoAtOnceWithPHPAmongThem(t *testing.T) {
	t.Parallel()
	const rounds = 8
	db := testdb.MySQL(t)
	s, _ := lockServer(t, db.URL())
	php := laravel.OnMySQL(t, db, "app_").Start(t, `
		while ($line = fgets(STDIN)) {
			[$dir, $rounds] = json_decode($line);
			$refused = 0;
			for ($entered = 0; $entered < $rounds;) {
				$lock = $cache->lock('job', 10);
				if (! $lock->get()) { $refused++; touch("$dir/refused"); usleep(random_int(1000, 20000)); continue; }
				$section = fopen("$dir/section", 'a');
				if (! flock($section, LOCK_EX | LOCK_NB)) { touch("$dir/overlap"); }
				usleep(20000);
				fclose($section);
				$entered++;
				if (! $lock->release()) { touch("$dir/overlap"); }
				usleep(random_int(1000, 20000));
			}
			answer($refused);
		}`)
	var servers sync.WaitGroup
	for range 2 {
		servers.Go(func() {
			for range rounds {
				if r := s.process("lock", "run", "job", "--wait", "60s", "--", "sh", "-c", inSection("echo >>entered; until [ -e refused ]; do sleep 0.02; done; sleep 0.1")); r.code != 0 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	eventually(t, "a server is at work", s.has("entered")) // and stays until PHP has been refused
	var refused int
	php.Ask(t, &refused, []any{s.dir, 3 * rounds})
	servers.Wait()
	s.wantNoOverlap()
	if entered, _ := os.ReadFile(s.dir + "/entered"); len(entered) != 2*rounds {
		t.Errorf("the servers have entered %d times, want %d", len(entered), 2*rounds)
	}
	if refused == 0 {
		t.Error("PHP never had to wait: the servers were not there at the same time")
	}
}

// The holder is killed, and its command is a script with a program of its own at work. Both are gone at once, and the waiting ones, a larder and a
// PHP, get the lock when its TTL is over and not before.
func TestLockRun_KilledHolderTakesAllItStartedAlong(t *testing.T) {
	t.Parallel()
	db := testdb.MySQL(t)
	s, st := lockServer(t, db.URL())
	php := laravel.OnMySQL(t, db, "app_").Start(t, `
		while ($dir = json_decode(fgets(STDIN))) {
			$lock = $cache->lock('job', 60);
			$lock->block(60);
			$since = time();
			$section = fopen("$dir/section", 'a');
			if (! flock($section, LOCK_EX | LOCK_NB)) { touch("$dir/overlap"); }
			fclose($section);
			$lock->release();
			answer($since);
		}`)
	holder := s.start("lock", "run", "job", "--ttl", "12s", "--", "sh", "-c", inSection(`sh -c 'trap "" TERM HUP; touch ready; sleep 300; true' & wait`))
	eventually(t, "the command runs", s.has("ready"))
	waiter := s.start("lock", "run", "job", "--wait", "60s", "--", "sh", "-c", inSection("date +%s >since"))
	if err := holder.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = holder.cmd.Process.Wait()
	ends := expirationOf(t, st, "job")
	eventually(t, "all that the command has started is gone, while the lock lasts", func() bool {
		return exec.Command("flock", "-n", s.dir+"/section", "true").Run() == nil
	})
	if now := time.Now().Unix(); now >= ends {
		t.Errorf("it was gone at %d, and the lock ended at %d", now, ends)
	}
	var phpSince int64
	php.Ask(t, &phpSince, s.dir)
	waiter.wantExit(0, "")
	s.wantNoOverlap()
	for who, since := range map[string]int64{"PHP": phpSince, "larder": s.number("since")} {
		if since < ends || since > ends+40 {
			t.Errorf("%s has the lock at %d, want it from %d on", who, since, ends)
		}
	}
}

// On SQLite as well, and PHP as the one that dies: it does not release its lock.
func TestLockRun_WaitsForTheTTLOfAHolderThatDied(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]func(t *testing.T) (*server, *store.Store){
		"PHP on MySQL": func(t *testing.T) (*server, *store.Store) {
			db := testdb.MySQL(t)
			s, st := lockServer(t, db.URL())
			var got bool
			if laravel.OnMySQL(t, db, "app_").Ask(t, &got, `answer($cache->lock('job', 3)->get());`); !got {
				t.Fatal("PHP does not get the lock")
			}
			return s, st
		},
		"larder on SQLite": func(t *testing.T) (*server, *store.Store) {
			s, st := lockServer(t, "sqlite:"+testdb.SQLite(t))
			holder := s.start("lock", "run", "job", "--ttl", "3s", "--", "sh", "-c", untilDone("never"))
			eventually(t, "the command runs", s.has("ready"))
			_ = holder.cmd.Process.Kill()
			_, _ = holder.cmd.Process.Wait()
			return s, st
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, st := die(t)
			ends := expirationOf(t, st, "job")
			if r := s.process("lock", "run", "job", "--wait", "60s", "--", "sh", "-c", "date +%s >since"); r.code != 0 {
				t.Errorf("%+v", r)
			}
			if since := s.number("since"); since < ends || since > ends+40 {
				t.Errorf("it has the lock at %d, want it from %d on", since, ends)
			}
		})
	}
}

// While the holder is stopped nobody can end its command: that is the window that docs/locks.md tells of. It closes when the holder goes on.
func TestLockRun_StoppedBeyondItsTTLKillsItsCommandWhenItGoesOn(t *testing.T) {
	t.Parallel()
	s, st := lockServer(t, testdb.MySQL(t).URL())
	holder := s.start("lock", "run", "job", "--ttl", "6s", "--", "sh", "-c", inSection(untilDone("never")+"; touch after"))
	eventually(t, "the command runs", s.has("ready"))
	holder.pause()
	if err := os.Remove(s.dir + "/ready"); err != nil {
		t.Fatal(err)
	}
	next := s.start("lock", "run", "job", "--wait", "60s", "--", "sh", "-c", untilDone("done")+"; exit 8")
	eventually(t, "the next one has the lock after the TTL", s.has("ready"))
	owner, err := st.Lock("job", 0).CurrentOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	_ = holder.cmd.Process.Signal(syscall.SIGCONT)
	holder.wantExit(exitError, "lock is lost")
	s.wantSectionFree()
	if s.has("after")() {
		t.Error("the command went on")
	}
	wantOwner(t, st, "job", owner) // which the one that lost it has not released
	s.file("done", "")
	next.wantExit(8, "")
	wantOwner(t, st, "job", "")
}

// refuse stands in for a server that is down until somebody has tried to reach it and has given up.
func refuse(t *testing.T, address string) {
	t.Helper()
	down, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = down.Close() }()
	for {
		conn, err := down.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = down.(*net.TCPListener).SetDeadline(time.Now().Add(time.Second)) // longer than pauses between repetitions
	}
}

func TestLockRun_DatabaseThatCrashes(t *testing.T) {
	t.Parallel()
	server := testdb.Private(t)
	db := server.Database(t)
	s, st := lockServer(t, db.URL())

	t.Log("for less than the TTL: the command goes on to its end")
	holder := s.start("lock", "run", "kept", "--ttl", "30s", "--", "sh", "-c", untilDone("kept")+"; exit 7")
	eventually(t, "the command runs", s.has("ready"))
	before := expirationOf(t, st, "kept")
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	refuse(t, db.Config().Addr)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lock is renewed by the restarted server", func() bool { return expirationOf(t, st, "kept") > before })
	s.file("kept", "")
	holder.wantExit(7, "")
	wantOwner(t, st, "kept", "")

	t.Log("for longer: the lock counts as lost by the holder's own clock")
	start := func(name string, args ...string) *running {
		_ = os.Remove(s.dir + "/ready")
		r := s.start(append([]string{"lock", "run", name}, args...)...)
		eventually(t, "the command runs", s.has("ready"))
		return r
	}
	ends := start("ends", "--ttl", "2m", "--", "sh", "-c", untilDone("done")+"; exit 9")
	warned := start("warned", "--ttl", "3s", "--on-lost", "warn", "--", "sh", "-c", untilDone("done")+"; exit 5")
	killed := start("killed", "--ttl", "3s", "--", "sh", "-c", inSection(untilDone("never")))
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	killed.wantExit(exitError, "lock is lost")
	s.wantSectionFree()
	if r := s.process("lock", "run", "killed", "--wait", "60s", "--", "true"); r.code != exitError {
		t.Errorf("with the database down: %+v", r)
	}
	s.file("done", "")
	warned.wantExit(5, "the command goes on and may overlap")
	ends.wantExit(9, "the lock ends by itself within 2m")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]int{"killed": 0, "warned": 0, "ends": exitNo} {
		if r := s.process("lock", "run", name, "--", "true"); r.code != code {
			t.Errorf("lock %q after the restart: %+v, want exit %d", name, r, code)
		}
	}
}

// A lost lock ends the programs of a script too, also those that do not want to, and TERM reaches a command that is stopped.
func TestLockRun_LostLockEndsAllThatTheCommandStarted(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"a program that ignores TERM": `sh -c 'trap "" TERM; touch ready; sleep 300; sleep 300' & wait`,
		"a program that is stopped":   `sh -c 'touch ready; kill -STOP $$; sleep 300' & wait`,
		"a command that is stopped":   `sh -c 'touch ready; sleep 300' & kill -STOP $$; wait`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, st := lockServer(t, "sqlite:"+testdb.SQLite(t))
			r := s.start("lock", "run", "job", "--ttl", "4s", "--grace", "60s", "--", "sh", "-c", inSection(command))
			eventually(t, "the command runs", s.has("ready"))
			began := time.Now()
			if gone, err := st.Lock("job", 0).ForceRelease(t.Context()); err != nil || !gone {
				t.Fatalf("force release: %t, %v", gone, err)
			}
			r.wantExit(exitError, "lock is lost")
			s.wantSectionFree()
			if took := time.Since(began); took > 50*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestLockRun_NoGraceIsKillAtOnce(t *testing.T) {
	t.Parallel()
	s, st := lockServer(t, "sqlite:"+testdb.SQLite(t))
	r := s.start("lock", "run", "job", "--ttl", "4s", "--grace", "0", "--", "sh", "-c", `trap "touch asked" TERM; `+untilDone("never"))
	eventually(t, "the command runs", s.has("ready"))
	if _, err := st.Lock("job", 0).ForceRelease(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantExit(exitError, "lock is lost")
	if s.has("asked")() {
		t.Error("the command was asked to end")
	}
}

func TestLockRun_PassesBytesThrough(t *testing.T) {
	t.Parallel()
	s, _ := lockServer(t, "sqlite:"+testdb.SQLite(t))
	in := make([]byte, 1<<20)
	_, _ = rand.Read(in)
	var out bytes.Buffer
	r := s.prepare("lock", "run", "job", "--", "cat")
	r.cmd.Stdin, r.cmd.Stdout = bytes.NewReader(in), &out
	r.begin()
	r.wantExit(0, "")
	if !bytes.Equal(in, out.Bytes()) {
		t.Errorf("%d bytes come out, not the %d that went in", out.Len(), len(in))
	}
}

// Under nohup SIGHUP is ignored, and in the background of a script SIGINT: by larder and by the command.
func TestLockRun_IgnoredSignalsStayIgnored(t *testing.T) {
	t.Parallel()
	s, _ := lockServer(t, "sqlite:"+testdb.SQLite(t))
	r := s.prepare("lock", "run", "job", "--", "sh", "-c", `trap "exit 4" USR1; `+untilDone("never"))
	r.cmd.Args = append([]string{"sh", "-c", `trap "" HUP INT; exec "$@"`, "sh", r.cmd.Path}, r.cmd.Args[1:]...)
	var err error
	if r.cmd.Path, err = exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	r.begin()
	eventually(t, "the command runs", s.has("ready"))
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR1} {
		_ = r.cmd.Process.Signal(signal)
	}
	r.wantExit(4, "")
}

func TestLockRun_InterruptedWhileItWaitsRunsNothing(t *testing.T) {
	t.Parallel()
	address := testdb.MySQL(t).URL()
	s := newServer(t, address, "LARDER_PREFIX=app_")
	for _, args := range [][]string{{"migrate"}, {"lock", "acquire", "job", "--ttl", "1h", "--owner", "other"}} {
		if r := s.process(args...); r.code != 0 {
			t.Fatalf("%+v", r)
		}
	}
	db := openDatabase(t, address)
	connected := func() (n int) {
		err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()").Scan(&n)
		if err != nil && !testdb.IsUnlistable(err) {
			t.Fatal(err)
		}
		return n
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		eventually(t, "nobody is connected", func() bool { return connected() == 0 })
		r := s.start("lock", "run", "job", "--wait", "1h", "--", "touch", "ran")
		eventually(t, "it asks for the lock", func() bool { return connected() > 0 })
		_ = r.cmd.Process.Signal(signal)
		r.wantExit(exitError, `interrupted while waiting for lock "job"`)
	}
	if s.has("ran")() {
		t.Error("the command ran")
	}
	s.want(0, "", "lock", "release", "job", "--owner", "other")
}
