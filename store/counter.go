package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/store/php"
	"github.com/larder-cache/larder/store/record"
)

// Increment adds by to the number under key and returns the result. The expiration stays.
//
// It is atomic across processes, and one statement for an integer of up to 18 digits. Other values that PHP counts as numbers are
// converted as Laravel converts them: a float is cut to an integer, a numeric string read ("7" and "7.9" both as 7). The row holds an
// integer afterwards.
//
// Increment returns [ErrNotFound] if there is no live row, [ErrNotNumber] if the value is none, [ErrOverflow] if the result does not
// fit 64 bits, and [ErrOutcomeUnknown] if the connection was lost before the server's answer arrived.
//
// Laravel's increment goes on counting on an expired row, which then stays expired, and answers false for a missing one.
func (s *Store) Increment(ctx context.Context, key string, by int64) (int64, error) {
	op := s.begin(record.Increment, key)
	n, err := s.increment(ctx, key, by)
	op.end(ctx, record.Hit, 1, err)
	if err != nil {
		return 0, fmt.Errorf("increment %s: %w", shown(key), err)
	}
	return n, nil
}

// Decrement subtracts by from the number under key; see [Store.Increment].
func (s *Store) Decrement(ctx context.Context, key string, by int64) (int64, error) {
	op := s.begin(record.Decrement, key)
	n, err := s.decrement(ctx, key, by)
	op.end(ctx, record.Hit, 1, err)
	if err != nil {
		return 0, fmt.Errorf("decrement %s: %w", shown(key), err)
	}
	return n, nil
}

// IncrementOrAdd is Increment for a counter that starts itself: if key has no live row, it stores by for ttl and returns it. A counter
// that is there keeps its expiration.
func (s *Store) IncrementOrAdd(ctx context.Context, key string, by int64, ttl time.Duration) (n int64, err error) {
	op, outcome := s.begin(record.IncrementOrAdd, key), record.Hit
	defer func() { op.end(ctx, outcome, 1, err) }()
	if ttl <= 0 {
		return 0, fmt.Errorf("increment %s: %w", shown(key), &LimitError{What: "ttl", Limit: "more than 0", Got: ttl.String()})
	}
	for {
		n, err := s.increment(ctx, key, by)
		if err == nil {
			return n, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return 0, fmt.Errorf("increment %s: %w", shown(key), err)
		}
		added, err := s.add(ctx, key, by, ttl)
		if err != nil {
			return 0, err
		}
		if added {
			outcome = record.Stored
			return by, nil
		}
		// Somebody else has started it in between.
	}
}

func (s *Store) increment(ctx context.Context, key string, by int64) (int64, error) {
	defer s.memory.wrote(key)
	rowKey := s.prefix + key
	var (
		n int64
		o outcome
	)
	err := s.repeat(ctx, once, func() error {
		text := s.text(s.sql.increment)
		return s.on(ctx, func(on *sql.Conn) (err error) {
			n, o, err = s.dialect.incremented(ctx, on, text, rowKey, by)
			return err
		})
	})
	switch {
	case err != nil:
		return 0, err
	case o == missing:
		return 0, ErrNotFound
	case o == notPlain:
		return s.change(ctx, key, func(n int64) (int64, bool) { return n + by, (n+by > n) == (by > 0) || by == 0 })
	}
	return n, nil
}

func (s *Store) decrement(ctx context.Context, key string, by int64) (int64, error) {
	if by == math.MinInt64 { // which has no negative
		return s.change(ctx, key, func(n int64) (int64, bool) { return n - by, n < 0 })
	}
	return s.increment(ctx, key, -by)
}

// change does what the fast statement leaves alone, by compare-and-swap: it reads the number, computes, and writes only if the value is
// still the same. The function returns false if the result does not fit.
func (s *Store) change(ctx context.Context, key string, compute func(int64) (int64, bool)) (int64, error) {
	defer s.memory.wrote(key)
	rowKey := s.prefix + key
	var last conflict
	for {
		item, err := s.item(ctx, key)
		if err == nil {
			err = last.again(item)
		}
		if err != nil {
			return 0, err
		}
		var value php.Value
		if err := item.Decode(&value); err != nil {
			return 0, err
		}
		n, err := number(value)
		if err != nil {
			return 0, err
		}
		sum, fits := compute(n)
		if !fits {
			return 0, ErrOverflow
		}
		was := string(item.stored)
		is := "i:" + strconv.FormatInt(sum, 10) + ";"
		if is == was {
			return sum, nil
		}
		a, err := s.exec(ctx, once, s.sql.replace, is, rowKey, rowKey, was)
		if err != nil {
			return 0, err
		}
		if a.affected > 0 {
			return sum, nil
		}
	}
}

// number is the integer that PHP's (int) cast makes of a value that its is_numeric accepts.
func number(value php.Value) (int64, error) {
	switch v := value.(type) {
	case php.Int:
		return int64(v), nil
	case php.Float:
		return cut(float64(v))
	case php.String:
		text := strings.Trim(string(v), " \t\n\r\v\f")
		if !numeric.MatchString(text) {
			return 0, ErrNotNumber
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, ErrOverflow
		}
		return cut(f)
	}
	return 0, ErrNotNumber
}

// numeric is what is_numeric accepts since PHP 8, after trimming white space.
var numeric = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

func cut(f float64) (int64, error) {
	switch {
	case math.IsNaN(f):
		return 0, ErrNotNumber
	case f >= 1<<63 || f < -1<<63:
		return 0, ErrOverflow
	}
	return int64(f), nil
}
