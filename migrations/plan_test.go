package migrations_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/larder-cache/larder/migrations"
)

// A spy is a driver that notes every statement which is to change something.
type spy struct {
	real    driver.Driver
	address string

	mu   sync.Mutex
	seen []string
}

func (s *spy) Connect(context.Context) (driver.Conn, error) {
	conn, err := s.real.Open(s.address)
	if err != nil {
		return nil, err
	}
	return spyConn{conn.(spied), s}, nil
}

func (s *spy) Driver() driver.Driver { return s.real }

type spied interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.ConnPrepareContext
}

type spyConn struct {
	spied
	spy *spy
}

func (c spyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !strings.Contains(query, "larder_migrations_lock") {
		seen := strings.TrimSuffix(query, ";") + ";"
		for _, a := range args {
			seen = strings.Replace(seen, "?", strings.Replace(fmt.Sprint(a.Value), "true", "1", 1), 1)
		}
		c.spy.mu.Lock()
		c.spy.seen = append(c.spy.seen, seen)
		c.spy.mu.Unlock()
	}
	return c.spied.ExecContext(ctx, query, args)
}

// spyOn returns the same database through a spy.
func (b *bench) spyOn() (*bench, *spy) {
	s := &spy{real: b.db.Driver(), address: b.address}
	db := sql.OpenDB(s)
	b.Cleanup(func() { _ = db.Close() })
	return &bench{T: b.T, kind: b.kind, address: b.address, db: db}, s
}

func statements(p *migrations.Plan) (sql []string) {
	for _, s := range p.Statements {
		sql = append(sql, s.SQL)
		if s.Why == "" || strings.Contains(s.Why, "\n") {
			sql = append(sql, "-- without a reason of one line")
		}
	}
	return sql
}

// everything returns all that a database holds of larder's and Laravel's.
func (b *bench) everything() []string {
	b.Helper()
	all := b.tables()
	for _, table := range b.tables() {
		all = append(all, b.shape(table)...)
		all = append(all, b.rows("SELECT COUNT(*) FROM "+table)...)
	}
	return all
}

func TestPlan_ChangesNothingAndIsWhatUpAndDownRun(t *testing.T) {
	onBoth(t, func(b *bench) {
		for _, e := range append([]era{{name: "empty"}}, eras...) {
			b.Run(e.name, func(t *testing.T) {
				b := newMySQL(t)
				if strings.Contains(t.Name(), "SQLite") {
					b = newSQLite(t)
				}
				e.make(b)
				before := b.everything()
				plan, err := b.migrator().Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				wantEqual(t, "database after planning", b.everything(), before)

				b, spy := b.spyOn()
				b.up()
				wantEqual(t, "statements", spy.seen, statements(plan))

				spy.seen = nil
				if plan, err = b.migrator().PlanDown(t.Context()); err != nil {
					t.Fatal(err)
				}
				if spy.seen != nil {
					t.Errorf("planning ran %q", spy.seen)
				}
				b.down(migrations.DropTables())
				wantEqual(t, "statements", spy.seen, statements(plan))
			})
		}
	})
}

func TestPlan_RunByHandLeavesUpNothingToDo(t *testing.T) {
	onBoth(t, func(b *bench) {
		eras[0].make(b)
		plan, err := b.migrator().Plan(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.exec(statements(plan)...)
		b, spy := b.spyOn()
		wantResults(b, b.up(), migrations.TableUpToDate, migrations.TableUpToDate)
		wantEqual(b, "statements", spy.seen, nil)
		if plan, err = b.migrator().Plan(b.Context()); err != nil || plan.String() != "-- nothing to do\n" {
			b.Errorf("second plan: %v, %v", plan, err)
		}
	})
}

func TestUp_NeedsNoRightToChangeTablesWhereNothingIsToDo(t *testing.T) {
	t.Parallel()
	b := newMySQL(t)
	weak := b.withoutCreate()
	_, err := weak.migrator().Up(t.Context())
	var denied *migrations.PrivilegeError
	if !errors.As(err, &denied) {
		t.Fatalf("error %v, want a PrivilegeError", err)
	}
	if !strings.Contains(err.Error(), "larder migrate --dry-run") {
		t.Errorf("error %v does not tell of the dry run", err)
	}

	b.up()
	wantResults(t, weak.up(), migrations.TableUpToDate, migrations.TableUpToDate)

	b.exec("DROP TABLE cache")
	b.exec(strings.TrimSuffix(denied.Grant, ";"))
	weak.db = weak.open() // rights in a database are looked up once a connection
	wantResults(t, weak.up(), migrations.TableCreated, migrations.TableUpToDate)
}
