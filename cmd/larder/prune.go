package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newPruneCmd(a *app) *cobra.Command {
	var (
		o        store.PruneOptions
		maxBytes string
	)
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete the expired rows, and on request live ones until a bound holds",
		Long: `Delete the expired rows and locks, whatever their prefix; and then, with --max-rows or --max-bytes, as many
live rows of the prefix as it takes until no more are left than that, soonest to expire first. The rows of configured
tokens stay.

It may be run at any time and by every server at once: one prunes, and for the others the answer is no. Interrupted,
it stops after the statement that it is at and says what is done.

Exit status 1 if another pruner is at work. With -o json: {"expired","expired_locks","evicted","evicted_bytes",
"missing_index","dry_run"}; evicted_bytes counts with --max-bytes or --dry-run.`,
		Example: "  larder prune\n  larder prune --max-bytes 500MB --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.MaxRows < 0 {
				return usagef("--max-rows %d: want 0 (no bound) or more", o.MaxRows)
			}
			if maxBytes != "" {
				n, err := humanize.ParseBytes(maxBytes)
				if err != nil || n > math.MaxInt64 {
					return usagef("--max-bytes %q: want a number of bytes, or one with a unit, such as 500MB or 2GiB", maxBytes)
				}
				o.MaxBytes = int64(n)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.prune(ctx, s, o) })
		},
	}
	cmd.Flags().Int64Var(&o.MaxRows, "max-rows", 0, "how many live rows may be left (default: no bound)")
	cmd.Flags().StringVar(&maxBytes, "max-bytes", "", "how many bytes of values may be left, a `size` such as 1000000, 500MB or 2GiB (default: no bound)")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "let the bounds be those of the whole table, and delete rows of every prefix for them")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "delete nothing, say what would be deleted")
	return cmd
}

// A pruneView is what a prune did, as -o json prints it.
type pruneView struct {
	Expired      int64 `json:"expired"`
	ExpiredLocks int64 `json:"expired_locks"`
	Evicted      int64 `json:"evicted"`
	EvictedBytes int64 `json:"evicted_bytes"`
	MissingIndex bool  `json:"missing_index"`
	DryRun       bool  `json:"dry_run"`
}

func (a *app) prune(ctx context.Context, s *store.Store, o store.PruneOptions) error {
	if o.MaxRows == 0 && o.MaxBytes == 0 && o.AllPrefixes {
		return usagef("--all-prefixes goes with --max-rows or --max-bytes: expired rows are deleted whatever their prefix")
	}
	if (o.MaxRows > 0 || o.MaxBytes > 0) && s.Prefix() == "" && !o.AllPrefixes {
		return usagef("a bound without a prefix deletes the rows of other applications too: give --prefix, or --all-prefixes if that is meant")
	}
	for _, t := range a.loaded.Tokens {
		o.Keep = append(o.Keep, t.Key)
	}
	progress := a.progress("pruning", -1)
	o.Progress = func(p store.PruneProgress) { progress.Set(p.Deleted(), p.Total) }
	done, err := s.Prune(ctx, o)
	progress.Done()
	switch {
	case errors.Is(err, store.ErrPruning) && done.Deleted() == 0:
		return noError{err}
	case err != nil && (done.Deleted() > 0 || interruptedAlone(ctx, err)):
		return interrupted(ctx, err, "%s; run it again for the rest", prunedText(done, o.DryRun))
	case err != nil:
		return err
	}
	if done.MissingIndex {
		a.remarkf("there is no index on expiration, so that every row had to be read: larder migrate adds it")
	}
	if a.json() {
		return a.printJSON(pruneView{done.Expired, done.ExpiredLocks, done.Evicted, done.EvictedBytes, done.MissingIndex, o.DryRun})
	}
	return a.println(prunedText(done, o.DryRun))
}

func prunedText(r store.PruneResult, dry bool) string {
	text := "deleted "
	if dry {
		text = "would delete "
	}
	text += countText(r.Expired, "expired row") + " and " + countText(r.ExpiredLocks, "expired lock")
	if r.Evicted > 0 {
		text += fmt.Sprintf(", and %s, the soonest to expire", countText(r.Evicted, "live row"))
		if r.EvictedBytes > 0 {
			text += " (" + bytesText(r.EvictedBytes) + ")"
		}
	}
	return text
}
