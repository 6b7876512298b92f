package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newFlushCmd(a *app) *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:        "flush --yes",
		SuggestFor: []string{"clear", "cache:clear"},
		Short:      "Delete every row of the prefix",
		Long: `Delete every row of the prefix, live or expired. Rows of other prefixes stay, which Laravel's cache:clear deletes
too, and so do locks. With --all every row of the table is deleted, whatever its prefix.

Without --yes it deletes nothing and says how many rows it would. Interrupted, it stops after the statement that it is at
and says what is done.

With -o json: {"deleted"}.`,
		Example: "  larder flush\n  larder flush --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.flush(ctx, s, all, yes) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "delete every row of the table, whatever its prefix")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

// A flushView is what a flush did, as -o json prints it.
type flushView struct {
	Deleted int64 `json:"deleted"`
}

func (a *app) flush(ctx context.Context, s *store.Store, all, yes bool) error {
	if s.Prefix() == "" && !all {
		return usagef("the prefix is empty, so that every row of the table would go, also those of other applications: " +
			"give --prefix, or --all if that is meant")
	}
	total, err := s.CountRows(ctx, store.All, all)
	switch {
	case err != nil && yes && interruptedAlone(ctx, err):
		return interruptedFlush(ctx, err, 0)
	case err != nil:
		return err
	case !yes:
		return usagef("this would delete %s: add --yes if that is meant", flushedText(s, all, total))
	}
	progress := a.progress("flushing", total)
	deleted, err := s.FlushWithProgress(ctx, all, func(n int64) { progress.Set(n, max(n, total)) })
	progress.Done()
	if err != nil && (deleted > 0 || interruptedAlone(ctx, err)) {
		return interruptedFlush(ctx, err, deleted)
	}
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(flushView{deleted})
	}
	return a.println("deleted " + flushedText(s, all, deleted))
}

func interruptedFlush(ctx context.Context, err error, deleted int64) error {
	return interrupted(ctx, err, "%s deleted; run it again for the rest", countText(deleted, "row"))
}

func flushedText(s *store.Store, all bool, n int64) string {
	if all {
		return countText(n, "row") + " of the whole table, whatever their prefix"
	}
	return fmt.Sprintf("%s of prefix %q", countText(n, "row"), s.Prefix())
}
