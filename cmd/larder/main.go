// Command larder looks after Laravel's database cache table: it creates or adopts it, reads and writes its rows, and keeps access
// tokens in it fresh. See the README, or "larder help".
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv, dir: ".",
	})
	stop()
	os.Exit(code)
}

// endings are the signals that ask the process to end. Those that were ignored when the process started are none, as nohup has it for SIGHUP, and a
// script's shell for the Ctrl-C of what it runs in the background: to listen for a signal is to ignore it no more.
func endings() []os.Signal {
	signals := []os.Signal{syscall.SIGTERM} // which also keeps NotifyContext from listening for all
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// An environment is all that a run of the command shares with the world, so that tests can give it another one.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	dir            string        // where larder.yaml, .env and larder.db are looked for
	pruneEvery     time.Duration // how often serve prunes; 0: every pruneEvery
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, env environment) int {
	a := &app{environment: env}
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(env.stdin)
	printed := &remembering{to: env.stdout}
	root.SetOut(printed)
	root.SetErr(env.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if printed.err != nil && (err == nil || errors.Is(err, printed.err)) {
		a.started, err = true, printed.err // it is no mistake in the command line
	}
	return a.report(cmd, err)
}

// A remembering writer keeps its first error, for those who write to it and have no error to return: cobra, when it prints help.
type remembering struct {
	to  io.Writer
	err error
}

func (r *remembering) Write(p []byte) (int, error) {
	n, err := r.to.Write(p)
	r.err = cmp.Or(r.err, err)
	return n, err
}
