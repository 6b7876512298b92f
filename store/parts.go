package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
)

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

// sendParts puts a value together where the connection's next statement finds it.
func (s *Store) sendParts(ctx context.Context, tx *sqlx.Tx, value string) error {
	statement := s.sql.firstPart
	for rest := value; len(rest) > 0; statement = s.sql.nextPart {
		n := min(len(rest), maxPiece)
		for n < len(rest) && !utf8.RuneStart(rest[n]) { // the server takes each part for text
			n--
		}
		if _, err := tx.ExecContext(ctx, statement, rest[:n]); err != nil {
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
