package bench

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// clients is how many goroutines, and connections, work at once where more than one does.
const clients = 32

// prefix is Laravel's usual one, and the by-hand side's too.
const prefix = "laravel_cache_"

// A subject is one database, through larder and by hand.
type subject struct {
	db     *testdb.Database
	store  *store.Store
	byHand *sql.DB
}

func newSubject(tb testing.TB, server *testdb.Server) *subject {
	tb.Helper()
	db := server.Database(tb)
	s, err := store.Open(db.URL(), store.WithPrefix(prefix))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	m, err := migrations.New(s.DB().DB, migrations.MySQL)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := m.Up(context.Background()); err != nil {
		tb.Fatal(err)
	}
	cfg := db.Config()
	// As a careful hand has it, and as Open sets it: one round trip, and no wait without an end.
	cfg.InterpolateParams = true
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 5*time.Second, 30*time.Second, 30*time.Second
	byHand, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = byHand.Close() })
	byHand.SetMaxOpenConns(clients)
	byHand.SetMaxIdleConns(clients)
	return &subject{db: db, store: s, byHand: byHand}
}

// statement runs a statement whose outcome needs no look.
func (s *subject) statement(text string, args ...any) error {
	_, err := s.byHand.Exec(text, args...)
	return err
}

// fill inserts rows with values of 100 bytes whose expiration is the given expression of their number n, the keys being in no order.
func (s *subject) fill(tb testing.TB, name string, rows int, expiration string) {
	tb.Helper()
	const digit = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" +
		" UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	const batch = 100_000 // the by-hand side does not wait for an answer for longer than half a minute
	var numbers, tables []string
	for i, scale := 0, 1; scale < min(rows, batch); i, scale = i+1, scale*10 {
		numbers = append(numbers, fmt.Sprintf("%d*t%d.d", scale, i))
		tables = append(tables, fmt.Sprintf("%s t%d", digit, i))
	}
	for from := 0; from < rows; from += batch {
		err := s.statement("INSERT INTO cache SELECT CONCAT(?,LPAD(HEX(n*2654435761 % 4294967296),8,'0')),CONCAT('s:92:\"',REPEAT('x',92),'\";'),"+expiration+
			" FROM (SELECT ?+"+strings.Join(numbers, "+")+" n FROM "+strings.Join(tables, ",")+") numbers WHERE n<?", prefix+name+":", from, rows)
		if err != nil {
			tb.Fatalf("fill the table: %v", err)
		}
	}
}

// fillKey is the row key of fill's row n.
func fillKey(name string, n int) string {
	return fmt.Sprintf("%s%s:%08X", prefix, name, uint32(n)*2654435761)
}

// machine describes what the figures were measured on. Names and paths have no place in it.
func machine(tb testing.TB, s *subject) []string {
	tb.Helper()
	var version, comment, flush, pool string
	err := s.byHand.QueryRow("SELECT VERSION(),@@version_comment,@@innodb_flush_log_at_trx_commit,ROUND(@@innodb_buffer_pool_size/1048576)").
		Scan(&version, &comment, &flush, &pool)
	if err != nil {
		tb.Fatal(err)
	}
	processor := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil { // Linux
		_, model, _ := strings.Cut(string(info), "model name")
		model, _, _ = strings.Cut(model, "\n")
		if model = strings.TrimLeft(model, "\t :"); model != "" {
			processor = model
		}
	}
	return []string{
		fmt.Sprintf("%s, %s on %s, %d processors (%s)", runtime.Version(), runtime.GOARCH, runtime.GOOS, runtime.NumCPU(), processor),
		fmt.Sprintf("%s (%s), on the same machine, over TCP; innodb_flush_log_at_trx_commit=%s, a buffer pool of %s MB", version, comment, flush, pool),
	}
}
