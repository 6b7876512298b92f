package migrations

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

const (
	defaultTable     = "cache"
	defaultLockTable = "cache_locks"

	// recordTable begins the names of larder's own tables, so no cache table may have such a name.
	recordTable = "larder_migrations"
	// mutexTable is the same for all table names: whoever changes tables in one database does so alone.
	mutexTable = recordTable + "_lock"

	maxIdentifier = 64 // MySQL's limit for the names of tables and indexes, in characters
)

// An Option changes a migrator's defaults. Its value is checked by New.
type Option func(*config) error

type config struct {
	table, lockTable string
	log              *slog.Logger
	lockWait, lease  time.Duration
}

func newConfig(opts []Option) (config, error) {
	c := config{
		table:     defaultTable,
		lockTable: defaultLockTable,
		log:       slog.New(slog.DiscardHandler),
		lockWait:  5 * time.Minute,
		lease:     time.Minute,
	}
	for _, o := range opts {
		if err := o(&c); err != nil {
			return config{}, err
		}
	}
	// Some servers, and SQLite always, take names that differ in case only for the same table.
	if strings.EqualFold(c.table, c.lockTable) {
		return config{}, fmt.Errorf("table and lock table are both named %q: want two names", c.table)
	}
	return c, nil
}

// WithTable sets the cache table's name. Defaults to "cache".
func WithTable(name string) Option {
	return func(c *config) error {
		c.table = name
		return checkName("table", name)
	}
}

// WithLockTable sets the lock table's name. Defaults to "cache_locks". As in Laravel, it does not follow the cache table's name.
func WithLockTable(name string) Option {
	return func(c *config) error {
		c.lockTable = name
		return checkName("lock table", name)
	}
}

// WithLogger sets where the migrator tells what it is doing. Defaults to nowhere.
func WithLogger(log *slog.Logger) Option {
	return func(c *config) error {
		if log == nil {
			return errors.New("logger is nil")
		}
		c.log = log
		return nil
	}
}

// WithLockWait sets how long Up and Down wait for another run on the same database to end. Zero tries once. Defaults to 5 minutes.
func WithLockWait(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("lock wait %v: want zero or more", d)
		}
		c.lockWait = d
		return nil
	}
}

// WithLockLease sets after what time without a sign of life a run counts as crashed, and another one may take over. It is
// renewed at a third of that. Whole seconds, at least 3. Defaults to 1 minute.
func WithLockLease(d time.Duration) Option {
	return func(c *config) error {
		if d < 3*time.Second || d%time.Second != 0 {
			return fmt.Errorf("lock lease %v: want whole seconds, at least 3s", d)
		}
		c.lease = d
		return nil
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z0-9_$]{1,64}$`)

func checkName(what, name string) error {
	if !identifier.MatchString(name) {
		return fmt.Errorf("%s %q: want letters, digits, $ and _, at most %d", what, name, maxIdentifier)
	}
	if strings.HasPrefix(strings.ToLower(name), recordTable) {
		return fmt.Errorf("%s %q: names that begin with %s are larder's own", what, name, recordTable)
	}
	return nil
}

// versionTable returns the name of the version table for a pair of tables. The checksum keeps pairs apart that have one name
// in common, and names that differ only in what is cut off.
func versionTable(table, lockTable string) string {
	if table == defaultTable && lockTable == defaultLockTable {
		return recordTable
	}
	return fit(recordTable+"_"+strings.ToLower(table), "_"+checksum(table+" "+lockTable))
}

// indexName returns the name that Laravel gives the index on a table's expiration, which is in lower case. Laravel cannot
// index a table whose name makes it longer than the server allows; there it is cut and a checksum keeps it unique.
func indexName(table string) string {
	name := strings.ToLower(table) + "_expiration_index"
	if len(name) <= maxIdentifier {
		return name
	}
	return fit(name, "_"+checksum(table))
}

func fit(name, suffix string) string {
	return name[:min(len(name), maxIdentifier-len(suffix))] + suffix
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
