package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

func newMigrateCmd(a *app) *cobra.Command {
	var dryRun bool
	up := func(cmd *cobra.Command, _ []string) error {
		return a.withMigrator(cmd.Context(), dryRun, func(ctx context.Context, m *migrations.Migrator) error {
			if dryRun {
				plan, err := m.Plan(ctx)
				return a.printResult(plan, err)
			}
			report, err := m.Up(ctx)
			return a.printResult(report, err)
		})
	}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create the cache tables, or adopt and upgrade those that Laravel made",
		Long: `Create the cache tables, or adopt and upgrade those that any Laravel from 5.5 to 13 made. No row is lost.

It may run on every server at once: one of them works, the others wait and find it done. A table that
is none of Laravel's is refused, with its differences.`,
		Example: "  larder migrate\n  larder migrate --dry-run > migrate.sql\n  larder migrate status",
		Args:    knownCommand,
		RunE:    up,
	}
	cmd.PersistentFlags().BoolVar(&dryRun, "dry-run", false, "print the SQL that would run, and change nothing")

	var yes bool
	down := &cobra.Command{
		Use:   "down",
		Short: "Drop the tables that larder created, and forget those that it adopted",
		Long: `Drop the tables that larder created, with every row in them, which must be confirmed with --yes. Tables
that larder adopted are left as they are, and so are larder's own records, the tables whose names begin with
larder_migrations.`,
		Example: "  larder migrate down --dry-run\n  larder migrate down --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withMigrator(cmd.Context(), dryRun, func(ctx context.Context, m *migrations.Migrator) error {
				if dryRun {
					plan, err := m.PlanDown(ctx)
					return a.printResult(plan, err)
				}
				var opts []migrations.DownOption
				if yes {
					opts = append(opts, migrations.DropTables())
				}
				report, err := m.Down(ctx, opts...)
				return a.printResult(report, err)
			})
		},
	}
	down.Flags().BoolVar(&yes, "yes", false, "do drop tables, with every row in them")

	cmd.AddCommand(
		&cobra.Command{Use: "up", Short: "The same as migrate alone", Example: "  larder migrate up", Args: cobra.NoArgs, RunE: up},
		down,
		&cobra.Command{
			Use:     "status",
			Short:   "Tell what the tables are like, and what migrate would do",
			Long:    "Tell what the tables are like, and what migrate would do.\n\nExit status 1 if there is something to do, or a table that migrate would refuse.",
			Example: "  larder migrate status || larder migrate",
			Args:    cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.withMigrator(cmd.Context(), true, func(ctx context.Context, m *migrations.Migrator) error {
					status, err := m.Status(ctx)
					if err := a.printResult(status, err); err != nil {
						return err
					}
					if !status.UpToDate() {
						return errNo
					}
					return nil
				})
			},
		},
	)
	return cmd
}

func (a *app) withMigrator(ctx context.Context, onlyLook bool, use func(context.Context, *migrations.Migrator) error) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	address := patient(cfg.Database.Value)
	if onlyLook && missingFile(address) {
		address = "sqlite::memory:" // which is as empty, and leaves nothing behind
	}
	return a.withStoreAt(ctx, address, func(ctx context.Context, s *store.Store) error {
		m, err := migrations.For(s, migrations.WithLogger(a.teller()))
		if err != nil {
			return usageError{err}
		}
		return use(ctx, m)
	})
}

// teller is the logger of a command that somebody waits for: on a terminal it speaks as the command itself does.
func (a *app) teller() *slog.Logger {
	if !term.Of(a.stderr, a.lookupEnv).Terminal {
		return a.logger()
	}
	return slog.New(&sayer{app: a})
}

// A sayer is a slog.Handler that says records as sentences, without a time or groups.
type sayer struct {
	app   *app
	attrs []slog.Attr
}

func (s *sayer) Enabled(_ context.Context, level slog.Level) bool { return level >= s.app.level() }

func (s *sayer) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	add := func(a slog.Attr) bool {
		text += fmt.Sprintf(", %s %v", a.Key, a.Value.Resolve())
		return true
	}
	for _, a := range s.attrs {
		add(a)
	}
	r.Attrs(add)
	s.app.sayf("%s", text)
	return nil
}

func (s *sayer) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sayer{s.app, slices.Concat(s.attrs, attrs)}
}

func (s *sayer) WithGroup(string) slog.Handler { return s }

// patient lets a statement take as long as it takes: changing a table of millions of rows takes longer than any answer that the
// other commands wait for.
func patient(database string) string {
	if strings.HasPrefix(database, "sqlite:") || strings.Contains(database, "readTimeout=") {
		return database
	}
	separator := "?"
	if strings.Contains(database, "?") {
		separator = "&"
	}
	return database + separator + "readTimeout=24h"
}

// printResult prints what a library returned, as its own text or as JSON.
func (a *app) printResult(result fmt.Stringer, err error) error {
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(result)
	}
	_, err = fmt.Fprint(a.stdout, result)
	return err
}
