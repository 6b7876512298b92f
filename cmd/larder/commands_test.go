package main

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestCommands_PutGetAndTheirKin(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database, "LARDER_PREFIX=app_")
		if r := s.larder("migrate"); r.code != 0 || r.stdout != "cache: created\ncache_locks: created\n" {
			t.Fatalf("migrate: %+v", r)
		}
		s.want(0, "", "put", "greeting", "hello", "--ttl", "10m")
		s.want(0, "hello", "get", "greeting")
		s.want(0, `s:5:"hello";`, "get", "greeting", "--raw")
		s.want(1, "", "get", "Greeting")
		s.want(0, "", "has", "greeting")
		s.want(1, "", "has", "nothing")
		s.want(1, "", "add", "greeting", "other")
		s.want(0, "", "add", "fresh", "other", "--ttl", "60")
		s.want(0, "", "put", "n", "7", "--json")
		s.want(0, "8\n", "increment", "n")
		s.want(0, "18\n", "increment", "n", "10")
		s.want(0, "-2\n", "decrement", "n", "20")
		s.want(0, "-7\n", "increment", "n", "--", "-5")
		s.want(0, "-7\n", "get", "n")
		s.want(1, "", "increment", "missing")
		s.want(0, "", "touch", "greeting", "--ttl", "1h")
		s.want(1, "", "touch", "missing", "--ttl", "1h")
		s.want(0, "", "put", "list", `{"b":[1,2.0,null,true],"a":"ü/"}`, "--json")
		s.want(0, `{"b":[1,2.0,null,true],"a":"ü/"}`+"\n", "get", "list")
		s.want(0, `a:2:{s:1:"b";a:4:{i:0;i:1;i:1;d:2;i:2;N;i:3;b:1;}s:1:"a";s:3:"ü/";}`, "get", "list", "--raw")
		s.want(0, "hello", "pull", "greeting")
		s.want(1, "", "pull", "greeting")
		s.want(1, "", "forget", "n", "missing")
		s.want(1, "", "has", "n")
		s.want(0, "", "forget", "list", "fresh")
		s.want(0, "", "list", "-o", "json")
	})
}

func TestCommands_ValuesPassByteForByte(t *testing.T) {
	s := newServer(t, "sqlite:"+testdb.SQLite(t))
	s.want(0, "cache: created\ncache_locks: created\n", "migrate")
	value := "line one\n\x00binary\xff\n'quotes\"\\\n"
	if r := s.larderWith(value, "put", "page", "-"); r.code != 0 {
		t.Fatalf("put: %+v", r)
	}
	s.want(0, value, "get", "page")
}

func TestCommands_JSON(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database)
		s.larder("migrate")
		s.larder("put", "b<key>", `[1,"two"]`, "--json", "--ttl", "600")
		s.larder("put", "a", "hello")
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"get", "b<key>"}, `^\{"key":"b<key>","value":\[1,"two"\],"type":"array","expiration":\d{10},"ttl":(600|59\d)\}\n$`},
			{[]string{"get", "a"}, `^\{"key":"a","value":"hello","type":"string","expiration":\d{10},"ttl":\d{9}\}\n$`},
			{[]string{"list"}, `^\{"key":"a","type":"string","size":12,"state":"live","expiration":\d{10},"ttl":\d{9}\}\n` +
				`\{"key":"b<key>","type":"array","size":28,"state":"live","expiration":\d{10},"ttl":(600|59\d)\}\n$`},
			{[]string{"list", "b*", "--limit", "1"}, `^\{"key":"b<key>".*\}\n$`},
			{[]string{"version"}, `^\{"version":".+","commit":".*","go":"go.+","platform":".+/.+"\}\n$`},
			{[]string{"migrate"}, `^\{"tables":\[\{"name":"cache","result":"up to date".*\}\n$`},
			{[]string{"migrate", "status"}, `^\{"tables":\[\{"name":"cache","state":"created".*\}\n$`},
			{[]string{"migrate", "--dry-run"}, `^\{"statements":\[\]\}\n$`},
		} {
			r := s.larder(append(c.args, "-o", "json")...)
			if r.code != 0 || !regexp.MustCompile(c.want).MatchString(r.stdout) {
				t.Errorf("larder %s: exit %d, %s, want %s\n%s", strings.Join(c.args, " "), r.code, r.stdout, c.want, r.stderr)
			}
			for line := range strings.Lines(r.stdout) {
				if !json.Valid([]byte(line)) {
					t.Errorf("larder %s prints a line that is no JSON: %s", strings.Join(c.args, " "), line)
				}
			}
		}
	})
}

func TestCommands_ListForPeople(t *testing.T) {
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "LARDER_PREFIX=app_")
	s.larder("migrate")
	s.larder("put", "short", "x", "--ttl", "3600")
	s.larder("put", "日本\x1b[31m", "x")
	s.larder("put", "other", "x", "--prefix", "theirs_")
	r := s.larder("list")
	want := `^KEY             TYPE    SIZE  EXPIRES
short           string     8  in (1h 0m|59m \d\ds)
"日本\\x1b\[31m"  string     8  forever
$`
	if !regexp.MustCompile(want).MatchString(r.stdout) {
		t.Errorf("list prints\n%s\nwant\n%s", r.stdout, want)
	}
	s.wantError(0, []string{"list", "nothing*"}, `no live rows that match "nothing*" with prefix "app_"`, "--all-prefixes")
	if r := s.larder("ls", "theirs*", "--all-prefixes"); !strings.Contains(r.stdout, "theirs_other") {
		t.Errorf("ls --all-prefixes prints %s", r.stdout)
	}
}

func TestCommands_ErrorsSayWhatToTry(t *testing.T) {
	db := testdb.MySQL(t)
	s := newServer(t, db.URL())
	s.wantError(3, []string{"get", "k"}, "table does not exist", "larder migrate")
	s.larder("migrate")
	s.larder("put", "text", "abc")
	long := strings.Repeat("k", 300)
	wrongPassword := strings.Replace(db.URL(), "p%40ss", "wrong", 1)
	for _, c := range []struct {
		code int
		args []string
		says []string
	}{
		{2, []string{"frobnicate"}, []string{`unknown command "frobnicate"`, "larder --help"}},
		{2, []string{"gte", "k"}, []string{"get"}},
		{2, []string{"delete", "k"}, []string{"did you mean forget?"}},
		{2, []string{"set", "k", "v"}, []string{"put"}},
		{2, []string{"get"}, []string{"KEY is missing", "larder get --help"}},
		{2, []string{"get", "k", "--colour"}, []string{"--colour", "larder get --help"}},
		{2, []string{"put", "k", "v", "--ttl", "soon"}, []string{"--ttl", "600, 90s, 10m"}},
		{2, []string{"put", "k", "v", "--ttl", "0"}, []string{"more than 0"}},
		{2, []string{"put", "k", "v", "--ttl", "1m", "--forever"}, []string{"ttl", "forever"}},
		{2, []string{"put", "k", "{", "--json"}, []string{"VALUE"}},
		{2, []string{"touch", "k"}, []string{"ttl"}},
		{2, []string{"increment", "k", "many"}, []string{`"many"`, "64 bits"}},
		{2, []string{"list", "--state", "dead"}, []string{"--state", "live, expired or all"}},
		{2, []string{"list", "--sort", "colour"}, []string{"--sort", "key, expiration or size"}},
		{2, []string{"put", "one", "two", "three"}, []string{`"three"`, "KEY VALUE"}},
		{2, []string{"increment", "k", "-5"}, []string{"-- -5"}},
		{3, []string{"get", "k", "--table", "cahce"}, []string{"does not exist", "cahce (from --table)"}},
		{2, []string{"list", "-o", "xml"}, []string{"text or json"}},
		{2, []string{"put", long, "v"}, []string{"255 characters", "300 characters"}},
		{2, []string{"put", "k\xff", "v"}, []string{"UTF-8"}},
		{2, []string{"put", "k", "v\xff"}, []string{"UTF-8", "base64"}},
		{2, []string{"get", "k", "--table", "no table"}, []string{"--table"}},
		{2, []string{"get", "k", "--config", "nowhere.yaml"}, []string{"nowhere.yaml"}},
		{2, []string{"get", "k", "--env-file", "nowhere.env"}, []string{"nowhere.env"}},
		{2, []string{"get", "k", "--database", "postgres://h/db"}, []string{"--database", "MySQL, MariaDB and SQLite"}},
		{2, []string{"token", "get", "dingding_access_token"}, []string{"not configured", "CORP_ID"}},
		{1, []string{"get", "k"}, []string{`"k"`, "not found"}},
		{3, []string{"increment", "text"}, []string{"not a number"}},
		{3, []string{"get", "k", "--database", "mysql://u:p@127.0.0.1:1/db"}, []string{"connection refused", "--database"}},
		{3, []string{"get", "k", "--database", wrongPassword}, []string{"password", "--database"}},
		{3, []string{"get", "k", "--database", strings.Replace(db.URL(), "/larder_test_", "/larder_nowhere_", 1)}, []string{"create the database"}},
		{3, []string{"get", "k", "--database", "sqlite:" + t.TempDir() + "/no/such/folder.db"}, []string{"no/such/folder.db"}},
		{3, []string{"migrate", "--database", "sqlite:" + t.TempDir() + "/no/such/folder.db"}, []string{"no/such/folder.db", "does not exist: make it by mkdir -p"}},
	} {
		s.wantError(c.code, c.args, c.says...)
	}
	if r := s.larder("get", "k", "--database", wrongPassword); strings.Contains(r.stderr, "wrong:w") || strings.Contains(r.stderr, "w/ör") || strings.Contains(r.stderr, "w%2F") {
		t.Errorf("the error shows the password: %s", r.stderr)
	}
}

func TestCommands_WithoutConfigurationTheEmbeddedDatabaseIsUsedAndSaidSo(t *testing.T) {
	s := newServer(t, "")
	r := s.larder("migrate")
	if r.code != 0 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "larder.db") {
		t.Errorf("migrate: %+v", r)
	}
	s.want(0, "", "put", "k", "v")
	s.want(0, "v", "get", "k")
}

// The settings of a Laravel application are enough: its database, its prefix.
func TestCommands_FindLaravelsSettings(t *testing.T) {
	db := testdb.MySQL(t)
	cfg := db.Config()
	host, port, _ := strings.Cut(cfg.Addr, ":")
	s := newServer(t, "")
	s.file(".env", "APP_NAME=\"My Shop\"\nDB_CONNECTION=mysql\nDB_HOST="+host+"\nDB_PORT="+port+"\nDB_DATABASE="+cfg.DBName+
		"\nDB_USERNAME="+cfg.User+"\nDB_PASSWORD='"+cfg.Passwd+"'\nCACHE_PREFIX=shop_cache_\n")
	s.want(0, "cache: created\ncache_locks: created\n", "migrate")
	s.want(0, "", "put", "k", "v")
	var key string
	if err := db.Open(t).QueryRow("SELECT `key` FROM cache").Scan(&key); err != nil || key != "shop_cache_k" {
		t.Errorf("row key is %q, %v", key, err)
	}
}

func TestMigrate_TenServersAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database)
		for round := range 2 { // on an empty database, then on one that is up to date
			for _, r := range s.together(10, "migrate") {
				if r.code != 0 {
					t.Errorf("round %d: %+v", round, r)
				}
			}
		}
		s.want(0, "", "put", "k", "v")
	})
}

func TestMigrate_DownDropsOnlyWhatIsConfirmed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database)
		s.larder("migrate")
		s.larder("put", "k", "v")
		s.wantError(2, []string{"migrate", "down"}, "--yes", "cache")
		s.want(0, "v", "get", "k")
		s.want(0, "cache: dropped\ncache_locks: dropped\n", "migrate", "down", "--yes")
		s.wantError(3, []string{"get", "k"}, "larder migrate")
	})
}

func TestMigrate_DryRunChangesNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s := newServer(t, database)
		r := s.larder("migrate", "--dry-run")
		if r.code != 0 || !strings.Contains(r.stdout, "CREATE TABLE") {
			t.Errorf("dry run: %+v", r)
		}
		s.wantError(3, []string{"get", "k"}, "does not exist", "larder migrate")
	})
}

func TestDemo_ShowsTheMainJobUnderAMinute(t *testing.T) {
	s := newServer(t, "", "CORP_ID=mine", "DB_HOST=elsewhere", "LARDER_PREFIX=mine") // which must not disturb it
	started := time.Now()
	r := s.process("demo")
	if r.code != 0 {
		t.Fatalf("demo: %+v", r)
	}
	if d := time.Since(started); d > time.Minute {
		t.Errorf("it took %s", d)
	}
	for _, text := range []string{"DingTalk was asked once.", "DingTalk was asked 2 times in all.", "s:32:\"", "in 1h 56m"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("the demo does not say %q:\n%s", text, r.stdout)
		}
	}
}

func TestBeginnings_EndWhereAnIndexFindsThem(t *testing.T) {
	for key, want := range map[string][]string{
		"user:77x:profile": {"user:77x:", "user:77", "user:7", "user:", ""},
		"settings":         {""},
		"a:b*c:d":          {"a:", ""},
		"":                 {""},
		"1:2:3:4:5:6:7":    {"1:2:3:4:5:6:7", "1:2:3:4:5:6:", "1:2:3:4:5:6", "1:2:3:4:5:", "1:2:3:4:5", "1:2:3:4:", "1:2:3:4", "1:2:3:", ""},
	} {
		if got := slices.Collect(beginnings(key)); !slices.Equal(got, want) {
			t.Errorf("beginnings of %q are %q, want %q", key, got, want)
		}
	}
}

// An INT column's last second is forever in every year, also when it is less than ten years ahead.
func TestEntryExpires_TheEndOfAnIntColumnIsForever(t *testing.T) {
	for _, c := range []struct {
		e    store.Entry
		want string
	}{
		{store.Entry{Expiration: math.MaxInt32, TTL: 2 * time.Hour}, "forever"},
		{store.Entry{Expiration: math.MaxInt32 - 1, TTL: 2 * time.Hour}, "in 2h 0m"},
		{store.Entry{Expiration: math.MaxInt32, TTL: -2 * time.Hour}, "2h 0m ago"},
		{store.Entry{Expiration: 4_000_000_000, TTL: store.ForeverTTL}, "forever"},
	} {
		if got := entryExpires(c.e); got != c.want {
			t.Errorf("%+v expires %q, want %q", c.e, got, c.want)
		}
	}
}
