package wecom_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
	"github.com/larder-cache/larder/fetcher/wecom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// body is a good reply, with its token in the named field.
func body(field string) func(token, life string) string {
	return func(token, life string) string {
		if life == "" {
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok",%q:%s}`, field, token)
		}
		return fmt.Sprintf(`{"errcode":0,"errmsg":"ok",%q:%s,"expires_in":%s}`, field, token, life)
	}
}

func options(s sourcetest.Setup) []wecom.Option {
	return []wecom.Option{wecom.WithBaseURL(s.URL), wecom.WithHTTPClient(s.Client)}
}

func ticket(which wecom.Ticket) sourcetest.Source {
	return sourcetest.Source{
		New: func(s sourcetest.Setup) (fetcher.Source, error) {
			return wecom.NewTicket(s.Parent, which, options(s)...)
		},
		Body: body("ticket"), DefaultLife: 2 * time.Hour, Ticket: true,
	}
}

var vendor = sourcetest.Vendor{
	Fake: fetchertest.NewWeCom,
	Sources: []sourcetest.Source{
		{
			New: func(s sourcetest.Setup) (fetcher.Source, error) {
				return wecom.New(s.Key, s.Secret, options(s)...)
			},
			Body: body("access_token"), DefaultLife: 2 * time.Hour,
		},
		ticket(wecom.JSAPI), ticket(wecom.AgentConfig),
	},
	Failures: map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "-1", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "40001"},
		"bad corpid":           {Class: fetcher.ClassCredential, Code: "40013"},
		"missing key":          {Class: fetcher.ClassConfig, Code: "41002"},
		"missing secret":       {Class: fetcher.ClassConfig, Code: "41004"},
		"IP not in white list": {Class: fetcher.ClassConfig, Code: "60020"},
		"no such API":          {Class: fetcher.ClassConfig},
		"app throttled":        {Class: fetcher.ClassThrottle, Code: "45009", RetryAfter: time.Minute},
		"no permission":        {Class: fetcher.ClassUnknown, Code: "60011"},
		"token missing":        {Class: fetcher.ClassUnknown, Code: "41001"},
		"token rejected":       {Class: fetcher.ClassUnknown, Code: "40014"},
		"token expired":        {Class: fetcher.ClassUnknown, Code: "42001"},
		"another app's token":  {Class: fetcher.ClassConfig, Code: "301002"},
		"too many requests":    {Class: fetcher.ClassThrottle, RetryAfter: 7 * time.Second},
		"echo":                 {Class: fetcher.ClassConfig, Code: "40035"},
	},
	Codes: map[string]sourcetest.Want{
		"40013":  {Class: fetcher.ClassCredential},
		"40091":  {Class: fetcher.ClassCredential},
		"60020":  {Class: fetcher.ClassConfig},
		"301002": {Class: fetcher.ClassConfig},
		"-1":     {Class: fetcher.ClassTransient, RetryAfter: time.Second},
		"45009":  {Class: fetcher.ClassThrottle, RetryAfter: time.Minute},
		"45033":  {Class: fetcher.ClassThrottle, RetryAfter: time.Second},
		"12345":  {Class: fetcher.ClassUnknown},
	},
	Scheme:      wecom.Scheme(),
	Paths:       []string{"/cgi-bin/user/get?userid=me&access_token=former"},
	AnotherApps: "/cgi-bin/message/send?agentid=1000009",
	Verdicts: []sourcetest.Verdict{
		{Status: 200, Body: `{"errcode":40014,"errmsg":"invalid access_token"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":42001,"errmsg":"access_token expired"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":40001,"errmsg":"invalid credential"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":301002,"errmsg":"not allow operate another agent with this accesstoken"}`, Want: fetcher.WrongApp},
		{Status: 200, Body: `{"errcode":41001,"errmsg":"access_token missing"}`},
		{Status: 200, Body: `{"errcode":60011,"errmsg":"no privilege"}`},
		{Status: 200, Body: `{"errcode":60020,"errmsg":"not allow to access from your ip"}`},
		{Status: 200, Body: `{"errcode":45009,"errmsg":"api freq out of limit"}`},
	},
}

func TestSources(t *testing.T) { sourcetest.Run(t, vendor) }

// Two organisations, or DingTalk and WeCom, on one key are noticed by it.
func TestNew_NamesTheOrganisationAsTheApp(t *testing.T) {
	app := func(corpID, secret string) string {
		s, err := wecom.New(corpID, secret)
		if err != nil {
			t.Fatal(err)
		}
		return s.Info().App
	}
	if one := app("corp", "s"); one == "" || one != app("corp", "t") || one == app("other", "s") {
		t.Errorf("apps are %q, %q and %q", one, app("corp", "t"), app("other", "s"))
	}
}
