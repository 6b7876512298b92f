package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/store"
)

func newLockCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "List, take, give back and hold locks that all servers share, also with PHP's Cache::lock",
		Long: `List, take, give back and hold locks that all servers share. They are rows of the lock table, and exclude PHP's Cache::lock of the same
name and prefix as it excludes them.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLockListCmd(a), newLockAcquireCmd(a), newLockReleaseCmd(a), newLockRunCmd(a))
	return cmd
}

func newLockAcquireCmd(a *app) *cobra.Command {
	var (
		ttl   ttlFlag
		wait  waitFlag
		owner string
	)
	cmd := &cobra.Command{
		Use:   "acquire NAME --ttl TTL",
		Short: "Take the lock NAME for TTL and print its owner, which release wants",
		Long: `Take the lock NAME for TTL and print its owner, which release wants. It ends by itself after TTL. The owner names this
machine and the process that runs this command, unless --owner says another one: web-2:4711:k3zq6w2b7oumf5ax. Who holds a lock may take
it again, for another TTL. PHP gives it back with Cache::restoreLock(NAME, OWNER)->release().

Exit status 1 if another owner holds it, after --wait. With -o json: {"name","owner","ttl"}.`,
		Example: "  owner=$(larder lock acquire report --ttl 10m --wait 5s) && {\n    php artisan report:send\n    larder lock release report --owner \"$owner\"\n  }",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := arguments("NAME")(cmd, args); err != nil {
				return err
			}
			return given(cmd, "ttl", "for how long the lock is taken, as in larder lock acquire %s --ttl 10m", args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				if !cmd.Flags().Changed("owner") {
					owner = newLockOwner(os.Getppid()) // this process ends before the lock does
				}
				lock := s.RestoreLock(args[0], owner, time.Duration(ttl))
				if err := block(ctx, lock, time.Duration(wait)); err != nil {
					return err
				}
				err := a.printLock(lock, time.Duration(ttl))
				if err != nil && !cmd.Flags().Changed("owner") {
					giveBack(ctx, lock) // nobody else could: nobody has read its owner
				}
				return err
			})
		},
	}
	cmd.Flags().Var(&ttl, "ttl", "how long it lasts: seconds, or as 10m, 2h, 1d")
	cmd.Flags().Var(&wait, "wait", "how long to wait while another owner holds it (default: not at all)")
	cmd.Flags().StringVar(&owner, "owner", "", "the owner to take it for (default: a new one: machine, calling process, random text)")
	_ = cmd.MarkFlagRequired("ttl") // it exists; completion offers it first
	return cmd
}

func (a *app) printLock(lock *store.Lock, ttl time.Duration) error {
	if a.json() {
		return a.printJSON(lockView{lock.Name(), lock.Owner(), int64((ttl + time.Second - 1) / time.Second)})
	}
	return a.println(lock.Owner())
}

// A lockView is a lock that was taken, as -o json prints it.
type lockView struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
	TTL   int64  `json:"ttl"` // seconds
}

// given wants a flag that has no default, and says what it is for.
func given(cmd *cobra.Command, flag, format string, args []string) error {
	if cmd.Flags().Changed(flag) {
		return nil
	}
	return fmt.Errorf("--%s is missing: "+format, flag, doctor.ShellQuote(args[0]))
}

// maxGiveBack is how long giving back a lock may take.
const maxGiveBack = 5 * time.Second

// block waits for the lock, and leaves none behind when it fails, if the database can be reached.
func block(ctx context.Context, lock *store.Lock, wait time.Duration) error {
	err := lock.Block(ctx, wait)
	if errors.Is(err, store.ErrOutcomeUnknown) {
		giveBack(ctx, lock)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w while waiting for lock %q", errInterrupted, lock.Name())
	}
	return heldBy(ctx, lock, err)
}

// giveBack releases a lock that is not wanted any more, also after ctx has ended. If that fails the lock ends by itself.
func giveBack(ctx context.Context, lock *store.Lock) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxGiveBack)
	defer cancel()
	_, _ = lock.Release(ctx)
}

// heldBy makes the answer no of an error that says that another owner holds the lock, with who that is and for how long.
func heldBy(ctx context.Context, lock *store.Lock, err error) error {
	if errors.Is(err, store.ErrLookalikeKey) {
		return nof("%w", err)
	}
	if !errors.Is(err, store.ErrLockTimeout) {
		return err
	}
	owner, ttl, asking := lock.Holder(ctx)
	if asking != nil || owner == "" { // it has ended just now
		return noError{err}
	}
	return nof("lock %q is held by %q, for %s more if it is not renewed", lock.Name(), owner, duration.Rough(ttl))
}

func newLockReleaseCmd(a *app) *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "release NAME --owner OWNER",
		Short: "Give the lock NAME back that OWNER holds",
		Long: `Give the lock NAME back that OWNER holds.

Exit status 1 if OWNER does not hold it (any more).`,
		Example: "  larder lock release report --owner \"$owner\"",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && !cmd.Flags().Changed("owner") {
				return fmt.Errorf("unexpected argument %q: the owner goes behind --owner, as in larder lock release %s --owner %s",
					args[1], doctor.ShellQuote(args[0]), doctor.ShellQuote(args[1]))
			}
			if err := arguments("NAME")(cmd, args); err != nil {
				return err
			}
			return given(cmd, "owner", "who holds the lock, as lock acquire printed it and larder lock list %s shows it", args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				lock := s.RestoreLock(args[0], owner, 0)
				released, err := lock.Release(ctx)
				if err != nil || released {
					return err
				}
				if holder, _, err := lock.Holder(ctx); err == nil && holder != "" {
					return nof("lock %q is held by another owner, %q", args[0], holder)
				}
				return nof("lock %q is held by nobody", args[0])
			})
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "who holds it, as lock acquire printed")
	_ = cmd.MarkFlagRequired("owner") // it exists; completion offers it first
	return cmd
}

// A lockRun is how lock run works.
type lockRun struct {
	ttl         ttlFlag
	wait, grace waitFlag
	onLost      string
	command     []string
}

func newLockRunCmd(a *app) *cobra.Command {
	r := lockRun{ttl: ttlFlag(30 * time.Second), grace: waitFlag(10 * time.Second)}
	cmd := &cobra.Command{
		Use:   "run NAME [flags] -- COMMAND...",
		Short: "Run COMMAND while the lock NAME is held, on one of all servers at a time",
		Long: `Run COMMAND while the lock NAME is held, on one of all servers at a time, and give the lock back when it ends. The lock is
renewed meanwhile, so that --ttl need not be as long as the command: it is how long the others wait if this server dies. Its owner, which
larder lock list shows, names this machine and process: web-2:4711:k3zq6w2b7oumf5ax.

COMMAND has the standard streams, gets the signals INT, TERM, HUP, QUIT, USR1 and USR2 with all that it has started, and its exit
status is the one of lock run, or 128 and the number of the signal that ended it. What it leaves running when it ends is not waited for.

If the lock is lost (the database cannot be reached for the time of --ttl, this process was stopped for as long, or somebody has
released the lock by force) COMMAND and what it has started are sent TERM, and after --grace KILL; --on-lost warn lets them go on. If
lock run itself is killed they are killed at once, and the others get the lock when --ttl is over. At a terminal, whose
process group they share, only COMMAND itself is ended, and only on Linux when lock run is killed.

Exit status of lock run itself: 1 another owner holds the lock, after --wait, and COMMAND did not run; 2 usage; 3 trouble with
the database or a signal before COMMAND ran, or the lock was lost and COMMAND killed; 126 COMMAND cannot be executed; 127 it was not
found. That the lock cannot be given back at the end changes no exit status: it ends by itself after --ttl.`,
		Example: "  * * * * * cd /srv/app && larder lock run nightly-report --ttl 1m -- php artisan report:send",
		Args: func(cmd *cobra.Command, args []string) error {
			switch at := cmd.ArgsLenAtDash(); {
			case len(args) == 0 || at == 0:
				return errors.New("NAME is missing")
			case at < 0 || len(args) < 2:
				return errors.New("the command is missing: want it behind --, as in larder lock run NAME -- command")
			case at > 1:
				return fmt.Errorf("unexpected argument %q: want NAME -- COMMAND", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			const least = 2 * time.Second // of store.Lock.Hold
			if time.Duration(r.ttl) < least {
				return usagef("--ttl %s: want %s or more, because the server counts in whole seconds", &r.ttl, duration.Text(least))
			}
			if r.onLost != "kill" && r.onLost != "warn" {
				return usagef("--on-lost %q: want kill or warn", r.onLost)
			}
			r.command = args[1:]
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				return a.runLocked(ctx, s.RestoreLock(args[0], newLockOwner(os.Getpid()), time.Duration(r.ttl)), r)
			})
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if unknown := new(pflag.NotExistError); errors.As(err, &unknown) {
			return fmt.Errorf("%w%s; what is the command's stands behind --, as in larder lock run NAME -- command", err, meantFlag(cmd, unknown.GetSpecifiedName()))
		}
		return err
	})
	cmd.Flags().Var(&r.ttl, "ttl", "how long the others wait if this server dies")
	cmd.Flags().Var(&r.wait, "wait", "how long to wait while another owner holds the lock (default: not at all)")
	cmd.Flags().Var(&r.grace, "grace", "how long COMMAND may take to end after TERM when the lock is lost; 0 for KILL at once")
	cmd.Flags().StringVar(&r.onLost, "on-lost", "kill", "what happens to COMMAND when the lock is lost: kill or warn")
	return cmd
}
