package wechat_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
	"github.com/larder-cache/larder/fetcher/wechat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// body is a good reply, with its token in the named field.
func body(field string) func(token, life string) string {
	return func(token, life string) string {
		if life == "" {
			return fmt.Sprintf(`{%q:%s}`, field, token)
		}
		return fmt.Sprintf(`{%q:%s,"expires_in":%s}`, field, token, life)
	}
}

func options(s sourcetest.Setup) []wechat.Option {
	return []wechat.Option{wechat.WithBaseURL(s.URL), wechat.WithHTTPClient(s.Client)}
}

func ticket(which wechat.Ticket) sourcetest.Source {
	return sourcetest.Source{
		New: func(s sourcetest.Setup) (fetcher.Source, error) {
			return wechat.NewTicket(s.Parent, which, options(s)...)
		},
		Body: body("ticket"), DefaultLife: 2 * time.Hour, Ticket: true,
	}
}

var vendor = sourcetest.Vendor{
	Fake: fetchertest.NewWeChat,
	Sources: []sourcetest.Source{
		{
			New: func(s sourcetest.Setup) (fetcher.Source, error) {
				return wechat.New(s.Key, s.Secret, options(s)...)
			},
			Body: body("access_token"), DefaultLife: 2 * time.Hour,
		},
		{
			New: func(s sourcetest.Setup) (fetcher.Source, error) {
				return wechat.NewStable(s.Key, s.Secret, options(s)...)
			},
			Body: body("access_token"), DefaultLife: 2 * time.Hour,
		},
		ticket(wechat.JSAPI), ticket(wechat.Card),
	},
	Failures: map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "-1", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "40125"},
		"bad corpid":           {Class: fetcher.ClassCredential, Code: "40013"},
		"missing key":          {Class: fetcher.ClassConfig, Code: "41002"},
		"missing secret":       {Class: fetcher.ClassConfig, Code: "41004"},
		"want GET":             {Class: fetcher.ClassConfig, Code: "43001"},
		"IP not in white list": {Class: fetcher.ClassConfig, Code: "40164"},
		"no such API":          {Class: fetcher.ClassConfig},
		"app throttled":        {Class: fetcher.ClassThrottle, Code: "45011", RetryAfter: time.Minute},
		"no permission":        {Class: fetcher.ClassConfig, Code: "48001"},
		"token missing":        {Class: fetcher.ClassUnknown, Code: "41001"},
		"token rejected":       {Class: fetcher.ClassCredential, Code: "40001"},
		"token expired":        {Class: fetcher.ClassUnknown, Code: "42001"},
		"too many requests":    {Class: fetcher.ClassThrottle, RetryAfter: 7 * time.Second},
		"echo":                 {Class: fetcher.ClassConfig, Code: "40002"},
	},
	Codes: map[string]sourcetest.Want{
		"40013": {Class: fetcher.ClassCredential},
		"40125": {Class: fetcher.ClassCredential},
		"40243": {Class: fetcher.ClassCredential},
		"40002": {Class: fetcher.ClassConfig},
		"40164": {Class: fetcher.ClassConfig},
		"43002": {Class: fetcher.ClassConfig},
		"50004": {Class: fetcher.ClassConfig},
		"50007": {Class: fetcher.ClassConfig},
		"89501": {Class: fetcher.ClassConfig},
		"89503": {Class: fetcher.ClassConfig},
		"89506": {Class: fetcher.ClassConfig},
		"89507": {Class: fetcher.ClassConfig},
		"-1":    {Class: fetcher.ClassTransient, RetryAfter: time.Second},
		"45009": {Class: fetcher.ClassThrottle, RetryAfter: time.Hour},
		"45011": {Class: fetcher.ClassThrottle, RetryAfter: time.Minute},
		"12345": {Class: fetcher.ClassUnknown},
	},
	Scheme: wechat.Scheme(),
	Paths:  []string{"/cgi-bin/user/info?openid=me", "/cgi-bin/get_api_domain_ip"},
	Verdicts: []sourcetest.Verdict{
		{Status: 200, Body: `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 655d"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":40014,"errmsg":"invalid access_token"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":42001,"errmsg":"access_token expired"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":41001,"errmsg":"access_token missing"}`},
		{Status: 200, Body: `{"errcode":48001,"errmsg":"api unauthorized"}`},
		{Status: 200, Body: `{"errcode":40164,"errmsg":"invalid ip"}`},
		{Status: 200, Body: `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`},
	},
}

func TestSources(t *testing.T) { sourcetest.Run(t, vendor) }

func TestNew_NamesTheRequestThatWeChatNames(t *testing.T) {
	fake := fetchertest.NewWeChat(fetchertest.InMemory())
	defer fake.Close()
	source, err := wechat.New("wx1", "wrong", wechat.WithBaseURL(fake.URL), wechat.WithHTTPClient(fake.Client()))
	if err != nil {
		t.Fatal(err)
	}
	const want = "wechat token: invalid appid (code 40013, HTTP 200, request 655d878c-2e41a3f4-65f9b9ba): " +
		"check the app id: it is case-sensitive and begins with wx"
	if _, err := source.Fetch(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got\n%v, want\n%s", err, want)
	}
}

// WeChat grants force_refresh 20 times a day, and it ends the token that others use.
func TestNewStable_NeverForcesARefresh(t *testing.T) {
	var sent string
	source, err := wechat.NewStable("wx1", "secret", wechat.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent = string(body)
		return nil, errors.Join(err, errors.New("enough"))
	})}))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = source.Fetch(t.Context())
	if want := `{"appid":"wx1","force_refresh":false,"grant_type":"client_credential","secret":"secret"}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
