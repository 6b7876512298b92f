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
	"syscall"
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
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EISDIR) {
			code = exitNotExecutable
		}
		return exitStatus{code, fmt.Errorf("run %q: %w", r.command[0], err)}
	}
	if err := block(ctx, lock, time.Duration(r.wait)); err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	notify(signals, forwarded)
	defer signal.Stop(signals)
	// A signal is for the command from here on: it does not end the holding.
	held, release, err := lock.Hold(context.WithoutCancel(ctx))
	if err != nil {
		giveBack(ctx, lock)
		return heldBy(ctx, lock, err)
	}
	if ctx.Err() != nil { // it came before there was a command
		return errors.Join(fmt.Errorf("%w while waiting for lock %q", errInterrupted, lock.Name()), release())
	}
	status, lost := a.supervise(held, lock, path, r, signals)
	switch err := release(); {
	case lost: // which has been said
	case errors.Is(err, store.ErrLockLost):
		a.sayf("%v: the command may have overlapped with another one", err)
	case err != nil:
		a.sayf("%v: the lock ends by itself within %s", err, time.Duration(r.ttl))
	}
	if status == (exitStatus{}) {
		return nil
	}
	return status
}

// notify has the signals sent to the channel, but for those that were ignored when the process started, as nohup has it for SIGHUP and
// shells for Ctrl-C of what they run in the background: to listen for a signal is to ignore it no more, here and in the command.
func notify(to chan<- os.Signal, signals []os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(to, s)
		}
	}
}

// supervise runs the command to its end: it forwards signals, and ends it if the lock is lost. It returns also whether it has said that it was.
func (a *app) supervise(held context.Context, lock *store.Lock, path string, r lockRun, signals <-chan os.Signal) (status exitStatus, lost bool) {
	cmd := exec.Command(path, r.command[1:]...)
	cmd.Args[0] = r.command[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr

	// Linux kills the command with the thread that started it, which therefore must not end before the process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	group, err := startGroup(cmd)
	if err != nil {
		code := exitNotExecutable
		if errors.Is(err, fs.ErrNotExist) {
			code = exitNotFound
		}
		return exitStatus{code, fmt.Errorf("run %q: %w", r.command[0], err)}, false
	}
	defer group.close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	var (
		losing = held.Done()
		kill   <-chan time.Time
		killed bool
	)
	for {
		select {
		case err := <-ended:
			if killed {
				group.kill() // what it has started and left behind
				return exitStatus{exitError, fmt.Errorf("lock %q was lost: the command was ended", lock.Name())}, lost
			}
			return statusOf(cmd, err), lost
		case s := <-signals:
			group.forward(s)
		case <-losing:
			losing, lost = nil, true
			if r.onLost == "warn" {
				a.sayf("%v: the command goes on and may overlap with another one", context.Cause(held))
				continue
			}
			a.sayf("%v: ending the command", context.Cause(held))
			killed = true
			if r.grace > 0 {
				group.end()
			}
			kill = time.After(time.Duration(r.grace))
		case <-kill:
			if r.grace > 0 {
				a.sayf("the command has not ended within %s: killing it", &r.grace)
			}
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
