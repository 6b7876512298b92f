package store

import (
	"fmt"
	"regexp"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// An Option changes a store's defaults. Its value is checked by Open and New.
type Option func(*config) error

type config struct {
	prefix    string
	table     string
	lockTable string
	clock     func() time.Time
	recorder  record.Recorder
	memory    memoryConfig
}

func newConfig(opts []Option) (config, error) {
	c := config{table: "cache", lockTable: "cache_locks"}
	for _, o := range opts {
		if err := o(&c); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

// WithPrefix sets what stands before every key and lock name in the tables, as Laravel's CACHE_PREFIX does. No separator
// is added. Defaults to "".
func WithPrefix(prefix string) Option {
	return func(c *config) error {
		if err := checkText("prefix", prefix); err != nil {
			return err
		}
		c.prefix = prefix
		return nil
	}
}

// WithTable sets the cache table's name. Defaults to "cache".
func WithTable(name string) Option {
	return func(c *config) error {
		c.table = name
		return checkIdentifier("table", name)
	}
}

// WithLockTable sets the lock table's name. Defaults to "cache_locks".
func WithLockTable(name string) Option {
	return func(c *config) error {
		c.lockTable = name
		return checkIdentifier("lock table", name)
	}
}

// WithClock replaces the database server's clock in every statement, for tests that set the time. Defaults to the server's
// own clock, which is the one clock that a fleet shares.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return fmt.Errorf("clock: want a function, got nil")
		}
		c.clock = now
		return nil
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z0-9_$]{1,64}$`)

func checkIdentifier(what, name string) error {
	if identifier.MatchString(name) {
		return nil
	}
	return &LimitError{What: what, Limit: "letters, digits, $ and _, at most 64", Got: fmt.Sprintf("%q", name)}
}
