package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/doctor"
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
without the prefix, so that they can be imported under another one. The lines hold whole tokens and secrets. Locks are not written.

The last line also says how many rows there are, as "rows"; without any it is {"rows":0}. By that larder import knows an
export which was cut off, wherever that was: also in a pipe, of whose failure a shell knows only with set -o pipefail.

Interrupted, it ends with a whole line and says with which --after it goes on; --to then appends to its file, and counts
what is there. If the output cannot be written, as when a disk is full or the reader of a pipe has ended, the exit status is 3; the
file of --to is then cut at its last whole line.`,
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
			goOn := cmd.Flags().Changed("after") // a key may be empty
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.export(ctx, s, o, file, goOn) })
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
const frugal = 20 << 20

// largeValue is from how many bytes on a value's memory is given back before the next one is read. The collector would begin when the next one
// stands beside it.
const largeValue = 4 << 20

func (a *app) export(ctx context.Context, s *store.Store, o store.ExportOptions, file string, goOn bool) (err error) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(frugal))
	out := &output{to: a.safeJSON(), what: term.Of(a.stdout, a.lookupEnv)}
	if file != "-" {
		var after *string
		if goOn {
			after = &o.After
		}
		if out, err = createDump(file, after); err != nil {
			return err
		}
		defer func() {
			if closing := out.file.Close(); err == nil {
				err = closing
			}
			if err != nil && !goOn && out.rows == 0 {
				_ = os.Remove(file) // an empty file would be in the way of the next attempt
			}
		}()
	}
	// So that a reader who ends before the last row makes an error, as a full disk does, and not an end without a word.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)

	total := int64(-1)
	if o.Pattern == "" && o.After == "" {
		if total, err = s.CountRows(ctx, o.State, o.AllPrefixes); err != nil {
			return err
		}
	}
	progress := &term.Progress{}
	if !out.what.Terminal { // else the lines are seen
		progress = a.progress("exporting", total)
	}
	err = out.write(ctx, s, o, func(rows int64) { progress.Set(rows, max(total, min(rows, total))) })
	progress.Done()
	switch {
	case errors.As(err, new(writeError)):
		return fmt.Errorf("%w (%s)", err, out.mend())
	case err != nil && out.rows > 0:
		return interrupted(ctx, err, "%s written; go on with --after %s", countText(out.rows, "row"), doctor.ShellQuote(out.last))
	case err != nil:
		return err
	}
	a.remarkf("exported %s", countText(out.rows, "row"))
	return nil
}

// An output is where rows are exported to, and how far that is: rows and last tell what was surely written, in whole lines.
type output struct {
	to   io.Writer
	what term.Output
	file *os.File // that --to names, nil for standard output

	before int64 // rows that stand in the file without an end

	rows int64
	last string // key
	size int64  // of the file
}

// A writeError is trouble with the output. That with the database is none.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// createDump creates a file, which holds secrets, or opens it to go on with after the key that it ends with.
func createDump(name string, after *string) (*output, error) {
	mode := os.O_CREATE | os.O_EXCL
	if after != nil {
		mode = os.O_APPEND | os.O_CREATE
	}
	f, err := os.OpenFile(name, os.O_RDWR|mode, 0o600)
	if os.IsExist(err) {
		return nil, usagef("--to %s: the file exists: remove it, or go on with it by --after KEY", name)
	}
	if err != nil {
		return nil, err
	}
	o := &output{to: f, what: term.Plain, file: f}
	if err := o.goOn(after); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return o, nil
}

// goOn looks at what is in the file. That of an export which was killed may end in the middle of a line, in which a row would follow then; and between
// another key and the one that is gone on from, rows would be missing.
func (o *output) goOn(after *string) error {
	info, err := o.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	end := make([]byte, 1)
	if _, err := o.file.ReadAt(end, info.Size()-1); err != nil {
		return err
	}
	if end[0] != '\n' {
		return usagef("--to %s: the file ends in the middle of a line: remove that line, and go on after the key of the one before it", o.file.Name())
	}
	var (
		in   = dump.NewReader(io.NewSectionReader(o.file, 0, info.Size()))
		last *string
	)
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return usagef("--to %s: it is none that larder export wrote: %w", o.file.Name(), err)
		}
		last = &row.Key
	}
	if last != nil && *last != *after {
		return usagef("--to %s: the file ends with another key, and the rows between would be missing: go on with --after %s", o.file.Name(), doctor.ShellQuote(*last))
	}
	o.size, o.before = info.Size(), max(0, in.Count().Rows-in.Count().Told)
	return nil
}

// wholeLines is how many bytes are kept in memory before they are written as whole lines: less than the writer has room for.
const wholeLines = 32 << 10

// write writes the rows that the options select, and the end. Without that it ends with a whole line, unless the error is of writing.
func (o *output) write(ctx context.Context, s *store.Store, options store.ExportOptions, report func(rows int64)) error {
	var (
		count = &counter{to: o.to}
		begin = o.size
		w     = dump.NewWriter(count, o.before)
		rows  int64
		last  string
	)
	written := func(err error) error {
		if err != nil {
			return writeError{fmt.Errorf("export: %w", err)}
		}
		o.rows, o.last, o.size = rows, last, begin+count.bytes
		return nil
	}
	for row, err := range s.Export(ctx, options) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return cmp.Or(written(w.Flush()), err)
		}
		if w.Buffered() >= wholeLines {
			if err := written(w.Flush()); err != nil {
				return err
			}
		}
		if err := w.Write(row); err != nil {
			return writeError{fmt.Errorf("export: %w", err)}
		}
		rows, last = rows+1, row.Key
		if len(row.Value) > largeValue {
			row = store.Row{}
			debug.FreeOSMemory()
		}
		report(rows)
	}
	return written(w.End())
}

// mend cuts a file at its last whole line, and says how the export goes on. Of a pipe nobody but its reader knows how much it took.
func (o *output) mend() string {
	if o.file == nil {
		return "the output is cut off, maybe within a line: remove it, or if larder import reads it, go on with the --after that it names"
	}
	if err := o.file.Truncate(o.size); err != nil {
		return fmt.Sprintf("%s is cut off, maybe within a line: remove it", o.file.Name())
	}
	if o.rows == 0 {
		return fmt.Sprintf("nothing was written to %s", o.file.Name())
	}
	return fmt.Sprintf("%s written; go on with --to %s --after %s",
		countText(o.rows, "row"), doctor.ShellQuote(o.file.Name()), doctor.ShellQuote(o.last))
}

// A counter counts the bytes that a writer has taken.
type counter struct {
	to    io.Writer
	bytes int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.bytes += int64(n)
	return n, err
}
