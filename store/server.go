package store

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Server is what the database tells of itself and of the store's connection to it. What an engine does not have, or does not tell this account,
// is left zero.
type Server struct {
	Product string // "MySQL", "MariaDB", "TiDB" or "SQLite"
	Version string // as the server says it

	// The connection.
	TLS   string // the protocol and the cipher, "" if it is not encrypted
	Local bool   // it does not leave this machine: a socket, the loopback address, a file

	// The settings of MySQL and its like.
	SQLMode       string // of this connection
	GlobalSQLMode string // of connections that do not set their own
	MaxPacket     int64  // max_allowed_packet, in bytes
	Isolation     string // "REPEATABLE-READ"
	ReadOnly      string // the first variable that makes the server refuse writes, "" if none does
	Replica       string // the server that this one replicates from, "" if none or if the account may not see it

	// Clusters.
	Galera           string // wsrep_cluster_status, "" if the server is no node of a Galera cluster
	GaleraReady      bool
	Nodes            int64  // of the Galera cluster
	GroupReplication string // the group's name, as of an InnoDB Cluster
	SinglePrimary    bool   // of the group

	// SQLite.
	File        string // "" for one in memory
	JournalMode string // "wal"
}

// Server asks the database about itself. It takes a few round trips, and reads no table of the cache.
func (s *Store) Server(ctx context.Context) (Server, error) {
	var about Server
	err := s.repeat(ctx, reading, func() error {
		conn, err := s.read.Connx(ctx) // one connection, for some answers are about it
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }() // it goes back to the pool
		about, err = s.dialect.server(ctx, conn)
		return err
	})
	if err != nil {
		return Server{}, fmt.Errorf("ask the database about itself: %w", err)
	}
	return about, nil
}

// ServerTime returns the database server's own clock, also for a store that was given another one by WithClock: on MySQL to the microsecond, on
// SQLite to the millisecond. It was right at a moment between the call and the return.
func (s *Store) ServerTime(ctx context.Context) (time.Time, error) {
	var seconds float64 // 53 bits hold today's microseconds
	err := s.repeat(ctx, reading, func() error { return s.read.QueryRowContext(ctx, s.sql.exactClock).Scan(&seconds) })
	if err != nil {
		return time.Time{}, fmt.Errorf("read the server's clock: %w", err)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*float64(time.Second))), nil
}
