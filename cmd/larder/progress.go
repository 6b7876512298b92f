package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/larder-cache/larder/internal/term"
)

// progress begins a progress line on standard error, of which there is nothing to see where that is no terminal, or where remarks are not wanted.
// The total is -1 if it is not known.
func (a *app) progress(what string, total int64) *term.Progress {
	o := term.Of(a.stderr, a.lookupEnv)
	if a.loaded != nil && a.level() > slog.LevelInfo {
		o = term.Plain
	}
	return term.NewProgress(a.stderr, o, what, total)
}

// errInterrupted ends a work that was stopped by a signal between two batches.
var errInterrupted = errors.New("interrupted")

// interrupted returns the error of a work that ended with err, and says what was done until then if a signal stopped it. The database's own error is
// left out: it tells about the statement that the signal cut short.
func interrupted(ctx context.Context, err error, format string, args ...any) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%w (until then: %s)", err, fmt.Sprintf(format, args...))
	}
	return fmt.Errorf("%w: %s", errInterrupted, fmt.Sprintf(format, args...))
}
