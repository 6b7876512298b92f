package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

func TestMySQL_VerdictOnEachError(t *testing.T) {
	numbered := func(n uint16) error { return fmt.Errorf("put: %w", &mysql.MySQLError{Number: n}) }
	dialTimeout := &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	for _, c := range []struct {
		err  error
		want verdict
	}{
		{numbered(1213), notApplied}, {numbered(1205), notApplied}, {numbered(1047), notApplied}, {numbered(1180), notApplied},
		{numbered(1040), notApplied}, {numbered(1020), notApplied},
		{numbered(1317), unknown}, {numbered(1053), unknown}, {numbered(1927), unknown},
		{numbered(1045), final}, {numbered(1146), final}, {numbered(1406), final}, {numbered(1290), final}, {numbered(1690), final},
		{driver.ErrBadConn, notApplied}, {&net.OpError{Op: "dial", Err: errors.New("refused")}, notApplied}, {dialTimeout, notApplied},
		{mysql.ErrInvalidConn, unknown}, {mysql.ErrMalformPkt, unknown}, {io.EOF, unknown}, {io.ErrUnexpectedEOF, unknown},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, unknown}, {context.Canceled, unknown}, {context.DeadlineExceeded, unknown},
		{errors.New("something else"), final},
	} {
		if got := (mysqlDialect{}).verdict(c.err); got != c.want {
			t.Errorf("%v: verdict %d, want %d", c.err, got, c.want)
		}
	}
}

func TestSQLite_AnEndedContextIsUnknown(t *testing.T) {
	for _, err := range []error{context.Canceled, context.DeadlineExceeded} {
		if got := (sqliteDialect{}).verdict(err); got != unknown {
			t.Errorf("%v: verdict %d, want unknown", err, got)
		}
	}
}

func TestRepeat_TroubleWithConnectingIsNotUnknown(t *testing.T) {
	s := &Store{dialect: mysqlDialect{}}
	tries := 0
	err := s.repeat(context.Background(), once, func() error {
		if tries++; tries < 3 {
			return connectError{mysql.ErrInvalidConn}
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries, want success after 3", err, tries)
	}
}

func TestRepeat_EndsAfterTenRepeats(t *testing.T) {
	s := &Store{dialect: mysqlDialect{}}
	for _, c := range []struct {
		effect effect
		err    error
		tries  int
		want   bool // unknown
	}{
		{once, &mysql.MySQLError{Number: 1213}, 11, false},
		{once, mysql.ErrInvalidConn, 1, true},
		{idempotent, mysql.ErrInvalidConn, 11, true},
		{reading, mysql.ErrInvalidConn, 11, false},
	} {
		tries := 0
		err := s.repeat(context.Background(), c.effect, func() error { tries++; return c.err })
		if tries != c.tries || errors.Is(err, ErrOutcomeUnknown) != c.want || !errors.Is(err, c.err) {
			t.Errorf("effect %d, %v: %d tries, %v", c.effect, c.err, tries, err)
		}
	}
}

func TestPause_GrowsToItsBound(t *testing.T) {
	for n, most := range []int{5, 9, 17, 33, 65, 129, 129, 129, 129, 129} {
		longest := time.Duration(0)
		for range 100 {
			d := pause(n)
			if d < time.Millisecond || d > time.Duration(most)*time.Millisecond {
				t.Fatalf("pause %d is %s, want 1 ms to %d ms", n, d, most)
			}
			longest = max(longest, d)
		}
		if longest < time.Duration(most)*time.Millisecond/2 {
			t.Errorf("the longest of 100 pauses %d is %s, want about %d ms", n, longest, most)
		}
	}
}

func TestRemaining_StaysWithin292Years(t *testing.T) {
	for _, c := range []struct {
		expiration, now int64
		live            bool
	}{
		{1000, 999, true}, {1000, 1000, false}, {1000, 1001, false}, {253402300799, 1700000000, true},
		{math.MaxInt64, 1700000000, true}, {math.MinInt64, 1700000000, false}, {math.MaxInt64, -5, true}, {0, 0, false},
	} {
		got := remaining(c.expiration, c.now)
		if (got > 0) != c.live || got%time.Second != 0 {
			t.Errorf("from %d to %d: %s", c.now, c.expiration, got)
		}
	}
}

type connectorFunc func() (driver.Conn, error)

func (f connectorFunc) Connect(context.Context) (driver.Conn, error) { return f() }
func (f connectorFunc) Driver() driver.Driver                        { return nil }

func TestFailover_GoesOnUnlessTheServerSaysNo(t *testing.T) {
	for _, c := range []struct {
		first error
		next  bool
	}{
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{mysql.ErrInvalidConn, true}, // a proxy without a server behind it
		{driver.ErrBadConn, true},
		{&mysql.MySQLError{Number: 1040}, true}, // full
		{&mysql.MySQLError{Number: 1045}, false},
		{&mysql.MySQLError{Number: 1049}, false},
	} {
		reached := false
		f := failover{
			connectorFunc(func() (driver.Conn, error) { return nil, c.first }),
			connectorFunc(func() (driver.Conn, error) { reached = true; return nil, nil }),
		}
		_, err := f.Connect(context.Background())
		if reached != c.next || (err == nil) != c.next {
			t.Errorf("%v: next host tried: %v, %v", c.first, reached, err)
		}
	}
}

// Each host's certificate is verified for that host's name.
func TestMySQLConfigs_VerifyEachHostsName(t *testing.T) {
	configs, err := mysqlConfigs("mysql://u:p@db1.example,db2.example:3307/app?tls=true")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"db1.example", "db2.example"} {
		if cfg := configs[i]; cfg.TLS == nil || cfg.TLS.ServerName != want {
			t.Errorf("host %d: TLS %+v, want it for %s", i, cfg.TLS, want)
		}
	}
}

func TestMySQLConfigs_ReadAddressesAsTheyAreMeant(t *testing.T) {
	for _, c := range []struct{ address, net, addr, user, password, name string }{
		{"mysql://u:p@h/db", "tcp", "h:3306", "u", "p", "db"},
		{"mysql://u:p%40%2F%3F%25@h:1/db", "tcp", "h:1", "u", "p@/?%", "db"},
		{"mysql://u:p@x/y@h/db", "tcp", "h:3306", "u", "p@x/y", "db"},
		{"mysql://h/db", "tcp", "h:3306", "", "", "db"},
		{"mysql://u@/db", "tcp", "127.0.0.1:3306", "u", "", "db"},
		{"mysql://u@[::1]:5/db", "tcp", "[::1]:5", "u", "", "db"},
		{"mysql://u@[::1]/db%2Fx", "tcp", "[::1]:3306", "u", "", "db/x"},
		{"mariadb://u:p@/db?socket=/run/my sql.sock", "unix", "/run/my sql.sock", "u", "p", "db"},
	} {
		configs, err := mysqlConfigs(c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		cfg := configs[0]
		if cfg.Net != c.net || cfg.Addr != c.addr || cfg.User != c.user || cfg.Passwd != c.password || cfg.DBName != c.name {
			t.Errorf("%s: %s %s %s %s %s", c.address, cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName)
		}
		if !cfg.InterpolateParams || cfg.ClientFoundRows || cfg.MaxAllowedPacket != 0 || cfg.ReadTimeout != 30*time.Second || cfg.Params["sql_mode"] == "" {
			t.Errorf("%s: defaults are %+v", c.address, cfg)
		}
	}
}
