package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestLoad_File(t *testing.T) {
	c, _ := setup{
		env: map[string]string{"HOST": "real", "KEY": secret, "BLANK": ""},
		files: map[string]string{
			".env": "HOST=file\nDB_PASSWORD=S3cr3t",
			"larder.yaml": `# settings
database: mysql://larder:${DB_PASSWORD}@${HOST}/shop
prefix: "a$${HOST}${BLANK}$HOST"
table: &name my_cache
lock_table: my_locks
listen: 0.0.0.0:80
log_level: warn
api_key: ${KEY}
api_keys:
  - {key: "${KEY}1", role: read}
  - key: 123456
    role: [write, tokens]
`,
		},
	}.must(t)
	for got, want := range map[Setting]Setting{
		c.Database:  {"mysql://larder:S3cr3t@real/shop", "larder.yaml:2"},
		c.Prefix:    {"a${HOST}$HOST", "larder.yaml:3"},
		c.Table:     {"my_cache", "larder.yaml:4"},
		c.LockTable: {"my_locks", "larder.yaml:5"},
		c.Listen:    {"0.0.0.0:80", "larder.yaml:6"},
		c.LogLevel:  {"warn", "larder.yaml:7"},
	} {
		if got != want {
			t.Errorf("got %q from %q; want %q from %q", got.Value, got.Source, want.Value, want.Source)
		}
	}
	wantKeys := []APIKey{
		{Key: secret, Roles: []Role{RoleAdmin}, Source: "larder.yaml:8", single: true},
		{Key: secret + "1", Roles: []Role{RoleRead}, Source: "larder.yaml:10"},
		{Key: "123456", Roles: []Role{RoleWrite, RoleTokens}, Source: "larder.yaml:11"},
	}
	if !reflect.DeepEqual(c.APIKeys, wantKeys) {
		t.Errorf("got keys %+v; want %+v", c.APIKeys, wantKeys)
	}
}

func TestLoad_EmptyFilesAreInOrder(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "~", "tokens:\n  # none yet\n", "tokens: {}", "api_keys: []"} {
		if c, _ := (setup{files: map[string]string{"larder.yaml": text}}).must(t); len(c.Tokens) != 0 {
			t.Errorf("%q: got tokens %v", text, c.Tokens)
		}
	}
}

func TestLoad_EnvironmentsAPIKeyReplacesTheFilesSingleOne(t *testing.T) {
	c, _ := setup{
		env:   map[string]string{"LARDER_API_KEY": "env"},
		files: map[string]string{"larder.yaml": "api_key: yaml\napi_keys:\n- {key: other, role: read}\n- {key: env, role: read}"},
	}.must(t)
	want := []APIKey{{Key: "env", Roles: []Role{RoleAdmin}, Source: "LARDER_API_KEY"}, {Key: "other", Roles: []Role{RoleRead}, Source: "larder.yaml:3"}}
	if !reflect.DeepEqual(c.APIKeys, want) {
		t.Errorf("got %+v; want %+v", c.APIKeys, want)
	}
}

func TestLoad_FileErrors(t *testing.T) {
	for _, tt := range []struct{ claim, text, want string }{
		{"not YAML", "a: b\nc: 'S3cr3t", "larder.yaml:2: this is not YAML: "},
		{"not YAML, a tab", "tokens:\n\tS3cr3t: x", "larder.yaml:2: this is not YAML: "},
		{"a value that is taken for an alias", "a: 1\nb:\n  c: *S3cr3t", "larder.yaml:3: this is not YAML: a value that begins with * must be in quotes"},
		{"a value that is taken for a tag", "api_key: !S3cr3t!x y", "larder.yaml:1: this is not YAML: "},
		{"a list without a dash", "a:\n- b\nS3cr3t", "larder.yaml:3: this is not YAML: "},
		{"two documents", "table: a\n---\ntable: b", "a second document begins here"},
		{"a list", "- S3cr3t", "larder.yaml:1: the file: want keys with values, such as database: ..."},
		{"text", "S3cr3t", "larder.yaml:1: the file: want keys with values"},
		{"unknown key", "\ntabel: a", `larder.yaml:2: the file: unknown key "tabel" (did you mean "table"?)`},
		{"unknown key with dashes", "lock-table: a", `unknown key "lock-table" (did you mean "lock_table"?)`},
		{"unknown key like none", "colour: a", `unknown key "colour"; want database, prefix, table,`},
		{"merge key", "<<: {table: a}", `larder.yaml:1: the file: unknown key "<<"`},
		{"a key that is no text", "? [a]\n: b", "larder.yaml:1: the file: a key must be plain text"},
		{"duplicate key", "table: a\n\ntable: b", `larder.yaml:3: the file: duplicate key "table", which line 1 sets already`},
		{"wrong type", "table:\n  a: S3cr3t", "larder.yaml:1: table: want one value, not a list or further keys"},
		{"wrong type, list", "database: [S3cr3t]", "larder.yaml:1: database: want one value"},
		{"blank", "table:", "larder.yaml:1: table: the value is blank"},
		{"blank text", `database: ""`, "larder.yaml:1: database: the value is blank"},
		{"blank prefix", "prefix:", `larder.yaml:1: prefix: there is no value; write prefix: "" for the empty one`},
		{"impossible table", "table: a-b", `larder.yaml:1: table: "a-b" is not a table's name`},
		{"impossible database", "\ndatabase: pgsql://u:S3cr3t@h/db", "larder.yaml:2: database: larder does not speak pgsql"},
		{"impossible address", "listen: 8420", `larder.yaml:1: listen: "8420" is not an address`},
		{"impossible level", "log_level: verbose", `larder.yaml:1: log_level: "verbose" is not a log level`},
		{"missing variable", "\n\ndatabase: mysql://u:${NO_SUCH}S3cr3t@h/db", "larder.yaml:3: database: the variable NO_SUCH is not set; set it in the environment or in .env"},
		{"blank variable", "api_key: ${BLANK}", `larder.yaml:1: api_key: "${BLANK}" is blank; give the variable a value`},
		{"a default, which there is none", "api_key: ${X:-S3cr3t}", "larder.yaml:1: api_key: ${ does not begin a variable's name; write ${NAME}, or $${"},
		{"a brace that is not closed", "api_key: ${S3cr3t", "larder.yaml:1: api_key: ${ does not begin"},
		{"api_keys is no list", "api_keys: {key: S3cr3t}", "larder.yaml:1: api_keys: want a list"},
		{"api_keys of text", "api_keys:\n- S3cr3t", "larder.yaml:2: api_keys: want keys with values, such as key: ..."},
		{"no role", "api_keys:\n- key: S3cr3t", "larder.yaml:2: api_keys: role is missing; want {key: \"${NAME}\", role: read|write|tokens|admin}"},
		{"no key", "api_keys: [{role: read}]", "larder.yaml:1: api_keys: key is missing"},
		{"unknown role", "api_keys:\n- key: S3cr3t\n  role: reader", `larder.yaml:3: role: unknown role "reader" (did you mean "read"?)`},
		{"no roles", "api_keys: [{key: S3cr3t, role: []}]", "larder.yaml:1: role: the list is empty"},
		{"unknown key of an API key", "api_keys: [{key: S3cr3t, role: read, roles: x}]", `unknown key "roles" (did you mean "role"?)`},
		{"an API key that nobody can present", "\napi_keys:\n- {key: 'S3cr3t ', role: read}", "larder.yaml:3: this API key has a blank, a line break or"},
		{"a single API key that nobody can present", "api_key: 'S3cr3té'", "larder.yaml:1: this API key has a blank, a line break or"},
		{"one key twice", "api_key: S3cr3t\napi_keys:\n- {key: S3cr3t, role: read}", "larder.yaml:3: this API key is the same as that of larder.yaml:1"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			setup{files: map[string]string{"larder.yaml": tt.text}, env: map[string]string{"BLANK": ""}}.wantErrors(t, tt.want)
		})
	}
}

func TestLoad_ReportsAllErrorsByTheirLines(t *testing.T) {
	setup{
		files: map[string]string{
			".env": "DB_CONNECTION=pgsql\nAPP_NAME=Приложение\nDB_CACHE_TABLE=",
			"larder.yaml": `tokens:
  a: {source: dingtalk, app_key: x, app_secret: "${NONE}", apy: v1.0, margin: soon}
  b: {source: pigeon}
lock_table: a b
log_level: loud
tokens: {}
`,
		},
		env: map[string]string{"CORP_ID": "x", "LARDER_LISTEN": "nowhere"},
	}.wantErrors(t,
		"larder.yaml:2: a: unknown key \"apy\"",
		"larder.yaml:2: app_secret: the variable NONE is not set",
		"larder.yaml:2: margin: \"soon\" is not a duration",
		"larder.yaml:3: source: unknown source \"pigeon\"",
		"larder.yaml:4: lock_table:",
		"larder.yaml:5: log_level:",
		"larder.yaml:6: the file: duplicate key \"tokens\", which line 1 sets",
		".env:1 (DB_CONNECTION): larder does not speak pgsql",
		".env:2 (APP_NAME): cannot tell",
		".env:3 (DB_CACHE_TABLE): the name is blank",
		"LARDER_LISTEN: \"nowhere\" is not an address",
		"CORP_ID: CORP_SECRET is not set",
	)
}

func TestLoad_VariablesOfTokensAndAPIKeysMatterOnlyToTheirUsers(t *testing.T) {
	const text = `table: t
api_keys:
- {key: "${KEY_OF_THE_SERVICE}", role: tokens}
- {key: S3cr3tS3cr3t, role: read}
tokens:
  b: {source: dingtalk, app_key: "${ID}", app_secret: "${SECRET}", margin: "${MARGIN}"}
  jsapi: {source: dingtalk_ticket, token: "${PARENT}"}
  ticket: {source: dingtalk_ticket, token: b}
`
	c, _ := setup{files: map[string]string{"larder.yaml": text}, env: map[string]string{"ID": "x", "PARENT": ""}}.must(t)
	var keys []string
	for _, token := range c.Tokens {
		keys = append(keys, token.Key)
	}
	if c.Table.Value != "t" || len(c.APIKeys) != 1 || !slices.Equal(keys, []string{"b", "jsapi", "ticket"}) {
		t.Errorf("table %q, %d API keys, tokens %q", c.Table.Value, len(c.APIKeys), keys)
	}
	if want := "larder.yaml:3: key: the variable KEY_OF_THE_SERVICE is not set; set it in the environment or in .env"; fmt.Sprint(c.APIKeysErr) != want {
		t.Errorf("error of the API keys is %v, want %s", c.APIKeysErr, want)
	}
	if want := "larder.yaml:6: app_secret: the variable SECRET is not set; set it in the environment or in .env\n" +
		"larder.yaml:6: margin: the variable MARGIN is not set; set it in the environment or in .env\n" +
		`larder.yaml:7: token: "${PARENT}" is blank; give the variable a value, or remove the line`; fmt.Sprint(c.TokensErr) != want {
		t.Errorf("error of the tokens is %v, want %s", c.TokensErr, want)
	}

	// What all use must be there, and what is wrong in any environment is wrong for all.
	for more, want := range map[string]string{
		"prefix: ${NONE}": "larder.yaml:9: prefix: the variable NONE is not set",
		"listen: 8420":    "larder.yaml:9: listen:",
		"tabel: t":        `larder.yaml:9: the file: unknown key "tabel"`,
	} {
		_, _, err := setup{files: map[string]string{"larder.yaml": text + more}}.load(t)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "KEY_OF_THE_SERVICE") {
			t.Errorf("with %s: error %v, want all of them", more, err)
		}
	}
}

// The parser quotes what it stumbles over in some of its messages.
func TestSyntaxProblem_LeavesOutWhatTheParserQuotes(t *testing.T) {
	for msg, want := range map[string]problem{
		"yaml: line 3: did not find expected '-' indicator":            {3, "this is not YAML: did not find expected - indicator", ""},
		"yaml: line 4: cannot decode !!str `S3'cr3t` as a !!float":     {4, "this is not YAML: cannot decode !!str (text of the file)", ""},
		"yaml: unknown anchor 'S3cr3t' referenced":                     {2, "this is not YAML: a value that begins with * must be in quotes", ""},
		"yaml: control characters are not allowed":                     {1, "this is not YAML: control characters are not allowed", ""},
		"yaml: line 2: mapping values are not allowed in this context": {2, "this is not YAML: mapping values are not allowed in this context", ""},
	} {
		if got := syntaxProblem(errors.New(msg), []byte("a: b\nc: *S3cr3t")); got != want {
			t.Errorf("%s: got %+v; want %+v", msg, got, want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"", "table: a", "tokens:\n  a: &x {source: dingtalk, app_key: ${A}, app_secret: b, margin: 1s}\n  b: *x", "api_keys: [{key: a, role: [read]}]", "a: *b", "&a a: *a", "&a [*a]", "? {}\n: x", "---\n---\n", "tokens: &a {b: *a}",
	} {
		f.Add([]byte(seed))
	}
	lookup := func(name string) (variable, bool) { return variable{name: name, value: "v"}, name == "A" }
	f.Fuzz(func(t *testing.T, data []byte) {
		got := parseFile("larder.yaml", data, lookup)
		if got.settings == nil && len(got.problems) == 0 {
			t.Fatal("neither settings nor problems")
		}
		for _, p := range got.problems {
			if p.line < 1 || p.msg == "" {
				t.Fatalf("problem %+v", p)
			}
		}
	})
}
