package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime/debug"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/dump"
	"github.com/larder-cache/larder/store"
)

func newImportCmd(a *app) *cobra.Command {
	var (
		o        store.ImportOptions
		fromLine int
		partial  bool
	)
	cmd := &cobra.Command{
		Use:        "import [FILE]",
		SuggestFor: []string{"restore", "load"},
		Short:      "Store the rows that larder export wrote",
		Long: `Store the rows that larder export wrote, from FILE or standard input ("-"), whatever was there under their keys.

Each row expires when it did in the database that it came from; those that have expired since are left out. With
--extend each lives from now on for the time that it had left when it was exported.

A line that cannot be read, or a row that this table cannot hold as it is, ends the import with exit status 2: what stands before
it is stored, and nothing of what follows. That error and an interruption name the line with which --from-line goes on, and the key
with which larder export --after does; or import all of it again: to store a row twice is to store it once.

An input that begins as an export does and does not end so, or has other rows than its end counts, is stored too, and the exit
status is 2: it was cut off between two lines, or its writer has failed. So is one that is empty. Rows that were filtered with jq or grep
are such, if the first or the last one is among them: --partial takes them as they are. Rows that were written by hand need nothing, and
whole exports that were joined are whole.

With -o json: {"stored","expired","lookalikes","shortened","whole"}; lookalikes are rows that gave way to a key which the key column's
collation takes for theirs (Flag and flag, on most of Laravel's MySQL tables), shortened those that end sooner than the export says,
on 2038-01-19, as an expiration column of type INT ends then.`,
		Example: "  larder import rows.jsonl\n  zcat rows.jsonl.gz | larder import --extend\n  grep '\"user:' rows.jsonl | larder import --partial",
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
			if fromLine < 1 {
				return usagef("--from-line %d: want 1 or more", fromLine)
			}
			if stdin, ok := from.(*os.File); ok && xterm.IsTerminal(int(stdin.Fd())) {
				a.sayf("reading rows from standard input; Ctrl-D ends it")
			}
			measured := &measured{Reader: from, size: sizeOf(from)}
			in := dump.NewReader(measured)
			in.From, in.WantTTL = fromLine, o.Extend
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				return a.importRows(ctx, &importer{store: s, options: o, in: in}, measured, partial)
			})
		},
	}
	cmd.Flags().BoolVar(&o.Extend, "extend", false, "let each row live from now for the ttl that it was exported with")
	cmd.Flags().BoolVar(&o.Expired, "expired", false, "store rows that have expired too")
	cmd.Flags().IntVar(&fromLine, "from-line", 1, "begin with this line, to go on with an import that has ended before it")
	cmd.Flags().BoolVar(&partial, "partial", false, "take what is no whole export: filtered, cut off or empty")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "take the keys for whole row keys, as export --all-prefixes writes them")
	return cmd
}

// An importView is what an import did, as -o json prints it.
type importView struct {
	Stored     int64 `json:"stored"`
	Expired    int64 `json:"expired"`
	Lookalikes int64 `json:"lookalikes"`
	Shortened  int64 `json:"shortened"`
	Whole      bool  `json:"whole"`
}

func (a *app) importRows(ctx context.Context, im *importer, from *measured, partial bool) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(frugal))
	progress := a.progress("importing", -1)
	err := im.run(ctx, func(rows int64) { progress.Set(rows, from.estimate(rows)) })
	progress.Done()
	var line *dump.LineError
	switch {
	case errors.As(err, &line) && ctx.Err() == nil:
		return usagef("%w; %s", err, im.resume(line.Line))
	case err != nil:
		return interrupted(ctx, err, "%s", im.resume(im.upTo+1))
	}
	if im.done.Lookalikes > 0 {
		a.remarkf("%s gave way to a key that this table's collation takes for theirs: it has one row for Flag and flag",
			countText(im.done.Lookalikes, "row"))
	}
	if im.done.Shortened > 0 {
		a.remarkf("%s that would end after 2038-01-19 end then, as the expiration column is INT; larder migrate widens it", countText(im.done.Shortened, "row"))
	}
	count := im.in.Count()
	if a.json() {
		err = a.printJSON(importView{im.done.Stored, im.done.Expired, im.done.Lookalikes, im.done.Shortened, count.Whole()})
	} else {
		err = a.println(importedText(im.done))
	}
	if err == nil && !partial && (count.Cut() || count == (dump.Count{})) {
		err = usagef("%s; if it is meant so, --partial takes it", im.notWhole(count))
	}
	return err
}

// notWhole says why an input is not taken for a whole export.
func (im *importer) notWhole(c dump.Count) string {
	switch {
	case c.Ended:
		return fmt.Sprintf("the input is no whole export: its end tells of %s, and %s came", countText(c.Told, "row"), humanize.Comma(c.Rows))
	case c.Rows == 0:
		return "the input is empty, which no export is: what should have written it has failed"
	case !im.begun:
		return "the input has no end, as every export has"
	default:
		return fmt.Sprintf("the input has no end, as every export has: if it was cut off, larder export --after %s goes on", doctor.ShellQuote(im.last))
	}
}

// resume says what is done and how it goes on, with the given line.
func (im *importer) resume(line int) string {
	if !im.begun {
		return "nothing is stored"
	}
	return fmt.Sprintf("%s, up to line %d; go on with --from-line %d, or from the database that it came from with larder export --after %s",
		importedText(im.done), im.upTo, line, doctor.ShellQuote(im.last))
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

// An importer stores the rows of a dump.
type importer struct {
	store   *store.Store
	options store.ImportOptions
	in      *dump.Reader

	done  store.ImportResult
	begun bool   // something is done:
	upTo  int    // all up to this line,
	last  string // with this key
}

// run stores the rows in batches. Those before a line that is an error are stored.
func (im *importer) run(ctx context.Context, report func(rows int64)) error {
	var b batch
	keep := func() error {
		if err := im.keep(ctx, b.rows, b.lines); err != nil {
			return err
		}
		report(im.done.Stored + im.done.Expired)
		b = batch{rows: b.rows[:0], lines: b.lines[:0]}
		clear(b.rows[:cap(b.rows)]) // the values may be large
		return nil
	}
	for r := range lines(ctx, im.in) {
		if errors.Is(r.err, io.EOF) {
			break
		}
		if r.err != nil {
			if ctx.Err() == nil {
				r.err = cmp.Or(keep(), r.err)
			}
			return r.err
		}
		if b.full(len(r.row.Value)) {
			if err := keep(); err != nil {
				return err
			}
		}
		b.add(r.row, r.line)
		if r.isLarge() { // at once, so that the next one is not read beside it
			if err := keep(); err != nil {
				return err
			}
			debug.FreeOSMemory()
		}
	}
	return cmp.Or(keep(), ctx.Err())
}

// keep stores rows, and of those among which is one that the table cannot hold all that stand before it.
func (im *importer) keep(ctx context.Context, rows []store.Row, lines []int) error {
	if len(rows) == 0 {
		return nil
	}
	result, err := im.store.Import(ctx, rows, im.options)
	var (
		at    *store.RowError
		limit *store.LimitError
		half  = len(rows) / 2
	)
	switch {
	case errors.As(err, &at):
		return cmp.Or(im.keep(ctx, rows[:at.Index], lines[:at.Index]), error(&dump.LineError{Line: lines[at.Index], Err: at.Err}))
	case errors.As(err, &limit) && half > 0: // the server does not say which row it is
		if err := im.keep(ctx, rows[:half], lines[:half]); err != nil {
			return err
		}
		return im.keep(ctx, rows[half:], lines[half:])
	case errors.As(err, &limit):
		return &dump.LineError{Line: lines[0], Err: fmt.Errorf("key %q: %w", rows[0].Key, limit)}
	case err != nil:
		return fmt.Errorf("lines %d to %d: %w", lines[0], lines[len(lines)-1], err)
	}
	im.done.Add(result)
	im.upTo, im.last, im.begun = lines[len(lines)-1], rows[len(rows)-1].Key, true
	return nil
}

// A lineRead is a row and the number of its line, or why there is none.
type lineRead struct {
	row  store.Row
	line int
	err  error
}

func (r lineRead) isLarge() bool { return len(r.row.Value) > batchBytes }

// lines reads rows until one is an error, io.EOF at the end, or the context has ended; it does not wait for a line longer than that. It reads one
// ahead, but for large ones.
func lines(ctx context.Context, in *dump.Reader) iter.Seq[lineRead] {
	return func(yield func(lineRead) bool) {
		read := make(chan lineRead)
		done := make(chan struct{}) // with a large one
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				row, err := in.Next()
				r := lineRead{row, in.Line(), err}
				wait := r.isLarge()
				select {
				case read <- r:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
				if wait {
					select {
					case <-done:
					case <-stop:
						return
					}
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
			wait, ended := r.isLarge(), r.err != nil
			if !yield(r) || ended {
				return
			}
			if wait {
				done <- struct{}{}
			}
		}
	}
}
