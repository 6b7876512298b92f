package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

func TestLoad_TokensOfTheFile(t *testing.T) {
	c, _ := setup{
		env: map[string]string{"CORP_ID": "ding1", "CORP_SECRET": secret},
		files: map[string]string{"larder.yaml": `tokens:
  zzz:
    source: dingtalk
    app_key: 12345
    app_secret: ${CORP_SECRET}
  dingding_access_token:
    source: dingtalk
    app_key: ${CORP_ID}
    app_secret: ${CORP_SECRET}2
    api: v1.0
    base_url: https://proxy.example.com/dingtalk/
    refresh_ahead: 10m
    margin: 200s
`},
	}.must(t)
	want := []Token{
		{
			Key: "dingding_access_token", Source: "dingtalk", AppKey: "ding1", AppSecret: secret + "2", API: "v1.0", BaseURL: "https://proxy.example.com/dingtalk",
			RefreshAhead: ptr(10 * time.Minute), Margin: ptr(200 * time.Second), Shape: "string", Options: map[string]Secret{}, At: "larder.yaml:6",
		},
		{Key: "zzz", Source: "dingtalk", AppKey: "12345", AppSecret: secret, API: "gettoken", Shape: "string", Options: map[string]Secret{}, At: "larder.yaml:2"},
	}
	if !reflect.DeepEqual(c.Tokens, want) {
		t.Errorf("got  %+v\nwant %+v", c.Tokens, want)
	}
	for _, tt := range want {
		if got, ok := c.Token(tt.Key); !ok || !reflect.DeepEqual(got, tt) {
			t.Errorf("Token(%q) = %+v, %v", tt.Key, got, ok)
		}
	}
	if got, ok := c.Token("none"); ok || got.Key != "" {
		t.Errorf("Token(none) = %+v, %v", got, ok)
	}
}

func TestLoad_TokenOfTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		claim, env, file, appKey, at string
		notice                       string
	}{
		{"the recipe's names", "CORP_ID=corp\nCORP_SECRET=S3cr3t", "", "corp", ".env (CORP_ID, CORP_SECRET)", ""},
		{"DingTalk's names", "DINGTALK_APP_KEY=app\nDINGTALK_APP_SECRET=S3cr3t", "", "app", ".env (DINGTALK_APP_KEY, DINGTALK_APP_SECRET)", ""},
		{"both alike", "CORP_ID=app\nCORP_SECRET=S3cr3t\nDINGTALK_APP_KEY=app\nDINGTALK_APP_SECRET=S3cr3t", "", "app", ".env (DINGTALK_APP_KEY, DINGTALK_APP_SECRET)", ""},
		{"both, different", "CORP_ID=corp\nCORP_SECRET=S3cr3t\nDINGTALK_APP_KEY=app\nDINGTALK_APP_SECRET=S3cr3t", "", "app", ".env (DINGTALK_APP_KEY, DINGTALK_APP_SECRET)", "CORP_ID and CORP_SECRET differ and are ignored"},
		{"DingTalk's names and half of the recipe's", "CORP_ID=corp\nDINGTALK_APP_KEY=app\nDINGTALK_APP_SECRET=S3cr3t", "", "app", ".env (DINGTALK_APP_KEY, DINGTALK_APP_SECRET)", ""},
		{"blank", "CORP_ID=\nCORP_SECRET=\nDINGTALK_APP_KEY=", "", "", "", ""},
		{"larder.yaml has the key", "CORP_ID=corp", "tokens: {dingding_access_token: {source: dingtalk, app_key: y, app_secret: z}}", "y", "larder.yaml:1", ""},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			files := map[string]string{".env": tt.env, "larder.yaml": "prefix: x\ndatabase: sqlite:x\n"}
			if tt.file != "" {
				files["larder.yaml"] = tt.file + "\ndatabase: sqlite:x\n"
			}
			c, _ := setup{files: files}.must(t)
			got, ok := c.Token("dingding_access_token")
			api := "gettoken"
			if strings.Contains(tt.at, "DINGTALK_APP_KEY") {
				api = "gettoken_app"
			}
			if ok != (tt.appKey != "") || got.AppKey != tt.appKey || got.At != tt.at || ok && (got.Source != "dingtalk" || got.API != api) {
				t.Errorf("got %+v, %v", got, ok)
			}
			if (tt.notice == "") != (len(c.Notices) == 0) || !hasNotice(c, tt.notice) {
				t.Errorf("notices %q; want %q", c.Notices, tt.notice)
			}
		})
	}
}

func TestLoad_HalfATokenInTheEnvironment(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"CORP_ID=corp", `.env:1 (CORP_ID): CORP_SECRET is not set; the two configure the token "dingding_access_token" only together`},
		{"CORP_SECRET=S3cr3t\nCORP_ID=", ".env:1 (CORP_SECRET): CORP_ID is not set"},
		{"DINGTALK_APP_KEY=app", ".env:1 (DINGTALK_APP_KEY): DINGTALK_APP_SECRET is not set"},
		{"DINGTALK_APP_SECRET=S3cr3t", ".env:1 (DINGTALK_APP_SECRET): DINGTALK_APP_KEY is not set"},
		{"DINGTALK_APP_KEY=app\nCORP_ID=corp\nCORP_SECRET=S3cr3t", ".env:1 (DINGTALK_APP_KEY): DINGTALK_APP_SECRET is not set"},
	} {
		setup{files: map[string]string{".env": tt.env}}.wantErrors(t, tt.want)
	}
}

func TestLoad_DingTalkBaseURLIsForTokensWithoutOne(t *testing.T) {
	c, _ := setup{
		env: map[string]string{"CORP_ID": "a", "CORP_SECRET": secret, "DINGTALK_BASE_URL": "http://127.0.0.1:9000/"},
		files: map[string]string{"larder.yaml": `
database: sqlite:x
tokens:
  one: {source: dingtalk, app_key: a, app_secret: b}
  two: {source: dingtalk, app_key: a, app_secret: b, base_url: http://fake:1/x}
`},
	}.must(t)
	for key, want := range map[string]string{"dingding_access_token": "http://127.0.0.1:9000", "one": "http://127.0.0.1:9000", "two": "http://fake:1/x"} {
		if got, ok := c.Token(key); !ok || got.BaseURL != want {
			t.Errorf("%s: got %q, %v; want %q", key, got.BaseURL, ok, want)
		}
	}
	if len(c.Notices) != 1 || !hasNotice(c, `token "two": its secret is sent unencrypted to http://fake:1/x`) {
		t.Errorf("notices %q; want one about the address that is not this machine's", c.Notices)
	}
}

func TestInTheClear(t *testing.T) {
	for base, want := range map[string]bool{
		"https://x": false, "http://localhost:1": false, "http://127.0.0.2": false, "http://[::1]:1": false, "http://10.0.0.1": true, "http://fake": true, "": false,
	} {
		if got := inTheClear(base); got != want {
			t.Errorf("inTheClear(%q) = %v", base, got)
		}
	}
}

func TestLoad_TokenErrors(t *testing.T) {
	for _, tt := range []struct {
		claim, text string
		want        []string
	}{
		{"tokens is a list", "tokens: [S3cr3t]", []string{"larder.yaml:1: tokens: want keys with values, such as dingding_access_token:"}},
		{"no settings", "tokens:\n  a:\n", []string{`larder.yaml:2: tokens: "a": want keys with values: source: dingtalk`}},
		{"no key", `tokens: {"": {source: dingtalk}}`, []string{"tokens: the token has no key"}},
		{"no source", "tokens:\n  a: {app_key: x}", []string{"larder.yaml:2: a: source is missing; write source: dingtalk"}},
		{"unknown source", "tokens:\n  a:\n    source: dingtlak", []string{`larder.yaml:3: source: unknown source "dingtlak" (did you mean "dingtalk"?)`}},
		{"unknown source and more", "tokens:\n  a:\n    source: dingtlak\n    margn: 3m\n    token_url: http://x\n    timeout: soon", []string{
			`larder.yaml:3: source: unknown source "dingtlak"`, `larder.yaml:4: a: unknown key "margn" (did you mean "margin"?)`, `larder.yaml:6: timeout: "soon" is not a duration`,
		}},
		{"secret as a source", "tokens:\n  a:\n    source: ${SECRET}", []string{`larder.yaml:3: source: unknown source "${SECRET}"`}},
		{"a ticket of no token", "tokens:\n  a: {source: wechat_ticket, token: b}", []string{`larder.yaml:2: a: token: no token "b" is configured`}},
		{"a ticket of another vendor's token", "tokens:\n  a: {source: wechat_ticket, token: b}\n  b: {source: dingtalk, app_key: x, app_secret: S3cr3t}", []string{
			`larder.yaml:2: a: token: the source of "b" is dingtalk; this ticket needs a token of wechat or wechat_stable`,
		}},
		{"a ticket of itself", "tokens:\n  a: {source: wechat_ticket, token: a}", []string{`larder.yaml:2: a: token: the source of "a" is wechat_ticket`}},
		{"a ticket of nothing", "tokens:\n  a: {source: wecom_ticket}", []string{"larder.yaml:2: a: token is missing"}},
		{"another source's setting", "tokens:\n  a: {source: wecom, app_key: x, app_secret: S3cr3t, token_url: 'https://h'}", []string{`larder.yaml:2: a: unknown key "token_url"`}},
		{"no token_url", "tokens:\n  a: {source: oauth2, app_key: x, app_secret: S3cr3t, auth: header}", []string{"larder.yaml:2: a: token_url is missing", `larder.yaml:2: auth: unknown auth "header"`}},
		{"token_url of nothing", "tokens:\n  a: {source: oauth2, app_key: x, app_secret: S3cr3t, token_url: host, life: 0s}", []string{
			"larder.yaml:2: life: want more than 0", "larder.yaml:2: token_url: this is not an address",
		}},
		{"nothing but the source", "tokens:\n\n  a: {source: dingtalk}", []string{
			"larder.yaml:3: a: app_key is missing; write app_key: ${NAME}, with NAME in the environment or in .env", "larder.yaml:3: a: app_secret is missing",
		}},
		{"unknown key", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    app_secret: S3cr3t\n    refresh-ahead: 1m", []string{`larder.yaml:6: a: unknown key "refresh-ahead" (did you mean "refresh_ahead"?)`}},
		{"misspelt secret", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    appsecret: S3cr3t", []string{
			"larder.yaml:2: a: app_secret is missing", `larder.yaml:5: a: unknown key "appsecret" (did you mean "app_secret"?)`,
		}},
		{"duplicate key", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    app_secret: S3cr3t\n    app_key: y", []string{`larder.yaml:6: a: duplicate key "app_key", which line 4 sets`}},
		{"duplicate token", "tokens:\n  a: {source: dingtalk, app_key: x, app_secret: S3cr3t}\n  a: {}", []string{`larder.yaml:3: tokens: duplicate key "a", which line 2 sets`}},
		{"blank secret", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    app_secret:", []string{"larder.yaml:5: app_secret: the value is blank"}},
		{"blank variable", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    app_secret: ${BLANK}", []string{`larder.yaml:5: app_secret: "${BLANK}" is blank`}},
		{"wrong type", "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    app_secret: [S3cr3t]", []string{"larder.yaml:5: app_secret: want one value"}},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			setup{files: map[string]string{"larder.yaml": tt.text}, env: map[string]string{"BLANK": "", "SECRET": secret}}.wantErrors(t, tt.want...)
		})
	}
	for _, tt := range []struct{ line, want string }{
		{"api: v2.0", `larder.yaml:5: api: unknown api "v2.0" (did you mean "v1.0"?)`},
		{"api: ${SECRET}", `larder.yaml:5: api: unknown api "${SECRET}"`},
		{"margin: 200 s", `larder.yaml:5: margin: "200 s" is not a duration; want seconds or a duration, such as 600, 90s, 10m, 1h30m, 1d or 2w`},
		{"margin: ${SECRET}", `larder.yaml:5: margin: "${SECRET}" is not a duration`},
		{"margin: -1s", "larder.yaml:5: margin: -1s is negative"},
		{"margin: 2h", "larder.yaml:5: margin: 2h is as long as the token lives (2h) or longer"},
		{"refresh_ahead: 3h", "larder.yaml:5: refresh_ahead: 3h is as long as the token lives"},
		{"refresh_ahead: 1h\n    margin: 1h", "larder.yaml:5: refresh_ahead: with a margin of 1h this is as long as the token lives"},
		{"timeout: 0s", "larder.yaml:5: timeout: 0s is not possible; want more than 0"},
		{"timeout: 2m", "larder.yaml:5: timeout: 2m is not possible; want more than 0, and 1m at the most"},
		{"stale: 100000000000d", "larder.yaml:5: stale: \"100000000000d\" is not a duration; want a duration of at most 292 years"},
		{"reject_interval: 0s", "larder.yaml:5: reject_interval: 0s is not possible; want more than 0, and 1d at the most"},
		{"reject_interval: 25h", "larder.yaml:5: reject_interval: 1d1h is not possible"},
		{"stale: soon", `larder.yaml:5: stale: "soon" is not a duration`},
		{"shape: object", `larder.yaml:5: shape: unknown shape "object"`},
		{"base_url: host", "larder.yaml:5: base_url: this is not an address; want https://host"},
		{"base_url: https://u:S3cr3t@host", "larder.yaml:5: base_url: the address must not contain a user or a password"},
		{"base_url: https://host/#x", "larder.yaml:5: base_url: the address must end before ? and #"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			text := "tokens:\n  a:\n    source: dingtalk\n    app_key: x\n    " + tt.line + "\n    app_secret: S3cr3t\n"
			setup{files: map[string]string{"larder.yaml": text}, env: map[string]string{"SECRET": secret}}.wantErrors(t, tt.want)
		})
	}
}

func TestLoad_TokensThatDifferOnlyInCaseAreOneRowOfMySQL(t *testing.T) {
	s := setup{
		files: map[string]string{"larder.yaml": "tokens:\n  É: {source: dingtalk, app_key: x, app_secret: S3cr3t}\n  é: {source: dingtalk, app_key: y, app_secret: S3cr3t}"},
		env:   map[string]string{"LARDER_DATABASE": "mysql://h/db"},
	}
	s.wantErrors(t, `larder.yaml:3: "é" and "É" (larder.yaml:2) differ only in case or in blanks at the end`)
	s.files["larder.yaml"] = "tokens:\n  a: {source: dingtalk, app_key: x, app_secret: S3cr3t}\n  'A ': {source: dingtalk, app_key: y, app_secret: S3cr3t}"
	s.wantErrors(t, `"a" and "A " (larder.yaml:3) differ only in case or in blanks at the end`)
	s.env["LARDER_DATABASE"] = "sqlite:x.db"
	s.must(t)
}

// What the servers tell each other of a token stands in a row of its own.
func TestLoad_NoTokenHasTheKeyOfAnothersState(t *testing.T) {
	setup{files: map[string]string{
		"larder.yaml": "tokens:\n  a: {source: dingtalk, app_key: x, app_secret: S3cr3t}\n  larder:fetch:a: {source: dingtalk, app_key: y, app_secret: S3cr3t}",
	}}.wantErrors(t, `larder.yaml:3: "larder:fetch:a": larder keeps the state of "a" (larder.yaml:2) in the row of that key; give the token another name`)
}

// The key of a token's lock is longer than the token's.
func TestLoad_TokenKeyLeavesRoomForItsLock(t *testing.T) {
	file := func(length int) setup {
		return setup{files: map[string]string{"larder.yaml": "prefix: p_\ntokens:\n  " + strings.Repeat("é", length) + ": {source: dingtalk, app_key: x, app_secret: S3cr3t}"}}
	}
	file(255 - len("p_larder:fetch:")).must(t)
	file(255-len("p_larder:fetch:")+1).wantErrors(t, "the key is 1 characters too long")
}

// A token with an error still has its key, so that the environment's does not take its place with errors of its own.
func TestLoad_BrokenTokenOfTheFileKeepsItsKey(t *testing.T) {
	setup{
		env:   map[string]string{"CORP_ID": "half"},
		files: map[string]string{"larder.yaml": "tokens: {dingding_access_token: {source: dingtalkk}}"},
	}.wantErrors(t, "unknown source")
}

func TestLoad_OAuth2HasOptionsOfItsOwn(t *testing.T) {
	base := "tokens:\n  a:\n    source: oauth2\n    app_key: x\n    app_secret: y\n    margin: 3h\n"
	c, _ := setup{files: map[string]string{"larder.yaml": base + "    token_url: https://x\n"}}.must(t)
	got, _ := c.Token("a")
	if want := (map[string]Secret{"auth": "basic", "token_url": "https://x"}); !reflect.DeepEqual(got.Options, want) || got.API != "" {
		t.Errorf("got %+v", got)
	}
	setup{files: map[string]string{"larder.yaml": base}}.wantErrors(t, "larder.yaml:2: a: token_url is missing")
}

func TestLoad_TokensOfEveryVendor(t *testing.T) {
	c, _ := setup{
		env: map[string]string{"SECRET": secret},
		files: map[string]string{"larder.yaml": `database: sqlite:x
tokens:
  ding: {source: dingtalk, app_key: k, app_secret: "${SECRET}", old_app_secret: "${SECRET}0", corp_id: c, timeout: 3s, stale: 5m, shape: array, reject_interval: 30s}
  ding_ticket: {source: dingtalk_ticket, token: ding}
  wecom: {source: wecom, app_key: k, app_secret: "${SECRET}"}
  wecom_agent: {source: wecom_ticket, token: wecom, api: agent_config}
  wechat: {source: wechat_stable, app_key: k, app_secret: "${SECRET}"}
  wechat_ticket: {source: wechat_ticket, token: wechat}
  lark: {source: feishu, app_key: k, app_secret: "${SECRET}", api: app, base_url: "https://open.larksuite.com"}
  oauth: {source: oauth2, token_url: "https://id.example.com/token", app_key: k, app_secret: "${SECRET}", scope: "a b", auth: body, life: 1h}
`},
	}.must(t)
	if len(c.Tokens) != 8 {
		t.Fatalf("got %d tokens, want 8", len(c.Tokens))
	}
	ding, _ := c.Token("ding")
	if ding.Shape != "array" || *ding.Timeout != 3*time.Second || *ding.Stale != 5*time.Minute || *ding.RejectInterval != 30*time.Second || ding.Options["old_app_secret"] != secret+"0" || ding.Options["corp_id"] != "c" {
		t.Errorf("ding is %+v", ding)
	}
	oauth, _ := c.Token("oauth")
	if oauth.Options["auth"] != "body" || oauth.Options["scope"] != "a b" || oauth.Options["life"] != "1h" || oauth.Options["token_url"] != "https://id.example.com/token" {
		t.Errorf("oauth is %+v", oauth)
	}
	agent, _ := c.Token("wecom_agent")
	if agent.API != "agent_config" || agent.Options["token"] != "wecom" || agent.AppKey != "" {
		t.Errorf("wecom_agent is %+v", agent)
	}
}
