package feishu_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/feishu"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// body is a good reply, with its token in the named field.
func body(field string) func(token, life string) string {
	return func(token, life string) string {
		if life == "" {
			return fmt.Sprintf(`{"code":0,"msg":"ok",%q:%s}`, field, token)
		}
		return fmt.Sprintf(`{"code":0,"expire":%s,"msg":"ok",%q:%s}`, life, field, token)
	}
}

func options(s sourcetest.Setup) []feishu.Option {
	return []feishu.Option{feishu.WithBaseURL(s.URL), feishu.WithHTTPClient(s.Client)}
}

var vendor = sourcetest.Vendor{
	Fake: fetchertest.NewFeishu,
	Sources: []sourcetest.Source{
		{
			New: func(s sourcetest.Setup) (fetcher.Source, error) {
				return feishu.New(s.Key, s.Secret, options(s)...)
			},
			Body: body("tenant_access_token"), DefaultLife: 2 * time.Hour,
		},
		{
			New: func(s sourcetest.Setup) (fetcher.Source, error) {
				return feishu.NewApp(s.Key, s.Secret, options(s)...)
			},
			Body: body("app_access_token"), DefaultLife: 2 * time.Hour,
		},
	},
	Failures: map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "2200", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "10014"},
		"bad corpid":           {Class: fetcher.ClassCredential, Code: "10003"},
		"missing key":          {Class: fetcher.ClassCredential, Code: "10003"},
		"missing secret":       {Class: fetcher.ClassCredential, Code: "10003"},
		"IP not in white list": {Class: fetcher.ClassConfig, Code: "99991401"},
		"no such API":          {Class: fetcher.ClassConfig},
		"app throttled":        {Class: fetcher.ClassThrottle, Code: "99991400", RetryAfter: 23 * time.Second},
		"no permission":        {Class: fetcher.ClassUnknown, Code: "99991672"},
		"token missing":        {Class: fetcher.ClassUnknown, Code: "99991661"},
		"token rejected":       {Class: fetcher.ClassUnknown, Code: "99991663"},
		"token expired":        {Class: fetcher.ClassUnknown, Code: "99991663"},
		"too many requests":    {Class: fetcher.ClassThrottle, Code: "Throttling", RetryAfter: 7 * time.Second},
		"echo":                 {Class: fetcher.ClassCredential, Code: "10003"},
	},
	Codes: map[string]sourcetest.Want{
		"10003":    {Class: fetcher.ClassCredential},
		"10014":    {Class: fetcher.ClassCredential},
		"2200":     {Class: fetcher.ClassTransient, RetryAfter: time.Second},
		"99991400": {Class: fetcher.ClassThrottle, RetryAfter: time.Second},
		"99991401": {Class: fetcher.ClassConfig},
		"12345":    {Class: fetcher.ClassUnknown},
	},
	Scheme: feishu.Scheme(),
	Paths:  []string{"/open-apis/bot/v3/info"},
	Verdicts: []sourcetest.Verdict{
		{Status: 400, Body: `{"code":99991663,"msg":"Invalid access token for authorization."}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"code":99991663,"msg":"Invalid access token for authorization."}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":99991664,"msg":"app token"}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":99991668,"msg":"user token"}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":99991671,"msg":"no token by its form"}`, Want: fetcher.Rejected},
		{Status: 401, Body: ``, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":99991661,"msg":"Missing access token"}`},
		{Status: 401, Body: `{"code":99991661,"msg":"Missing access token"}`},
		{Status: 400, Body: `{"code":99991672,"msg":"no scope"}`},
		{Status: 400, Body: `{"code":99991400,"msg":"request trigger frequency limit"}`},
	},
}

func TestSources(t *testing.T) { sourcetest.Run(t, vendor) }

func TestNew_TellsFeishusHostAndLarksApart(t *testing.T) {
	for want, opts := range map[string][]feishu.Option{
		"feishu tenant_access_token of app cli_1 at https://open.feishu.cn":     nil,
		"feishu tenant_access_token of app cli_1 at https://open.larksuite.com": {feishu.WithBaseURL(feishu.Lark)},
	} {
		source, err := feishu.New("cli_1", "secret", opts...)
		if err != nil || source.String() != want {
			t.Errorf("got %v, %v, want %s", source, err, want)
		}
	}
}
