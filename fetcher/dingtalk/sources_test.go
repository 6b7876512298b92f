package dingtalk_test

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
)

const limit = "Forbidden.AccessDenied."

// The two APIs have different codes for one failure.
var (
	older = map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "-1", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "40096"},
		"bad corpsecret":       {Class: fetcher.ClassCredential, Code: "40089"},
		"bad secret":           {Class: fetcher.ClassCredential, Code: "40001"},
		"bad corpid":           {Class: fetcher.ClassCredential, Code: "40013"},
		"missing key":          {Class: fetcher.ClassConfig, Code: "40035"},
		"missing secret":       {Class: fetcher.ClassConfig, Code: "40035"},
		"missing body":         {Class: fetcher.ClassConfig, Code: "40035"},
		"want GET":             {Class: fetcher.ClassConfig, Code: "43001"},
		"IP not in white list": {Class: fetcher.ClassConfig, Code: "60020"},
		"no such API":          {Class: fetcher.ClassConfig, Code: "404"},
		"gateway":              {Class: fetcher.ClassConfig, Code: "60020"},
		"app throttled":        {Class: fetcher.ClassThrottle, Code: "90018", RetryAfter: time.Second},
		"API throttled":        {Class: fetcher.ClassThrottle, Code: "90002", RetryAfter: time.Second},
		"no permission":        {Class: fetcher.ClassConfig, Code: "60011"},
		"unknown error":        {Class: fetcher.ClassTransient, Code: "-1", RetryAfter: time.Second},
		"token missing":        {Class: fetcher.ClassUnknown, Code: "41001"},
		"token rejected":       {Class: fetcher.ClassUnknown, Code: "40014"},
		"token expired":        {Class: fetcher.ClassUnknown, Code: "40014"},
		"echo":                 {Class: fetcher.ClassConfig, Code: "40035"},
	}
	newer = map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "systemBusy", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"bad corpsecret":       {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"bad secret":           {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"bad corpid":           {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"missing key":          {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"missing secret":       {Class: fetcher.ClassCredential, Code: "invalidClientIdOrSecret"},
		"missing body":         {Class: fetcher.ClassConfig, Code: "Missingbody"},
		"want GET":             {Class: fetcher.ClassConfig, Code: "InvalidAction.NotFound"},
		"IP not in white list": {Class: fetcher.ClassConfig, Code: limit + "IpNotInWhiteList"},
		"no such API":          {Class: fetcher.ClassConfig, Code: "InvalidAction.NotFound"},
		"gateway":              {Class: fetcher.ClassConfig, Code: limit + "IpNotInWhiteList"},
		"app throttled":        {Class: fetcher.ClassThrottle, Code: limit + "QpsLimitForAppkeyAndApi", RetryAfter: time.Second},
		"API throttled":        {Class: fetcher.ClassThrottle, Code: limit + "QpsLimitForApi", RetryAfter: time.Second},
		"no permission":        {Class: fetcher.ClassConfig, Code: limit + "AccessTokenPermissionDenied"},
		"unknown error":        {Class: fetcher.ClassTransient, Code: "unknownError", RetryAfter: time.Second},
		"token missing":        {Class: fetcher.ClassUnknown, Code: "AuthenticationFailed.MissingParameter"},
		"token rejected":       {Class: fetcher.ClassUnknown, Code: "InvalidAuthentication"},
		"token expired":        {Class: fetcher.ClassUnknown, Code: "InvalidAuthentication"},
		"echo":                 {Class: fetcher.ClassUnknown, Code: "InvalidParameter"},
	}
)

// body is a good reply, with the token and the life in the named fields.
func body(token, life string) func(token, life string) string {
	return func(tokenValue, lifeValue string) string {
		if lifeValue == "" {
			return fmt.Sprintf(`{"errcode":0,"errmsg":"ok",%q:%s}`, token, tokenValue)
		}
		return fmt.Sprintf(`{"errcode":0,%q:%s,"errmsg":"ok",%q:%s}`, token, tokenValue, life, lifeValue)
	}
}

func options(s sourcetest.Setup, api dingtalk.API) []dingtalk.Option {
	return []dingtalk.Option{dingtalk.WithBaseURL(s.URL), dingtalk.WithHTTPClient(s.Client), dingtalk.WithAPI(api)}
}

func token(api dingtalk.API, failures map[string]sourcetest.Want, body func(token, life string) string) sourcetest.Source {
	return sourcetest.Source{
		New: func(s sourcetest.Setup) (fetcher.Source, error) {
			return dingtalk.New(s.Key, s.Secret, options(s, api)...)
		},
		Body: body, DefaultLife: 2 * time.Hour, Failures: failures,
	}
}

func ticket(api dingtalk.API, failures map[string]sourcetest.Want, body func(token, life string) string) sourcetest.Source {
	failures = maps.Clone(failures)
	failures["another app's token"] = sourcetest.Want{Class: fetcher.ClassConfig, Code: "41020"} // the Scheme knows better
	return sourcetest.Source{
		New: func(s sourcetest.Setup) (fetcher.Source, error) {
			return dingtalk.NewTicket(s.Parent, options(s, api)...)
		},
		Body: body, DefaultLife: 2 * time.Hour, Failures: failures, Ticket: true,
	}
}

var vendor = sourcetest.Vendor{
	Fake: fetchertest.NewDingTalk,
	Sources: []sourcetest.Source{
		token(dingtalk.GetToken, older, body("access_token", "expires_in")),
		token(dingtalk.GetTokenApp, older, body("access_token", "expires_in")),
		token(dingtalk.V1, newer, body("accessToken", "expireIn")),
		ticket(dingtalk.GetToken, older, body("ticket", "expires_in")),
		ticket(dingtalk.V1, newer, body("jsapiTicket", "expireIn")),
	},
	Failures: map[string]sourcetest.Want{
		"another app's token": {Class: fetcher.ClassUnknown, Code: "41020"},
		"blocked":             {Class: fetcher.ClassThrottle, Code: "1111", RetryAfter: 5 * time.Minute},
		"blocked page":        {Class: fetcher.ClassThrottle, RetryAfter: 5 * time.Minute},
		"login page":          {Class: fetcher.ClassThrottle, RetryAfter: 5 * time.Minute}, // which cannot be told from the firewall's
		"too many requests":   {Class: fetcher.ClassThrottle, Code: "Throttling", RetryAfter: 7 * time.Second},
	},
	Scheme:      dingtalk.Scheme(),
	Paths:       []string{"/topapi/v2/user/get?userid=me&access_token=former", "/v1.0/contact/users/me", "/topapi/v2/department/listsub"},
	AnotherApps: "/topapi/message/corpconversation/asyncsend_v2?agent_id=another",
	Verdicts: []sourcetest.Verdict{
		{Status: 200, Body: `{"errcode":40014,"errmsg":"不合法的access_token"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":42001,"errmsg":"access_token超时"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":40001,"errmsg":"access_token无效"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":33001,"errmsg":"无效的企业ID"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":88,"sub_code":"40014","errmsg":"ding talk error[subcode=40014]"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":88,"sub_code":42001}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":88,"sub_code":"40001"}`, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":88,"sub_code":"40000","sub_msg":"access_token is blank"}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":"InvalidAuthentication","requestid":"r","message":"不合法的access_token"}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"Code":"InvalidAuthentication","RequestId":"r"}`, Want: fetcher.Rejected},
		{Status: 401, Body: `{"code":"InvalidAuthentication"}`, Want: fetcher.Rejected},
		{Status: 400, Body: `{"code":"accesstoken.expired"}`, Want: fetcher.Rejected},
		{Status: 401, Body: ``, Want: fetcher.Rejected},
		{Status: 200, Body: `{"errcode":41020,"errmsg":"accessToken中包含的appKey与agentId不一致"}`, Want: fetcher.WrongApp},
		{Status: 200, Body: `{"errcode":88,"sub_code":"41020"}`, Want: fetcher.WrongApp},
		{Status: 200, Body: `{"errcode":40000}`},
		{Status: 200, Body: `{"errcode":41001,"errmsg":"缺少access_token"}`},
		{Status: 200, Body: `{"errcode":60011,"errmsg":"没有权限"}`},
		{Status: 200, Body: `{"errcode":60020,"errmsg":"访问ip不在白名单之中"}`},
		{Status: 200, Body: `{"errcode":88,"sub_code":"60011"}`},
		{Status: 200, Body: `{"errcode":88,"sub_code":"90018"}`},
		{Status: 401, Body: `{"code":"AuthenticationFailed.MissingParameter"}`},
		{Status: 403, Body: `{"code":"` + limit + `AccessTokenPermissionDenied"}`},
		{Status: 403, Body: `{"code":"` + limit + `QpsLimitForAppkeyAndApi"}`},
		{Status: 200, Body: `{"status":1111,"wait":5}`},
	},
}

func TestSources(t *testing.T) { sourcetest.Run(t, vendor) }

func TestSource_KnowsDocumentedCodes(t *testing.T) {
	fake := newFake(t, fetchertest.InMemory())
	for code, want := range map[string]sourcetest.Want{
		"-1": {Class: fetcher.ClassTransient}, "40001": {Class: fetcher.ClassCredential}, "40002": {Class: fetcher.ClassConfig},
		"40013": {Class: fetcher.ClassCredential}, "40035": {Class: fetcher.ClassConfig}, "40089": {Class: fetcher.ClassCredential},
		"40096": {Class: fetcher.ClassCredential}, "41002": {Class: fetcher.ClassConfig}, "41004": {Class: fetcher.ClassConfig},
		"43001": {Class: fetcher.ClassConfig}, "43002": {Class: fetcher.ClassConfig}, "60020": {Class: fetcher.ClassConfig},
		"404": {Class: fetcher.ClassConfig}, "22": {Class: fetcher.ClassConfig},
		"90018": {Class: fetcher.ClassThrottle, RetryAfter: time.Second}, "90002": {Class: fetcher.ClassThrottle, RetryAfter: time.Second},
		"90001": {Class: fetcher.ClassThrottle, RetryAfter: 5 * time.Minute}, "90017": {Class: fetcher.ClassThrottle, RetryAfter: 5 * time.Minute},
		"90020": {Class: fetcher.ClassThrottle, RetryAfter: time.Hour},
	} {
		failure := sourceError(t, fetchFailure(t, fake, fetchertest.Code(code, "m"), dingtalk.GetToken))
		if failure.Class != want.Class || failure.Class == fetcher.ClassThrottle && failure.RetryAfter != want.RetryAfter || failure.Advice == "" {
			t.Errorf("%s is %s after %v, want %s, %v", code, failure.Class, failure.RetryAfter, want.Class, want.RetryAfter)
		}
	}
	for code, want := range map[string]fetcher.Class{
		"invalidClientIdOrSecret": fetcher.ClassCredential, "invalid.client": fetcher.ClassCredential, "unauthorized.client": fetcher.ClassCredential,
		"unsupported.grant.type": fetcher.ClassConfig, "systemBusy": fetcher.ClassTransient, "system.error": fetcher.ClassTransient,
		"server.error": fetcher.ClassTransient, "unknownError": fetcher.ClassTransient,
		limit + "QpsLimitForAppkeyAndApi": fetcher.ClassThrottle, limit + "QpsLimitForApi": fetcher.ClassThrottle,
		limit + "QpmLimitForAppkeyAndApi": fetcher.ClassThrottle, limit + "QpsLimitForSuitekeyAndOrgAndApi": fetcher.ClassThrottle,
		limit + "ApiCountLimitForOrg": fetcher.ClassThrottle, limit + "AccessTokenPermissionDenied": fetcher.ClassConfig,
		limit + "IpNotInWhiteList": fetcher.ClassConfig, "somethingNew": fetcher.ClassUnknown,
	} {
		failure := sourceError(t, fetchFailure(t, fake, fetchertest.Code(code, "m"), dingtalk.V1))
		if failure.Class != want || want == fetcher.ClassThrottle && failure.RetryAfter < time.Second {
			t.Errorf("%s is %s after %v, want %s", code, failure.Class, failure.RetryAfter, want)
		}
	}
}

func TestScheme_SendsTheTokenOnlyWhereTheHostLooks(t *testing.T) {
	for address, want := range map[string]string{
		"https://oapi.dingtalk.com/topapi/v2/user/get":                     "/topapi/v2/user/get?access_token=t%2B1 ",
		"https://oapi.dingtalk.com/user?b=%2f;&access_token=x&a=&a=1":      "/user?b=%2f;&a=&a=1&access_token=t%2B1 ",
		"https://oapi.dingtalk.com/user?access%5Ftoken=x":                  "/user?access_token=t%2B1 ",
		"https://api.dingtalk.com/v1.0/contact/users/me?a=1":               "/v1.0/contact/users/me?a=1 t+1",
		"https://proxy.example.com/dingtalk/v2.0/workflow/processInstance": "/dingtalk/v2.0/workflow/processInstance t+1",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		dingtalk.Scheme().Inject(req, "t+1")
		if got := req.URL.RequestURI() + " " + req.Header.Get("x-acs-dingtalk-access-token"); got != want {
			t.Errorf("%s became %s, want %s", address, got, want)
		}
	}
}

func TestNew_BodyFieldsAreForTheAPIThatHasABody(t *testing.T) {
	for name, opts := range map[string][]dingtalk.Option{
		"gettoken":    {dingtalk.WithBodyField("corpId", "c")},
		"a taken one": {dingtalk.WithAPI(dingtalk.V1), dingtalk.WithBodyField("appSecret", "c")},
		"no name":     {dingtalk.WithAPI(dingtalk.V1), dingtalk.WithBodyField("", "c")},
		"unknown API": {dingtalk.WithAPI("v2")},
	} {
		if s, err := dingtalk.New(appKey, appSecret, opts...); err == nil {
			t.Errorf("%s: no error, but %v", name, s)
		}
	}
}

// A third-party app has a token for each organisation, which is named in a field of the request.
func TestNew_ATokenForAnotherOrganisationIsAnotherApps(t *testing.T) {
	app := func(opts ...dingtalk.Option) string {
		s, err := dingtalk.New("key", "secret", opts...)
		if err != nil {
			t.Fatal(err)
		}
		return s.Info().App
	}
	newer := dingtalk.WithAPI(dingtalk.V1)
	if app(newer) != app() {
		t.Error("one app's tokens of the two APIs are not one app's")
	}
	if a, b := app(newer, dingtalk.WithBodyField("corpId", "a")), app(newer, dingtalk.WithBodyField("corpId", "b")); a == b || a == app() {
		t.Errorf("apps are %q, %q and %q, want three", a, b, app())
	}
}
