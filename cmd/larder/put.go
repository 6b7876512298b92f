package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// A valueFlags are the flags of the commands that store a value.
type valueFlags struct {
	ttl     ttlFlag
	forever bool
	json    bool
}

func (f *valueFlags) register(cmd *cobra.Command) {
	cmd.Flags().Var(&f.ttl, "ttl", "how long it lives: seconds, or as 10m, 2h, 1d (default: forever)")
	cmd.Flags().BoolVar(&f.forever, "forever", false, "store for ten years, which is what Laravel calls forever")
	cmd.Flags().BoolVar(&f.json, "json", false, "VALUE is JSON: numbers, true, null, arrays and objects are stored as PHP's")
	cmd.MarkFlagsMutuallyExclusive("ttl", "forever")
}

// value returns what to store for the argument.
func (f *valueFlags) value(ctx context.Context, a *app, argument string) (any, error) {
	text, err := a.readAll(ctx, argument)
	if err != nil || !f.json {
		return text, err
	}
	value, err := php.FromJSON([]byte(text))
	if err != nil {
		return nil, usagef("VALUE: %w", err)
	}
	return value, nil
}

const aboutValue = `VALUE is stored as a PHP string, or, with --json, as the PHP value that json_decode makes of it.
"-" reads it from standard input, byte for byte. An empty JSON object and an empty array are one in PHP. Without
--ttl it is stored forever (ten years, as Laravel has it).`

const aboutLookalikes = `Where the key column's collation takes KEY and another key for the same (Flag and flag, on most of
Laravel's MySQL tables), there is one row for both, and put takes it over, as Laravel does. add refuses to.`

func newPutCmd(a *app) *cobra.Command {
	var f valueFlags
	cmd := &cobra.Command{
		Use:        "put KEY VALUE",
		SuggestFor: []string{"set"},
		Short:      "Store VALUE under KEY, whatever was there",
		Long:       "Store VALUE under KEY, whatever was there.\n\n" + aboutValue + "\n\n" + aboutLookalikes,
		Example:    "  larder put greeting hello --ttl 10m\n  larder put settings '{\"theme\":\"dark\"}' --json\n  larder put page - < page.html",
		Args:       arguments("KEY", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := f.value(cmd.Context(), a, args[1])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				if f.ttl == 0 {
					return s.Forever(ctx, args[0], value)
				}
				return s.Put(ctx, args[0], value, time.Duration(f.ttl))
			})
		},
	}
	f.register(cmd)
	return cmd
}

func newAddCmd(a *app) *cobra.Command {
	var f valueFlags
	cmd := &cobra.Command{
		Use:   "add KEY VALUE",
		Short: "Store VALUE under KEY if there is no live value",
		Long: "Store VALUE under KEY if there is no live value. Of several adds at once, one stores.\n\n" + aboutValue +
			"\n\nExit status 1 if there is a value already.",
		Example: "  larder add report:sent yes --ttl 1d && php artisan report:send",
		Args:    arguments("KEY", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := f.value(cmd.Context(), a, args[1])
			if err != nil {
				return err
			}
			ttl := time.Duration(f.ttl)
			if ttl == 0 {
				ttl = store.ForeverTTL
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				added, err := s.Add(ctx, args[0], value, ttl)
				if err == nil && !added {
					return nof("add %q: there is a live value already", args[0])
				}
				return err
			})
		},
	}
	f.register(cmd)
	return cmd
}

func newTouchCmd(a *app) *cobra.Command {
	var (
		ttl     ttlFlag
		forever bool
	)
	cmd := &cobra.Command{
		Use:   "touch KEY {--ttl TTL | --forever}",
		Short: "Make KEY expire TTL from now, leaving its value",
		Long: `Make KEY expire TTL from now, leaving its value; with --forever, in ten years, which is what Laravel calls forever.

Exit status 1 if there is no live row.`,
		Example: "  larder touch greeting --ttl 1h\n  larder touch settings --forever",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if forever {
				ttl = ttlFlag(store.ForeverTTL)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				touched, err := s.Touch(ctx, args[0], time.Duration(ttl))
				if err == nil && !touched {
					err = fmt.Errorf("touch %q: %w", args[0], store.ErrNotFound)
				}
				return a.notThere(ctx, s, args[0], err)
			})
		},
	}
	cmd.Flags().Var(&ttl, "ttl", "how long it lives from now: seconds, or as 10m, 2h, 1d")
	cmd.Flags().BoolVar(&forever, "forever", false, "let it live for ten years, which is what Laravel calls forever")
	cmd.MarkFlagsOneRequired("ttl", "forever")
	cmd.MarkFlagsMutuallyExclusive("ttl", "forever")
	return cmd
}
