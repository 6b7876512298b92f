package config

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestLoad_LaravelDatabase(t *testing.T) {
	for _, tt := range []struct{ claim, env, want, source string }{
		{"a stock .env of Laravel 10", "DB_CONNECTION=mysql\nDB_HOST=127.0.0.1\nDB_PORT=3306\nDB_DATABASE=shop\nDB_USERNAME=larder\nDB_PASSWORD=S3cr3t",
			"mysql://larder:S3cr3t@127.0.0.1:3306/shop", ".env (DB_CONNECTION, DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME, DB_PASSWORD)"},
		{"a stock .env of Laravel 11", "DB_CONNECTION=sqlite\n# DB_HOST=127.0.0.1", "sqlite:DIR/database/database.sqlite", ".env (DB_CONNECTION)"},
		{"MySQL's defaults", "DB_CONNECTION=mysql", "mysql://root@127.0.0.1:3306/laravel", ".env (DB_CONNECTION)"},
		{"MariaDB", "DB_CONNECTION=mariadb\nDB_DATABASE=shop", "mariadb://root@127.0.0.1:3306/shop", ".env (DB_CONNECTION, DB_DATABASE)"},
		{"no DB_CONNECTION but a host", "DB_HOST=db", "mysql://root@db:3306/laravel", ".env (DB_HOST)"},
		{"no DB_CONNECTION but a name", "DB_USERNAME=u\nDB_DATABASE=shop", "mysql://u@127.0.0.1:3306/shop", ".env (DB_DATABASE, DB_USERNAME)"},
		{"no DB_CONNECTION but a name", "DB_DATABASE=shop", "mysql://root@127.0.0.1:3306/shop", ".env (DB_DATABASE)"},
		{"no DB_CONNECTION but a path", "DB_DATABASE=/srv/shop.sqlite", "sqlite:/srv/shop.sqlite", ".env (DB_DATABASE)"},
		{"no DB_CONNECTION but a file's name", "DB_DATABASE=shop.sqlite", "sqlite:DIR/shop.sqlite", ".env (DB_DATABASE)"},
		{"a path and a host", "DB_DATABASE=a/b\nDB_HOST=h", "mysql://root@h:3306/a%2Fb", ".env (DB_HOST, DB_DATABASE)"},
		{"SQLite with a relative path", "DB_CONNECTION=sqlite\nDB_DATABASE=storage/x.sqlite", "sqlite:DIR/storage/x.sqlite", ".env (DB_CONNECTION, DB_DATABASE)"},
		{"SQLite in memory", "DB_CONNECTION=sqlite\nDB_DATABASE=:memory:", "sqlite::memory:", ".env (DB_CONNECTION, DB_DATABASE)"},
		{"reserved characters", "DB_HOST=h\nDB_DATABASE='my@db/1 ?'\nDB_USERNAME='a@b:c'\nDB_PASSWORD='p@:/?#%+ é'",
			"mysql://a%40b%3Ac:p%40%3A%2F%3F%23%25+%20%C3%A9@h:3306/my%40db%2F1%20%3F", ".env (DB_HOST, DB_DATABASE, DB_USERNAME, DB_PASSWORD)"},
		{"blank password, port, socket and URLs", "DB_HOST=h\nDB_PASSWORD=\nDB_PORT=\nDB_SOCKET=\nDB_URL=\nDATABASE_URL=\nMYSQL_ATTR_SSL_CA=\nDB_CONNECTION=",
			"mysql://root@h:3306/laravel", ".env (DB_CONNECTION, DB_URL, DATABASE_URL, DB_HOST, DB_PORT, DB_PASSWORD, DB_SOCKET, MYSQL_ATTR_SSL_CA)"},
		{"null password", "DB_HOST=h\nDB_PASSWORD=null", "mysql://root@h:3306/laravel", ".env (DB_HOST, DB_PASSWORD)"},
		{"blank user", "DB_HOST=h\nDB_USERNAME=", "mysql://h:3306/laravel", ".env (DB_HOST, DB_USERNAME)"},
		{"failover", "DB_HOST='h1, h2,10.0.0.3'\nDB_PORT=3307\nDB_PASSWORD=S3cr3t", "mysql://root:S3cr3t@h1:3307,h2:3307,10.0.0.3:3307/laravel", ".env (DB_HOST, DB_PORT, DB_PASSWORD)"},
		{"failover with ports of their own", "DB_HOST=h1:3308,h2", "mysql://root@h1:3308,h2:3306/laravel", ".env (DB_HOST)"},
		{"IPv6", "DB_HOST=::1,[fe80::1],[::2]:3307", "mysql://root@[::1]:3306,[fe80::1]:3306,[::2]:3307/laravel", ".env (DB_HOST)"},
		{"a socket", "DB_SOCKET='/run/my sqld.sock'\nDB_PASSWORD=S3cr3t", "mysql://root:S3cr3t@/laravel?socket=/run/my+sqld.sock", ".env (DB_PASSWORD, DB_SOCKET)"},
		{"TLS", "DB_HOST=h\nMYSQL_ATTR_SSL_CA=/etc/ssl/a&b.pem", "mysql://root@h:3306/laravel?ssl-ca=/etc/ssl/a%26b.pem", ".env (DB_HOST, MYSQL_ATTR_SSL_CA)"},
		{"the cache's own connection", "DB_CONNECTION=sqlite\nDB_CACHE_CONNECTION=mysql::write\nDB_HOST=h", "mysql://root@h:3306/laravel", ".env (DB_CONNECTION, DB_CACHE_CONNECTION, DB_HOST)"},

		{"DB_URL", "DB_URL=mysql://u:S3cr3t@h:3307/shop", "mysql://u:S3cr3t@h:3307/shop", ".env (DB_URL)"},
		{"DATABASE_URL", "DATABASE_URL=mysql2://u:S3cr3t@h/shop", "mysql://u:S3cr3t@h:3306/shop", ".env (DATABASE_URL)"},
		{"DB_URL before DATABASE_URL", "DB_URL=mysql://a/x\nDATABASE_URL=mysql://b/y", "mysql://root@a:3306/x", ".env (DB_URL)"},
		{"DB_URL overrides, the rest remains", "DB_CONNECTION=sqlite\nDB_URL=mariadb://h\nDB_DATABASE=shop\nDB_USERNAME=u\nDB_PASSWORD=S3cr3t",
			"mariadb://u:S3cr3t@h:3306/shop", ".env (DB_CONNECTION, DB_URL, DB_DATABASE, DB_USERNAME, DB_PASSWORD)"},
		{"DB_URL is decoded leniently", `DB_URL="mysql://a%40b:p%3A%zz%2@h/my%20db"`, "mysql://a%40b:p%3A%25zz%252@h:3306/my%20db", ".env (DB_URL)"},
		{"the last @ divides", "DB_URL=mysql://u:p@S3cr3t@h/db", "mysql://u:p%40S3cr3t@h:3306/db", ".env (DB_URL)"},
		{"JSON in DB_URL", `DB_URL='mysql://u:"12"@null/db'`, "mysql://u:12@127.0.0.1:3306/db", ".env (DB_URL)"},
		{"options in DB_URL", "DB_URL='mysql://h/db?charset=utf8mb4&username=x&port=3308&unix_socket='", "mysql://x@h:3308/db", ".env (DB_URL)"},
		{"a socket in DB_URL", "DB_URL='mysql://u@/db?unix_socket=/s.sock'", "mysql://u@/db?socket=/s.sock", ".env (DB_URL)"},
		{"failover in DB_URL", "DB_URL=mysql://u@h1:3307,h2/db", "mysql://u@h1:3307,h2:3306/db", ".env (DB_URL)"},
		{"IPv6 in DB_URL", "DB_URL=mysql://u@[::1]:3307/db", "mysql://u@[::1]:3307/db", ".env (DB_URL)"},
		{"SQLite, three slashes are relative", "DB_URL=sqlite:///storage/x.db", "sqlite:DIR/storage/x.db", ".env (DB_URL)"},
		{"SQLite, four are absolute", "DB_URL=sqlite3:////srv/x.db", "sqlite:/srv/x.db", ".env (DB_URL)"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c, dir := setup{files: map[string]string{".env": tt.env}}.must(t)
			if want := strings.ReplaceAll(tt.want, "DIR", dir); c.Database.Value != want || c.Database.Source != tt.source {
				t.Errorf("got  %s from %s\nwant %s from %s", c.Database.Value, c.Database.Source, want, tt.source)
			}
		})
	}
}

func TestLoad_LaravelDatabaseRoundTripsEveryPassword(t *testing.T) {
	for b := range 256 {
		password := "a" + string(rune(b)) + "z%41"
		c, _ := setup{env: map[string]string{"DB_HOST": "h", "DB_USERNAME": password, "DB_PASSWORD": password}}.must(t)
		u, err := url.Parse(c.Database.Value)
		if err != nil {
			t.Fatalf("%q: %v", password, err)
		}
		if got, _ := u.User.Password(); got != password || u.User.Username() != password || u.Host != "h:3306" {
			t.Errorf("%q became %q", password, c.Database.Value)
		}
	}
}

func TestLoad_LaravelSettingsOfTheRealEnvironmentWin(t *testing.T) {
	c, _ := setup{files: map[string]string{".env": "DB_HOST=file\nDB_DATABASE=shop"}, env: map[string]string{"DB_HOST": "real"}}.must(t)
	if c.Database != (Setting{"mysql://root@real:3306/shop", ".env and environment (DB_HOST, DB_DATABASE)"}) {
		t.Errorf("got %q from %q", c.Database.Value, c.Database.Source)
	}
	c, _ = setup{env: map[string]string{"DB_HOST": "real"}}.must(t)
	if c.Database != (Setting{"mysql://root@real:3306/laravel", "DB_HOST"}) {
		t.Errorf("got %q from %q", c.Database.Value, c.Database.Source)
	}
}

func TestLoad_SQLitePathIsRelativeToTheEnvFile(t *testing.T) {
	name := "app/.env"
	c, dir := setup{flags: Flags{EnvFile: &name}, files: map[string]string{name: "DB_CONNECTION=sqlite"}}.must(t)
	if want := "sqlite:" + dir + "/app/database/database.sqlite"; c.Database.Value != want {
		t.Errorf("got %s; want %s", c.Database.Value, want)
	}
}

func TestLoad_LaravelSettingsThatLarderCannotFollow(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"\nDB_CONNECTION=pgsql\nDB_PASSWORD=S3cr3t", ".env:2 (DB_CONNECTION): larder does not speak pgsql, only MySQL, MariaDB and SQLite; set LARDER_DATABASE"},
		{"DB_CONNECTION=sqlsrv", ".env:1 (DB_CONNECTION): larder does not speak sqlsrv"},
		{"DB_CONNECTION=tenant", `.env:1 (DB_CONNECTION): "tenant" is not one of the connections`},
		{"DB_CONNECTION=mysql\nDB_CACHE_CONNECTION=pgsql", ".env:2 (DB_CACHE_CONNECTION): larder does not speak pgsql"},
		{"DB_URL=postgres://u:S3cr3t@h/db", ".env:1 (DB_URL): larder does not speak this URL's scheme"},
		{"DB_URL=S3cr3t", ".env:1 (DB_URL): this is not a URL"},
		{"DB_URL='mysql://h/db?a=%zzS3cr3t'", ".env:1 (DB_URL): the part after ? is not properly encoded"},
		{"DB_URL='mysql://u:S3c/r3t@h/db'", "the port is not a number from 1 to 65535"},
		{"DB_HOST=h\nDB_PORT=S3cr3t", ".env (DB_HOST, DB_PORT): the port is not a number"},
		{"DB_HOST=/run/mysqld.sock", "to use a socket set DB_SOCKET"},
		{"DB_HOST=h:x:y", "DB_HOST is not a host's name or address"},
		{"DB_HOST=h\nDB_DATABASE=", "it names no database"},
		{"DB_CONNECTION=sqlite\nDB_DATABASE=", "it names no database"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			setup{files: map[string]string{".env": tt.env + "\nCACHE_PREFIX="}}.wantErrors(t, tt.want)
			other := "sqlite:x"
			setup{flags: Flags{Database: &other}, files: map[string]string{".env": tt.env + "\nCACHE_PREFIX="}}.must(t) // it does not matter then
		})
	}
}

func TestLoad_LaravelTables(t *testing.T) {
	for _, tt := range []struct{ claim, env, table, lockTable string }{
		{"not set", "DB_HOST=h", "cache", "cache_locks"},
		{"set, without a database", "DB_CACHE_TABLE=a\nDB_CACHE_LOCK_TABLE=b", "a", "b"},
		{"one does not change the other", "DB_CACHE_TABLE=a", "a", "cache_locks"},
		{"null", "DB_CACHE_TABLE=null\nDB_CACHE_LOCK_TABLE=(null)", "cache", "cache_locks"},
		{"a prefix of the connection", "DB_URL='mysql://h/db?prefix=app_'\nDB_CACHE_TABLE=a", "app_a", "app_cache_locks"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c, _ := setup{files: map[string]string{".env": tt.env}}.must(t)
			if c.Table.Value != tt.table || c.LockTable.Value != tt.lockTable {
				t.Errorf("got %q and %q; want %q and %q", c.Table.Value, c.LockTable.Value, tt.table, tt.lockTable)
			}
		})
	}
	setup{files: map[string]string{".env": "DB_CACHE_TABLE=\nDB_CACHE_LOCK_TABLE=a-b"}}.wantErrors(t,
		".env:1 (DB_CACHE_TABLE): the name is blank, and Laravel fails with a blank table name; remove the line for the default, cache",
		`.env:2 (DB_CACHE_LOCK_TABLE): "a-b" is not a table's name`)
}

func TestLoad_CachePrefix(t *testing.T) {
	for line, want := range map[string]string{
		"CACHE_PREFIX=shop_": "shop_", "CACHE_PREFIX=": "", "CACHE_PREFIX=null": "", "CACHE_PREFIX=(empty)": "", `CACHE_PREFIX=""`: "", `CACHE_PREFIX='"a b"'`: "a b",
	} {
		c, _ := setup{files: map[string]string{".env": "DB_HOST=h\nAPP_NAME=Other\n" + line}}.must(t)
		if c.Prefix != (Setting{want, ".env:3 (CACHE_PREFIX)"}) || hasNotice(c, "prefix") {
			t.Errorf("%s: got %q from %q, notices %q", line, c.Prefix.Value, c.Prefix.Source, c.Notices)
		}
	}
}

// The prefix entries are those of the skeletons of Laravel 5.4, 5.6, 8, 9, 12.0 and 12.1, then what people make of them.
func TestLoad_PrefixOfAppName(t *testing.T) {
	const (
		laravel8  = "<?php\nuse Illuminate\\Support\\Str;\nreturn [\n  /* Cache Key 'prefix' => */\n  'default' => env('CACHE_DRIVER', 'file'), // 'prefix' => 'no'\n  'prefix' => env('CACHE_PREFIX', Str::slug(env('APP_NAME', 'laravel'), '_').'_cache'),\n];"
		laravel12 = "<?php return ['prefix' => env('CACHE_PREFIX', Str::slug(env('APP_NAME', 'laravel'), '_').'_cache_'),];"
		laravel13 = "<?php return ['prefix' => env('CACHE_PREFIX', Str::slug((string) env('APP_NAME', 'laravel')).'-cache-')];"
	)
	lock := func(version string) string {
		return `{"packages": [{"name": "laravel/tinker", "version": "v2.0"}, {"name": "laravel/framework", "version": "` + version + `"}]}`
	}
	for _, tt := range []struct{ claim, appName, config, lock, want, why string }{
		{"5.0 to 5.5.21", "APP_NAME=My App", "<?php return ['prefix' => 'laravel'];", "", "laravel", "config/cache.php"},
		{"5.6", `APP_NAME="My App"`, "<?php return [ 'prefix' => env(\n 'CACHE_PREFIX',\n str_slug(env('APP_NAME', 'laravel'), '_').'_cache'\n ),\n];", "", "my_app_cache", ".env:2 (APP_NAME)"},
		{"8", `APP_NAME="My App"`, laravel8, "", "my_app_cache", ".env:2 (APP_NAME)"},
		{"12.0", `APP_NAME="My App"`, laravel12, lock("v13.1.0"), "my_app_cache_", ".env:2 (APP_NAME)"},
		{"12.1", `APP_NAME="My App"`, laravel13, lock("v11.0.0"), "my-app-cache-", ".env:2 (APP_NAME)"},
		{"double quotes, full name", "APP_NAME=X", `<?php return array("prefix" => env("CACHE_PREFIX", \Illuminate\Support\Str::slug(env("APP_NAME"), "_") . "_c"));`, "", "x_c", ".env:2 (APP_NAME)"},
		{"a literal default", "APP_NAME=X", "<?php return ['prefix' => env('CACHE_PREFIX', 'my app')];", "", "my app", "config/cache.php"},
		{"no default", "APP_NAME=X", "<?php return ['prefix' => env('CACHE_PREFIX')];", "", "", "config/cache.php"},
		{"another name by default", "", "<?php return ['prefix' => env('CACHE_PREFIX', Str::slug(env('APP_NAME', 'Acme'), '_').'_cache_')];", "", "acme_cache_", "APP_NAME, which is not set"},

		{"composer.lock 5.4", "APP_NAME=X", "", lock("v5.4.36"), "laravel", "as in laravel/framework v5.4 of composer.lock"},
		{"composer.lock 6", "APP_NAME=X", "", lock("v6.20.44"), "x_cache", "v6.20"},
		{"composer.lock 8", "APP_NAME=X", "", lock("8.83.27"), "x_cache", "8.83"},
		{"composer.lock 9", "APP_NAME=X", "", lock("v9.0.1"), "x_cache_", "v9.0"},
		{"composer.lock 10", "APP_NAME=X", "", lock("v10.48.29"), "x_cache_", "v10.48"},
		{"composer.lock 12", "APP_NAME=X", "", lock("v12.0.0"), "x_cache_", "v12.0"},
		{"composer.lock 5.5", "APP_NAME=X", "", lock("v5.5.50"), "x_cache", "v5.5"},
		{"composer.lock 11", "APP_NAME=X", "", lock("v11.48.0"), "x_cache_", "v11.48"},
		{"composer.lock 13", "APP_NAME=X", "", lock("v13.0.0"), "x-cache-", "v13.0"},
		{"composer.lock of a branch", "APP_NAME=X", "", lock("dev-master"), "x-cache-", "as in the newest Laravel"},
		{"composer.lock that is broken", "APP_NAME=X", "", "{", "x-cache-", "as in the newest Laravel"},

		{"CACHE_DRIVER", "APP_NAME=X\nCACHE_DRIVER=database", "", "", "x_cache_", "as in Laravel 9 and 10, for there is .env:3 (CACHE_DRIVER)"},
		{"CACHE_DRIVER and CACHE_STORE", "APP_NAME=X\nCACHE_DRIVER=database\nCACHE_STORE=database", "", "", "x-cache-", "as in the newest Laravel"},
		{"CACHE_DRIVER and composer.lock", "APP_NAME=X\nCACHE_DRIVER=database", "", lock("v8.83.27"), "x_cache", "v8.83"},
		{"CACHE_DRIVER and config/cache.php", "APP_NAME=X\nCACHE_DRIVER=database", laravel13, "", "x-cache-", ".env:2 (APP_NAME)"},
		{"the newest", "APP_NAME=Laravel", "", "", "laravel-cache-", "there is neither config/cache.php nor composer.lock"},
		{"APP_NAME is not set", "", "", "", "laravel-cache-", "APP_NAME, which is not set"},
		{"APP_NAME is blank", "APP_NAME=", "", "", "-cache-", ".env:2 (APP_NAME)"},
		{"APP_NAME is null", "APP_NAME=null", "", "", "-cache-", ".env:2 (APP_NAME)"},
		{"a Chinese name", "APP_NAME=新零售商城", laravel12, "", "_cache_", ".env:2 (APP_NAME)"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			files := map[string]string{".env": "DB_HOST=h\n" + strings.Replace(tt.appName, "=My App", "='My App'", 1)}
			if tt.config != "" {
				files["config/cache.php"] = tt.config
			}
			if tt.lock != "" {
				files["composer.lock"] = tt.lock
			}
			c, _ := setup{files: files}.must(t)
			if c.Prefix.Value != tt.want {
				t.Errorf("got %q; want %q", c.Prefix.Value, tt.want)
			}
			certain := tt.config != "" // config/cache.php says it; all else is a guess, and said to be one
			if certain && len(c.Notices) > 0 || !certain && (len(c.Notices) != 1 || !hasNotice(c, tt.why) || !hasNotice(c, "set CACHE_PREFIX or --prefix to be sure")) {
				t.Errorf("notices %q; want one with %q unless it is certain", c.Notices, tt.why)
			}
			if certain && tt.why != c.Prefix.Source {
				t.Errorf("source %q; want %q", c.Prefix.Source, tt.why)
			}
		})
	}
}

func TestLoad_PrefixThatCannotBeTold(t *testing.T) {
	for _, tt := range []struct{ claim, appName, config, want string }{
		{"a name that Laravels spell differently", "Приложение", "", ".env:2 (APP_NAME): cannot tell how Laravel spells this name"},
		{"an expression", "X", "<?php return ['prefix' => config('app.tenant').'_cache'];", "config/cache.php: cannot tell the cache prefix"},
		{"no prefix", "X", "<?php return [];", "config/cache.php: cannot tell the cache prefix"},
		{"a store's own prefix", "X", "<?php return ['stores' => ['database' => ['prefix' => 'a']], 'prefix' => 'b'];", "config/cache.php: cannot tell the cache prefix"},
		{"an escape", "X", `<?php return ['prefix' => 'a\\b'];`, "config/cache.php: cannot tell the cache prefix"},
		{"half a file", "X", "<?php return ['prefix' => 'a", "config/cache.php: cannot tell the cache prefix"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			files := map[string]string{".env": "DB_HOST=h\nAPP_NAME=" + tt.appName}
			if tt.config != "" {
				files["config/cache.php"] = tt.config
			}
			setup{files: files}.wantErrors(t, tt.want)

			files[".env"] += "\nCACHE_PREFIX=given"
			if c, _ := (setup{files: files}).must(t); c.Prefix.Value != "given" {
				t.Errorf("got %q; want CACHE_PREFIX", c.Prefix.Value)
			}
		})
	}
}

func TestLoad_AppNameAloneIsNoLaravel(t *testing.T) {
	c, _ := setup{files: map[string]string{".env": "APP_NAME=Shop"}}.must(t)
	if c.Prefix != (Setting{"", "default"}) {
		t.Errorf("got %q from %q", c.Prefix.Value, c.Prefix.Source)
	}
}

func TestLoad_LaravelNotices(t *testing.T) {
	for _, tt := range []struct{ env, file, want string }{
		{"", "bootstrap/cache/config.php", "bootstrap/cache/config.php exists, so Laravel does not read .env"},
		{"CACHE_STORE=redis", "", `.env:3 (CACHE_STORE): PHP's default cache store is "redis", not "database"`},
		{"CACHE_DRIVER=file", "", `.env:3 (CACHE_DRIVER): PHP's default cache store is "file"`},
		{"DB_CACHE_LOCK_CONNECTION=other", "", ".env:3 (DB_CACHE_LOCK_CONNECTION): PHP keeps its locks in another connection"},
		{"CACHE_STORE=database\nCACHE_DRIVER=file\nDB_CACHE_LOCK_CONNECTION=mysql::write\nDB_CONNECTION=mysql", "", ""},
	} {
		files := map[string]string{".env": "DB_HOST=h\nCACHE_PREFIX=\n" + tt.env}
		if tt.file != "" {
			files[tt.file] = ""
		}
		c, _ := setup{files: files}.must(t)
		if tt.want == "" && len(c.Notices) > 0 || tt.want != "" && (len(c.Notices) != 1 || !hasNotice(c, tt.want)) {
			t.Errorf("notices %q; want %q", c.Notices, tt.want)
		}
	}
}

// A password that is in the environment for another program's sake is not sent to whoever listens on this machine.
func TestLoad_AUserAndAPasswordAloneAreNoDatabase(t *testing.T) {
	c, _ := setup{env: map[string]string{"DB_USERNAME": "u", "DB_PASSWORD": "S3cr3t", "DB_PORT": "3306"}}.must(t)
	if c.Database.Source != "default" {
		t.Errorf("database is %v from %s, want the default", c.Database, c.Database.Source)
	}
}

func TestLoad_SaysThatAMySQLWithoutPrefixIsReadAsItIs(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LARDER_DATABASE": "mysql://u@h/db"}, true},
		{map[string]string{"LARDER_DATABASE": "mysql://u@h/db", "LARDER_PREFIX": ""}, false},
		{map[string]string{"LARDER_DATABASE": "sqlite:x.db"}, false},
	} {
		c, _ := setup{env: tt.env}.must(t)
		if got := hasNotice(c, "no cache prefix is configured"); got != tt.want {
			t.Errorf("%v: notices %q", tt.env, c.Notices)
		}
	}
}

// The config/cache.php of Laravel 5.0 to 5.5.21 has the prefix written in, and some applications still do: CACHE_PREFIX has no effect there.
func TestLoad_PrefixThatIsWrittenIntoTheApplication(t *testing.T) {
	for _, tt := range []struct{ config, want string }{
		{"<?php return ['prefix' => 'fixed_'];", "fixed_"},
		{"<?php return ['prefix' => env('CACHE_PREFIX', 'fixed_')];", "zz"},
		{"<?php return ['prefix' => env('CACHE_PREFIX')];", "zz"},
	} {
		c, _ := setup{files: map[string]string{".env": "DB_HOST=h\nCACHE_PREFIX=zz", "config/cache.php": tt.config}}.must(t)
		if c.Prefix.Value != tt.want || hasNotice(c, "is not read by this application") != (tt.want == "fixed_") {
			t.Errorf("%s: prefix %q, notices %q", tt.config, c.Prefix.Value, c.Notices)
		}
	}
}

// What an application's config/cache.php says of its database store counts as it does for PHP.
func TestLoad_TableAndConnectionThatAreWrittenIntoTheApplication(t *testing.T) {
	for _, tt := range []struct {
		name, env, store             string
		table, lockTable, databaseIs string
	}{
		{"Laravel 5 to 10", "DB_CACHE_TABLE=unread", "'table' => 'cache', 'connection' => null", "cache", "cache_locks", "mysql://"},
		{"a table of one's own", "DB_CACHE_TABLE=unread", "'table' => 'app_cache', 'lock_table' => 'app_locks'", "app_cache", "app_locks", "mysql://"},
		{"Laravel 11", "DB_CACHE_TABLE=asked", "'table' => env('DB_CACHE_TABLE', 'cache'), 'lock_table' => env('DB_CACHE_LOCK_TABLE')", "asked", "cache_locks", "mysql://"},
		{"another default", "", "'table' => env('DB_CACHE_TABLE', 'mine')", "mine", "cache_locks", "mysql://"},
		{"another variable", "KV=theirs\nDB_CACHE_TABLE=unread", "'table' => env('KV', 'mine')", "theirs", "cache_locks", "mysql://"},
		{"a connection", "DB_CACHE_CONNECTION=unread", "'connection' => 'sqlite'", "cache", "cache_locks", "sqlite:"},
		{"a connection's variable", "DB_CACHE_CONNECTION=sqlite", "'connection' => env('DB_CACHE_CONNECTION')", "cache", "cache_locks", "sqlite:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := setup{files: map[string]string{
				".env": "DB_CONNECTION=mysql\nDB_HOST=h\nCACHE_PREFIX=p\n" + tt.env,
				"config/cache.php": "<?php return ['stores' => ['database' => ['driver' => 'database', " + tt.store + "], " +
					"'dynamodb' => ['table' => env('DYNAMODB_CACHE_TABLE', 'cache')]], 'prefix' => env('CACHE_PREFIX', 'x')];",
			}}.must(t)
			if c.Table.Value != tt.table || c.LockTable.Value != tt.lockTable || !strings.HasPrefix(c.Database.Value, tt.databaseIs) {
				t.Errorf("table %q, lock table %q, database %q", c.Table.Value, c.LockTable.Value, c.Database.Value)
			}
		})
	}
}

func TestLoad_ConnectionThatIsWrittenIntoTheApplicationAndUnknown(t *testing.T) {
	_, _, err := setup{files: map[string]string{
		".env":             "DB_HOST=h\nCACHE_PREFIX=p",
		"config/cache.php": "<?php return ['stores' => ['database' => ['driver' => 'database', 'connection' => 'second']], 'prefix' => 'x'];",
	}}.load(t)
	if err == nil || !strings.Contains(err.Error(), `config/cache.php: "second" is not one of the connections`) {
		t.Errorf("error is %v", err)
	}
}

func TestLoad_TellsThePrefixesOfEveryLaravel(t *testing.T) {
	c, _ := setup{files: map[string]string{".env": "APP_NAME=\"My App\"\nDB_HOST=h\nDB_DATABASE=d\nCACHE_PREFIX=x", "bootstrap/cache/config.php": "<?php"}}.must(t)
	want := []LaravelPrefix{
		{"laravel", "Laravel 5.0 to 5.5.21"}, {"my_app_cache", "Laravel 5.5.22 to 9.0.0"},
		{"my_app_cache_", "Laravel 9.0.1 to 12.0"}, {"my-app-cache-", "Laravel 12.1 or later"},
	}
	if !slices.Equal(c.LaravelPrefixes, want) {
		t.Errorf("got %v; want %v", c.LaravelPrefixes, want)
	}
	if !strings.HasSuffix(c.CachedConfig, "bootstrap/cache/config.php") {
		t.Errorf("CachedConfig is %q", c.CachedConfig)
	}
}
