package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/manual"
)

// newDocsCmd is for those who make packages, and hidden from everybody else.
func newDocsCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:    "docs",
		Short:  "Write the documentation of the commands",
		Hidden: true,
		Args:   knownCommand,
		RunE:   func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "markdown",
			Short: "Print docs/cli.md",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprint(a.stdout, manual.Markdown(cmd.Root()))
				return err
			},
		},
		&cobra.Command{
			Use:   "man DIR",
			Short: "Write the man pages into the folder DIR",
			Long: `Write the man pages into the folder DIR, which is made if need be. They bear the date of SOURCE_DATE_EPOCH (Unix seconds), so that a
build can be repeated, or today's.`,
			Args: arguments("DIR"),
			RunE: func(cmd *cobra.Command, args []string) error { return a.writeManPages(cmd.Root(), args[0]) },
		},
	)
	return cmd
}

func (a *app) writeManPages(root *cobra.Command, dir string) error {
	date := time.Now()
	if epoch, ok := a.lookupEnv("SOURCE_DATE_EPOCH"); ok {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return usagef("SOURCE_DATE_EPOCH %q: want Unix seconds", epoch)
		}
		date = time.Unix(seconds, 0)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, page := range manual.ManPages(root, buildVersion(), date) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}
