package dingtalk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var apis = []dingtalk.API{dingtalk.GetToken, dingtalk.V1}

const (
	appKey    = sourcetest.Key
	appSecret = sourcetest.Secret
)

func newFake(t *testing.T, opts ...fetchertest.Option) *fetchertest.Fake {
	fake := fetchertest.NewDingTalk(append([]fetchertest.Option{fetchertest.WithApp(appKey, appSecret)}, opts...)...)
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
	withField := strings.TrimSuffix(string(body), "}") + `,"corpId":"c"}`
	secret := url.QueryEscape(appSecret)
	for name, c := range map[string]struct {
		opts []dingtalk.Option
		want request
	}{
		"gettoken":           {nil, request{"GET", "/proxy/gettoken", "corpid=" + appKey + "&corpsecret=" + secret, "", ""}},
		"gettoken, an app's": {[]dingtalk.Option{dingtalk.WithAPI(dingtalk.GetTokenApp)}, request{"GET", "/proxy/gettoken", "appkey=" + appKey + "&appsecret=" + secret, "", ""}},
		"v1.0, a field more": {[]dingtalk.Option{dingtalk.WithAPI(dingtalk.V1), dingtalk.WithBodyField("corpId", "c")}, request{"POST", "/proxy/v1.0/oauth2/accessToken", "", "application/json", withField}},
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
		dingtalk.GetToken: "dingtalk gettoken of app appabc123 at https://oapi.dingtalk.com",
		dingtalk.V1:       "dingtalk v1.0 of app appabc123 at https://api.dingtalk.com",
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

func fetchFailure(t *testing.T, fake *fetchertest.Fake, f fetchertest.Failure, api dingtalk.API) error {
	t.Helper()
	fake.FailNext(1, f)
	ctx := t.Context()
	if f.Name == fetchertest.Hang.Name {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
	}
	_, err := newSource(t, fake.URL, dingtalk.WithAPI(api), dingtalk.WithHTTPClient(fake.Client())).Fetch(ctx)
	return err
}

func TestSource_SaysWhatToDoNext(t *testing.T) {
	fake := newFake(t)
	for _, c := range []struct {
		failure fetchertest.Failure
		want    string
	}{
		{fetchertest.IPNotInWhiteList, "dingtalk gettoken: 访问ip不在白名单之中,request ip=192.0.2.1 appKey(appabc123) (code 60020, HTTP 200): " +
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

func TestSource_NoFailureOfTheNetworkShowsTheSecret(t *testing.T) {
	for _, api := range apis {
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
			sourcetest.NoLeak(t, name, err.Error()+sourcetest.Printed(err), appSecret)
			if name != "HTTP to HTTPS" && failure.Class != fetcher.ClassTransient {
				t.Errorf("%s is %s, want transient: %v", name, failure.Class, err)
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSource_CutsLongMessagesToOneLine(t *testing.T) {
	body := `{"errcode":1,"errmsg":"a\nb\u0000c` + strings.Repeat("长", 1000) + `"}`
	_, err := newSource(t, answer(t, 200, "", body)).Fetch(t.Context())
	message := sourceError(t, err).Message
	if !strings.HasPrefix(message, "a b c长") || len([]rune(message)) != 301 {
		t.Errorf("message has %d characters: %.30q", len([]rune(message)), message)
	}
}
