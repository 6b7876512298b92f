//go:build unix

package fetcher_test

import (
	"database/sql"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/internal/workers"
	"github.com/larder-cache/larder/migrations"
)

// An outage is something that happens to a database server, and how it ends.
type outage struct {
	begin, end func(t *testing.T, server *testdb.Server, admin *sql.DB)
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func signal(t *testing.T, server *testdb.Server, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(server.PID(), sig); err != nil {
		t.Fatal(err)
	}
}

var outages = map[string]outage{
	"stopped and started again": {
		func(t *testing.T, server *testdb.Server, _ *sql.DB) {
			if err := server.Crash(); err != nil {
				t.Fatal(err)
			}
		},
		func(t *testing.T, server *testdb.Server, _ *sql.DB) {
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
		},
	},
	"slow": {
		func(t *testing.T, server *testdb.Server, _ *sql.DB) { signal(t, server, syscall.SIGSTOP) },
		func(t *testing.T, server *testdb.Server, _ *sql.DB) { signal(t, server, syscall.SIGCONT) },
	},
	"read-only": {
		func(t *testing.T, _ *testdb.Server, admin *sql.DB) {
			exec(t, admin, "SET GLOBAL read_only = 1", "DELETE FROM cache") // its account may still write
		},
		func(t *testing.T, _ *testdb.Server, admin *sql.DB) { exec(t, admin, "SET GLOBAL read_only = 0") },
	},
}

// databasePatience is how long the processes wait for a statement: longer than a busy machine may hold up who waits for nothing.
const databasePatience = 2 * time.Second

// A process that has a token goes on with it; one that has none asks the vendor itself, once; and the row is there again when the database is.
func TestScenario18_RealOutageIsServedFromMemoryAndTheRowWrittenBack(t *testing.T) {
	for name, o := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a server of its own, and waits for the next look at the row, which may take 18 s
			server := testdb.Private(t)
			db := server.Database(t)
			f := &fleet{t: t, url: db.URL()}
			f.migrate(migrations.MySQL)
			admin := db.Open(t)
			exec(t, admin, "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret'",
				"GRANT SELECT, INSERT, UPDATE, DELETE ON `"+db.Config().DBName+"`.* TO app@'127.0.0.1'")
			fake, _ := newFake(t)
			set := f.settings(fake)
			set.Database = (&url.URL{Scheme: "mysql", User: url.UserPassword("app", "secret"), Host: db.Config().Addr, Path: db.Config().DBName}).String()
			set.StoreTimeout, set.Run = databasePatience, true
			p := workers.StartGo(t, set)
			token, err := p.Token(t)
			if err != nil {
				t.Fatal(err)
			}
			set.Run = false
			other := start(t, 1, set)[0]
			before := p.Status(t).Goroutines

			o.begin(t, server, admin)
			p.Begin(t, workers.Calls{Begin: time.Now(), N: 300, Every: 10 * time.Millisecond}) // 3 s, in which it notices
			if got := p.Outcome(t); got.Failed != 0 || got.Worst >= databasePatience*3/4 || len(got.Tokens) != 1 || got.Tokens[0] != token {
				t.Errorf("callers got %+v, want the token without waiting for the database", got)
			}
			for range 5 {
				if got, err := other.Token(t); err != nil || got != token { // DingTalk gives the same one again
					t.Errorf("the other process got %q, %v, want a token of its own", got, err)
				}
			}
			if n := fake.Count(); n != 2 {
				t.Errorf("%d fetches, want 1 of each process", n)
			}
			if st := other.Status(t); st.DirectFetches != 1 {
				t.Errorf("%d direct fetches, want 1", st.DirectFetches)
			}

			o.end(t, server, admin)
			exec(t, admin, "DELETE FROM cache")
			eventually(t, "the row is written back", func() bool { row, _ := f.row(); return row == quoted(token) })
			if n := fake.Count(); n != 2 {
				t.Errorf("%d fetches, want none by the end of the outage", n)
			}
			eventually(t, "goroutines end", func() bool { return p.Status(t).Goroutines <= before+2 })
			var connections int
			if err := admin.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'").Scan(&connections); err != nil || connections > 8 {
				t.Errorf("%d connections of two processes, %v", connections, err)
			}
		})
	}
}
