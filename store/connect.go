package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
)

// mysqlConnectors also returns the place: the hosts and the database's name.
func mysqlConnectors(address string) (f failover, place string, err error) {
	configs, err := mysqlConfigs(address)
	if err != nil {
		return nil, "", err
	}
	for _, cfg := range configs {
		if cfg.ClientFoundRows {
			return nil, "", errors.New("database address: clientFoundRows=true hides whether a statement changed a row: leave it out")
		}
		c, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, "", fmt.Errorf("database address: %w", err)
		}
		f = append(f, newGreeting(c, cfg))
		place += cfg.Addr + "/" + cfg.DBName + "\n"
	}
	return f, place, nil
}

// A failover connects to the first server that can be reached.
type failover []driver.Connector

func (f failover) Connect(ctx context.Context) (driver.Conn, error) {
	var failed []error
	for _, c := range f {
		conn, err := c.Connect(ctx)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		var server *mysql.MySQLError
		if errors.As(err, &server) && server.Number != erTooManyConnections || ctx.Err() != nil {
			break // the server was reached and said no
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, errors.Join(failed...)
}

func (f failover) Driver() driver.Driver { return f[0].Driver() }

// A greeting is one server's connector, whose connections are made within the address's timeout, login included. The driver bounds the dial
// alone: a server that is out of threads, a firewall or a proxy without a server behind it takes a connection at once, says nothing, and would
// keep the caller until the read timeout, with an error that names no address and cannot be told from a lost answer.
//
// What goes wrong on the way is a failed dial to those who ask, for nothing was sent that a server could have applied.
type greeting struct {
	driver.Connector
	network, address string
	within           time.Duration
}

func newGreeting(c driver.Connector, cfg *mysql.Config) greeting {
	return greeting{Connector: c, network: cfg.Net, address: cfg.Addr, within: cfg.Timeout}
}

func (g greeting) Connect(ctx context.Context) (driver.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, g.within)
	defer cancel()
	conn, err := g.Connector.Connect(bounded)
	var network *net.OpError
	switch {
	case err == nil:
		return conn, nil
	case errors.As(err, &network) && network.Op == "dial":
		return nil, err
	case ctx.Err() != nil:
		return nil, g.failed(fmt.Errorf("it took the connection and had not answered as a database server: %w", ctx.Err()))
	case bounded.Err() != nil:
		return nil, g.failed(fmt.Errorf("it took the connection and did not answer as a database server within %s", g.within))
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrMalformPkt), errors.Is(err, mysql.ErrPktSync),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), network != nil:
		return nil, g.failed(fmt.Errorf("it took the connection and ended it before the login, or is no database server: %w", err))
	}
	return nil, err
}

func (g greeting) failed(err error) error {
	return &net.OpError{Op: "dial", Net: g.network, Addr: named(g), Err: err}
}

// named is the address as the configuration has it, which may be a name or a socket's path.
type named greeting

func (n named) Network() string { return n.network }
func (n named) String() string  { return n.address }

// A sqliteFile is the connector of a file. SQLite would create it as readable by everybody as the umask allows; its companions, -wal and -shm,
// take the file's mode.
type sqliteFile struct {
	driver.Connector
	path string // or :memory:
}

func newSQLiteFile(path string) (sqliteFile, error) {
	c, err := sqlite.NewConnector(sqliteDSN(path))
	return sqliteFile{Connector: c, path: path}, err
}

func (f sqliteFile) Connect(ctx context.Context) (driver.Conn, error) {
	if f.path != ":memory:" {
		f.create()
	}
	conn, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlite:%s: %w", f.path, err)
	}
	return conn, nil
}

// create leaves a file that is there alone, as its locks end when any descriptor of it is closed in this process. Of what it cannot create,
// SQLite says so itself.
func (f sqliteFile) create() {
	if file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = file.Close() // nothing was written
	}
}
