package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/store"
)

func newForgetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:        "forget KEY...",
		Short:      "Delete the rows of the KEYs",
		SuggestFor: []string{"delete", "del", "rm", "remove"},
		Long: `Delete the rows of the KEYs, live or expired, and the rows in which Laravel's Cache::flexible keeps their times.

A KEY is no pattern. To delete what a pattern matches, look at it with larder list, and pipe that into forget -, which reads
the keys from standard input: JSON, as list and export print it with each key in it, whatever characters it has. A key that
is - goes behind --.

Exit status 1 if a KEY had no row; the others are deleted nevertheless. With -, if no row was deleted: what was
listed may have gone since.`,
		Example: "  larder forget settings user:7\n  larder list 'user:*' -o json | larder forget -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("KEY is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fromStdin := len(args) == 1 && args[0] == "-" && cmd.ArgsLenAtDash() < 0
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				if fromStdin {
					return a.forgetRead(ctx, s)
				}
				return a.forget(ctx, s, args)
			})
		},
	}
}

func (a *app) forget(ctx context.Context, s *store.Store, keys []string) error {
	var missing []error
	for _, key := range keys {
		gone, err := s.Forget(ctx, key)
		if err != nil {
			return err
		}
		if !gone {
			err := fmt.Errorf("forget %q: it has no row: %w", key, store.ErrNotFound)
			if len(missing) == 0 { // whoever gives many keys does not type them
				err = a.noRow(ctx, s, key, err)
			}
			missing = append(missing, noError{err})
		}
	}
	return errors.Join(missing...)
}

// noRow adds to the error that there is no row of a key what may have been meant: what a pattern matches, or what notThere finds.
func (a *app) noRow(ctx context.Context, s *store.Store, key string, err error) error {
	if !strings.ContainsAny(key, "*?") {
		return a.notThere(ctx, s, key, err)
	}
	return fmt.Errorf("%w\nforget takes no patterns: look at what this one matches, and then delete that, with\nlarder list %s --state all -o json | larder forget -",
		err, doctor.ShellQuote(key))
}

// forgetRead deletes the rows of the keys on standard input, as they come.
func (a *app) forgetRead(ctx context.Context, s *store.Store) error {
	progress := a.progress("forgetting", -1)
	defer progress.Done()
	var keys, deleted int64
	for key, err := range readKeys(ctx, a.stdin) {
		var gone bool
		if err == nil {
			gone, err = s.Forget(ctx, key)
		}
		if err != nil {
			progress.Done()
			return interrupted(ctx, err, "%s deleted", countText(deleted, "row"))
		}
		keys++
		if gone {
			deleted++
		}
		progress.Set(keys, -1)
	}
	progress.Done()
	done := "deleted " + countText(deleted, "row")
	if none := keys - deleted; none > 0 {
		done += fmt.Sprintf("; %s had none", countText(none, "key"))
	}
	if deleted == 0 {
		return nof("%s", done)
	}
	a.remarkf("%s", done)
	return nil
}
