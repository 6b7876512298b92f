package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newIncrementCmd(a *app) *cobra.Command {
	return newCountCmd(a, "increment KEY [N]", "Add N (default 1) to the number under KEY and print the result", (*store.Store).Increment)
}

func newDecrementCmd(a *app) *cobra.Command {
	return newCountCmd(a, "decrement KEY [N]", "Subtract N (default 1) from the number under KEY and print the result", (*store.Store).Decrement)
}

func newCountCmd(a *app, use, short string, count func(*store.Store, context.Context, string, int64) (int64, error)) *cobra.Command {
	return &cobra.Command{
		Use:     use,
		Short:   short,
		Long:    short + ". Its expiration stays.\n\nExit status 1 if there is no live row: begin with larder add KEY 0 --json.",
		Example: fmt.Sprintf("  larder %[1]s visits\n  larder %[1]s visits 10", strings.Fields(use)[0]),
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			by := int64(1)
			if len(args) == 2 {
				var err error
				if by, err = strconv.ParseInt(args[1], 10, 64); err != nil {
					return usagef("N %q: want an integer of 64 bits", args[1])
				}
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				n, err := count(s, ctx, args[0], by)
				if err != nil {
					return a.notThere(ctx, s, args[0], err)
				}
				return a.println(strconv.FormatInt(n, 10))
			})
		},
	}
}
