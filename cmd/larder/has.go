package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newHasCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "has KEY",
		Short:   "Tell whether KEY is live (exit status 0) or not (1)",
		Example: "  larder has maintenance && echo closed",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				live, err := s.Has(ctx, args[0])
				if err != nil || live {
					return err
				}
				if !a.json() {
					ctx, cancel := context.WithTimeout(ctx, maxMeaning)
					defer cancel()
					if hint := a.otherPrefix(ctx, s, args[0]); hint != "" {
						return nof("%s", hint)
					}
				}
				return errNo
			})
		},
	}
}
