package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// A lease is the migration lock while this run holds it: a row that names the run and the time, on the database's clock,
// until which it holds.
type lease struct {
	m     *Migrator
	owner string
	begun time.Time // to wait for it
	taken time.Time
}

func (m *Migrator) newLease() *lease {
	return &lease{m: m, owner: newOwner(), begun: time.Now()}
}

// hold does the work, renews the lease meanwhile, and gives it up. The work's context ends when the lease is lost.
func (l *lease) hold(ctx context.Context, work func(context.Context) error) error {
	defer l.release(ctx)
	ctx, lose := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		l.beat(ctx, lose)
	}()
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrLockLost) {
		err = cause
	}
	lose(nil) // ends the beating; the work is over
	<-beating
	return err
}

// newOwner names this run, for people to find the process and for the run to know its own row.
func newOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	host = strings.ToValidUTF8(host, "?")
	return fmt.Sprintf("pid %d on %.100s, run %016x", os.Getpid(), host, rand.Uint64())
}

// acquire takes the lock. If another run has it, acquire waits until that run is done and returns false: most likely nothing is
// left to do then, and nobody needs the lock any more.
func (l *lease) acquire(ctx context.Context) (taken bool, err error) {
	for waited := false; ; waited = true {
		holder, left, err := l.look(ctx)
		noTable := l.m.engine.noTable(err)
		if noTable || err == nil && left <= 0 {
			if waited {
				return false, nil
			}
			l.taken = time.Now()
			holder, left, err = l.take(ctx, noTable)
		}
		if err == nil && holder == l.owner {
			return true, nil
		}
		if err != nil && !passing(err) {
			return false, fmt.Errorf("take the migration lock: %w", err)
		}
		// A little chance keeps those who wait from coming all at once, again and again.
		pause := 50*time.Millisecond + rand.N(100*time.Millisecond)
		locked := &LockedError{Holder: holder, Left: left, Waited: time.Since(l.begun), cause: err}
		if locked.Waited+pause > l.m.lockWait {
			return false, locked
		}
		if !waited && holder != "" {
			l.m.log.InfoContext(ctx, "waiting for another migration", slog.String("holder", holder))
		}
		if err := sleep(ctx, pause); err != nil {
			locked.Waited, locked.cause = time.Since(l.begun), err
			return false, locked
		}
	}
}

// take takes the lock if it is free, and tells who has it then. To wait means to look: only what looks free is written to, so
// that waiting disturbs nobody.
func (l *lease) take(ctx context.Context, noTable bool) (holder string, left time.Duration, err error) {
	if noTable {
		if err := l.exec(ctx, l.m.engine.createLock); err != nil {
			return "", 0, err
		}
	}
	defer func() {
		if err != nil && !passing(err) && !denied(err) && !readOnly(err) {
			l.release(ctx) // it may be taken all the same
		}
	}()
	if err := l.exec(ctx, l.m.engine.takeLock, l.owner, l.seconds()); err != nil {
		return "", 0, err
	}
	return l.look(ctx)
}

// look tells who has the lock. Nobody has it if nothing is left of its lease.
func (l *lease) look(ctx context.Context) (holder string, left time.Duration, err error) {
	var seconds int64
	err = l.m.db.QueryRowContext(ctx, fmt.Sprintf(l.m.engine.lookAtLock, mutexTable)).Scan(&holder, &seconds)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return holder, time.Duration(seconds) * time.Second, err
}

// renew extends the lease, or returns ErrLockLost if another run has taken it over.
func (l *lease) renew(ctx context.Context) error {
	return l.m.retry(ctx, func() error {
		if err := l.exec(ctx, l.m.engine.renewLock, l.seconds(), l.owner); err != nil {
			return fmt.Errorf("renew the migration lock: %w", err)
		}
		holder, _, err := l.look(ctx)
		if err != nil {
			return fmt.Errorf("renew the migration lock: %w", err)
		}
		if holder != l.owner {
			return fmt.Errorf("%w: %s has it now", ErrLockLost, holder)
		}
		return nil
	})
}

// beat renews the lease until the context ends. When it has failed for so long that another run may have taken over, it ends the
// context with ErrLockLost.
func (l *lease) beat(ctx context.Context, lose context.CancelCauseFunc) {
	// With a single connection there is none to renew with while a statement runs. The lease is renewed between statements
	// then; should one last longer than the lease, another run may begin, and wait for the table's own lock.
	if !l.m.engine.renewsInside || l.m.db.Stats().MaxOpenConnections == 1 {
		return
	}
	ticker := time.NewTicker(l.m.lease / 3)
	defer ticker.Stop()
	renewed := l.taken
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// The database counts whole seconds, so up to one of them is missing.
		held := renewed.Add(l.m.lease - time.Second)
		start := time.Now()
		attempt, cancel := context.WithDeadline(ctx, held)
		err := l.renew(attempt)
		cancel()
		switch {
		case err == nil:
			renewed = start
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrLockLost):
			lose(err)
			return
		case time.Now().After(held):
			lose(fmt.Errorf("%w: it could not be renewed: %w", ErrLockLost, err))
			return
		}
	}
}

// release gives the lock up, also when the context has ended. If that fails, the lease ends by itself.
func (l *lease) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := l.m.retry(ctx, func() error { return l.exec(ctx, l.m.engine.releaseLock, l.owner) })
	if err != nil {
		l.m.log.WarnContext(ctx, "migration lock not released; its lease ends by itself",
			slog.Duration("lease", l.m.lease), slog.Any("error", err))
	}
}

func (l *lease) exec(ctx context.Context, statement string, args ...any) error {
	_, err := l.m.db.ExecContext(ctx, fmt.Sprintf(statement, mutexTable), args...)
	return err
}

func (l *lease) seconds() int64 { return int64(l.m.lease / time.Second) }

// retry repeats what fails with a passing error, for some seconds.
func (m *Migrator) retry(ctx context.Context, do func() error) error {
	const attempts = 50
	for i := 1; ; i++ {
		err := do()
		if err == nil || i == attempts || !passing(err) || sleep(ctx, rand.N(200*time.Millisecond)) != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
