package doctor

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestCheckPrefix_HoldsTheRowsAgainstTheConfiguration(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.env["APP_NAME"] = "My Shop"
		c.flags.Prefix = text("my-shop-cache-")
		c.examine().wants("prefix", OK, "the table has no rows yet")

		c.fill(1203, "my_shop_cache_", "i:1;", 600)
		c.examine().wants("prefix", Problem, `rows have my_shop_cache_ (1,203; Laravel 9.0.1 to 12.0), you have configured "my-shop-cache-" (from --prefix)`, "CACHE_PREFIX=my_shop_cache_")
		c.fill(7, "my-shop-cache-", "i:1;", 600)
		c.examine().wants("prefix", Warning, "my_shop_cache_ (1,203", `"my-shop-cache-" (7 rows`)

		c.flags.Prefix = text("my_shop_cache_")
		c.examine().wants("prefix", OK, `"my_shop_cache_" has 1,203 rows`, "my-shop-cache- (7;")

		// The older formulas are beginnings of the newer ones, whose rows they do not have.
		c.fill(2000, "my_shop_cachex", "i:1;", 600)
		c.examine().wants("prefix", Warning, `rows have my_shop_cache (2,000; Laravel 5.5.22 to 9.0.0), my-shop-cache- (7;`, "(1,203 rows")

		c.flags.Prefix = text("")
		c.exec("DELETE FROM cache WHERE `key` LIKE 'my_shop_cachex%'")
		c.examine().wants("prefix", Problem, "my_shop_cache_ (1,203", `configured "" `)
	})
}

// Str::slug drops Chinese, so that all applications with a Chinese name have one prefix.
func TestCheckPrefix_OfANameThatLaravelCannotSpellIsNobodysOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.file("composer.lock", `{"packages":[{"name":"laravel/framework","version":"v8.83.27"}]}`)
		c.file(".env", "DB_HOST=h\nDB_DATABASE=d\nAPP_NAME=新零售商城")
		const shared = `is the prefix of every Laravel whose APP_NAME has no letter`
		c.examine().wants("prefix", OK, `"_cache" `+shared, "→ CACHE_PREFIX=myshop_cache_    # ")
		c.file("composer.lock", `{"packages":[{"name":"laravel/framework","version":"v13.1.0"}]}`)
		c.fill(3, "_cache", "i:1;", 600)
		d := c.examine()
		d.wants("prefix", OK, `"-cache-" `+shared)
		d.wants("prefix", Problem, "rows have _cache (3;") // as that is what an older one had
		c.file(".env", "DB_HOST=h\nDB_DATABASE=d\nAPP_NAME='商城 Shop'")
		for _, f := range c.examine().found {
			if f.Check == "prefix" && strings.Contains(f.Message, shared) {
				t.Errorf("%+v", f)
			}
		}
	})
}

func TestCheckPrefix_OfAnotherApplication(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		c.fill(12, "other_cache_", "i:1;", 600)
		c.examine().wants("prefix", Warning, "12 rows of others, most of them other_cache_…", "larder list --all-prefixes --limit 20    # if they are this application's: CACHE_PREFIX=other_cache_")
	})
}

func TestCheckBacklog_CountsWhatPruneWouldDelete(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		c.fill(999, "other_", `s:3:"bar";`, -60)
		c.fill(100, "app_", `s:3:"bar";`, 60)
		c.examine().wants("backlog", OK, "999 of 1,099 rows have expired (9.8 KiB of values)")
		c.fill(1, "app_old", `s:3:"bar";`, -60)
		c.examine().wants("backlog", Warning, "1,000 of 1,100 rows have expired", "larder prune")
		c.fill(4500, "app_new", `s:3:"bar";`, 60)
		c.examine().wants("backlog", OK, "1,000 of 5,600 rows")
	})
}

func TestCheckValues_NamesWhatPHPCannotRead(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		c.fill(5, "app_object", `O:4:"User":1:{s:2:"id";i:7;}`, 60)
		c.examine().all(OK, "values")
		// As far as its beginning tells, this is an array.
		c.fill(1, "app_long", `a:1:{i:0;s:400:"`+strings.Repeat("x", 399)+`";}`, 60)
		c.examine().wants("values", Problem, `cannot read "long0"`, "larder inspect long0", "larder forget long0")
		c.fill(3, "app_bad thing", `garbage;`, 60)
		c.examine().wants("values", Problem, `"bad thing0", "bad thing1", "bad thing2" and 1 more`, "larder inspect 'bad thing0'")
		c.exec("DELETE FROM cache WHERE `key` LIKE 'app_long%' OR `key` LIKE 'app_bad%'")
		c.fill(3, "other_bad", `garbage;`, 60)
		c.examine().wants("values", Warning, "about 3 rows")
	})
}

func TestCheckLocks_LongAndLeftOnes(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		lock := func(name string, seconds int64) {
			c.exec(fmt.Sprintf("INSERT INTO cache_locks VALUES ('%s','o w',%d)", name, time.Now().Unix()+seconds))
		}
		lock("app_day", 86390)
		lock("app_gone", -5)
		c.examine().wants("locks", OK, "1 held, and 1 row of expired ones")
		lock("app_week", 7*86400+30)
		lock("other_week", 7*86400+30)
		d := c.examine()
		d.wants("locks", Warning, `lock "app_week" is held for 7d 0h more by "o w"`, "larder lock release week --owner 'o w'    #")
		d.wants("locks", Warning, `"other_week"`, "larder lock release other_week --owner 'o w' --prefix ''")
		for i := range 1000 {
			lock(fmt.Sprintf("app_old%d", i), -5)
		}
		c.examine().wants("locks", Warning, "1,001 rows of expired locks", "larder prune")
	})
}

func TestCheckTokens_TheirRowsAndWhatFailedLast(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		c.examine().wants("tokens", OK, "none are configured")
		c.env["CORP_ID"], c.env["CORP_SECRET"] = "id", "secret"
		c.examine().wants("tokens", Warning, "there is no live row", "larder token get dingding_access_token")

		s, err := store.Open(c.address, store.WithPrefix("app_"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		put := func(key string, value any, ttl time.Duration) {
			t.Helper()
			if err := s.Put(t.Context(), key, value, ttl); err != nil {
				t.Fatal(err)
			}
		}
		const key = "dingding_access_token"
		put(key, "the-whole-token", 2*time.Hour)
		d := c.examine()
		d.wants("tokens", OK, "live for ")
		put(key, "the-whole-token", 30*time.Second)
		c.examine().wants("tokens", Warning, "nobody has fetched the next one", "larder serve")
		put(key, 7, time.Hour)
		c.examine().wants("tokens", Problem, "no token", "larder token refresh")
		put(key, "the-whole-token", time.Hour)
		put(fetcher.StateKey(key), map[string]any{"version": 1, "ttl": 86400, "failure": map[string]any{
			"fingerprint": "f", "class": "credential", "code": "40089", "status": 200, "message": "invalid corpsecret", "advice": "look at the secret", "attempts": 3, "pause": 60,
		}}, 24*time.Hour)
		d = c.examine()
		d.wants("tokens", Problem, "the last fetch failed: dingtalk: invalid corpsecret", "40089", "larder token check dingding_access_token")

		// Of what check asks nothing, it is no remedy.
		c.file("larder.yaml", "tokens:\n  tick: {source: dingtalk_ticket, token: dingding_access_token}\n")
		put(fetcher.StateKey("tick"), map[string]any{"version": 1, "ttl": 86400, "failure": map[string]any{
			"fingerprint": "f", "class": "config", "code": "60011", "status": 200, "message": "no permission", "attempts": 1, "pause": 60,
		}}, 24*time.Hour)
		c.examine().wants("tokens", Problem, "tick: the last fetch failed: dingtalk_ticket: no permission", "→ larder token refresh tick")
		if strings.Contains(fmt.Sprint(d.found), "whole-token") {
			t.Error("a token is shown")
		}
	})
}

// A million rows would take the test half a minute to write; what it would cost to read them all shows with fewer.
func TestExamine_ALargeTableIsSampled(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.flags.Prefix = text("app_")
		c.fill(45_000, "app_", `s:200:"`+strings.Repeat("x", 200)+`";`, 600)
		c.fill(15_000, "old_", `s:200:"`+strings.Repeat("x", 200)+`";`, -600)
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := c.examine()
		runtime.ReadMemStats(&after)
		d.wants("backlog", Warning, "of 60,000 rows have expired", "estimated from ")
		d.wants("values", OK, "2,000 whole")
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("it allocated %d MiB for 60,000 rows", grown>>20)
		}
	})
}

// The second check of the three that look at the sample would wait as long again.
func TestExamine_WhatTakesTooLongIsAskedOnce(t *testing.T) {
	c := onMySQL(t, testdb.MySQL(t))
	c.today()
	s, err := store.Open(c.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	cfg, err := config.Load(config.Flags{Database: &c.address}, nil, c.dir)
	if err != nil {
		t.Fatal(err)
	}
	e := &exam{Patient: Patient{Config: cfg, Store: s, Patience: time.Nanosecond}}
	found := e.make(t.Context(), Check{Name: "backlog", run: checkBacklog})
	diagnosis{t: t, found: found}.wants("backlog", Warning, "takes longer than 1ns", "larder doctor")
	e.Patience = time.Minute
	diagnosis{t: t, found: e.make(t.Context(), Check{Name: "values", run: checkValues})}.wants("values", Warning, "takes longer")
}

func TestPopulations_AFewRowsThatTheSampleMissedAreFound(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.today()
		c.fill(1, "app_", "i:1;", 600)
		s, err := store.Open(c.address, store.WithPrefix("app_"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		e := &exam{Patient: Patient{Config: &config.Config{Prefix: config.Setting{Value: "app_"}}, Store: s}}
		own, _, err := e.populations(t.Context(), &store.Stats{Sampled: true, Beginnings: make([]store.Count, 1)})
		if err != nil || own.rows != 1 {
			t.Errorf("own is %+v, %v, want 1 row", own, err)
		}
	})
}
