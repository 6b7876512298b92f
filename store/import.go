package store

import (
	"context"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/jmoiron/sqlx"

	"github.com/larder-cache/larder/store/record"
)

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

// Import stores the rows as they are, whatever was there, or none of them: it checks all of them before it writes the first, and writes what does
// not fit one statement (1,000 rows, 4 MiB) in one transaction. A larger value is sent in parts on MySQL, which the server puts together before it
// writes it. To import them again changes nothing. When ctx ends meanwhile, Import goes on for up to two seconds, so that it can mostly tell what
// became of the rows.
//
// Values are stored byte for byte and not looked at; where Laravel stores base64, on SQLite, so does Import. A row that the table cannot hold
// exactly is a [RowError] with a LimitError; one that only the server refuses is a LimitError alone. A row that is meant to live forever ends with
// an INT column, as in Forever, and is counted as Shortened.
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

// borrowed returns a value as text, which of a large one shares the value's memory: it would else be there twice, three times with the engine's own.
// The caller of Import does not change it meanwhile, and Import does not keep it.
func borrowed(value []byte) string {
	if len(value) <= maxBatch {
		return string(value)
	}
	return unsafe.String(unsafe.SliceData(value), len(value))
}

// An imported row is one as the statement takes it.
type imported struct {
	rowKey, column string
	expiration     int64
}

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
		if err == nil {
			row.column, err = s.dialect.toColumn(borrowed(r.Value))
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

// inParts reports whether a row's value is sent before its statement, in parts.
func (s *Store) inParts(r imported) bool { return s.sql.nextPart != "" && len(r.column) > maxBatch }

// writeRows writes the rows in one statement, or in one transaction.
func (s *Store) writeRows(ctx context.Context, rows []imported) error {
	var batches [][]imported
	for rest := rows; len(rest) > 0; {
		n, size := 1, len(rest[0].column)
		for n < min(len(rest), maxList) && size+len(rest[n].column) <= maxBatch {
			n, size = n+1, size+len(rest[n].column)
		}
		batches, rest = append(batches, rest[:n]), rest[n:]
	}
	if len(batches) == 1 && !s.inParts(rows[0]) {
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
	if !s.inParts(row) {
		_, err := tx.ExecContext(ctx, s.importStatement(batch), importArgs(batch)...)
		return err
	}
	if err := s.sendParts(ctx, tx, row.column); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, s.sql.put+s.sql.importParts+s.sql.putTail, row.rowKey, row.expiration)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.sql.firstPart, nil) // the server's memory too is given back
	return err
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
