package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"time"

	"github.com/larder-cache/larder/store"
)

// The exit statuses of a command that does not start, as shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// An exitStatus ends larder with the status of a command that it ran, or with one that an error has.
type exitStatus struct {
	code int
	err  error // what to say, nil for nothing
}

func (e exitStatus) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e exitStatus) Unwrap() error { return e.err }

// runLocked runs the command while it holds the lock.
func (a *app) runLocked(ctx context.Context, lock *store.Lock, r lockRun) error {
	path, err := exec.LookPath(r.command[0])
	if err != nil { // before the lock is taken
		code := exitNotFound
		if errors.Is(err, fs.ErrPermission) {
			code = exitNotExecutable
		}
		return exitStatus{code, fmt.Errorf("run %q: %w", r.command[0], err)}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)

	err = lock.Block(ctx, time.Duration(r.wait))
	if errors.Is(err, store.ErrOutcomeUnknown) {
		_, _ = lock.Release(context.WithoutCancel(ctx)) // it ends by itself
	}
	if err != nil {
		return heldBy(ctx, lock, err)
	}
	// A signal is for the command from here on: it does not end the holding.
	held, release, err := lock.Hold(context.WithoutCancel(ctx))
	if err != nil {
		return heldBy(ctx, lock, err)
	}
	if ctx.Err() != nil { // it came before there was a command
		return errors.Join(fmt.Errorf("%w while waiting for lock %q", errInterrupted, lock.Name()), release())
	}
	status := a.supervise(held, lock, path, r, signals)
	if err := release(); err != nil && context.Cause(held) == nil {
		a.sayf("%v", err)
	} else if errors.Is(err, store.ErrLockLost) && status.err == nil {
		a.sayf("%v: the command may have overlapped with another one", err)
	}
	if status == (exitStatus{}) {
		return nil
	}
	return status
}

// supervise runs the command to its end: it forwards signals, and ends it if the lock is lost.
func (a *app) supervise(held context.Context, lock *store.Lock, path string, r lockRun, signals <-chan os.Signal) exitStatus {
	cmd := exec.Command(path, r.command[1:]...)
	cmd.Args[0] = r.command[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	group := prepare(cmd)

	// Linux kills the command with the thread that started it, which therefore must not end before the process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		code := exitNotExecutable
		if errors.Is(err, fs.ErrNotExist) {
			code = exitNotFound
		}
		return exitStatus{code, fmt.Errorf("run %q: %w", r.command[0], err)}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	var (
		lost   = held.Done()
		kill   <-chan time.Time
		killed bool
	)
	for {
		select {
		case err := <-ended:
			if killed {
				group.kill() // what it has started and left behind
				return exitStatus{exitError, fmt.Errorf("lock %q was lost: the command was ended", lock.Name())}
			}
			return statusOf(cmd, err)
		case s := <-signals:
			group.forward(s)
		case <-lost:
			lost = nil
			if r.onLost == "warn" {
				a.sayf("%v: the command goes on and may overlap with another one", context.Cause(held))
				continue
			}
			a.sayf("%v: ending the command", context.Cause(held))
			killed = true
			group.end()
			kill = time.After(time.Duration(r.grace))
		case <-kill:
			a.sayf("the command has not ended within %s: killing it", &r.grace)
			group.kill()
		}
	}
}

// statusOf is the exit status of a command, as a shell has it.
func statusOf(cmd *exec.Cmd, err error) exitStatus {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return exitStatus{}
	case errors.As(err, &exit):
		return exitStatus{code: codeOf(cmd.ProcessState)}
	}
	return exitStatus{exitError, err}
}
