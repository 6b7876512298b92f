package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/larder-cache/larder/store/php"
	"github.com/larder-cache/larder/store/record"
)

// WithRecorder sets what hears of every operation of the store and its locks, and of every repeated statement: metrics, a log, a test. See
// package record. Defaults to none, which costs nothing.
func WithRecorder(r record.Recorder) Option {
	return func(c *config) error {
		if r == nil {
			return fmt.Errorf("recorder: want one, got nil")
		}
		c.recorder = r
		return nil
	}
}

// An operation is one that is under way. Its zero value is what a store without a recorder has.
type operation struct {
	recorder record.Recorder
	name     record.Name
	key      string
	began    time.Time
}

// begin begins an operation, of the key if it is about one. It is to be ended once, whatever becomes of it; where it can end in several
// places, in a deferred function.
func (s *Store) begin(name record.Name, key string) operation {
	if s.recorder == nil {
		return operation{}
	}
	return operation{recorder: s.recorder, name: name, key: key, began: time.Now()}
}

// end records what became of the operation: the outcome and the rows, or the error.
func (o *operation) end(ctx context.Context, outcome record.Outcome, rows int64, err error) {
	if o.recorder != nil {
		o.record(ctx, outcome, rows, err, nil)
	}
}

func (o *operation) record(ctx context.Context, outcome record.Outcome, rows int64, err error, keys iter.Seq2[string, record.Outcome]) {
	done := record.Operation{Name: o.name, Outcome: outcome, Key: o.key, Rows: rows, Duration: time.Since(o.began), Keys: keys}
	if err != nil {
		done.Outcome, done.Rows = outcomeOf(err), 0
	}
	if done.Outcome.IsError() {
		done.Err = err
	}
	o.recorder.Operation(ctx, done)
}

// endMany is end for an operation on several keys, of which some were found.
func (o *operation) endMany(ctx context.Context, keys []string, found map[string]Item, err error) {
	if o.recorder == nil {
		return
	}
	outcome := record.Hit
	each := func(yield func(string, record.Outcome) bool) {
		for _, key := range keys {
			of := record.Miss
			if _, ok := found[key]; ok {
				of = record.Hit
			} else if err != nil {
				of = outcomeOf(err)
			}
			if !yield(key, of) {
				return
			}
		}
	}
	for _, key := range keys {
		if _, ok := found[key]; !ok {
			outcome = record.Miss
			break
		}
	}
	o.record(ctx, outcome, int64(len(found)), err, each)
}

// endPutMany is end for values that were all written, or forgotten.
func (o *operation) endPutMany(ctx context.Context, values map[string]any, outcome record.Outcome, err error) {
	if o.recorder == nil {
		return
	}
	each := outcome
	if err != nil {
		each = outcomeOf(err)
	}
	o.record(ctx, outcome, int64(len(values)), err, func(yield func(string, record.Outcome) bool) {
		for key := range values {
			if !yield(key, each) {
				return
			}
		}
	})
}

// one returns an outcome and its number of rows, which is 1 or 0.
func one(yes bool, then, otherwise record.Outcome) (record.Outcome, int64) {
	if yes {
		return then, 1
	}
	return otherwise, 0
}

// storedFor is what an operation becomes that writes a value for ttl.
func storedFor(ttl time.Duration) record.Outcome {
	if ttl <= 0 {
		return record.Forgotten
	}
	return record.Stored
}

// outcomeOf sorts errors. Those that only are an answer come first, then the surest ones.
func outcomeOf(err error) record.Outcome {
	switch {
	case errors.Is(err, ErrNotFound):
		return record.Miss
	case errors.Is(err, ErrLockTimeout), errors.Is(err, ErrPruning):
		return record.Held
	case errors.Is(err, ErrOutcomeUnknown):
		return record.Unknown
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return record.Canceled
	case errors.Is(err, ErrCorrupt):
		return record.Corrupt
	case errors.Is(err, ErrLookalikeKey):
		return record.Lookalike
	case errors.Is(err, ErrNoTable):
		return record.NoTable
	case errors.Is(err, ErrNoAccess):
		return record.NoAccess
	case errors.Is(err, ErrOverflow), errors.Is(err, ErrNoPrefix), errors.Is(err, ErrSameTable), errors.Is(err, ErrOtherLocks), isA[*LimitError](err), isA[*php.UnsupportedTypeError](err), isA[*php.LimitError](err):
		return record.Refused
	case errors.Is(err, ErrNotNumber), isA[*php.TypeError](err), isA[*php.OverflowError](err):
		return record.Mismatch
	}
	return record.Failed
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// repeated records that a statement is repeated because of err.
func (s *Store) repeated(ctx context.Context, attempt int, err error) {
	if s.recorder == nil {
		return
	}
	cause := s.dialect.cause(err)
	if isA[connectError](err) && cause == record.LostConnection {
		cause = record.Refusal
	}
	s.recorder.Retry(ctx, record.Retry{Cause: cause, Attempt: attempt, Err: err})
}
