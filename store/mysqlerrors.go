package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/store/record"
)

// Error numbers of MySQL and MariaDB.
const (
	erLockWaitTimeout    = 1205
	erDeadlock           = 1213
	erTooManyConnections = 1040
	erChangedSinceRead   = 1020 // MariaDB 11.6 and later, where snapshot isolation is on
	erUnknownCommand     = 1047 // a Galera node that is not ready
	erDuringCommit       = 1180 // a Galera node that lost its cluster
	erQueryInterrupted   = 1317 // MariaDB had not applied the statement, MySQL had
	erShutdown           = 1053
	erConnectionKilled   = 1927
	erNoSuchTable        = 1146

	erDatabaseDenied         = 1044
	erAccessDenied           = 1045
	erUnknownDatabase        = 1049
	erTableDenied            = 1142
	erColumnDenied           = 1143
	erUnknownColumn          = 1054
	erAccessDeniedNoPassword = 1698
	erDataTooLong            = 1406
	erOutOfRange             = 1264
	erIncorrectString        = 1366
	erPacketTooLarge         = 1153
	erUnknown                = 1105 // "longer than 'max_allowed_packet' bytes" among others
	erCantAggregate          = 1267 // illegal mix of collations (MariaDB)
	erCantConvert            = 3854 // cannot convert string (MySQL)
)

func (mysqlDialect) wrongCharset(err error) bool {
	number := mysqlNumber(err)
	return number == erCantAggregate || number == erCantConvert
}

func mysqlNumber(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// verdict follows what was seen while nodes of a Galera cluster were killed, stopped and paused under load: after a lost
// connection 45 of 48 statements had been applied; after the errors listed as not applied, none.
func (mysqlDialect) verdict(err error) verdict {
	switch mysqlNumber(err) {
	case erDeadlock, erLockWaitTimeout, erUnknownCommand, erDuringCommit, erTooManyConnections, erChangedSinceRead:
		return notApplied
	case erQueryInterrupted, erShutdown, erConnectionKilled:
		return unknown
	}
	var network *net.OpError
	switch {
	case errors.As(err, &network) && network.Op == "dial", errors.Is(err, driver.ErrBadConn):
		return notApplied
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unknown
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, mysql.ErrMalformPkt), errors.Is(err, mysql.ErrPktSync),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), network != nil:
		return unknown
	}
	return final
}

func (mysqlDialect) cause(err error) record.Cause {
	switch mysqlNumber(err) {
	case erDeadlock:
		return record.Deadlock
	case erLockWaitTimeout:
		return record.LockWait
	case erUnknownCommand, erDuringCommit:
		return record.NotReady
	case erTooManyConnections:
		return record.TooMany
	case erChangedSinceRead:
		return record.StaleRead
	case erQueryInterrupted, erShutdown, erConnectionKilled:
		return record.Interrupted
	}
	if network, ok := errors.AsType[*net.OpError](err); ok && network.Op == "dial" {
		return record.Refusal
	}
	return record.LostConnection
}

func (mysqlDialect) explain(err error) error {
	var e *mysql.MySQLError
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return packetError(err)
	}
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Number == erNoSuchTable:
		return fmt.Errorf("%w: %w", ErrNoTable, err)
	case e.Number == erDatabaseDenied, e.Number == erAccessDenied, e.Number == erUnknownDatabase, e.Number == erTableDenied, e.Number == erAccessDeniedNoPassword:
		return fmt.Errorf("%w: %w", ErrNoAccess, err)
	case e.Number == erPacketTooLarge, e.Number == erUnknown && strings.Contains(e.Message, "max_allowed_packet"):
		return packetError(err)
	case e.Number == erDataTooLong && strings.Contains(e.Message, "'value'"):
		return &LimitError{What: "value", Limit: "what its column holds", cause: err,
			Remedy: "the server says it is too long: a TEXT column ends at 65,535 bytes, larder migrate makes it MEDIUMTEXT"}
	case e.Number == erDataTooLong:
		return &LimitError{What: "row key, or lock owner", Limit: "what its column holds", cause: err,
			Remedy: "the server says it is too long: the column is shorter than Laravel's 255 characters"}
	case e.Number == erOutOfRange:
		return &LimitError{What: whatExpiration, Limit: "a time before 2038-01-19 03:14:07 UTC, where this table's INT column ends", cause: err,
			Remedy: "larder migrate makes the column BIGINT"}
	case e.Number == erCantAggregate, e.Number == erCantConvert:
		return &LimitError{What: "row key", Limit: "characters that the key column's character set has", cause: err,
			Remedy: "a table that Laravel makes is utf8mb4"}
	case e.Number == erIncorrectString:
		return &LimitError{What: "text", Limit: "what the columns' character set holds", cause: err,
			Remedy: "a table that Laravel makes is utf8mb4"}
	}
	return err
}

func packetError(cause error) error {
	return &LimitError{What: "value", Limit: "what the server takes in one packet", cause: cause,
		Remedy: "raise the server's max_allowed_packet, or split the value over several keys"}
}
