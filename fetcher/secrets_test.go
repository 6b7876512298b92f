package fetcher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/feishu"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/oauth2"
	"github.com/larder-cache/larder/fetcher/wechat"
	"github.com/larder-cache/larder/fetcher/wecom"
	"github.com/larder-cache/larder/internal/leak"
	"github.com/larder-cache/larder/internal/metrics"
)

// A seen is everything that a fetcher lets anybody see, but for the token that it hands out.
type seen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// add prints values in every way, and of errors all that they wrap.
func (s *seen) add(values ...any) {
	for _, v := range values {
		_, _ = io.WriteString(s, leak.Printed(v))
		switch e := v.(type) {
		case interface{ Unwrap() error }:
			s.add(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				s.add(err)
			}
		}
	}
}

func (s *seen) Observe(e fetcher.Event) { s.add(e, e.Err, e.Alarm) }

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A way is how a client gets to a vendor, and what may happen on it.
type way struct {
	base   string // of the vendor's addresses
	client *http.Client
}

// A secretive is a source with a secret, or with a parent whose token is one.
type secretive struct {
	name   string
	fake   func(...fetchertest.Option) *fetchertest.Fake
	source func(fake *fetchertest.Fake, parent fetcher.Parent, w way) (fetcher.Source, error)
	ticket bool
}

var secretives = []secretive{
	{"dingtalk gettoken", fetchertest.NewDingTalk, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return dingtalk.New(f.AppKey, f.AppSecret, dingtalk.WithBaseURL(w.base), dingtalk.WithHTTPClient(w.client))
	}, false},
	{"dingtalk v1.0", fetchertest.NewDingTalk, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return dingtalk.New(f.AppKey, f.AppSecret, dingtalk.WithBaseURL(w.base), dingtalk.WithHTTPClient(w.client), dingtalk.WithAPI(dingtalk.V1))
	}, false},
	{"dingtalk ticket", fetchertest.NewDingTalk, func(_ *fetchertest.Fake, p fetcher.Parent, w way) (fetcher.Source, error) {
		return dingtalk.NewTicket(p, dingtalk.WithBaseURL(w.base), dingtalk.WithHTTPClient(w.client))
	}, true},
	{"wecom", fetchertest.NewWeCom, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return wecom.New(f.AppKey, f.AppSecret, wecom.WithBaseURL(w.base), wecom.WithHTTPClient(w.client))
	}, false},
	{"wecom ticket", fetchertest.NewWeCom, func(_ *fetchertest.Fake, p fetcher.Parent, w way) (fetcher.Source, error) {
		return wecom.NewTicket(p, wecom.JSAPI, wecom.WithBaseURL(w.base), wecom.WithHTTPClient(w.client))
	}, true},
	{"wechat", fetchertest.NewWeChat, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return wechat.New(f.AppKey, f.AppSecret, wechat.WithBaseURL(w.base), wechat.WithHTTPClient(w.client))
	}, false},
	{"wechat stable", fetchertest.NewWeChat, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return wechat.NewStable(f.AppKey, f.AppSecret, wechat.WithBaseURL(w.base), wechat.WithHTTPClient(w.client))
	}, false},
	{"wechat ticket", fetchertest.NewWeChat, func(_ *fetchertest.Fake, p fetcher.Parent, w way) (fetcher.Source, error) {
		return wechat.NewTicket(p, wechat.JSAPI, wechat.WithBaseURL(w.base), wechat.WithHTTPClient(w.client))
	}, true},
	{"feishu", fetchertest.NewFeishu, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return feishu.New(f.AppKey, f.AppSecret, feishu.WithBaseURL(w.base), feishu.WithHTTPClient(w.client))
	}, false},
	{"oauth2 basic", fetchertest.NewOAuth2, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return oauth2.New(w.base+"/token", f.AppKey, f.AppSecret, oauth2.WithHTTPClient(w.client))
	}, false},
	{"oauth2 body", fetchertest.NewOAuth2, func(f *fetchertest.Fake, _ fetcher.Parent, w way) (fetcher.Source, error) {
		return oauth2.New(w.base+"/token", f.AppKey, f.AppSecret, oauth2.WithHTTPClient(w.client), oauth2.WithBodyAuth())
	}, false},
}

// ways are those that lead nowhere.
func ways(t *testing.T) map[string]way {
	gone := httptest.NewServer(nil)
	gone.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	chatty := func(r *http.Request) string {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		return fmt.Sprintf("no way to %s with %v, %s", r.URL, r.Header, body)
	}
	return map[string]way{
		"connection refused":    {gone.URL, &http.Client{}},
		"unknown host":          {"http://host.invalid", &http.Client{}},
		"untrusted certificate": {untrusted.URL, &http.Client{}},
		"HTTP to HTTPS":         {strings.Replace(untrusted.URL, "https", "http", 1), &http.Client{}},
		"a transport's error":   {gone.URL, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { return nil, errors.New(chatty(r)) })}},
		"a transport's panic":   {gone.URL, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) { panic(chatty(r)) })}},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A constant parent has a token that the fake gave.
type constant string

func (c constant) Token(context.Context) (string, error)          { return string(c), nil }
func (c constant) Reject(context.Context, string) (string, error) { return string(c), nil }

// parent returns a parent for tickets of the fake.
func (v secretive) parent(t *testing.T, fake *fetchertest.Fake, through way) constant {
	t.Helper()
	if !v.ticket {
		return ""
	}
	for _, other := range secretives {
		if other.name == strings.TrimSuffix(v.name, " ticket") || other.name == strings.TrimSuffix(v.name, " ticket")+" gettoken" {
			source, err := other.source(fake, nil, through)
			if err != nil {
				t.Fatal(err)
			}
			token, err := source.Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return constant(token.Value)
		}
	}
	t.Fatalf("no parent for %s", v.name)
	return ""
}

// Every failure of every vendor passes through everything that can be asked of a fetcher, with a token in memory and without one.
func TestScenario19_NoFailureOfAnyVendorShowsASecretOrAToken(t *testing.T) {
	const secret = `s3cr&t+/="<%25>-of-the-app`
	for _, v := range secretives {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			fake := v.fake(fetchertest.WithApp("app-key-123", secret), fetchertest.InMemory())
			t.Cleanup(fake.Close)
			through := way{fake.URL, fake.Client()}
			parent := v.parent(t, fake, through)
			hidden := []string{secret}
			if parent != "" {
				hidden = append(hidden, string(parent))
			}
			for _, failure := range fake.Failures() {
				v.exercise(t, failure.Name, fake, through, parent, hidden, func() { fake.FailNext(1, failure) })
			}
			for name, w := range ways(t) {
				v.exercise(t, name, fake, w, parent, hidden, func() {})
			}
		})
	}
}

// exercise asks everything of a fetcher while fail makes each request to the vendor fail, and looks for what is to be hidden, and for the tokens that
// were handed out.
func (v secretive) exercise(t *testing.T, name string, fake *fetchertest.Fake, w way, parent constant, hidden []string, fail func()) {
	t.Helper()
	var tokens []string
	table, shown := newTable(), &seen{}
	newSource := func(w way) fetcher.Source {
		source, err := v.source(fake, parent, w)
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	opts := []fetcher.Option{
		fetcher.WithObserver(shown), fetcher.WithTimeout(200 * time.Millisecond), fetcher.WithRejectInterval(time.Nanosecond),
		fetcher.WithLogger(slog.New(slog.NewJSONHandler(shown, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))),
	}
	source := newSource(w)
	f := process(t, table, source, opts...)
	shown.add(source, source.Info(), f)
	ctx := t.Context()
	ask := func() {
		fail()
		token, err := f.Token(ctx)
		shown.add(err)
		if token != "" {
			tokens = append(tokens, token)
		}
		fail()
		result, err := f.Refresh(ctx)
		shown.add(result, err)
		if result.Token.Value != "" {
			tokens = append(tokens, result.Token.Value)
		}
		fail()
		checked, err := f.Check(ctx)
		shown.add(checked, err)
		if checked.Value != "" {
			tokens = append(tokens, checked.Value)
		}
		fail()
		for _, token := range append(tokens, "a-token-that-nobody-knows-of") {
			f.ReportWrongApp(token)
			_, err := f.Reject(ctx, token)
			shown.add(err)
		}
	}
	ask()
	whole := process(t, table, newSource(way{fake.URL, fake.Client()}), opts...) // fetches what the first one then has too
	for range 100 {                                                              // or fewer: after the failures that nobody has met yet
		if result, err := whole.Refresh(ctx); err == nil {
			tokens = append(tokens, result.Token.Value)
			break
		}
	}
	ask()
	shown.add(f.Status(), whole.Status(), f.Fresh(time.Hour))
	service := metrics.NewService("test")
	service.Tokens(f)
	page := httptest.NewRecorder()
	service.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	shown.add(page.Body.String())
	table.mu.Lock()
	for rowKey, row := range table.rows {
		if shown.add(rowKey); rowKey != key {
			shown.add(string(row.raw))
		}
	}
	table.mu.Unlock()
	for _, state := range []string{"larder:fetch:" + key, `"failure"`, "larder_token_fetches_total", "token fetch"} {
		if !strings.Contains(shown.String(), state) {
			t.Errorf("%s: %s is not among what was looked at", name, state)
		}
	}
	if len(tokens) == 0 {
		t.Fatalf("%s: no token was handed out", name)
	}
	slices.Sort(tokens)
	leak.None(t, v.name+", "+name, shown.String(), append(slices.Compact(tokens), hidden...)...)
}

// A source that somebody else wrote may panic with anything, and fail with any error.
func TestScenario19_PanicOfASourceShowsNothing(t *testing.T) {
	const secret = "the-secret-that-the-panic-has"
	shown := &seen{}
	source := &stub{fetch: func(context.Context) (fetcher.Token, error) { panic(fmt.Errorf("cannot send %s", secret)) }}
	f := process(t, newTable(), source, fetcher.WithObserver(shown), fetcher.WithLogger(slog.New(slog.NewTextHandler(shown, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	_, err := f.Token(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	shown.add(err, f.Status())
	leak.None(t, "the panic", shown.String(), secret)
}

// As the Token's comment advises those who keep something in a field of their own.
func TestFetcher_IsNotPrintedFromAnUnexportedField(t *testing.T) {
	type client struct {
		tokens *fetcher.Fetcher
		token  func() string
	}
	fake := fetchertest.NewDingTalk()
	t.Cleanup(fake.Close)
	source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fetcher.NewOn(newTable(), key, fetcher.Rotate(source, source))
	if err != nil {
		t.Fatal(err)
	}
	token, err := f.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := client{f, func() string { return token }}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{c, &c, []client{c}} {
			leak.None(t, verb, fmt.Sprintf(verb, v), token, fake.AppSecret)
		}
	}
}
