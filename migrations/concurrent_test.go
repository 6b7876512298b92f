package migrations_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
)

// The states in which ten servers may find a database.
var starts = []struct {
	name    string
	arrange func(*bench)
}{
	{"empty", func(*bench) {}},
	{"adopted", func(b *bench) {
		eras[3].make(b)
		b.fill("cache", "value", eras[3])
		b.fill("cache_locks", "owner", eras[3])
	}},
	{"with a step still to do", func(b *bench) {
		b.up()
		b.exec("DELETE FROM larder_migrations WHERE version_id >= 2", "DROP TABLE cache_locks")
	}},
}

// rounds arranges each start several times over, has ten migrators run at once, and checks what they left.
func rounds(t *testing.T, n int, runTen func(b *bench)) {
	onBoth(t, func(b *bench) {
		for _, start := range starts {
			b.Run(start.name, func(t *testing.T) {
				for range n {
					b := newMySQL(t)
					if strings.Contains(t.Name(), "SQLite") {
						b = newSQLite(t)
					}
					start.arrange(b)
					var rows []string
					if start.name == "adopted" {
						rows = b.dump("cache", "value")
					}
					runTen(b)
					wantAppliedOnce(b)
					if start.name == "adopted" {
						wantEqual(t, "rows", b.dump("cache", "value"), rows)
					}
					wantWorkable(b)
				}
			})
		}
	})
}

func TestUp_TenAtOnceAllSucceed(t *testing.T) {
	rounds(t, 2, func(b *bench) {
		var ready, done sync.WaitGroup
		ready.Add(10)
		for range 10 {
			m, err := migrations.New(b.open(), b.kind)
			if err != nil {
				b.Fatal(err)
			}
			done.Go(func() {
				ready.Done()
				ready.Wait()
				if _, err := m.Up(b.Context()); err != nil {
					b.Error(err)
				}
			})
		}
		done.Wait()
	})
}

func TestUp_TenProcessesAtOnceAllSucceed(t *testing.T) {
	rounds(t, 1, func(b *bench) {
		start := time.Now().Add(600 * time.Millisecond)
		var processes sync.WaitGroup
		for range 10 {
			processes.Go(func() {
				if out, err := childCommand(b.kind, start, "", b.address).CombinedOutput(); err != nil {
					b.Errorf("%v: %s", err, out)
				}
			})
		}
		processes.Wait()
	})
}

// hangingChild starts a process that migrates and hangs for ever after a step, and returns when it does.
func (b *bench) hangingChild(after string) *exec.Cmd {
	b.Helper()
	cmd := childCommand(b.kind, time.Now(), after, b.address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "hanging\n" {
		b.Fatalf("the child said %q: %v", line, err)
	}
	return cmd
}

func TestUp_TakesOverFromAKilledProcess(t *testing.T) {
	onBoth(t, func(b *bench) {
		eras[0].make(b)
		rows := b.fill("cache", "value", eras[0])
		killed := b.hangingChild("00002_create_cache_locks.sql")

		var locked *migrations.LockedError
		_, err := b.migrator(migrations.WithLockWait(0)).Up(b.Context())
		if !errors.As(err, &locked) || !strings.Contains(locked.Holder, fmt.Sprintf("pid %d on ", killed.Process.Pid)) {
			b.Errorf("while it lives: error %v, want one that names process %d", err, killed.Process.Pid)
		}

		if err := killed.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		b.up()
		if took := time.Since(start); took > 30*time.Second {
			b.Errorf("took over after %v, want the lease of 3 s, which by default is a minute", took)
		}
		wantAppliedOnce(b)
		wantEqual(b, "rows", b.dump("cache", "value"), rows)
		wantWorkable(b)
	})
}

// While one process hangs inside ALTER TABLE, because a transaction uses the table, its lease is renewed all the same.
func TestUp_RenewsItsLeaseDuringALongStatement(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	eras[2].make(b)
	finish := b.useTable()
	done := make(chan error)
	m := b.migrator(migrations.WithLockLease(3 * time.Second))
	go func() { _, err := m.Up(t.Context()); done <- err }()
	b.waitForAlter()
	time.Sleep(4 * time.Second) // longer than the lease
	_, err := b.migrator(migrations.WithLockWait(0)).Up(t.Context())
	var locked *migrations.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("a second run: error %v, want a LockedError", err)
	}
	finish()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantWorkable(b)
}

// The server carries on with a statement for which the client has stopped waiting.
func TestUp_OutlastsTheReadTimeoutOfItsConnection(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	eras[0].make(b)
	rows := b.fill("cache", "value", eras[0])
	finish := b.useTable()
	impatient := &bench{T: t, kind: b.kind, address: b.address + "?readTimeout=500ms"}
	impatient.db = impatient.open()
	done := make(chan error)
	go func() { _, err := impatient.migrator().Up(t.Context()); done <- err }()
	b.waitForAlter()
	time.Sleep(1200 * time.Millisecond)
	finish()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantEqual(t, "rows", b.dump("cache", "value"), rows)
	wantAppliedOnce(b)
	wantWorkable(b)
}

// useTable begins a transaction that reads the cache table, so that no ALTER TABLE can go on until it is finished.
func (b *bench) useTable() (finish func()) {
	b.Helper()
	tx, err := b.db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tx.Exec("SELECT COUNT(*) FROM cache"); err != nil {
		b.Fatal(err)
	}
	finish = func() { _ = tx.Rollback() }
	b.Cleanup(finish)
	return finish
}

func (b *bench) waitForAlter() {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var waiting int
		err := b.db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'ALTER TABLE%' AND state LIKE 'Waiting%'").Scan(&waiting)
		if err != nil && !testdb.IsUnlistable(err) {
			b.Fatal(err)
		}
		if waiting > 0 {
			return
		}
	}
	b.Fatal("no ALTER TABLE came")
}

func TestUp_StopsInsideAStatementWhenItsLockIsLost(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	eras[2].make(b)
	finish := b.useTable()
	done := make(chan error)
	m := b.migrator(migrations.WithLockLease(3 * time.Second))
	go func() { _, err := m.Up(t.Context()); done <- err }()
	b.waitForAlter()
	b.exec("UPDATE larder_migrations_lock SET owner = 'somebody else'")
	err := <-done // though the table is still in use
	wantIs(t, err, migrations.ErrLockLost)
	if !strings.Contains(err.Error(), "somebody else has it now") {
		t.Errorf("error %v does not say who has the lock", err)
	}
	wantEqual(t, "owner", b.rows("SELECT owner FROM larder_migrations_lock"), []string{"somebody else"})

	finish()
	b.exec("UPDATE larder_migrations_lock SET expiration = 0")
	b.up()
	wantAppliedOnce(b)
	wantWorkable(b)
}

func TestUp_StopsBeforeTheNextStepWhenItsLockIsLost(t *testing.T) {
	onBoth(t, func(b *bench) {
		other := b.open()
		log := slog.New(hook(func(r slog.Record) {
			if strings.Contains(text(r), "00001_create_cache.sql") {
				if _, err := other.Exec("UPDATE larder_migrations_lock SET owner = 'somebody else'"); err != nil {
					b.Error(err)
				}
			}
		}))
		_, err := b.migrator(migrations.WithLogger(log)).Up(b.Context())
		wantIs(b, err, migrations.ErrLockLost)
		wantEqual(b, "tables", b.tables(), []string{"cache", "larder_migrations", "larder_migrations_lock"})
	})
}

func TestUp_GivesUpItsLockWithItsContext(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	eras[2].make(b)
	finish := b.useTable()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := b.migrator().Up(ctx); done <- err }()
	b.waitForAlter()
	cancel()
	wantIs(t, <-done, context.Canceled)
	finish()
	start := time.Now()
	b.up()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the next run took %v, as if the lock were still held", took)
	}
	wantAppliedOnce(b)
	wantWorkable(b)
}

func TestUp_GivesUpWaitingWithItsContext(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("DROP TABLE cache_locks", "UPDATE larder_migrations_lock SET owner = 'pid 7 on elsewhere', expiration = 4000000000")
		ctx, cancel := context.WithTimeout(b.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := b.migrator().Up(ctx)
		wantIs(b, err, context.DeadlineExceeded)

		_, err = b.migrator(migrations.WithLockWait(200 * time.Millisecond)).Up(b.Context())
		var locked *migrations.LockedError
		if !errors.As(err, &locked) || locked.Holder != "pid 7 on elsewhere" || locked.Waited > time.Second {
			b.Errorf("error %v, want a LockedError with the holder after 200 ms", err)
		}
	})
}

// Laravel's own migration knows nothing of larder's lock. Whichever comes first makes the table, and larder adopts what it finds.
func TestUp_AdoptsATableThatAppearsDuringTheRun(t *testing.T) {
	onBoth(t, func(b *bench) {
		other := b.open()
		log := slog.New(hook(func(r slog.Record) {
			if !strings.Contains(text(r), "00001_create_cache.sql") {
				return
			}
			laravel := eras[6].mysql[1]
			if b.kind == migrations.SQLite {
				laravel = eras[6].sqlite[1]
			}
			if _, err := other.Exec(laravel); err != nil {
				b.Error(err)
			}
		}))
		r := b.up(migrations.WithLogger(log))
		wantResults(b, r, migrations.TableCreated, migrations.TableAdopted)
		wantWorkable(b)
	})
}
