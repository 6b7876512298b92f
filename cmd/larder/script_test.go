package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the driver

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
)

// TestScripts runs every script in testdata/script on each engine, with a database of its own in LARDER_DATABASE, the prefix app_, and
// migrated tables. $ENGINE is mysql or sqlite, $ADDRESS the host and port of the former and $DATABASE its
// name. Beside testscript's own commands there are
//
//	exits STATUS COMMAND...          runs a command and checks its exit status; stdout and stderr then check what it prints
//	row ROWKEY VALUE SECONDS         puts a row into the cache table as somebody else might have, to expire that many seconds from now. VALUE is
//	                                 a Go string's inside
//	lockrow ROWKEY OWNER SECONDS     the same for the lock table
//	fill N PREFIX SECONDS            puts N rows named PREFIX0... there
//	count N [LIKE]                   checks how many rows of the cache table have a row key LIKE that
//	sql STATEMENT                    executes a statement
//	vendor                           starts a fake DingTalk and configures dingding_access_token; vendor fail N: refuses N requests;
//	                                 vendor busy N: is busy for N requests;
//	                                 vendor revoke FILE: ends the token in a file
//	mute VARIABLE                    starts a server that takes connections and says nothing, and puts its address there; hasty VARIABLE: one that
//	                                 ends them at once; reached VARIABLE N: waits until N connections have come
//	says FILE PATTERN                waits until another process has written something that matches into a file
//	renewed ROWKEY                   waits until the lock's row ends later than it did
//	writing FILE                     holds a SQLite file's write lock for the rest of the script
//	answers URL                      waits until a URL answers 200. $PORT is a free port
func TestScripts(t *testing.T) {
	onEachEngine(t, func(t *testing.T, _ string) {
		engine := strings.ToLower(t.Name()[strings.LastIndex(t.Name(), "/")+1:])
		testscript.Run(t, testscript.Params{
			Dir:   "testdata/script",
			Setup: func(e *testscript.Env) error { return setUpScript(e, engine) },
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"exits": scriptExits, "row": scriptRow, "lockrow": scriptLockRow, "fill": scriptFill, "count": scriptCount, "sql": scriptSQL,
				"vendor": scriptVendor, "answers": scriptAnswers, "writing": scriptWriting,
				"mute":  scriptListener(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }),
				"hasty": scriptListener(func(net.Conn) {}), "reached": scriptReached, "says": scriptSays, "renewed": scriptRenewed,
			},
			Condition: func(condition string) (bool, error) {
				if condition == "mysql" || condition == "sqlite" {
					return condition == engine, nil
				}
				return false, fmt.Errorf("unknown condition %q", condition)
			},
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
		})
	})
}

type dbKey struct{}

func setUpScript(e *testscript.Env, engine string) error {
	t, ok := e.T().(testing.TB)
	if !ok {
		return fmt.Errorf("testscript runs in a %T, want a *testing.T", e.T())
	}
	address := "sqlite:" + e.WorkDir + "/larder.db"
	driver, dsn := "sqlite", e.WorkDir+"/larder.db"
	if engine == "mysql" {
		db := testdb.MySQL(t)
		address, driver, dsn = db.URL(), "mysql", db.DSN()
	}
	e.Setenv("LARDER_DATABASE", address)
	e.Setenv("LARDER_PREFIX", "app_")
	e.Setenv("ENGINE", engine)
	e.Setenv("GORACE", atOnce)
	e.Setenv("ADDRESS", hostOf(address))
	e.Setenv("DATABASE", address[strings.LastIndex(address, "/")+1:])
	e.Setenv("PORT", freePort(t))
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	e.Defer(func() { _ = db.Close() })
	e.Values[dbKey{}] = db
	e.Values[vendorKey{}] = &vendorSlot{}
	e.Values[reachedKey{}] = map[string]*atomic.Int64{}
	env := map[string]string{"LARDER_DATABASE": address}
	code := run(t.Context(), []string{"migrate"}, environment{
		stdin: strings.NewReader(""), stdout: new(strings.Builder), stderr: os.Stderr, dir: e.WorkDir,
		lookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	if code != 0 {
		return fmt.Errorf("migrate: exit status %d", code)
	}
	return nil
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status is %d, want %d", got, want)
	}
}

func execSQL(ts *testscript.TestScript, statement string, args ...any) {
	_, err := ts.Value(dbKey{}).(*sql.DB).Exec(statement, args...)
	ts.Check(err)
}

func expiring(ts *testscript.TestScript, seconds string) int64 {
	n, err := strconv.ParseInt(seconds, 10, 64)
	ts.Check(err)
	return time.Now().Unix() + n
}

func scriptRow(ts *testscript.TestScript, _ bool, args []string) {
	value, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	execSQL(ts, "INSERT INTO cache VALUES (?,?,?)", args[0], value, expiring(ts, args[2]))
}

func scriptLockRow(ts *testscript.TestScript, _ bool, args []string) {
	execSQL(ts, "INSERT INTO cache_locks VALUES (?,?,?)", args[0], args[1], expiring(ts, args[2]))
}

func scriptFill(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for from := 0; from < n; from += 500 {
		var tuples []string
		var values []any
		for i := from; i < min(n, from+500); i++ {
			tuples = append(tuples, "(?,?,?)")
			values = append(values, fmt.Sprintf("%s%d", args[1], i), `s:3:"bar";`, expiring(ts, args[2]))
		}
		execSQL(ts, "INSERT INTO cache VALUES "+strings.Join(tuples, ","), values...)
	}
}

func scriptCount(ts *testscript.TestScript, _ bool, args []string) {
	like := "%"
	if len(args) > 1 {
		like = args[1]
	}
	quote := "`key`" // which SQLite takes too
	got := ""
	ts.Check(ts.Value(dbKey{}).(*sql.DB).QueryRow("SELECT COUNT(*) FROM cache WHERE "+quote+" LIKE ?", like).Scan(&got))
	if got != args[0] {
		ts.Fatalf("%s rows, want %s", got, args[0])
	}
}

func scriptSQL(ts *testscript.TestScript, _ bool, args []string) {
	execSQL(ts, strings.Join(args, " "))
}

// hostOf returns the host and port of a MySQL URL.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

type vendorKey struct{}

func scriptVendor(ts *testscript.TestScript, _ bool, args []string) {
	failures := map[string]fetchertest.Failure{"fail": fetchertest.BadCredentials, "busy": fetchertest.SystemBusy}
	if len(args) == 2 && failures[args[0]].Name != "" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		ts.Value(vendorKey{}).(*vendorSlot).vendor.FailNext(n, failures[args[0]])
		return
	}
	if len(args) == 2 && args[0] == "revoke" {
		ts.Value(vendorKey{}).(*vendorSlot).vendor.Revoke(strings.TrimSpace(ts.ReadFile(args[1])))
		return
	}
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("corp", secret))
	ts.Defer(vendor.Close)
	ts.Value(vendorKey{}).(*vendorSlot).vendor = vendor
	ts.Setenv("CORP_ID", "corp")
	ts.Setenv("CORP_SECRET", secret)
	ts.Setenv("DINGTALK_BASE_URL", vendor.URL)
}

// A vendorSlot is where a script keeps its fake.
type vendorSlot struct{ vendor *fetchertest.Fake }

func scriptAnswers(ts *testscript.TestScript, _ bool, args []string) {
	awaits(ts, args[0]+" does not answer", func() bool {
		resp, err := http.Get(args[0])
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// awaits waits for what another process does.
func awaits(ts *testscript.TestScript, otherwise string, holds func() bool) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s, not within %v", otherwise, patience)
		}
	}
}

// scriptSays waits until the file of another process is there, with text that matches.
func scriptSays(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	awaits(ts, args[0]+" has no "+args[1], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && pattern.Match(text)
	})
}

// scriptRenewed waits until a lock's row ends later than it did.
func scriptRenewed(ts *testscript.TestScript, _ bool, args []string) {
	expiration := func() (seconds int64) {
		ts.Check(ts.Value(dbKey{}).(*sql.DB).QueryRow("SELECT expiration FROM cache_locks WHERE `key` = ?", args[0]).Scan(&seconds))
		return seconds
	}
	before := expiration()
	awaits(ts, "lock "+args[0]+" is not renewed", func() bool { return expiration() > before })
}

// scriptListener starts a server that does that with each connection, and then ends it.
func scriptListener(serve func(net.Conn)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { _ = l.Close() })
		ts.Setenv(args[0], l.Addr().String())
		reached := &atomic.Int64{}
		ts.Value(reachedKey{}).(map[string]*atomic.Int64)[args[0]] = reached
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				reached.Add(1)
				go func() { serve(c); _ = c.Close() }()
			}
		}()
	}
}

type reachedKey struct{}

func scriptReached(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	reached := ts.Value(reachedKey{}).(map[string]*atomic.Int64)[args[0]]
	awaits(ts, "less than "+args[1]+" connections have come", func() bool { return reached.Load() >= want })
}

func scriptWriting(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { _ = db.Close() })
	conn, err := db.Conn(context.Background())
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close() })
	_, err = conn.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	ts.Check(err)
}

// freePort is testdb.FreePort as text.
func freePort(t testing.TB) string {
	t.Helper()
	port, err := testdb.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}
