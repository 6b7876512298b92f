package oauth2_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/internal/sourcetest"
	"github.com/larder-cache/larder/fetcher/oauth2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func body(token, life string) string {
	if life == "" {
		return fmt.Sprintf(`{"access_token":%s,"token_type":"Bearer"}`, token)
	}
	return fmt.Sprintf(`{"access_token":%s,"token_type":"Bearer","expires_in":%s}`, token, life)
}

func source(life time.Duration, opts ...oauth2.Option) sourcetest.Source {
	return sourcetest.Source{
		New: func(s sourcetest.Setup) (fetcher.Source, error) {
			return oauth2.New(s.URL+"/token", s.Key, s.Secret, append([]oauth2.Option{oauth2.WithHTTPClient(s.Client)}, opts...)...)
		},
		Body: body, DefaultLife: life,
	}
}

var vendor = sourcetest.Vendor{
	Fake:    fetchertest.NewOAuth2,
	Sources: []sourcetest.Source{source(5 * time.Minute), source(time.Hour, oauth2.WithDefaultLife(time.Hour), oauth2.WithBodyAuth())},
	Failures: map[string]sourcetest.Want{
		"system busy":          {Class: fetcher.ClassTransient, Code: "temporarily_unavailable", RetryAfter: time.Second},
		"bad credentials":      {Class: fetcher.ClassCredential, Code: "invalid_client"},
		"missing key":          {Class: fetcher.ClassConfig, Code: "invalid_request"},
		"missing secret":       {Class: fetcher.ClassConfig, Code: "invalid_request"},
		"IP not in white list": {Class: fetcher.ClassConfig},
		"app throttled":        {Class: fetcher.ClassThrottle, RetryAfter: 7 * time.Second},
		"no permission":        {Class: fetcher.ClassConfig, Code: "unauthorized_client"},
		"token missing":        {Class: fetcher.ClassCredential},
		"token rejected":       {Class: fetcher.ClassCredential, Code: "invalid_token"},
		"token expired":        {Class: fetcher.ClassCredential, Code: "invalid_token"},
		"too many requests":    {Class: fetcher.ClassThrottle, RetryAfter: 7 * time.Second},
		"echo":                 {Class: fetcher.ClassConfig, Code: "invalid_request"},
	},
	Codes: map[string]sourcetest.Want{
		"invalid_client":         {Class: fetcher.ClassCredential},
		"invalid_grant":          {Class: fetcher.ClassCredential},
		"unauthorized_client":    {Class: fetcher.ClassConfig},
		"unsupported_grant_type": {Class: fetcher.ClassConfig},
		"invalid_scope":          {Class: fetcher.ClassConfig},
		"invalid_request":        {Class: fetcher.ClassConfig},
		"server_error":           {Class: fetcher.ClassTransient, RetryAfter: time.Second},
		"slow_down":              {Class: fetcher.ClassThrottle, RetryAfter: time.Minute},
		"of_their_own":           {Class: fetcher.ClassConfig}, // by HTTP 400
	},
	Scheme: oauth2.Scheme(),
	Paths:  []string{"/resource"},
	Verdicts: []sourcetest.Verdict{
		{Status: 401, Header: http.Header{"Www-Authenticate": {`Bearer realm="x", error="invalid_token"`}}, Want: fetcher.Rejected},
		{Status: 400, Header: http.Header{"Www-Authenticate": {`Bearer error=invalid_token`}}, Want: fetcher.Rejected},
		{Status: 401, Header: http.Header{"Www-Authenticate": {`Basic realm="x"`, `bearer error="invalid_token"`}}, Want: fetcher.Rejected},
		{Status: 401, Want: fetcher.Rejected},
		{Status: 400, Body: `{"error":"invalid_token"}`, Want: fetcher.Rejected},
		{Status: 401, Header: http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope"`}}},
		{Status: 403, Header: http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope"`}}},
		{Status: 200, Body: `{"error":"invalid_token"}`},
		{Status: 407, Header: http.Header{"Proxy-Authenticate": {`Basic`}}},
	},
}

func TestSources(t *testing.T) { sourcetest.Run(t, vendor) }

// A server may refuse with HTTP 200.
func TestSource_RefusalWithHTTP200IsOne(t *testing.T) {
	fake := fetchertest.NewOAuth2(fetchertest.InMemory())
	defer fake.Close()
	s, err := oauth2.New(fake.URL+"/token", fake.AppKey, fake.AppSecret, oauth2.WithHTTPClient(fake.Client()))
	if err != nil {
		t.Fatal(err)
	}
	fake.FailNext(1, fetchertest.Reply("", 200, "application/json", `{"error":"invalid_client","error_description":"no","access_token":"a-token"}`))
	const want = "oauth2 client_credentials: no (code invalid_client, HTTP 200): check the client id and the client secret; " +
		"some servers want them in the body (client_secret_post)"
	if _, err := s.Fetch(t.Context()); err == nil || err.Error() != want {
		t.Errorf("got\n%v, want\n%s", err, want)
	}
}

func TestSource_SendsWhatTheStandardSays(t *testing.T) {
	const id, secret = "id:1 &", "p%ss/wörd+="
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	for name, c := range map[string]struct {
		opts           []oauth2.Option
		form, identity string
	}{
		"header": {nil, "grant_type=client_credentials", basic},
		"body":   {[]oauth2.Option{oauth2.WithBodyAuth()}, "client_id=id%3A1+%26&client_secret=p%25ss%2Fw%C3%B6rd%2B%3D&grant_type=client_credentials", ""},
		"scopes and parameters": {
			[]oauth2.Option{oauth2.WithScopes("a", "b"), oauth2.WithParam("audience", "x"), oauth2.WithParam("audience", "y")},
			"audience=x&audience=y&grant_type=client_credentials&scope=a+b", basic,
		},
	} {
		var got *http.Request
		var form string
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			got, form = r, string(b)
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body(`"t"`, `60`))), Request: r}, nil
		})}
		s, err := oauth2.New("https://accounts.fake/oauth/v3/token", id, secret, append(c.opts, oauth2.WithHTTPClient(client))...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second must not have what the first added
			if _, err := s.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if form != c.form || got.Header.Get("Authorization") != c.identity || got.Method != "POST" ||
				got.URL.String() != "https://accounts.fake/oauth/v3/token" || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s sent %s %s, %q, with %v", name, got.Method, got.URL, form, got.Header)
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNew_RefusesOptionsThatCannotWork(t *testing.T) {
	for name, o := range map[string]oauth2.Option{
		"scope with a blank":  oauth2.WithScopes("a b"),
		"empty scope":         oauth2.WithScopes(""),
		"parameter is taken":  oauth2.WithParam("client_secret", "x"),
		"parameter is empty":  oauth2.WithParam("", "x"),
		"default life 0":      oauth2.WithDefaultLife(0),
		"default life of 2 y": oauth2.WithDefaultLife(2 * 366 * 24 * time.Hour),
	} {
		if s, err := oauth2.New("https://accounts.fake/token", "id", "secret", o); err == nil {
			t.Errorf("%s: %v", name, s)
		}
	}
	if s, err := oauth2.New("", "id", "secret"); err == nil {
		t.Errorf("no URL: %v", s)
	}
}

// The header has the secret as a form writes it, in base64, which is another string than the secret in base64.
func TestSource_ErrorsDoNotHaveTheHeader(t *testing.T) {
	const id, secret = "the-client", "s3cr/t+with=signs"
	var sent string
	s, err := oauth2.New("https://login.example.com/token", id, secret, oauth2.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
		return nil, fmt.Errorf("cannot send %v", r.Header)
	})}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(t.Context()); err == nil || len(sent) < 20 || strings.Contains(err.Error(), sent[16:]) {
		t.Errorf("got %v, which shows %q", err, sent)
	}
}

// Whoever asks for other scopes, or another audience, is refused for other reasons.
func TestNew_FingerprintFollowsTheParameters(t *testing.T) {
	seen := map[string]string{}
	for name, opts := range map[string][]oauth2.Option{
		"none": nil, "scope": {oauth2.WithScopes("a")}, "another scope": {oauth2.WithScopes("b")}, "audience": {oauth2.WithParam("audience", "a")}, "body": {oauth2.WithBodyAuth()},
	} {
		s, err := oauth2.New("https://login.example.com/token", "id", "secret", opts...)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[s.Info().Fingerprint]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[s.Info().Fingerprint] = name
	}
}
