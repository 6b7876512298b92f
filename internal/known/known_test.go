package known

import (
	"strings"
	"testing"

	"github.com/larder-cache/larder/store/php"
)

func TestKey_KnowsLaravelsAndItsPackages(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct{ key, kind, want string }{
		{hash[:40], "int", "rate limiter"}, {hash[:32], "int", "rate limiter"}, {hash[:40] + ":timer", "int", "rate limiter's end"},
		{"me@example.com|127.0.0.1:timer", "int", "rate limiter's end"},
		{"framework/schedule-" + hash[:40], "bool", "scheduler mutex"}, {"framework/schedule-" + hash[:40] + "0130", "bool", "scheduler: one server"},
		{"illuminate:queue:restart", "int", "queue restart"}, {"illuminate:cache:flexible:created:rate", "int", "flexible companion"},
		{"AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd", "string", "session"}, {hash, "array", "password reset"},
		{"dingding_access_token", "string", "DingTalk token"}, {"access_token.dingkey", "array", "DingTalk token"},
		{"easywechat.common.access_token.wx1", "string", "EasyWeChat token"}, {"easywechat.kernel.access_token." + hash[:32], "array", "EasyWeChat token"},
		{"official_account.access_token.wx1.s3cret.0", "string", "EasyWeChat token"}, {"work.access_token.ww1.s3cret", "string", "EasyWeChat token"},
		{"work.jsapi_ticket.ww1", "string", "EasyWeChat ticket"}, {"stripe-api-key", "string", "secret"},
		{"greeting", "string", ""}, {"ticket:1000", "array", ""}, {hash[:40], "array", ""},
	} {
		if m, ok := Key(c.key, c.kind); m.Name != c.want || ok != (c.want != "") || strings.Contains(m.Text, "%") {
			t.Errorf("%s (%s): %+v, want %q", c.key, c.kind, m, c.want)
		}
	}
	if m, _ := Key("illuminate:cache:flexible:created:rate", "int"); !strings.Contains(m.Text, "rate") {
		t.Errorf("it does not say of which key: %s", m.Text)
	}
}

func TestMaskKey_HidesTheSecretOfTheApp(t *testing.T) {
	secret := "0123456789abcdef0123456789abcdef"
	for key, want := range map[string]string{
		"official_account.access_token.wx1." + secret + ".0": "official_account.access_token.wx1.0123….0",
		"work.access_token.ww1." + secret:                    "work.access_token.ww1.0123…",
		"shop_work.access_token.ww1." + secret:               "shop_work.access_token.ww1.0123…",
		"work.jsapi_ticket.ww1.7":                            "work.jsapi_ticket.ww1.7",
		"user.7":                                             "user.7",
	} {
		if got := MaskKey(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

func TestRedact_MasksCredentialsAndNothingElse(t *testing.T) {
	const long = `s:20:"abcdefghijklmnopqrst";`
	for _, c := range []struct {
		text   string
		secret bool
		want   string
	}{
		{long, false, `"abcdefghijklmnopqrst"`},
		{long, true, `"abcd…"`},
		{`s:5:"short";`, true, `"…"`},
		{`i:5;`, true, `5`},
		{`a:2:{s:12:"access_token";` + long + `s:6:"errmsg";s:2:"ok";}`, true, `{"access_token":"abcd…","errmsg":"ok"}`},
		{`a:2:{i:0;` + long + `s:1:"x";s:2:"ok";}`, true, `{"0":"abcd…","x":"…"}`},
		{`a:1:{s:4:"user";a:2:{s:8:"password";` + long + `s:4:"name";s:1:"x";}}`, false, `{"user":{"password":"abcd…","name":"x"}}`},
		{`a:1:{s:6:"tokens";a:1:{i:0;` + long + `}}`, false, `{"tokens":["abcd…"]}`},
		{`a:1:{i:0;s:37:"eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.c2ln";}`, false, `["eyJh…"]`},
		{`s:36:"a:1:{s:6:"_token";s:5:"abcde";}12345";`, false, `"a:1:{s:6:\"_token\";s:5:\"abcde\";}12345"`},
		{`s:31:"a:1:{s:6:"_token";s:5:"abcde";}";`, false, `"a:1:{s:6:\"_token\";s:3:\"…\";}"`},
		{`s:85:"{"errcode":0,"access_token":"67bd8cb8faa3","list":[{"password" : "p\"w","name":"x"}]}";`, false, `"{\"errcode\":0,\"access_token\":\"…\",\"list\":[{\"password\" : \"…\",\"name\":\"x\"}]}"`},
		{`s:34:"[{"access_token":"67bd8cb8faa3cb81";`, false, `"[{\"access_token\":\"67bd…"`},
		{`O:1:"A":1:{s:9:"` + "\x00A\x00secret" + `";` + long + `}`, false, `{"$object":"A","properties":[{"name":"secret","visibility":"private","class":"A","value":"abcd…"}]}`},
		{`C:1:"A":20:{abcdefghijklmnopqrst}`, true, `{"$custom":"A","data":"abcd…"}`},
	} {
		v, err := php.Decode([]byte(c.text))
		if err != nil {
			t.Fatalf("%q: %v", c.text, err)
		}
		before, _ := php.JSON(v)
		got, masked := Redact(v, c.secret)
		text, err := php.JSON(got)
		if err != nil || string(text) != c.want {
			t.Errorf("%q: %s, %v, want %s", c.text, text, err, c.want)
		}
		if masked != (string(before) != c.want) {
			t.Errorf("%q: masked is %t", c.text, masked)
		}
	}
}

func TestKind_NamesHashesAlone(t *testing.T) {
	sha1, md5, sha256 := strings.Repeat("3f", 20), strings.Repeat("3f", 16), strings.Repeat("3f", 32)
	for _, c := range []struct{ key, typeName, want string }{
		{sha1, "int", "rate limiter"}, {md5, "int", "rate limiter"}, {sha1 + ":timer", "int", "rate limiter"}, {md5 + ":timer", "int", "rate limiter"},
		{sha256, "array", "password reset"}, {strings.Repeat("Zz", 20), "string", "session"},
		{sha1, "array", ""}, {strings.Repeat("Zz", 20), "int", ""}, {sha256 + ":timer", "array", ""}, {sha1 + ":timer", "string", ""},
		{"login:ann:timer", "int", ""}, {"user:7", "int", ""}, {"dingding_access_token", "string", ""}, {"", "string", ""},
	} {
		if got := Kind(c.key, c.typeName); got != c.want {
			t.Errorf("Kind(%q, %s) = %q, want %q", c.key, c.typeName, got, c.want)
		}
	}
}
