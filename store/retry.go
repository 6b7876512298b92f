package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// How long and how often a statement that was certainly not applied is repeated. On a Galera cluster with several writing
// nodes 9 repeats were the worst case with these pauses, and 82 without them.
const (
	maxRepeats   = 10
	maxRepeating = 10 * time.Second
)

// How a statement may be repeated when its outcome is unknown.
type effect bool

const (
	idempotent effect = true  // twice is the same as once
	once       effect = false // twice is not
)

// repeat runs a statement until it succeeds, fails for good, or has failed too often. The statement tells the error as the driver
// gave it; repeat returns it explained.
func (s *Store) repeat(ctx context.Context, e effect, run func() error) error {
	if err := ctx.Err(); err != nil {
		return err // before anything was sent, so that the outcome is known
	}
	started := time.Now()
	for n := 0; ; n++ {
		err := run()
		if err == nil {
			return nil
		}
		v := s.dialect.verdict(err)
		if v == unknown && e == once {
			return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
		}
		if v == final || n == maxRepeats || time.Since(started) > maxRepeating || ctx.Err() != nil {
			return s.dialect.explain(err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.dialect.explain(err))
		case <-time.After(pause(n)):
		}
	}
}

// pause is 1 ms to 4·2^n ms, at most 128 ms: long enough that rivals do not meet again in step.
func pause(n int) time.Duration {
	most := min(4<<min(n, 5), 128)
	return time.Millisecond + rand.N(time.Duration(most)*time.Millisecond)
}

// exec executes a statement that changes rows.
func (s *Store) exec(ctx context.Context, e effect, statement string, args ...any) (answer, error) {
	var a answer
	err := s.repeat(ctx, e, func() error {
		res, err := s.write.ExecContext(ctx, s.text(statement), args...)
		if err != nil {
			return err
		}
		a, err = answerOf(res)
		return err
	})
	return a, err
}

func answerOf(res sql.Result) (answer, error) {
	affected, err := res.RowsAffected()
	if err != nil {
		return answer{}, err
	}
	id, err := res.LastInsertId()
	return answer{affected: affected, id: id}, err
}
