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

// An effect says what running a statement twice would do, and so what to do when its outcome is unknown.
type effect int

const (
	reading    effect = iota // nothing
	idempotent               // the same as once
	once                     // more than once would
)

// A connectError is one of getting a connection: nothing was sent.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// An uncommittedError is one of a transaction whose commit was not sent: nothing was applied.
type uncommittedError struct{ error }

func (e uncommittedError) Unwrap() error { return e.error }

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
		v := s.verdict(err)
		if v == final || v == unknown && e == once || n == maxRepeats || time.Since(started) > maxRepeating || ctx.Err() != nil {
			return s.failure(e, v, err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), s.failure(e, v, err))
		case <-time.After(pause(n)):
		}
		s.repeated(ctx, n+1, err)
	}
}

func (s *Store) verdict(err error) verdict {
	v := s.dialect.verdict(err)
	if v == unknown && (isA[connectError](err) || isA[uncommittedError](err)) {
		return notApplied
	}
	return v
}

// failure is the error that a statement ends with.
func (s *Store) failure(e effect, v verdict, err error) error {
	if v == unknown && e != reading {
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	return s.dialect.explain(err)
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
		text := s.text(statement) // before there is a connection: an injected clock may use the store
		return s.on(ctx, func(on *sql.Conn) error {
			res, err := on.ExecContext(ctx, text, args...)
			if err != nil {
				return err
			}
			a, err = answerOf(res)
			return err
		})
	})
	return a, err
}

// batchPatience is how long a statement of a long work may go on when that is interrupted.
const batchPatience = 2 * time.Second

// execBatch is exec for a batch of a long work. If ctx ends meanwhile the statement may finish, for a little while: the work can then tell
// exactly what it has done. A statement whose answer is not waited for is mostly applied.
func (s *Store) execBatch(ctx context.Context, e effect, statement string, args ...any) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	ctx, cancel := outlasting(ctx, batchPatience)
	defer cancel()
	return s.exec(ctx, e, statement, args...)
}

// outlasting returns a context that ends that much later than ctx.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(by):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

// on runs a statement that writes. It gets a connection first, so that trouble with getting one, and a context that ends while all of the pool's
// are in use, are not taken for trouble with the statement.
func (s *Store) on(ctx context.Context, run func(*sql.Conn) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return connectError{err}
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	return run(conn)
}

func answerOf(res sql.Result) (answer, error) {
	affected, err := res.RowsAffected()
	if err != nil {
		return answer{}, err
	}
	id, err := res.LastInsertId()
	return answer{affected: affected, id: id}, err
}
