package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
	_ "modernc.org/sqlite"
)

// A program that has a store may do this at each start, on every server.
func ExampleFor() {
	ctx := context.Background()
	s, err := store.Open("sqlite::memory:", store.WithTable("app_cache"), store.WithLockTable("app_locks"))
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	m, err := migrations.For(s)
	if err != nil {
		log.Fatal(err)
	}
	report, err := m.Up(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report)
	fmt.Println(s.Put(ctx, "greeting", "hello", time.Hour))
	// Output:
	// app_cache: created
	// app_locks: created
	// <nil>
}

// Every server may do this at its start; a database that needs nothing is only read.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own

	m, err := migrations.New(db, migrations.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	report, err := m.Up(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report)

	status, err := m.Status(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("up to date:", status.UpToDate())
	// Output:
	// cache: created
	// cache_locks: created
	// up to date: true
}

// A plan is the script for an administrator, where larder's own account may not change tables.
func ExampleMigrator_Plan() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)

	m, err := migrations.New(db, migrations.SQLite)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := m.Plan(ctx)
	if err != nil {
		log.Fatal(err)
	}
	s := plan.Statements[2]
	fmt.Printf("%s:\n%s\n", s.Why, s.SQL)
	// Output:
	// there is no table cache:
	// CREATE TABLE IF NOT EXISTS "cache" ( /* created by larder, see larder_migrations */
	// 	"key" varchar not null,
	// 	"value" text not null,
	// 	"expiration" integer not null,
	// 	primary key ("key")
	// );
}
