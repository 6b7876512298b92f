package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

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

// report prints a command's error and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	var (
		usage usageError
		no    noError
		limit *store.LimitError
		ran   exitStatus

		confirm *migrations.ConfirmError
	)
	switch {
	case err == nil:
		return exitDone
	case err == errNo:
		return exitNo
	case err == errCouldNot:
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
	case !a.started, isFlagError(err):
		a.sayf("%v", err)
		a.sayf("try: %s --help", cmd.CommandPath())
		return exitUsage
	case errors.As(err, &usage), errors.As(err, &limit), errors.As(err, &confirm):
		a.sayf("%v", err)
		return exitUsage
	}
	a.sayf("%v", err)
	if hint := a.hint(err); hint != "" {
		a.sayf("%s", hint)
	}
	return exitError
}

// sqliteCantOpen is SQLite's result code SQLITE_CANTOPEN.
const sqliteCantOpen = 14

// hint says what to try about an error of the database, by where its address came from.
func (a *app) hint(err error) string {
	if a.loaded == nil {
		return ""
	}
	var (
		server  *mysql.MySQLError
		network *net.OpError
		file    interface{ Code() int }
		where   = fmt.Sprintf("%s (from %s)", a.loaded.Database, a.loaded.Database.Source)
	)
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.Is(err, store.ErrNoTable):
		return fmt.Sprintf("the tables are %s (from %s) and %s (from %s) of %s",
			a.loaded.Table, a.loaded.Table.Source, a.loaded.LockTable, a.loaded.LockTable.Source, where)
	case errors.As(err, &server) && server.Number == 1054:
		return fmt.Sprintf("table %s (from %s) is not one that Laravel makes: see larder migrate status", a.loaded.Table, a.loaded.Table.Source)
	case errors.As(err, &server) && server.Number == 1045:
		return "user or password are wrong for " + where
	case errors.As(err, &server) && server.Number == 1044:
		return "this user has no rights on the database of " + where
	case errors.As(err, &server) && server.Number == 1049:
		return "create the database, or correct its name, in " + where
	case errors.As(err, &network) && network.Op == "dial":
		return "is the server running, and is this its address? " + where
	case errors.As(err, &file) && file.Code() == sqliteCantOpen:
		return "does the folder of the file exist, and may it be written? " + where
	}
	return ""
}
