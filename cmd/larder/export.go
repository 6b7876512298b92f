package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/dump"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

func newExportCmd(a *app) *cobra.Command {
	var (
		o     store.ExportOptions
		state string
		file  string
	)
	cmd := &cobra.Command{
		Use:        "export [PATTERN]",
		SuggestFor: []string{"dump", "backup"},
		Short:      "Write the rows as lines of JSON, for larder import",
		Long: `Write the live rows of the prefix whose key matches PATTERN, one JSON object a line, for larder import in this
database or another:

  {"key":"greeting","value":"s:5:\"hello\";","expiration":1788000000,"ttl":600}

The value is PHP's serialization, byte for byte; where it is not UTF-8 there is "value_base64" instead. Keys are
without the prefix, so that they can be imported under another one. The lines hold whole tokens and secrets.

Interrupted, it ends with a whole line and says with which --after it goes on; --to then appends to its file.`,
		Example: "  larder export > rows.jsonl\n  larder migrate --database sqlite:copy.db\n  larder export 'user:*' | larder import --database sqlite:copy.db\n" +
			"  larder export --to rows.jsonl --after user:7",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Pattern = args[0]
			}
			o.State = store.State(state)
			if err := checkState(o.State); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.export(ctx, s, o, file) })
		},
	}
	cmd.Flags().StringVar(&state, "state", "live", "which rows: live, expired or all")
	cmd.Flags().StringVar(&o.After, "after", "", "begin after this key, the last one of an export that was interrupted")
	cmd.Flags().StringVar(&file, "to", "-", "the `file` to write; - is standard output. It must not exist, or --after be given")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "write all of the table, by whole row keys")
	return cmd
}

// frugal is how much memory Go tries to keep to while rows are copied, of which each may be 16 MB: the collector would else let as much again pile
// up as is in use.
const frugal = 40 << 20

func (a *app) export(ctx context.Context, s *store.Store, o store.ExportOptions, file string) (err error) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(frugal))
	var (
		to   = a.safeJSON()
		what = term.Of(a.stdout, a.lookupEnv)
	)
	if file != "-" {
		f, err := createDump(file, o.After != "")
		if err != nil {
			return err
		}
		defer func() {
			if closing := f.Close(); err == nil {
				err = closing
			}
		}()
		to, what = f, term.Plain
	}
	total := int64(-1)
	if o.Pattern == "" && o.After == "" {
		if total, err = s.CountRows(ctx, o.State, o.AllPrefixes); err != nil {
			return err
		}
	}
	progress := &term.Progress{}
	if !what.Terminal { // else the lines are seen
		progress = a.progress("exporting", total)
	}
	rows, last, err := writeRows(ctx, s, o, to, progress, total)
	progress.Done()
	switch {
	case err != nil && rows > 0:
		return interrupted(ctx, err, "%s written; go on with --after %q", countText(rows, "row"), last)
	case err != nil:
		return err
	}
	a.remarkf("exported %s", countText(rows, "row"))
	return nil
}

// createDump creates a file, which holds secrets, or opens it to go on with.
func createDump(name string, appending bool) (*os.File, error) {
	mode := os.O_CREATE | os.O_EXCL
	if appending {
		mode = os.O_APPEND | os.O_CREATE
	}
	f, err := os.OpenFile(name, os.O_WRONLY|mode, 0o600)
	if os.IsExist(err) {
		return nil, usagef("--to %s: the file exists: remove it, or go on with it by --after KEY", name)
	}
	return f, err
}

// writeRows writes the rows, and returns how many and the last one's key.
func writeRows(ctx context.Context, s *store.Store, o store.ExportOptions, to io.Writer, progress *term.Progress, total int64) (rows int64, last string, err error) {
	w := dump.NewWriter(to)
	defer func() {
		if flushing := w.Flush(); flushing != nil && err == nil {
			err = fmt.Errorf("export: %w", flushing)
		}
	}()
	for row, err := range s.Export(ctx, o) {
		if err != nil {
			return rows, last, err
		}
		if err := w.Write(row); err != nil {
			return rows, last, fmt.Errorf("export: %w", err)
		}
		rows, last = rows+1, row.Key
		progress.Set(rows, max(total, min(rows, total)))
		if ctx.Err() != nil {
			return rows, last, ctx.Err()
		}
	}
	return rows, last, nil
}
