package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/store"
)

// hint says what to try about an error of the database, by where its address came from; "" if the error says it or nothing is known to help.
func (a *app) hint(err error) string {
	if a.loaded == nil || errors.Is(err, context.Canceled) {
		return ""
	}
	var (
		server *mysql.MySQLError
		file   interface{ Code() int } // of modernc.org/sqlite
		where  = fmt.Sprintf("%s (from %s)", a.loaded.Database, a.loaded.Database.Source)
	)
	switch {
	case errors.Is(err, store.ErrNoTable):
		return fmt.Sprintf("the tables are %s (from %s) and %s (from %s) of %s",
			a.loaded.Table, a.loaded.Table.Source, a.loaded.LockTable, a.loaded.LockTable.Source, where) + a.meantTables()
	case errors.As(err, &server):
		return a.serverHint(server, where)
	case errors.As(err, &file):
		return a.fileHint(file.Code(), where)
	}
	return a.networkHint(err, where)
}

// meantTables names the tables that the configured ones may be misspelt for, in lines of their own.
func (a *app) meantTables() string {
	text := ""
	for _, name := range []struct{ configured, flag string }{{a.loaded.Table.Value, "--table"}, {a.loaded.LockTable.Value, "--lock-table"}} {
		if others := doctor.Meant(a.loaded, a.tables, name.configured); len(others) > 0 {
			text += fmt.Sprintf("\nthere is no %s, and there is %s: did you mean %s %s?", name.configured, strings.Join(others, ", "), name.flag, doctor.ShellQuote(others[0]))
		}
	}
	return text
}

// The server's numbers of what an operator has to see to.
const (
	erDatabaseDenied  = 1044
	erAccessDenied    = 1045
	erUnknownDatabase = 1049
	erUnknownColumn   = 1054
	erTableDenied     = 1142
	erColumnDenied    = 1143
	erOptionPrevents  = 1290 // read_only, super_read_only
	erReadOnlyMode    = 1836
	erSecureTransport = 3159 // MySQL's require_secure_transport; MariaDB says 4031 (10.5) or denies access
	erSecureMariaDB   = 4031
)

func (a *app) serverHint(err *mysql.MySQLError, where string) string {
	switch err.Number {
	case erUnknownColumn:
		return fmt.Sprintf("table %s (from %s) is not one that Laravel makes: see larder migrate status", a.loaded.Table, a.loaded.Table.Source)
	case erAccessDenied:
		text := "user or password are wrong for " + where
		if !encrypted(a.loaded.Database.Value) {
			text += "; or the server wants this user to encrypt the connection: ?tls=true behind the database's name does"
		}
		return text
	case erSecureTransport, erSecureMariaDB:
		return "put ?tls=true behind the database's name, or ?ssl-ca=/path/to/ca.pem, in " + where
	case erDatabaseDenied:
		return "there is no such database, or this user has no rights on it: " + where
	case erUnknownDatabase:
		return "create the database, or correct its name, in " + where
	case erTableDenied, erColumnDenied:
		return fmt.Sprintf("let an administrator GRANT SELECT, INSERT, UPDATE, DELETE on the tables %s and %s to the user of %s; larder doctor prints the statement",
			a.loaded.Table, a.loaded.LockTable, where)
	case erOptionPrevents, erReadOnlyMode:
		return "this server takes no writes, as a replica or while it is looked after: give the address of the one that does, instead of " + where
	}
	return ""
}

func encrypted(address string) bool {
	return strings.Contains(address, "tls=") || strings.Contains(address, "ssl-ca=")
}

// SQLite's primary result codes.
const (
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteReadOnly = 8
	sqliteIOError  = 10
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

func (a *app) fileHint(code int, where string) string {
	path := strings.TrimPrefix(strings.TrimPrefix(a.loaded.Database.Value, "sqlite:"), "//")
	switch code & 0xff {
	case sqliteBusy, sqliteLocked:
		return fmt.Sprintf("another process has been writing for longer than larder waits: try again, or see which one by fuser %s: %s", doctor.ShellQuote(path), where)
	case sqliteReadOnly:
		return "this user must be allowed to write the file and its folder, where SQLite keeps its log also for those who only read; larder doctor says which may not be written: " + where
	case sqliteFull:
		return "make room on the disk of " + where
	case sqliteIOError:
		return "the disk or the network share could not be read or written: " + where
	case sqliteCorrupt:
		return fmt.Sprintf("the file is damaged: restore it, or save what is left by sqlite3 %s .recover: %s", doctor.ShellQuote(path), where)
	case sqliteNotADB:
		return "this file is something else: is it the right one? " + where
	case sqliteCantOpen:
		return cantOpen(path, where)
	}
	return ""
}

// cantOpen says which of the reasons that SQLite does not tell apart it is.
func cantOpen(path, where string) string {
	folder := filepath.Dir(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "this is a folder: name a file in it, in " + where
	}
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("the folder %s does not exist: make it by mkdir -p %s, or correct %s", folder, doctor.ShellQuote(folder), where)
	}
	return "may this user read and write the file and its folder? " + where
}

func (a *app) networkHint(err error, where string) string {
	var (
		network     *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &certificate):
		return "this machine does not trust the server's certificate: give the authority's by ?ssl-ca=/path/to/ca.pem, and the name that it is for as the host, in " + where
	case errors.Is(err, mysql.ErrNoTLS):
		return "the server does not encrypt: switch TLS on there, or leave tls out of " + where
	case errors.As(err, &name) && name.IsNotFound:
		return "there is no host of this name, or this machine's name server does not know it: " + where
	case errors.As(err, &network) && network.Op == "listen":
		return "" // it is ours, and no trouble with the database
	case errors.As(err, &network) && network.Op == "dial":
		return "is the server running, and is this its address? " + where
	case network != nil, errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, context.DeadlineExceeded):
		return "the connection was lost, or the server took too long to answer: is it well? " + where
	}
	return ""
}
