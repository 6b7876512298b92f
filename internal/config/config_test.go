package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad_DefaultsToTheEmbeddedDatabaseAndSaysSo(t *testing.T) {
	c, dir := setup{}.must(t)
	want := "{{sqlite:" + dir + "/larder.db default} { default} {cache default} {cache_locks default} {127.0.0.1:8420 default} {info default}}"
	type raw struct{ Value, Source string }
	got := fmt.Sprint(struct{ D, P, T, L, A, G raw }{raw(c.Database), raw(c.Prefix), raw(c.Table), raw(c.LockTable), raw(c.Listen), raw(c.LogLevel)})
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(c.Tokens) != 0 || len(c.APIKeys) != 0 || c.EnvFile != "" || c.ConfigFile != "" {
		t.Errorf("got %+v; want no tokens, keys and files", c)
	}
	if len(c.Notices) != 1 || !strings.Contains(c.Notices[0], "embedded") || !strings.Contains(c.Notices[0], "LARDER_DATABASE") {
		t.Errorf("notices %q; want one about the embedded database", c.Notices)
	}
}

func TestLoad_DefaultDatabaseInTheWorkingFolderIsRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(Flags{}, nil, ".")
	if err != nil || c.Database.Value != "sqlite:larder.db" {
		t.Errorf("got %v, %v; want sqlite:larder.db", c, err)
	}
}

// Every setting, given in all of its places; these are taken away one after the other, highest first.
func TestLoad_Precedence(t *testing.T) {
	for _, tt := range []struct {
		name          string
		flag          func(*Flags, *string)
		get           func(*Config) Setting
		values        [4]string // flag, environment, .env, larder.yaml
		laravel       string    // a line of .env
		laravelValue  string
		laravelSource string
		defaultValue  string
	}{
		{
			name: "database", flag: func(f *Flags, v *string) { f.Database = v }, get: func(c *Config) Setting { return c.Database },
			values:  [4]string{"mysql://u:S3cr3t@flag/db", "mysql://u:S3cr3t@env/db", "mysql://u:S3cr3t@dotenv/db", "mysql://u:S3cr3t@yaml/db"},
			laravel: "DB_HOST=laravel", laravelValue: "mysql://root@laravel:3306/laravel", laravelSource: ".env (DB_HOST)",
		},
		{
			name: "prefix", flag: func(f *Flags, v *string) { f.Prefix = v }, get: func(c *Config) Setting { return c.Prefix },
			values:  [4]string{"flag_", "env_", "dotenv_", "yaml_"},
			laravel: "CACHE_PREFIX=laravel_", laravelValue: "laravel_", laravelSource: ".env:1 (CACHE_PREFIX)",
		},
		{
			name: "table", flag: func(f *Flags, v *string) { f.Table = v }, get: func(c *Config) Setting { return c.Table },
			values:  [4]string{"flag_t", "env_t", "dotenv_t", "yaml_t"},
			laravel: "DB_CACHE_TABLE=laravel_t", laravelValue: "laravel_t", laravelSource: ".env:1 (DB_CACHE_TABLE)", defaultValue: "cache",
		},
		{
			name: "lock_table", flag: func(f *Flags, v *string) { f.LockTable = v }, get: func(c *Config) Setting { return c.LockTable },
			values:  [4]string{"flag_t", "env_t", "dotenv_t", "yaml_t"},
			laravel: "DB_CACHE_LOCK_TABLE=laravel_t", laravelValue: "laravel_t", laravelSource: ".env:1 (DB_CACHE_LOCK_TABLE)", defaultValue: "cache_locks",
		},
		{
			name: "listen", flag: func(f *Flags, v *string) { f.Listen = v }, get: func(c *Config) Setting { return c.Listen },
			values: [4]string{"flag:1", "env:1", "dotenv:1", ":65535"}, defaultValue: "127.0.0.1:8420",
		},
		{
			name: "log_level", flag: func(f *Flags, v *string) { f.LogLevel = v }, get: func(c *Config) Setting { return c.LogLevel },
			values: [4]string{"debug", "warn", "error", "debug"}, defaultValue: "info",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			variable := "LARDER_" + strings.ToUpper(tt.name)
			sources := []string{"--" + strings.ReplaceAll(tt.name, "_", "-"), variable, ".env:2 (" + variable + ")", "larder.yaml:1"}
			for given := range 6 {
				s := setup{files: map[string]string{}, env: map[string]string{}}
				if given < 5 {
					s.files[".env"] = tt.laravel + "\n"
				}
				if given < 4 {
					s.files["larder.yaml"] = tt.name + ": " + tt.values[3]
				}
				if given < 3 {
					s.files[".env"] += variable + "=" + tt.values[2]
				}
				if given < 2 {
					s.env[variable] = tt.values[1]
				}
				if given < 1 {
					tt.flag(&s.flags, &tt.values[0])
				}
				c, dir := s.must(t)
				want := Setting{tt.defaultValue, "default"}
				switch {
				case given < 4:
					want = Setting{tt.values[given], sources[given]}
				case given == 4 && tt.laravel != "":
					want = Setting{tt.laravelValue, tt.laravelSource}
				case tt.name == "database":
					want.Value = "sqlite:" + filepath.Join(dir, "larder.db")
				}
				if got := tt.get(c); got != want {
					t.Errorf("without the %d highest: got %q from %q, want %q from %q", given, got.Value, got.Source, want.Value, want.Source)
				}
			}
		})
	}
}

func TestLoad_BlankVariablesAreNotSetExceptThePrefix(t *testing.T) {
	c, _ := setup{
		env: map[string]string{
			"LARDER_DATABASE": "", "LARDER_PREFIX": "", "LARDER_TABLE": "", "LARDER_LOG_LEVEL": "", "LARDER_CONFIG": "", "LARDER_API_KEY": "", "DINGTALK_BASE_URL": "",
		},
		files: map[string]string{"larder.yaml": "{prefix: yaml, database: 'sqlite:x', table: t}"},
	}.must(t)
	if c.Database.Value != "sqlite:x" || c.Table.Value != "t" || c.LogLevel.Value != "info" || c.APIKeys != nil {
		t.Errorf("got %v; want larder.yaml's values", c)
	}
	if c.Prefix != (Setting{"", "LARDER_PREFIX"}) {
		t.Errorf("got prefix %q from %q; want the empty one of LARDER_PREFIX", c.Prefix.Value, c.Prefix.Source)
	}
}

func TestLoad_EmptyPrefixFlagBeatsLaravels(t *testing.T) {
	empty := ""
	c, _ := setup{flags: Flags{Prefix: &empty}, files: map[string]string{".env": "DB_HOST=h\nAPP_NAME=Shop"}}.must(t)
	if c.Prefix != (Setting{"", "--prefix"}) {
		t.Errorf("got %q from %q", c.Prefix.Value, c.Prefix.Source)
	}
}

func TestLoad_RefusesImpossibleFlagsAndVariables(t *testing.T) {
	s := func(v string) *string { return &v }
	long := strings.Repeat("x", 65)
	for _, tt := range []struct {
		setup setup
		want  string
	}{
		{setup{flags: Flags{Database: s("")}}, "--database: this is not a database URL"},
		{setup{flags: Flags{Database: s("S3cr3t")}}, "--database: this is not a database URL; want mysql://"},
		{setup{flags: Flags{Database: s("root:S3cr3t@tcp(h)/db")}}, "--database: the URL's scheme"},
		{setup{flags: Flags{Database: s("mysql:root:S3cr3t@h/db")}}, "--database: this is not a database URL"},
		{setup{flags: Flags{Database: s("sqlite:")}}, "--database: the URL names no file"},
		{setup{env: map[string]string{"LARDER_DATABASE": "postgres://u:S3cr3t@h/db"}}, "LARDER_DATABASE: larder does not speak postgres"},
		{setup{flags: Flags{Table: s("a b")}}, `--table: "a b" is not a table's name; want letters`},
		{setup{flags: Flags{Table: s(long)}}, "--table: \"" + long[:40] + "…\" is not a table's name"},
		{setup{env: map[string]string{"LARDER_LOCK_TABLE": "a`b"}}, "LARDER_LOCK_TABLE: \"a`b\" is not a table's name"},
		{setup{flags: Flags{LockTable: s("cache")}}, `are both named "cache"`},
		{setup{flags: Flags{Prefix: s("\xff")}}, "--prefix: the prefix is not UTF-8"},
		{setup{flags: Flags{Prefix: s(strings.Repeat("é", 255))}}, "--prefix: the prefix leaves no room for a key"},
		{setup{flags: Flags{Listen: s("8420")}}, `--listen: "8420" is not an address to listen on; want host:port`},
		{setup{flags: Flags{Listen: s("h:99999")}}, "--listen"},
		{setup{files: map[string]string{".env": "\nLARDER_LOG_LEVEL=loud"}}, `.env:2 (LARDER_LOG_LEVEL): "loud" is not a log level; want debug, info, warn or error`},
		{setup{env: map[string]string{"LARDER_API_KEY": "S3cr3t\n"}}, "LARDER_API_KEY: this API key has a blank, a line break or"},
		{setup{env: map[string]string{"DINGTALK_BASE_URL": "ftp://x"}}, "DINGTALK_BASE_URL: this is not an address; want https://"},
		{setup{env: map[string]string{"DINGTALK_BASE_URL": "http://u:S3cr3t@h"}}, "DINGTALK_BASE_URL: the address must not contain a user or a password"},
		{setup{env: map[string]string{"DINGTALK_BASE_URL": "http://u:S3cr3t%zz@h"}}, "DINGTALK_BASE_URL: this is not an address"},
		{setup{env: map[string]string{"DINGTALK_BASE_URL": "http://h?k=S3cr3t"}}, "DINGTALK_BASE_URL: the address must end before"},
	} {
		t.Run(tt.want, func(t *testing.T) { tt.setup.wantErrors(t, tt.want) })
	}
}

func TestLoad_EnvFileIsChosenAsLaravelDoes(t *testing.T) {
	s := func(v string) *string { return &v }
	files := map[string]string{".env": "LARDER_TABLE=plain", ".env.testing": "LARDER_TABLE=testing", "sub/x.env": "LARDER_TABLE=sub"}
	for _, tt := range []struct {
		claim   string
		env     map[string]string
		envFile *string
		want    Setting
	}{
		{"the default", nil, nil, Setting{"plain", ".env:1 (LARDER_TABLE)"}},
		{"APP_ENV with a file", map[string]string{"APP_ENV": "testing"}, nil, Setting{"testing", ".env.testing:1 (LARDER_TABLE)"}},
		{"APP_ENV without a file", map[string]string{"APP_ENV": "local"}, nil, Setting{"plain", ".env:1 (LARDER_TABLE)"}},
		{"--env-file", map[string]string{"APP_ENV": "testing"}, s("sub/x.env"), Setting{"sub", "sub/x.env:1 (LARDER_TABLE)"}},
		{"--env-file=", nil, s(""), Setting{"cache", "default"}},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c, _ := setup{files: files, env: tt.env, flags: Flags{EnvFile: tt.envFile}}.must(t)
			if c.Table != tt.want {
				t.Errorf("got %q from %q; want %q from %q", c.Table.Value, c.Table.Source, tt.want.Value, tt.want.Source)
			}
		})
	}
	_, dir := setup{}.must(t)
	if err := os.WriteFile(filepath.Join(dir, "abs.env"), []byte("LARDER_TABLE=abs"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Flags{EnvFile: s(filepath.Join(dir, "abs.env"))}, nil, "/nowhere")
	if err != nil || c.Table.Value != "abs" {
		t.Errorf("an absolute --env-file: got %v, %v", c, err)
	}
}

func TestLoad_ConfigFileIsChosen(t *testing.T) {
	s := func(v string) *string { return &v }
	files := map[string]string{"larder.yaml": "table: plain", "a.yaml": "table: a", "b.yaml": "table: b"}
	for _, tt := range []struct {
		claim string
		env   map[string]string
		flag  *string
		want  string
		file  string
	}{
		{"the default", nil, nil, "plain", "larder.yaml"},
		{"LARDER_CONFIG", map[string]string{"LARDER_CONFIG": "a.yaml"}, nil, "a", "a.yaml"},
		{"--config beats it", map[string]string{"LARDER_CONFIG": "a.yaml"}, s("b.yaml"), "b", "b.yaml"},
		{"--config=", map[string]string{"LARDER_CONFIG": "a.yaml"}, s(""), "cache", ""},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			c, _ := setup{files: files, env: tt.env, flags: Flags{ConfigFile: tt.flag}}.must(t)
			if c.Table.Value != tt.want || c.ConfigFile != tt.file {
				t.Errorf("got %q of %q; want %q of %q", c.Table.Value, c.ConfigFile, tt.want, tt.file)
			}
		})
	}
}

func TestLoad_FilesThatCannotBeRead(t *testing.T) {
	s := func(v string) *string { return &v }
	setup{flags: Flags{EnvFile: s("none.env")}}.wantErrors(t, "--env-file: open ")
	setup{flags: Flags{ConfigFile: s("none.yaml")}}.wantErrors(t, "--config: open ")
	setup{env: map[string]string{"LARDER_CONFIG": "none.yaml"}}.wantErrors(t, "LARDER_CONFIG: open ")
	// A folder in the file's place cannot be read by root either.
	setup{files: map[string]string{".env/x": ""}}.wantErrors(t, "make the file readable to this user, or give --env-file= to go without")
	setup{files: map[string]string{"larder.yaml/x": ""}}.wantErrors(t, "make the file readable to this user, or name another with --config")
	setup{files: map[string]string{".env": "A=1\nDB_PASSWORD=S3cr3t x", "larder.yaml": "table: ${NONE}"}}.wantErrors(t, ".env:2: unexpected whitespace")
}

func TestSecret_IsNeverPrinted(t *testing.T) {
	s := Secret(secret)
	encoded, err := json.Marshal(map[string]any{"secret": s, "list": []Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, []Secret{s}), fmt.Sprint(&s), string(encoded), log.String(), s.String(), s.GoString(),
	} {
		if strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) || !strings.Contains(shown, "[secret]") {
			t.Errorf("shown as %s", shown)
		}
	}
	if s.Reveal() != secret {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func TestSetting_HidesThePasswordOfAURL(t *testing.T) {
	for value, want := range map[string]string{
		"mysql://u:S3cr3t@h:1/db?tls=true": "mysql://u:[secret]@h:1/db?tls=true",
		"mysql://u:S3cr3t/@x@h/db":         "mysql://u:[secret]@h/db",
		"mysql://:S3cr3t@h/db":             "mysql://:[secret]@h/db",
		"mysql://u@h/db":                   "mysql://u@h/db",
		"mysql://h:1/db":                   "mysql://h:1/db",
		"sqlite:a:b@c":                     "sqlite:a:b@c",
		"a:b@c":                            "a:b@c",
	} {
		s := Setting{value, "x"}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "setting", s)
		if s.String() != want || fmt.Sprint(s) != want || fmt.Sprintf("%q", s) != fmt.Sprintf("%q", want) {
			t.Errorf("%q is shown as %q, %v", value, s.String(), s)
		}
		for _, shown := range []string{fmt.Sprintf("%v %+v %#v %d %x", s, s, s, s, s), string(encoded), log.String()} {
			if strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) {
				t.Errorf("%q is shown as %s", value, shown)
			}
		}
	}
}

func TestSetting_HidesPasswordsInOddPlaces(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{"mysql://127.0.0.1:1/db?password=hunter2", "mysql://127.0.0.1:1/db?[secret]"},
		{"mysql://u@h/db?tls=true&password=hunter2&timeout=5s", "mysql://u@h/db?tls=true&[secret]&timeout=5s"},
		{"mysql://root:hunter2/db", "mysql://root:[secret]"},
		{"mysql://h:3306,h2:3307/db", "mysql://h:3306,h2:3307/db"},
		{"mysql://[::1]:3306/db", "mysql://[::1]:3306/db"},
		{"mysql://u:a:b@h/db", "mysql://u:[secret]@h/db"},
		{"sqlite:larder.db", "sqlite:larder.db"},
	} {
		if got := (Setting{Value: tt.value}).String(); got != tt.want {
			t.Errorf("%s is shown as %s; want %s", tt.value, got, tt.want)
		}
	}
}
