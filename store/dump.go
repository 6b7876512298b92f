package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/store/record"
)

// A Row is a whole row of the cache table, to be copied: live or expired, sound or corrupt.
type Row struct {
	Key        string        // without prefix; the whole row key if all prefixes were asked for
	Value      []byte        // the stored bytes, after base64 where Laravel has it on SQLite, so that they mean the same in every engine
	Expiration int64         // Unix seconds, as in the column
	TTL        time.Duration // how long the row still lived when it was read, by the database server's clock; 0 or less if it had expired
}

// ExportOptions narrow an Export. The zero value exports the live rows of the store's prefix.
type ExportOptions struct {
	Pattern     string // As in ListOptions. Defaults to "*".
	State       State  // Defaults to Live.
	After       string // The key after which to begin, in the column's own order: the last one of an Export that was stopped.
	AllPrefixes bool   // Every row of the table, by whole row keys. Defaults to false.

	// MaxSize leaves out the rows whose values are larger, in bytes as stored, without reading them. Defaults to 0: none is.
	MaxSize int64
}

// Export returns the rows that the options select, whole, in the order in which the key column sorts.
//
// It reads page after page by key, and of each as many values at a time as make up 4 MiB; one that is larger by itself and in parts, which are
// those of one moment. So it holds no statement open while a row is looked at, and its memory grows with the largest value, of which there is one
// copy, and another in SQLite while it gives a part of it, and not with the table. Rows written meanwhile are seen as they were before or after, or not at all, and no row is seen twice. The sequence ends with an error, if there is one, as its last element; an Export with the
// last key as After goes on from there.
func (s *Store) Export(ctx context.Context, o ExportOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		op, rows := s.begin(record.Export, ""), int64(0)
		err := s.export(ctx, o, func(r Row) bool { rows++; return yield(r, nil) })
		if errors.Is(err, errStop) {
			err = nil
		}
		op.end(ctx, record.Done, rows, err)
		if err != nil {
			yield(Row{}, fmt.Errorf("export: %w", err))
		}
	}
}

func (s *Store) export(ctx context.Context, o ExportOptions, yield func(Row) bool) error {
	list := ListOptions{Pattern: o.Pattern, State: o.State}
	if err := list.setDefaults(); err != nil {
		return err
	}
	prefix := s.prefix
	if o.AllPrefixes {
		prefix = ""
	}
	literal, _, _ := cutAny(list.Pattern, "*?")
	err := s.withPrefix(prefix+literal, func(condition string, args []any) error {
		rows := selection{read: s.sql.sizes, where: []string{s.inState(list.State), condition}, args: args, limit: listPage}
		if o.After != "" {
			rows.after = prefix + o.After
		}
		return s.pages(ctx, rows, func(page []listed) error {
			page = slices.DeleteFunc(page, func(row listed) bool {
				return !Match(list.Pattern, row.key[len(prefix):]) || o.MaxSize > 0 && row.size > o.MaxSize
			})
			return s.exportValues(ctx, list.State, prefix, page, yield)
		})
	})
	return s.noRowsIfNotStorable(err)
}

// exportValues reads the values of a page, as many at a time as maxBatch allows, and yields the rows in the page's order. A row that is gone, or no
// longer in the wanted state, is left out.
func (s *Store) exportValues(ctx context.Context, state State, prefix string, page []listed, yield func(Row) bool) error {
	for len(page) > 0 {
		n := together(page)
		wanted := make([]any, n)
		for i, row := range page[:n] {
			wanted[i] = row.key
		}
		read := s.exportRows
		if page[0].size > maxBatch {
			read = s.exportLarge
		}
		rows, err := read(ctx, wanted)
		if err != nil {
			return err
		}
		for _, rowKey := range wanted {
			r, found := rows[rowKey.(string)]
			if !found || state == Live && r.TTL <= 0 || state == Expired && r.TTL > 0 {
				continue
			}
			delete(rows, r.Key) // the values that have been yielded are the caller's, to keep or to drop
			r.Key = r.Key[len(prefix):]
			if !yield(r) {
				return errStop
			}
		}
		page = page[n:]
	}
	return nil
}

// together is how many of the next rows are read at a time.
func together(page []listed) int {
	n := 0
	for size := int64(0); n < len(page) && size+page[n].size <= maxBatch; n++ {
		size += page[n].size
	}
	return max(n, 1)
}

// exportRows returns the rows of the row keys, by row key.
func (s *Store) exportRows(ctx context.Context, rowKeys []any) (map[string]Row, error) {
	if len(rowKeys) == 0 {
		return nil, nil
	}
	rows := make(map[string]Row, len(rowKeys))
	err := s.repeat(ctx, reading, func() error {
		clear(rows)
		found, err := s.read.QueryContext(ctx, s.text(s.sql.many)+tuple(len(rowKeys)), rowKeys...)
		if err != nil {
			return err
		}
		defer func() { _ = found.Close() }()
		for found.Next() {
			var (
				r   Row
				now int64
			)
			if err := found.Scan(&r.Key, &r.Value, &r.Expiration, &now); err != nil {
				return err
			}
			r.Value, r.TTL = s.dialect.fromColumn(r.Value), remaining(r.Expiration, now)
			rows[r.Key] = r // by its own spelling, so that a look-alike is none of the wanted
		}
		return found.Err()
	})
	return rows, err
}

// maxPiece is how much of a value that exceeds maxBatch is read, or sent, at a time: a driver has all that it receives or sends in memory two or
// three times, which for a whole value of 16 MB is 50 MB.
const maxPiece = 1 << 20

// maxTorn is how often a value is read that changes while it is.
const maxTorn = 3

var (
	errTorn    = errors.New("its value changes while it is read")
	errNoParts = errors.New("the server does not give the value in parts")
)

// exportLarge is exportRows for a single row whose value is large.
func (s *Store) exportLarge(ctx context.Context, rowKeys []any) (map[string]Row, error) {
	rowKey := rowKeys[0].(string)
	rows := make(map[string]Row, 1)
	for n := 1; ; n++ {
		err := s.repeat(ctx, reading, func() error {
			clear(rows)
			about := s.text(s.sql.about) // before there is a connection: an injected clock may use the store
			tx, err := s.read.BeginTx(ctx, s.dialect.snapshot())
			if err != nil {
				return err
			}
			defer func() { _ = tx.Rollback() }() // it has only read
			r, err := s.assemble(ctx, tx, about, rowKey)
			if err == nil && r.Key == rowKey { // and not a look-alike
				rows[rowKey] = r
			}
			return err
		})
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return rows, nil
		case errors.Is(err, errNoParts):
			if rows, err = s.exportRows(ctx, rowKeys); err != nil {
				return nil, fmt.Errorf("row %s: %w", shown(rowKey), err)
			}
			return rows, nil
		case errors.Is(err, errTorn) && n < maxTorn:
			continue
		case err != nil:
			return nil, fmt.Errorf("row %s: %w", shown(rowKey), err)
		}
		return rows, nil
	}
}

// assemble reads a row's value in parts. It returns errTorn if they do not belong together, as it is possible with a storage engine that has no
// transactions: MyISAM, Aria. It returns errNoParts if the value exceeds what the server works with, which may send it whole all the same.
func (s *Store) assemble(ctx context.Context, tx *sql.Tx, about, rowKey string) (Row, error) {
	var (
		r         Row
		now       int64
		size, sum sql.NullInt64
	)
	err := tx.QueryRowContext(ctx, about, rowKey).Scan(&r.Key, &size, &sum, &r.Expiration, &now)
	if err == nil && !size.Valid {
		err = errNoParts
	}
	if err != nil {
		return Row{}, err
	}
	value := make([]byte, 0, size.Int64)
	for piece := []byte(nil); int64(len(value)) < size.Int64; value = append(value, piece...) {
		err := tx.QueryRowContext(ctx, s.sql.piece, len(value)+1, maxPiece, rowKey).Scan(&piece)
		if err == nil && len(piece) == 0 {
			err = errTorn
		}
		if err != nil {
			return Row{}, err
		}
	}
	if int64(len(value)) != size.Int64 || sum.Valid && sum.Int64 != int64(crc32.ChecksumIEEE(value)) {
		return Row{}, errTorn
	}
	r.Value, r.TTL = s.dialect.fromColumn(value), remaining(r.Expiration, now)
	return r, nil
}

// ImportOptions say what an Import makes of the rows' times.
type ImportOptions struct {
	// Extend makes each row live for its TTL from now on, as if no time had passed since it was read, instead of until its expiration.
	Extend bool

	// Expired stores rows that have expired too. Defaults to false: they are left out.
	Expired bool

	// AllPrefixes takes the keys for whole row keys, as an Export with this option returns them. Defaults to false.
	AllPrefixes bool
}

// An ImportResult tells what an Import did.
type ImportResult struct {
	Stored  int64 // rows; one whose key comes again later is stored too, and then replaced
	Expired int64 // rows that were left out because they had expired

	// Shortened is how many of the stored rows end sooner than they say, because they were to live forever and the expiration column is INT.
	Shortened int64

	// Lookalikes is how many rows gave way to another key which the key column's collation takes for theirs: live ones of the table, or rows of
	// this very import.
	Lookalikes int64
}

// Add sums up two results.
func (r *ImportResult) Add(o ImportResult) {
	r.Stored, r.Expired = r.Stored+o.Stored, r.Expired+o.Expired
	r.Shortened, r.Lookalikes = r.Shortened+o.Shortened, r.Lookalikes+o.Lookalikes
}

// A RowError is an error about one of the rows that were given to Import.
type RowError struct {
	Index int // of the row
	Err   error
}

func (e *RowError) Error() string { return e.Err.Error() }

func (e *RowError) Unwrap() error { return e.Err }

// Import stores the rows as they are, whatever was there, or none of them: it checks all of them before it writes the first, and writes
// what does not fit one statement (1,000 rows, 4 MiB) in one transaction. A larger value is sent in parts on MySQL, which the server puts together
// before it writes it. To import them again changes nothing. When ctx ends meanwhile,
// Import goes on for up to two seconds, so that it can mostly tell what became of the rows.
//
// Values are stored byte for byte and not looked at; where Laravel stores base64, on SQLite, so does Import. A row that the table cannot hold
// exactly is a [RowError] with a LimitError; one that only the server refuses is a LimitError alone. A row that is meant to live forever ends with an INT column,
// as in Forever, and is counted as Shortened.
func (s *Store) Import(ctx context.Context, rows []Row, o ImportOptions) (result ImportResult, err error) {
	defer s.memory.wroteAll()
	op := s.begin(record.Import, "")
	defer func() { op.end(ctx, record.Stored, result.Stored, err) }()
	if err = ctx.Err(); err == nil {
		batch, cancel := outlasting(ctx, batchPatience)
		defer cancel()
		result, err = s.importRows(batch, rows, o)
	}
	if err != nil {
		return ImportResult{}, fmt.Errorf("import %d rows: %w", len(rows), err)
	}
	return result, nil
}

// An imported row is one as the statement takes it.
type imported struct {
	rowKey, column string
	parts          []byte // instead of column: a large value, to be sent in parts
	expiration     int64
}

func (r imported) size() int { return len(r.column) + len(r.parts) }

func (s *Store) importRows(ctx context.Context, rows []Row, o ImportOptions) (ImportResult, error) {
	var result ImportResult
	now, err := s.now(ctx)
	if err != nil {
		return result, err
	}
	ready, err := s.readyRows(rows, o, now, &result)
	if err != nil || len(ready) == 0 {
		return result, err
	}
	if result.Lookalikes, err = s.standing(ctx, ready); err != nil {
		return result, err
	}
	err = s.writeRows(ctx, ready)
	if isExpirationLimit(err) {
		if result.Shortened = endForever(ready, now); result.Shortened > 0 {
			err = s.writeRows(ctx, ready)
		}
	}
	if err != nil {
		return result, err
	}
	lost, err := s.lostAmongThemselves(ctx, ready)
	result.Stored, result.Lookalikes = int64(len(rows))-result.Expired, result.Lookalikes+lost
	return result, err
}

// now returns the time in Unix seconds, by the clock of the store's statements.
func (s *Store) now(ctx context.Context) (now int64, err error) {
	err = s.repeat(ctx, reading, func() error { return s.read.QueryRowContext(ctx, s.text(s.sql.clock)).Scan(&now) })
	return now, err
}

// readyRows checks the rows and returns those that are to be stored. Of a key that comes twice, the later row counts.
func (s *Store) readyRows(rows []Row, o ImportOptions, now int64, result *ImportResult) ([]imported, error) {
	prefix := s.prefix
	if o.AllPrefixes {
		prefix = ""
	}
	ready, at := make([]imported, 0, len(rows)), make(map[string]int, len(rows))
	for i, r := range rows {
		row := imported{rowKey: prefix + r.Key, expiration: r.Expiration}
		err := checkRowKey(row.rowKey)
		switch {
		case err != nil:
		case s.sql.nextPart != "" && len(r.Value) > maxBatch:
			row.parts, err = r.Value, s.dialect.checkColumn(r.Value)
		default:
			row.column, err = s.dialect.toColumn(r.Value)
		}
		if err != nil {
			return nil, &RowError{Index: i, Err: fmt.Errorf("key %s: %w", shown(r.Key), err)}
		}
		if o.Extend {
			row.expiration = now + wholeSeconds(r.TTL)
		}
		if row.expiration <= now && !o.Expired {
			result.Expired++
			continue
		}
		if before, twice := at[row.rowKey]; twice {
			ready[before] = row
			continue
		}
		at[row.rowKey] = len(ready)
		ready = append(ready, row)
	}
	return ready, nil
}

// writeRows writes the rows in one statement, or in one transaction.
func (s *Store) writeRows(ctx context.Context, rows []imported) error {
	var batches [][]imported
	for rest := rows; len(rest) > 0; {
		n, size := 1, rest[0].size()
		for n < min(len(rest), maxList) && size+rest[n].size() <= maxBatch {
			n, size = n+1, size+rest[n].size()
		}
		batches, rest = append(batches, rest[:n]), rest[n:]
	}
	if len(batches) == 1 && batches[0][0].parts == nil {
		_, err := s.exec(ctx, idempotent, s.importStatement(batches[0]), importArgs(batches[0])...)
		return err
	}
	return s.repeat(ctx, idempotent, func() error {
		return s.inTransaction(ctx, func(tx *sqlx.Tx) error {
			for _, batch := range batches {
				if err := s.writeBatch(ctx, tx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// writeBatch writes rows that fit into one statement, or one whose value is sent before it.
func (s *Store) writeBatch(ctx context.Context, tx *sqlx.Tx, batch []imported) error {
	row := batch[0]
	if row.parts == nil {
		_, err := tx.ExecContext(ctx, s.importStatement(batch), importArgs(batch)...)
		return err
	}
	if err := s.sendParts(ctx, tx, row.parts); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, s.sql.put+s.sql.importParts+s.sql.putTail, row.rowKey, row.expiration)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.sql.firstPart, nil) // the server's memory too is given back
	return err
}

// sendParts puts a value together where the connection's next statement finds it.
func (s *Store) sendParts(ctx context.Context, tx *sqlx.Tx, value []byte) error {
	statement := s.sql.firstPart
	for rest := value; len(rest) > 0; statement = s.sql.nextPart {
		n := min(len(rest), maxPiece)
		for n < len(rest) && !utf8.RuneStart(rest[n]) { // the server takes each part for text
			n--
		}
		if _, err := tx.ExecContext(ctx, statement, string(rest[:n])); err != nil {
			return err
		}
		rest = rest[n:]
	}
	var arrived sql.NullInt64
	if err := tx.QueryRowContext(ctx, s.sql.partsSize).Scan(&arrived); err != nil {
		return err
	}
	if arrived.Int64 != int64(len(value)) {
		return packetError(fmt.Errorf("of %d bytes the server has %d", len(value), arrived.Int64))
	}
	return nil
}

func (s *Store) importStatement(batch []imported) string {
	return s.sql.put + s.sql.importRow + strings.Repeat(","+s.sql.importRow, len(batch)-1) + s.sql.putTail
}

func importArgs(batch []imported) []any {
	args := make([]any, 0, len(batch)*rowArgs)
	for _, r := range batch {
		args = append(args, r.rowKey, r.column, r.expiration)
	}
	return args
}

// endForever makes rows that live forever end where an INT column does, and returns how many.
func endForever(rows []imported, now int64) (n int64) {
	for i, r := range rows {
		if remaining(r.expiration, now) > foreverFrom && r.expiration > math.MaxInt32 {
			rows[i].expiration = math.MaxInt32
			n++
		}
	}
	return n
}

// standing counts the live rows of the table that storing the rows would take over from keys of another spelling.
func (s *Store) standing(ctx context.Context, rows []imported) (n int64, err error) {
	err = s.eachKeyLike(ctx, rows, s.sql.isLive, func(_ string, wanted bool) {
		if !wanted {
			n++
		}
	})
	return n, err
}

// lostAmongThemselves counts the rows that others of the same import have taken over.
func (s *Store) lostAmongThemselves(ctx context.Context, rows []imported) (int64, error) {
	n := int64(len(rows))
	err := s.eachKeyLike(ctx, rows, "", func(_ string, wanted bool) {
		if wanted {
			n--
		}
	})
	return n, err
}

// eachKeyLike visits the keys of the table that its collation takes for those of the rows, and tells which are theirs to the byte.
func (s *Store) eachKeyLike(ctx context.Context, rows []imported, condition string, visit func(found string, wanted bool)) error {
	wanted := make(map[string]bool, len(rows))
	keys := make([]any, len(rows))
	for i, r := range rows {
		wanted[r.rowKey], keys[i] = true, r.rowKey
	}
	for len(keys) > 0 {
		n := min(len(keys), maxList)
		found, err := s.keys(ctx, selection{read: s.sql.keys, where: []string{s.sql.keyIn + tuple(n), condition}, args: keys[:n]})
		if err != nil {
			return err
		}
		for _, key := range found {
			visit(key, wanted[key])
		}
		keys = keys[n:]
	}
	return nil
}
