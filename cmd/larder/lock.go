package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

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
		Long: `Take the lock NAME for TTL and print its owner, which release wants. It ends by itself after TTL. The owner that holds a lock may
take it again, for another TTL. PHP gives it back with Cache::restoreLock(NAME, OWNER)->release().

Exit status 1 if another owner holds it, after --wait. With -o json: {"name","owner","ttl"}.`,
		Example: "  owner=$(larder lock acquire report --ttl 10m --wait 5s) && {\n    php artisan report:send\n    larder lock release report --owner \"$owner\"\n  }",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				lock := s.Lock(args[0], time.Duration(ttl))
				if cmd.Flags().Changed("owner") {
					lock = s.RestoreLock(args[0], owner, time.Duration(ttl))
				}
				err := lock.Block(ctx, time.Duration(wait))
				if errors.Is(err, store.ErrOutcomeUnknown) {
					_, _ = lock.Release(context.WithoutCancel(ctx)) // nobody will know of it; it ends by itself
				}
				if err != nil {
					return heldBy(ctx, lock, err)
				}
				if a.json() {
					return a.printJSON(lockView{args[0], lock.Owner(), int64((time.Duration(ttl) + time.Second - 1) / time.Second)})
				}
				return a.println(lock.Owner())
			})
		},
	}
	cmd.Flags().Var(&ttl, "ttl", "how long it lasts: seconds, or as 10m, 2h, 1d")
	cmd.Flags().Var(&wait, "wait", "how long to wait while another owner holds it (default: not at all)")
	cmd.Flags().StringVar(&owner, "owner", "", "the owner to take it for (default: a new random one)")
	_ = cmd.MarkFlagRequired("ttl") // it exists
	return cmd
}

// A lockView is a lock that was taken, as -o json prints it.
type lockView struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
	TTL   int64  `json:"ttl"` // seconds
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
		Args:    arguments("NAME"),
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
	_ = cmd.MarkFlagRequired("owner") // it exists
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
renewed meanwhile, so that --ttl need not be as long as the command: it is how long the others wait if this server dies.

COMMAND has the standard streams, gets the signals INT, TERM, HUP, QUIT, USR1 and USR2, and its exit status is the one of lock
run, or 128 and the number of the signal that ended it. If the lock is lost (the database cannot be reached for the time
of --ttl, or somebody has released it by force) COMMAND is sent TERM, and after --grace KILL; --on-lost warn lets it go on. On
Linux it is killed too if lock run itself is.

Exit status of lock run itself: 1 another owner holds the lock, after --wait, and COMMAND did not run; 2 usage; 3 trouble with
the database before COMMAND ran, or the lock was lost and COMMAND killed; 126 COMMAND cannot be executed; 127 it was not found.`,
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
				return a.runLocked(ctx, s.Lock(args[0], time.Duration(r.ttl)), r)
			})
		},
	}
	cmd.Flags().Var(&r.ttl, "ttl", "how long the others wait if this server dies")
	cmd.Flags().Var(&r.wait, "wait", "how long to wait while another owner holds the lock (default: not at all)")
	cmd.Flags().Var(&r.grace, "grace", "how long COMMAND may take to end after TERM when the lock is lost")
	cmd.Flags().StringVar(&r.onLost, "on-lost", "kill", "what happens to COMMAND when the lock is lost: kill or warn")
	return cmd
}
