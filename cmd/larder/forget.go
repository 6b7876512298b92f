package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newForgetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:        "forget KEY...",
		Short:      "Delete the rows of the KEYs",
		SuggestFor: []string{"delete", "del", "rm", "remove"},
		Long: `Delete the rows of the KEYs, live or expired, and the rows in which Laravel's Cache::flexible keeps their times.

Exit status 1 if a KEY had no row; the others are deleted nevertheless.`,
		Example: "  larder forget settings user:7\n  larder list 'user:*' -o json | jq -r .key | xargs -d '\\n' larder forget --",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("KEY is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				var missing []error
				for _, key := range args {
					gone, err := s.Forget(ctx, key)
					if err != nil {
						return err
					}
					if !gone {
						err := fmt.Errorf("forget %q: it has no row: %w", key, store.ErrNotFound)
						if len(missing) == 0 { // whoever gives many keys does not type them
							err = a.notThere(ctx, s, key, err)
						}
						missing = append(missing, noError{err})
					}
				}
				return errors.Join(missing...)
			})
		},
	}
}
