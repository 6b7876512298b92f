package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime/debug"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/dump"
	"github.com/larder-cache/larder/store"
)

func newImportCmd(a *app) *cobra.Command {
	var o store.ImportOptions
	cmd := &cobra.Command{
		Use:        "import [FILE]",
		SuggestFor: []string{"restore", "load"},
		Short:      "Store the rows that larder export wrote",
		Long: `Store the rows that larder export wrote, from FILE or standard input ("-"), whatever was there under their keys.

Each row expires when it did in the database that it came from; those that have expired since are left out. With
--extend each lives from now on for the time that it had left when it was exported.

Rows are stored in batches, each whole or not at all, and to import a file again changes nothing; so after an error, which
names the line, or an interruption, the file can be mended and imported again.

With -o json: {"stored","expired","lookalikes"}; lookalikes are rows that gave way to a key which the key column's
collation takes for theirs (Flag and flag, on most of Laravel's MySQL tables).`,
		Example: "  larder import rows.jsonl\n  zcat rows.jsonl.gz | larder import --extend",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := a.stdin
			if len(args) == 1 && args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return usageError{err}
				}
				defer func() { _ = f.Close() }() // it was only read
				from = f
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.importRows(ctx, s, o, from) })
		},
	}
	cmd.Flags().BoolVar(&o.Extend, "extend", false, "let each row live from now for the ttl that it was exported with")
	cmd.Flags().BoolVar(&o.Expired, "expired", false, "store rows that have expired too")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "take the keys for whole row keys, as export --all-prefixes writes them")
	return cmd
}

// An importView is what an import did, as -o json prints it.
type importView struct {
	Stored     int64 `json:"stored"`
	Expired    int64 `json:"expired"`
	Lookalikes int64 `json:"lookalikes"`
}

func (a *app) importRows(ctx context.Context, s *store.Store, o store.ImportOptions, from io.Reader) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(frugal))
	progress := a.progress("importing", -1)
	in := &measured{Reader: from, size: sizeOf(from)}
	done, upTo, err := storeRows(ctx, s, o, in, func(rows int64) { progress.Set(rows, in.estimate(rows)) })
	progress.Done()
	if err != nil {
		text := fmt.Sprintf("lines 1 to %d are done: %s", upTo, importedText(done))
		if upTo == 0 {
			text = "nothing is stored"
		}
		var limit *store.LimitError
		if ctx.Err() == nil && (errors.As(err, &limit) || errors.As(err, new(lineError))) {
			return usagef("%w; %s", err, text)
		}
		return interrupted(ctx, err, "%s", text)
	}
	if done.Lookalikes > 0 {
		a.remarkf("%s gave way to a key that this table's collation takes for theirs: it has one row for Flag and flag",
			countText(done.Lookalikes, "row"))
	}
	if a.json() {
		return a.printJSON(importView{done.Stored, done.Expired, done.Lookalikes})
	}
	return a.println(importedText(done))
}

// measured counts what is read of a file, to tell how far the work is.
type measured struct {
	io.Reader
	size int64 // of the file; -1 if it is not known, as of a pipe
	read atomic.Int64
}

func sizeOf(from io.Reader) int64 {
	if f, ok := from.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size()
		}
	}
	return -1
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.read.Add(int64(n))
	return n, err
}

// estimate returns how many rows there are in all, if so many were in what has been read; -1 if the size is not known.
func (m *measured) estimate(rows int64) int64 {
	read := m.read.Load()
	if m.size <= 0 || read <= 0 {
		return -1
	}
	return max(rows, int64(float64(rows)*float64(m.size)/float64(read)))
}

func importedText(r store.ImportResult) string {
	text := "stored " + countText(r.Stored, "row")
	if r.Expired > 0 {
		text += ", left out " + countText(r.Expired, "expired row")
	}
	return text
}

// A lineError is about a line that cannot be imported.
type lineError struct{ error }

func (e lineError) Unwrap() error { return e.error }

// The bounds of a batch: as much as one statement of the store takes.
const (
	batchRows  = 1000
	batchBytes = 4 << 20
)

// A batch is rows that are stored together, and the lines where they stand.
type batch struct {
	rows  []store.Row
	lines []int
	bytes int
}

func (b *batch) add(r store.Row, line int) {
	b.rows, b.lines, b.bytes = append(b.rows, r), append(b.lines, line), b.bytes+len(r.Value)
}

func (b *batch) full(next int) bool {
	return len(b.rows) == batchRows || len(b.rows) > 0 && b.bytes+next > batchBytes
}

// storeRows stores the rows in batches, and returns what that did and up to which line.
func storeRows(ctx context.Context, s *store.Store, o store.ImportOptions, from io.Reader, report func(rows int64)) (done store.ImportResult, upTo int, err error) {
	var (
		in = dump.NewReader(from)
		b  batch
	)
	keep := func() error {
		if len(b.rows) == 0 {
			return ctx.Err()
		}
		result, err := s.Import(ctx, b.rows, o)
		var at *store.RowError
		switch {
		case errors.As(err, &at):
			return lineError{fmt.Errorf("line %d: %w", b.lines[at.Index], at.Err)}
		case err != nil:
			return fmt.Errorf("lines %d to %d: %w", b.lines[0], b.lines[len(b.lines)-1], err)
		}
		done.Add(result)
		upTo = b.lines[len(b.lines)-1]
		report(done.Stored + done.Expired)
		b = batch{rows: b.rows[:0], lines: b.lines[:0]}
		clear(b.rows[:cap(b.rows)]) // the values may be large
		return nil
	}
	for r := range lines(ctx, in) {
		if errors.Is(r.err, io.EOF) {
			break
		}
		if r.err != nil {
			return done, upTo, r.err
		}
		if b.full(len(r.row.Value)) {
			if err := keep(); err != nil {
				return done, upTo, err
			}
		}
		b.add(r.row, r.line)
	}
	err = keep()
	return done, upTo, err
}

// A lineRead is a row and the number of its line, or why there is none.
type lineRead struct {
	row  store.Row
	line int
	err  error
}

// lines reads rows until one is an error, io.EOF at the end, or the context has ended; it does not wait for a line longer than that.
func lines(ctx context.Context, in *dump.Reader) iter.Seq[lineRead] {
	return func(yield func(lineRead) bool) {
		read := make(chan lineRead)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				row, err := in.Next()
				if err != nil && !errors.Is(err, io.EOF) {
					err = lineError{err}
				}
				select {
				case read <- lineRead{row, in.Line(), err}:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
			}
		}()
		for {
			r := lineRead{err: ctx.Err()}
			if r.err == nil {
				select {
				case r = <-read:
				case <-ctx.Done():
					r.err = ctx.Err()
				}
			}
			if !yield(r) || r.err != nil {
				return
			}
		}
	}
}
