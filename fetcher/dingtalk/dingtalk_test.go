package dingtalk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var apis = []dingtalk.API{dingtalk.GetToken, dingtalk.V1}

const (
	appKey = "dingabc123"
	// Every character that URLs, JSON, HTML or Go escape, so that a leak of any escaped form is a different string.
	appSecret = `s3cr&t+/="<'%25> ü\Q` + "\tzq9x"
)

func newFake(t *testing.T, opts ...fetchertest.DingTalkOption) *fetchertest.DingTalk {
	fake := fetchertest.NewDingTalk(append([]fetchertest.DingTalkOption{fetchertest.WithApp(appKey, appSecret)}, opts...)...)
	t.Cleanup(fake.Close)
	return fake
}

func newSource(t *testing.T, base string, opts ...dingtalk.Option) *dingtalk.Source {
	t.Helper()
	s, err := dingtalk.New(appKey, appSecret, append([]dingtalk.Option{dingtalk.WithBaseURL(base)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer starts a server that gives every request the same reply.
func answer(t *testing.T, status int, contentType, body string) string {
	server := httptest.NewServer(fetchertest.Reply("", status, contentType, body).Handler)
	t.Cleanup(server.Close)
	return server.URL
}

func sourceError(t *testing.T, err error) *fetcher.SourceError {
	t.Helper()
	var failure *fetcher.SourceError
	if !errors.As(err, &failure) {
		t.Fatalf("error is %v, want a *fetcher.SourceError", err)
	}
	return failure
}

func TestSource_FetchesTheTokenOfEitherAPI(t *testing.T) {
	fake := newFake(t)
	var values []string
	for _, api := range apis {
		token, err := newSource(t, fake.URL, dingtalk.WithAPI(api)).Fetch(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", api, err)
		}
		if token.ExpiresIn != 7200*time.Second {
			t.Errorf("%s: expires in %v, want 7200 s", api, token.ExpiresIn)
		}
		values = append(values, token.Value)
	}
	if values[0] != values[1] || len(values[0]) != 32 {
		t.Errorf("tokens have %d and %d bytes, want the same 32", len(values[0]), len(values[1]))
	}
}

func TestSource_SendsWhatTheAPIWants(t *testing.T) {
	type request struct{ Method, Path, Query, ContentType, Body string }
	body, _ := json.Marshal(map[string]string{"appKey": appKey, "appSecret": appSecret})
	secret := url.QueryEscape(appSecret)
	for name, c := range map[string]struct {
		opts []dingtalk.Option
		want request
	}{
		"gettoken":           {nil, request{"GET", "/proxy/gettoken", "corpid=" + appKey + "&corpsecret=" + secret, "", ""}},
		"gettoken, an app's": {[]dingtalk.Option{dingtalk.WithAPI(dingtalk.GetTokenApp)}, request{"GET", "/proxy/gettoken", "appkey=" + appKey + "&appsecret=" + secret, "", ""}},
		"v1.0":               {[]dingtalk.Option{dingtalk.WithAPI(dingtalk.V1)}, request{"POST", "/proxy/v1.0/oauth2/accessToken", "", "application/json", string(body)}},
	} {
		for _, slash := range []string{"", "/"} {
			var got request
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				got = request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), string(b)}
			}))
			_, _ = newSource(t, server.URL+"/proxy"+slash, c.opts...).Fetch(t.Context())
			server.Close()
			if got != c.want {
				t.Errorf("%s sent\n%+v, want\n%+v", name, got, c.want)
			}
		}
	}
}

func TestSource_DefaultsToTheHostOfTheAPI(t *testing.T) {
	for api, want := range map[dingtalk.API]string{
		dingtalk.GetToken: "dingtalk gettoken of app dingabc123 at https://oapi.dingtalk.com",
		dingtalk.V1:       "dingtalk v1.0 of app dingabc123 at https://api.dingtalk.com",
	} {
		s, err := dingtalk.New(appKey, appSecret, dingtalk.WithAPI(api))
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != want {
			t.Errorf("source is %q, want %q", s, want)
		}
	}
}

func TestSource_BelievesPlausibleLivesOnly(t *testing.T) {
	const invalid = -1
	for _, c := range []struct {
		stated string
		want   time.Duration
	}{
		{`7200`, 7200 * time.Second},
		{`7200.0`, 7200 * time.Second},
		{`"7200"`, 7200 * time.Second},
		{`" 7200 "`, 7200 * time.Second},
		{`7.2e3`, 7200 * time.Second},
		{`1`, time.Second},
		{`0.5`, 500 * time.Millisecond},
		{`86400`, 24 * time.Hour},
		{`null`, 7200 * time.Second},
		{`""`, 7200 * time.Second},
		{``, 7200 * time.Second}, // no field at all
		{`86401`, 7200 * time.Second},
		{`1000000000000`, 7200 * time.Second},
		{`1e999`, 7200 * time.Second},
		{`0`, invalid},
		{`-1`, invalid},
		{`"-1"`, invalid},
		{`1e-99`, invalid},
		{`"soon"`, invalid},
		{`"NaN"`, invalid},
		{`true`, invalid},
		{`[7200]`, invalid},
		{`{"s":7200}`, invalid},
	} {
		for _, api := range apis {
			life := map[dingtalk.API]string{dingtalk.GetToken: `,"expires_in":`, dingtalk.V1: `,"expireIn":`}[api] + c.stated
			if c.stated == "" {
				life = ""
			}
			body := map[dingtalk.API]string{
				dingtalk.GetToken: `{"errcode":0,"errmsg":"ok","access_token":"tok"` + life + `}`,
				dingtalk.V1:       `{"accessToken":"tok"` + life + `}`,
			}[api]
			token, err := newSource(t, answer(t, 200, "application/json", body), dingtalk.WithAPI(api)).Fetch(t.Context())
			switch {
			case c.want == invalid && err == nil:
				t.Errorf("%s, life %s: %v, want an error", api, c.stated, token.ExpiresIn)
			case c.want == invalid && sourceError(t, err).Class != fetcher.ClassProtocol:
				t.Errorf("%s, life %s: %v, want a protocol error", api, c.stated, err)
			case c.want != invalid && (err != nil || token.ExpiresIn != c.want):
				t.Errorf("%s, life %s: %v, %v, want %v", api, c.stated, token.ExpiresIn, err, c.want)
			}
		}
	}
}

func TestSource_ReadsEveryShapeOfReply(t *testing.T) {
	const ok = fetcher.Class("ok")
	for _, c := range []struct {
		name        string
		api         dingtalk.API
		status      int
		contentType string
		body        string
		class       fetcher.Class
		code        string
	}{
		{"success", "gettoken", 200, "application/json", `{"errcode":0,"access_token":"t","errmsg":"ok","expires_in":7200}`, ok, ""},
		{"success with a text's content type", "gettoken", 200, "text/plain", "\r\n{\"errcode\":0,\"access_token\":\"t\"} \n", ok, ""},
		{"success with a page's content type", "gettoken", 200, "text/html", `{"errcode":0,"access_token":"t"}`, ok, ""},
		{"errcode is a string 0", "gettoken", 200, "", `{"errcode":"0","access_token":"t"}`, ok, ""},
		{"no errcode but a token", "gettoken", 200, "", `{"access_token":"t","expires_in":7200}`, ok, ""},
		{"success", "v1.0", 200, "application/json", `{"expireIn":7200,"accessToken":"t"}`, ok, ""},

		{"errcode beside a token", "gettoken", 200, "", `{"errcode":40001,"access_token":"t"}`, fetcher.ClassCredential, "40001"},
		{"errcode is a string", "gettoken", 200, "", `{"errcode":"60020","errmsg":"no"}`, fetcher.ClassConfig, "60020"},
		{"errmsg is a number", "gettoken", 200, "", `{"errcode":40096,"errmsg":12}`, fetcher.ClassCredential, "40096"},
		{"unknown errcode", "gettoken", 200, "", `{"errcode":12345,"errmsg":"new"}`, fetcher.ClassUnknown, "12345"},
		{"unknown errcode of a broken server", "gettoken", 503, "", `{"errcode":12345,"errmsg":"new"}`, fetcher.ClassTransient, "12345"},
		{"gateway", "gettoken", 200, "", `{"errcode":88,"sub_code":"40089","sub_msg":"m","errmsg":"ding talk error"}`, fetcher.ClassCredential, "40089"},
		{"gateway, sub_code is a number", "gettoken", 200, "", `{"errcode":88,"sub_code":90018}`, fetcher.ClassThrottle, "90018"},
		{"gateway without a sub_code", "gettoken", 200, "", `{"errcode":88,"errmsg":"ding talk error"}`, fetcher.ClassUnknown, "88"},
		{"gateway knows no such method", "gettoken", 200, "", `{"errcode":22,"sub_msg":"m","errmsg":"Invalid method"}`, fetcher.ClassConfig, "22"},
		{"the other API's refusal", "gettoken", 400, "", `{"code":"invalidClientIdOrSecret","message":"m"}`, fetcher.ClassCredential, "invalidClientIdOrSecret"},
		{"the other API's refusal", "v1.0", 200, "", `{"errcode":404,"errmsg":"请求的URI地址不存在"}`, fetcher.ClassConfig, "404"},
		{"capitalised", "v1.0", 403, "", `{"Code":"Forbidden.AccessDenied.QpmLimitForAppkeyAndApi","Message":"m","RequestId":"r"}`, fetcher.ClassThrottle, "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"},
		{"unknown code", "v1.0", 400, "", `{"code":"somethingNew","message":"m"}`, fetcher.ClassUnknown, "somethingNew"},
		{"unknown code of a broken server", "v1.0", 500, "", `{"code":"somethingNew","message":"m"}`, fetcher.ClassTransient, "somethingNew"},
		{"a code beside a token", "v1.0", 200, "", `{"code":"systemBusy","accessToken":"t"}`, fetcher.ClassTransient, "systemBusy"},
		{"a token with an error's status", "v1.0", 500, "", `{"accessToken":"t","expireIn":7200}`, fetcher.ClassTransient, ""},
		{"no words", "v1.0", 400, "", `{}`, fetcher.ClassUnknown, ""},
		{"the other API's token", "v1.0", 200, "", `{"access_token":"t"}`, fetcher.ClassProtocol, ""},

		{"nothing", "gettoken", 200, "", ``, fetcher.ClassProtocol, ""},
		{"an empty object", "gettoken", 200, "", `{}`, fetcher.ClassProtocol, ""},
		{"null", "gettoken", 200, "", `null`, fetcher.ClassProtocol, ""},
		{"a list", "gettoken", 200, "", `[]`, fetcher.ClassProtocol, ""},
		{"a number", "gettoken", 200, "", `42`, fetcher.ClassProtocol, ""},
		{"success without a token", "gettoken", 200, "", `{"errcode":0,"errmsg":"ok"}`, fetcher.ClassProtocol, ""},
		{"token null", "gettoken", 200, "", `{"errcode":0,"access_token":null}`, fetcher.ClassProtocol, ""},
		{"token empty", "gettoken", 200, "", `{"errcode":0,"access_token":""}`, fetcher.ClassProtocol, ""},
		{"token a number", "gettoken", 200, "", `{"errcode":0,"access_token":42}`, fetcher.ClassProtocol, ""},
		{"token an object", "gettoken", 200, "", `{"errcode":0,"access_token":{"a":"b"}}`, fetcher.ClassProtocol, ""},
		{"token blank", "gettoken", 200, "", `{"errcode":0,"access_token":" "}`, fetcher.ClassProtocol, ""},
		{"token with a line break", "gettoken", 200, "", `{"errcode":0,"access_token":"a\nb"}`, fetcher.ClassProtocol, ""},
		{"token with a NUL", "gettoken", 200, "", `{"errcode":0,"access_token":"a\u0000b"}`, fetcher.ClassProtocol, ""},
		{"token not ASCII", "gettoken", 200, "", `{"errcode":0,"access_token":"tökén"}`, fetcher.ClassProtocol, ""},
		{"token too long", "gettoken", 200, "", `{"errcode":0,"access_token":"` + strings.Repeat("x", 8193) + `"}`, fetcher.ClassProtocol, ""},
		{"cut off", "gettoken", 200, "", `{"errcode":0,"access_token":"abc`, fetcher.ClassProtocol, ""},
		{"text", "gettoken", 200, "text/plain", `ok`, fetcher.ClassProtocol, ""},
		{"text not found", "v1.0", 404, "text/plain", `404 page not found`, fetcher.ClassConfig, ""},
		{"text of a broken server", "v1.0", 503, "text/plain", `upstream connect error`, fetcher.ClassTransient, ""},
		{"page", "gettoken", 200, "text/html", `<html>`, fetcher.ClassThrottle, ""},
		{"page of a firewall", "v1.0", 405, "text/html", `<html>`, fetcher.ClassThrottle, ""},
		{"page not found", "gettoken", 404, "text/html", `<html>`, fetcher.ClassConfig, ""},
		{"page of a proxy that wants a password", "gettoken", 407, "text/html", `<html>`, fetcher.ClassConfig, ""},
	} {
		t.Run(string(c.api)+" "+c.name, func(t *testing.T) {
			token, err := newSource(t, answer(t, c.status, c.contentType, c.body), dingtalk.WithAPI(c.api)).Fetch(t.Context())
			if c.class == ok {
				if err != nil || token.Value != "t" {
					t.Fatalf("got %v, %v, want the token", token, err)
				}
				return
			}
			failure := sourceError(t, err)
			if failure.Class != c.class || failure.Code != c.code || failure.Status != c.status || token.Value != "" {
				t.Errorf("got %s, code %q, HTTP %d, want %s, %q, %d\n%v", failure.Class, failure.Code, failure.Status, c.class, c.code, c.status, err)
			}
		})
	}
}

// A want is what a failure must become, for each of the two APIs.
type want struct {
	class      fetcher.Class
	code       string
	retryAfter time.Duration
}

func TestSource_TellsFailuresApart(t *testing.T) {
	const limit = "Forbidden.AccessDenied."
	both := func(w want) [2]want { return [2]want{w, w} }
	wants := map[string][2]want{
		"system busy":          {{fetcher.ClassTransient, "-1", time.Second}, {fetcher.ClassTransient, "systemBusy", time.Second}},
		"bad credentials":      {{fetcher.ClassCredential, "40096", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"bad corpsecret":       {{fetcher.ClassCredential, "40089", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"bad secret":           {{fetcher.ClassCredential, "40001", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"bad corpid":           {{fetcher.ClassCredential, "40013", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"missing key":          {{fetcher.ClassConfig, "40035", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"missing secret":       {{fetcher.ClassConfig, "40035", 0}, {fetcher.ClassCredential, "invalidClientIdOrSecret", 0}},
		"missing body":         {{fetcher.ClassConfig, "40035", 0}, {fetcher.ClassConfig, "Missingbody", 0}},
		"want GET":             {{fetcher.ClassConfig, "43001", 0}, {fetcher.ClassConfig, "InvalidAction.NotFound", 0}},
		"IP not in white list": {{fetcher.ClassConfig, "60020", 0}, {fetcher.ClassConfig, limit + "IpNotInWhiteList", 0}},
		"no such API":          {{fetcher.ClassConfig, "404", 0}, {fetcher.ClassConfig, "InvalidAction.NotFound", 0}},
		"gateway":              {{fetcher.ClassConfig, "60020", 0}, {fetcher.ClassConfig, limit + "IpNotInWhiteList", 0}},
		"app throttled":        {{fetcher.ClassThrottle, "90018", time.Second}, {fetcher.ClassThrottle, limit + "QpsLimitForAppkeyAndApi", time.Second}},
		"API throttled":        {{fetcher.ClassThrottle, "90002", time.Second}, {fetcher.ClassThrottle, limit + "QpsLimitForApi", time.Second}},
		"no permission":        {{fetcher.ClassConfig, "60011", 0}, {fetcher.ClassConfig, limit + "AccessTokenPermissionDenied", 0}},
		"unknown error":        {{fetcher.ClassTransient, "-1", time.Second}, {fetcher.ClassTransient, "unknownError", time.Second}},
		"blocked":              both(want{fetcher.ClassThrottle, "1111", 5 * time.Minute}),
		"blocked page":         both(want{fetcher.ClassThrottle, "", 5 * time.Minute}),
		"token missing":        {{fetcher.ClassUnknown, "41001", 0}, {fetcher.ClassUnknown, "AuthenticationFailed.MissingParameter", 0}},
		"token rejected":       {{fetcher.ClassUnknown, "40014", 0}, {fetcher.ClassUnknown, "InvalidAuthentication", 0}},
		"token expired":        {{fetcher.ClassUnknown, "40014", 0}, {fetcher.ClassUnknown, "InvalidAuthentication", 0}},
		"another app's token":  both(want{fetcher.ClassUnknown, "41020", 0}),
		"login page":           both(want{fetcher.ClassThrottle, "", 5 * time.Minute}),
		"bad gateway":          both(want{fetcher.ClassTransient, "", 0}),
		"too many requests":    both(want{fetcher.ClassThrottle, "Throttling", 7 * time.Second}),
		"empty token":          both(want{fetcher.ClassProtocol, "", 0}),
		"truncated":            both(want{fetcher.ClassProtocol, "", 0}),
		"too long":             both(want{fetcher.ClassProtocol, "", 0}),
		"redirect":             both(want{fetcher.ClassConfig, "", 0}),
		"echo":                 {{fetcher.ClassConfig, "40035", 0}, {fetcher.ClassUnknown, "InvalidParameter", 0}},
		"hang":                 both(want{fetcher.ClassTransient, "", 0}),
		"disconnect":           both(want{fetcher.ClassTransient, "", 0}),
	}
	fake := newFake(t)
	for _, f := range fetchertest.Failures() {
		for i, api := range apis {
			t.Run(f.Name+" "+string(api), func(t *testing.T) {
				err := fetchFailure(t, fake, f, api)
				failure := sourceError(t, err)
				got := want{failure.Class, failure.Code, failure.RetryAfter}
				if got != wants[f.Name][i] {
					t.Errorf("got %+v, want %+v\n%v", got, wants[f.Name][i], err)
				}
				if failure.Source != "dingtalk "+string(api) || failure.Message == "" {
					t.Errorf("source %q, message %q", failure.Source, failure.Message)
				}
				if retryable := failure.Class == fetcher.ClassThrottle || failure.Class == fetcher.ClassTransient; failure.Retryable() != retryable {
					t.Errorf("retryable is %v for %s", failure.Retryable(), failure.Class)
				}
			})
		}
	}
}

func fetchFailure(t *testing.T, fake *fetchertest.DingTalk, f fetchertest.Failure, api dingtalk.API) error {
	t.Helper()
	fake.FailNext(1, f)
	ctx := t.Context()
	if f.Name == fetchertest.Hang.Name {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
	}
	_, err := newSource(t, fake.URL, dingtalk.WithAPI(api)).Fetch(ctx)
	return err
}

func TestSource_SaysWhatToDoNext(t *testing.T) {
	fake := newFake(t)
	for _, c := range []struct {
		failure fetchertest.Failure
		want    string
	}{
		{fetchertest.IPNotInWhiteList, "dingtalk gettoken: 访问ip不在白名单之中,request ip=127.0.0.1 appKey(dingabc123) (code 60020, HTTP 200): " +
			"add this server's public address to the app's IP white list"},
		{fetchertest.Gateway, "dingtalk gettoken: 访问ip不在白名单之中 (code 60020, HTTP 200, request 16l4ew3d47pdp): " +
			"add this server's public address to the app's IP white list"},
		{fetchertest.BadCredentials, "dingtalk gettoken: 不合法的appKey或appSecret (code 40096, HTTP 200): " +
			"check the app key and the app secret, and that they belong to the same app"},
		{fetchertest.Redirect, "dingtalk gettoken: the reply is a redirect to elsewhere.invalid, which is not followed because the secret would go there " +
			"(HTTP 307): check the base URL, and the proxy if there is one"},
	} {
		if got := fetchFailure(t, fake, c.failure, dingtalk.GetToken).Error(); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.failure.Name, got, c.want)
		}
	}
}

func TestSource_TimeoutIsDeadlineExceededAndCancelIsCanceled(t *testing.T) {
	fake := newFake(t)
	err := fetchFailure(t, fake, fetchertest.Hang, dingtalk.V1)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSource(t, fake.URL).Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
}

func TestSource_FollowsNoRedirectWithAnyClient(t *testing.T) {
	fake := newFake(t)
	var followed int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed++ }))
	defer other.Close()
	mine := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
	}
	for _, api := range apis {
		for _, status := range []int{301, 302, 303, 307, 308} {
			fake.FailNext(1, fetchertest.Failure{Handler: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.URL.RequestURI(), status)
			}})
			_, err := newSource(t, fake.URL, dingtalk.WithAPI(api), dingtalk.WithHTTPClient(mine)).Fetch(t.Context())
			if failure := sourceError(t, err); failure.Class != fetcher.ClassConfig || failure.Status != status {
				t.Errorf("%s, HTTP %d: %v", api, status, err)
			}
		}
	}
	if followed != 0 {
		t.Errorf("%d redirects were followed, want none", followed)
	}
}

// leaks are all forms of the secret that a message could have.
func leaks() []string {
	inJSON, _ := json.Marshal(appSecret)
	forms := []string{
		appSecret, strings.Trim(string(inJSON), `"`), strings.Trim(fmt.Sprintf("%q", appSecret), `"`), html.EscapeString(appSecret),
		url.QueryEscape(appSecret), url.PathEscape(appSecret),
		"s3cr", "zq9x", // its ends, whatever is done to the rest
	}
	for _, f := range forms {
		forms = append(forms, strings.ToLower(f))
	}
	return forms
}

func wantNoLeak(t *testing.T, what, text string) {
	t.Helper()
	for _, form := range leaks() {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Errorf("%s shows %q:\n%s", what, form, text)
			return
		}
	}
}

// printed is v printed and logged in every way.
func printed(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
	inJSON, _ := json.Marshal(v)
	b.Write(inJSON)
	return b.String()
}

func TestSource_NoErrorShowsTheSecret(t *testing.T) {
	fake := newFake(t)
	for _, api := range apis {
		for _, f := range fetchertest.Failures() {
			err := fetchFailure(t, fake, f, api)
			for e := err; e != nil; e = errors.Unwrap(e) {
				wantNoLeak(t, f.Name, e.Error()+printed(e))
			}
		}

		gone := httptest.NewServer(nil)
		gone.Close()
		untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
		untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		untrusted.StartTLS()
		defer untrusted.Close()
		chatty := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			var body []byte
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
			}
			return nil, fmt.Errorf("no way to %s with %s%q", r.URL, body, r.URL.Query())
		})}
		for name, s := range map[string]*dingtalk.Source{
			"connection refused":    newSource(t, gone.URL, dingtalk.WithAPI(api)),
			"unknown host":          newSource(t, "http://host.invalid", dingtalk.WithAPI(api)),
			"untrusted certificate": newSource(t, untrusted.URL, dingtalk.WithAPI(api)),
			"HTTP to HTTPS":         newSource(t, strings.Replace(untrusted.URL, "https", "http", 1), dingtalk.WithAPI(api)),
			"a transport's error":   newSource(t, gone.URL, dingtalk.WithAPI(api), dingtalk.WithHTTPClient(chatty)),
		} {
			_, err := s.Fetch(t.Context())
			failure := sourceError(t, err)
			wantNoLeak(t, name, err.Error()+printed(err))
			if name != "HTTP to HTTPS" && failure.Class != fetcher.ClassTransient {
				t.Errorf("%s is %s, want transient: %v", name, failure.Class, err)
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSource_NoErrorShowsAToken(t *testing.T) {
	const secretToken = "0123456789abcdef0123456789abcdef"
	for _, body := range []string{
		`{"errcode":40014,"errmsg":"token ` + secretToken + ` is bad","access_token":"` + secretToken + `"}`,
		`{"errcode":0,"access_token":"` + secretToken + ` "}`,
		`{"errcode":0,"access_token":"` + secretToken + `","expires_in":0}`,
		`{"errcode":0,"access_token":"` + secretToken,
		`"` + secretToken + `"`,
	} {
		_, err := newSource(t, answer(t, 200, "application/json", body)).Fetch(t.Context())
		if err == nil || strings.Contains(printed(err), secretToken[:8]) {
			t.Errorf("reply %s: error %v", body, err)
		}
	}
}

func TestSource_PrintsWithoutTheSecret(t *testing.T) {
	s := newSource(t, "http://127.0.0.1:1")
	wantNoLeak(t, "pointer", printed(s))
	wantNoLeak(t, "copy", printed(*s))
	wantNoLeak(t, "inside another", printed(struct {
		private any
		Public  any
		copied  dingtalk.Source
	}{s, s, *s}))
}

func TestSource_CutsLongMessagesToOneLine(t *testing.T) {
	body := `{"errcode":1,"errmsg":"a\nb\u0000c` + strings.Repeat("长", 1000) + `"}`
	_, err := newSource(t, answer(t, 200, "", body)).Fetch(t.Context())
	message := sourceError(t, err).Message
	if !strings.HasPrefix(message, "a b c长") || len([]rune(message)) != 301 {
		t.Errorf("message has %d characters: %.30q", len([]rune(message)), message)
	}
}

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	for name, c := range map[string]struct {
		key, secret string
		option      dingtalk.Option
	}{
		"no key":               {"", appSecret, nil},
		"no secret":            {appKey, "", nil},
		"line break at key":    {appKey + "\n", appSecret, nil},
		"blank at secret":      {appKey, appSecret + " ", nil},
		"unknown API":          {appKey, appSecret, dingtalk.WithAPI("v2")},
		"no client":            {appKey, appSecret, dingtalk.WithHTTPClient(nil)},
		"base without scheme":  {appKey, appSecret, dingtalk.WithBaseURL("oapi.dingtalk.com")},
		"base of another kind": {appKey, appSecret, dingtalk.WithBaseURL("ftp://oapi.dingtalk.com")},
		"base without host":    {appKey, appSecret, dingtalk.WithBaseURL("https:///gettoken")},
		"base with a password": {appKey, appSecret, dingtalk.WithBaseURL("https://u:s3cr@host")},
		"base with a query":    {appKey, appSecret, dingtalk.WithBaseURL("https://host/?s3cr")},
		"base that is none":    {appKey, appSecret, dingtalk.WithBaseURL("https://s3cr\x7f")},
	} {
		var opts []dingtalk.Option
		if c.option != nil {
			opts = append(opts, c.option)
		}
		s, err := dingtalk.New(c.key, c.secret, opts...)
		if err == nil {
			t.Errorf("%s: no error, but %v", name, s)
			continue
		}
		wantNoLeak(t, name, err.Error())
	}
}
