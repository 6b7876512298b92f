package doctor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// as returns the clinic as another account of the server sees it, which has these rights.
func (c *clinic) as(d *testdb.Database, rights ...string) (other *clinic, account string) {
	c.t.Helper()
	cfg := d.Config()
	name := "visitor_" + strings.TrimPrefix(cfg.DBName, "larder_test_")
	account = "'" + name + "'@'%'"
	c.exec("CREATE USER " + account + " IDENTIFIED BY 'p'")
	c.t.Cleanup(func() { c.exec("DROP USER " + account) })
	for _, right := range rights {
		c.exec("GRANT " + right + " TO " + account)
	}
	visitor := *c
	visitor.address = fmt.Sprintf("mysql://%s:p@%s/%s", name, cfg.Addr, cfg.DBName)
	return &visitor, account
}

func TestCheckRights_AnAccountThatMayOnlyReadIsToldWhatToGrant(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	c.flags.Prefix = text("app_")
	c.examine().wants("rights", OK, "may SELECT, INSERT, UPDATE and DELETE on cache and cache_locks")

	name := "`" + d.Config().DBName + "`"
	visitor, account := c.as(d, "SELECT ON "+name+".*", "DELETE ON "+name+".cache_locks")
	found := visitor.examine()
	found.wants("rights", Problem, "this account may not INSERT, UPDATE or DELETE on cache →", "GRANT INSERT, UPDATE, DELETE ON "+name+".`cache` TO "+account+";    -- by an administrator")
	found.wants("rights", Problem, "this account may not INSERT or UPDATE on cache_locks →", "GRANT INSERT, UPDATE ON "+name+".`cache_locks` TO "+account+";")
	if found.sum.LeftOut != 0 {
		t.Errorf("it may read, and %d checks were left out", found.sum.LeftOut)
	}
	for _, f := range found.found {
		if f.Check == "rights" {
			c.exec(f.Remedy)
		}
	}
	visitor.examine().all(OK, "rights")
}

func TestCheckRights_WhatMigrateWantsIsAskedIfThereIsSomethingToMigrate(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	name := "`" + d.Config().DBName + "`"
	visitor, account := c.as(d, "SELECT, INSERT, UPDATE, DELETE ON "+name+".*")
	const lacks = "this account may not CREATE a table"
	found := visitor.examine()
	found.wants("tables", Problem, "there is no table cache → larder migrate")
	found.wants("rights", Warning, lacks, "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON "+name+".* TO "+account+";    -- by an administrator")
	c.exec("GRANT CREATE, ALTER, INDEX ON " + name + ".* TO " + account)
	for _, f := range visitor.examine().found {
		if f.Check == "rights" {
			t.Errorf("%+v", f)
		}
	}
	s, err := store.Open(c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	m, err := migrations.New(s.DB().DB, migrations.MySQL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.exec("REVOKE CREATE, ALTER, INDEX ON " + name + ".* FROM " + account)
	visitor.examine().all(OK, "rights")
}

// Checks that cannot read would all say the same.
func TestCheckRights_WhoMayNotReadIsToldOnce(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	c.flags.Prefix = text("app_")
	name := "`" + d.Config().DBName + "`"
	visitor, _ := c.as(d, "INSERT ON "+name+".cache", "SELECT, INSERT, UPDATE, DELETE ON "+name+".cache_locks")
	found := visitor.examine()
	found.wants("rights", Problem, "may not SELECT, UPDATE or DELETE on cache")
	found.wants("rights", OK, "DELETE on cache_locks")
	if found.sum.Problems != 1 || found.sum.Warnings != 0 || found.sum.LeftOut == 0 {
		t.Errorf("%+v: %+v", found.sum, found.found)
	}
}

// A server does not tell an account without any right on a table whether the table exists.
func TestCheckTables_OneThatMayBeThereIsNotToBeMigrated(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.today()
	visitor, account := c.as(d, "SELECT, INSERT, UPDATE, DELETE ON `"+d.Config().DBName+"`.cache")
	found := visitor.examine()
	found.wants("tables", OK, "cache is there")
	found.wants("tables", Problem, "no table cache_locks, or this account has no right on it",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON `"+d.Config().DBName+"`.`cache_locks` TO "+account+";    -- by an administrator; if it says that there is no such table: larder migrate")
	found.wants("rights", OK, "DELETE on cache")
	if found.sum.Problems != 1 {
		t.Errorf("%+v: %+v", found.sum, found.found)
	}
}

func TestCheckTables_AMisspeltNameIsNotToBeMigrated(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.exec("CREATE TABLE old_things (`key` varchar(255) NOT NULL PRIMARY KEY, value text, expiration int)",
			"CREATE TABLE cache_before (`key` varchar(255) NOT NULL PRIMARY KEY, value text, expiration int)")
		for _, tt := range []struct{ flag, variable, remedy string }{
			{"cahce", "", "--table cache    # if a new table is meant: larder migrate"},
			{"", "cahce", "LARDER_TABLE=cache    # or correct LARDER_TABLE; if a new table is meant: larder migrate"},
		} {
			c.flags.Table, c.env = nil, map[string]string{}
			if tt.flag != "" {
				c.flags.Table = &tt.flag
			} else {
				c.env["LARDER_TABLE"] = tt.variable
			}
			d := c.examine()
			d.wants("tables", Problem, "there is no table cahce (from ", "; tables of that shape: cache, old_things → "+tt.remedy)
			d.wants("tables", OK, "cache_locks is there")
		}
		c.flags.Table, c.env = nil, map[string]string{}
		c.file(".env", "DB_HOST=h\nDB_DATABASE=d\nCACHE_PREFIX=x\nDB_CACHE_TABLE=chache\nDB_CACHE_LOCK_TABLE=locks")
		d := c.examine()
		d.wants("tables", Problem, "no table chache", "LARDER_TABLE=cache    # or correct .env:4 (DB_CACHE_TABLE); if")
		d.wants("tables", Problem, "no table locks", "tables of that shape: cache_locks", "LARDER_LOCK_TABLE=cache_locks    # or correct .env:5 (DB_CACHE_LOCK_TABLE)")

		c.exec("DROP TABLE cache", "DROP TABLE old_things")
		d = c.examine()
		d.wants("tables", Problem, "there is no table chache → larder migrate")
	})
}
