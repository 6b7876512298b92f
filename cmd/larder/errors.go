package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// The exit statuses, which scripts rely on.
const (
	exitDone  = 0
	exitNo    = 1
	exitUsage = 2
	exitError = 3
)

// errNo is the answer no, to which there is nothing to add.
var errNo = errors.New("no")

// errCouldNot means that it could not be done, and that the command has said why.
var errCouldNot = errors.New("could not be done")

// A noError is the answer no, with what the person may want to know; a script, which has the exit status, can silence it by --log-level.
type noError struct{ error }

// A usageError is about the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
func (e noError) Unwrap() error    { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
func nof(format string, args ...any) error    { return noError{fmt.Errorf(format, args...)} }

// interruptedAlone reports whether a signal has stopped the command, and there is no more to say: not what was done until then, nor that it is not
// known whether something was.
func interruptedAlone(ctx context.Context, err error) bool {
	var ran exitStatus
	return ctx != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) &&
		!errors.Is(err, store.ErrOutcomeUnknown) && !errors.Is(err, errInterrupted) && !errors.As(err, &ran)
}

// report prints a command's error and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	var (
		usage usageError
		no    noError
		limit *store.LimitError
		ran   exitStatus

		confirm   *migrations.ConfirmError
		privilege *migrations.PrivilegeError
	)
	if err == nil {
		return exitDone
	}
	text, aboutFlags := flagError(err)
	if !aboutFlags {
		text = err.Error()
	}
	switch {
	case err == errNo:
		return exitNo
	case err == errCouldNot:
		return exitError
	case interruptedAlone(cmd.Context(), err):
		a.sayf("%v", errInterrupted)
		return exitError
	case errors.As(err, &ran):
		if ran.err != nil {
			a.sayf("%v", ran.err)
		}
		return ran.code
	case errors.As(err, &no), errors.Is(err, store.ErrNotFound):
		if a.loaded == nil || a.level() <= slog.LevelInfo {
			a.sayf("%v", err)
		}
		return exitNo
	case !a.started, aboutFlags:
		a.sayf("%s", text)
		a.sayf("try: %s --help", cmd.CommandPath())
		return exitUsage
	case errors.As(err, &usage), errors.As(err, &limit), errors.As(err, &confirm):
		a.sayf("%v", err)
		return exitUsage
	}
	a.sayf("%v", err)
	var server *mysql.MySQLError
	if errors.As(err, &privilege) && !(errors.As(err, &server) && server.Number == erDatabaseDenied) {
		return exitError // it says what to grant; of a database that may not exist, it does not say which that is
	}
	if hint := a.hint(err); hint != "" {
		a.sayf("%s", hint)
	}
	return exitError
}
