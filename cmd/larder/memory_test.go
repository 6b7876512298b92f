package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/child"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// Whatever a command does with a table, it never has all of it in memory: neither 130 MB of large values nor 140,000 rows with keys of 200
// characters. Most of what it takes is the program itself.
func TestCommands_NeverHoldTheTable(t *testing.T) {
	const most = 60e6
	program := child.Build(t)
	for name, database := range map[string]string{"sqlite": "sqlite:" + testdb.SQLite(t), "mysql": testdb.MySQL(t).URL()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := child.Larder{Program: program, Database: database, Prefix: "app_cache_"}
			run := func(l child.Larder, args ...string) {
				t.Helper()
				took, err := l.Run(context.Background(), nil, args...)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f MB, %v: larder %s", float64(took.Peak)/1e6, took.Took, strings.Join(args, " "))
				if took.Peak > most {
					t.Errorf("larder %s took %.1f MB, more than %.0f", strings.Join(args, " "), float64(took.Peak)/1e6, most/1e6)
				}
			}
			run(l, "migrate")
			fillTable(t, database)

			run(l, "list", "--state", "expired", "-o", "json")
			run(l, "list", "--sort", "size", "--long")
			run(l, "list", "--sort", "expiration", "--state", "all", "*f")
			run(l, "stats")
			run(l, "doctor")
			dump := filepath.Join(t.TempDir(), "rows.jsonl")
			run(l, "export", "--to", dump)
			copied := l
			copied.Prefix = "copy_"
			run(copied, "import", dump)
			run(copied, "flush", "--yes")
			run(l, "prune")
			run(l, "prune", "--max-bytes", "50000000")
		})
	}
}

// fillTable inserts 120,000 expired rows, 20,000 live ones and 32 of 4 MB.
func fillTable(t *testing.T, database string) {
	t.Helper()
	s, err := store.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	numbers := func(n int) string { return "(SELECT i-1 AS n FROM " + upTo(n) + " AS i) AS numbers" }
	statements := []string{
		"INSERT INTO cache SELECT CONCAT('app_cache_',LOWER(HEX(n*2654435761 % 4294967296)),REPEAT('0',180),LOWER(HEX(n%16)))," +
			"CONCAT('s:300:\"',REPEAT('x',300),'\";'),UNIX_TIMESTAMP()+IF(n<120000,-1-n%86400,86400+n%86400) FROM " + numbers(140_000),
		"INSERT INTO cache SELECT CONCAT('app_cache_large:',n)," +
			"CONCAT('s:4200000:\"',REPEAT('xyz\\\\\"\n',700000),'\";'),UNIX_TIMESTAMP()+86400 FROM " + numbers(32),
	}
	if s.DB().DriverName() == "sqlite" {
		replace := strings.NewReplacer("UNIX_TIMESTAMP()", "unixepoch()", "IF(", "iif(")
		statements = []string{
			replace.Replace("INSERT INTO cache SELECT 'app_cache_'||printf('%x',n*2654435761 % 4294967296)||'" + strings.Repeat("0", 180) + "'||printf('%x',n%16)," +
				"'s:300:\"" + strings.Repeat("x", 300) + "\";',UNIX_TIMESTAMP()+IF(n<120000,-1-n%86400,86400+n%86400) FROM " + numbers(140_000)),
			replace.Replace("INSERT INTO cache SELECT 'app_cache_large:'||n," +
				"'s:4200000:\"'||replace(hex(zeroblob(700000)),'00','xyz\\\"'||char(10))||'\";',UNIX_TIMESTAMP()+86400 FROM " + numbers(32)),
		}
	}
	conn, err := s.DB().Connx(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // with the pool
	for _, statement := range statements {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
}

// upTo is a subquery of the numbers i from 1 to n, which may be a million. It is not recursive, which each server bounds in its own way.
func upTo(n int) string {
	const digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" +
		" UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	sum, tables := "1", ""
	for place, factor := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		if factor < n {
			sum += fmt.Sprintf("+%d*t%d.d", factor, place)
			tables += fmt.Sprintf(",%s AS t%d", digits, place)
		}
	}
	if tables == "" {
		return "(SELECT 1 AS i)"
	}
	return fmt.Sprintf("(SELECT i FROM (SELECT %s AS i FROM %s) AS all_of_them WHERE i<=%d)", sum, tables[1:], n)
}
