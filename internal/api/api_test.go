package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/leak"
	"github.com/larder-cache/larder/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const (
	token  = "tok-1234567890abcdef"
	newer  = "tok-fedcba0987654321"
	apiKey = "k-0123456789-abcdef"
)

// A fakeFetcher answers what it is told to.
type fakeFetcher struct {
	token    string
	life     time.Duration
	err      error
	fresh    error
	refuses  error // of Reject alone
	hangs    bool  // until its caller has had enough
	rejected []string
}

func (f *fakeFetcher) Get(ctx context.Context) (fetcher.Result, error) {
	if f.hangs {
		<-ctx.Done()
		return fetcher.Result{}, ctx.Err()
	}
	return fetcher.Result{Token: fetcher.Token{Value: f.token, ExpiresIn: f.life}}, f.err
}

func (f *fakeFetcher) Reject(_ context.Context, token string) (string, error) {
	f.rejected = append(f.rejected, token)
	if f.refuses != nil {
		return "", f.refuses
	}
	if f.err == nil {
		f.token = newer
	}
	return f.token, f.err
}

func (f *fakeFetcher) Fresh(atLeast time.Duration) error {
	if f.fresh != nil {
		return f.fresh
	}
	if f.life < atLeast {
		return fmt.Errorf("%v left", f.life)
	}
	return nil
}

func (f *fakeFetcher) Status() fetcher.Status {
	return fetcher.Status{
		Key: "t", Source: "dingtalk gettoken", Token: fetcher.Mask(f.token), Remaining: f.life, LastError: f.err,
		Alarms: []fetcher.Alarm{{Kind: fetcher.AlarmFailing, Text: "look", Since: time.Unix(1, 0).UTC()}},
	}
}

type fixture struct {
	handler http.Handler
	fetcher *fakeFetcher
	log     bytes.Buffer
	tokens  map[string]Fetcher
	ping    error
	pings   func(context.Context) error // if it is not nil
}

func newFixture(keys ...Key) *fixture {
	f := &fixture{fetcher: &fakeFetcher{token: token, life: time.Hour}}
	f.tokens = map[string]Fetcher{"t": f.fetcher}
	f.handler = Handler(Config{
		Tokens: f.tokens,
		Keys:   keys,
		Ping: func(ctx context.Context) error {
			if f.pings != nil {
				return f.pings(ctx)
			}
			return f.ping
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
		Logger:  slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return f
}

// do sends a request; headers are "Name: value".
func (f *fixture) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8420"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

const isJSON = "Content-Type: application/json"

func TestService_HandsOutATokenAsDesigned(t *testing.T) {
	f := newFixture()
	w := f.do("GET", "/v1/tokens/t", "")
	if got, want := w.Body.String(), `{"access_token":"`+token+`","expires_in":3600}`+"\n"; w.Code != 200 || got != want {
		t.Errorf("%d %s, want %s", w.Code, got, want)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestService_MarksAStaleToken(t *testing.T) {
	f := newFixture()
	f.fetcher.life, f.fetcher.err = -5*time.Second, fmt.Errorf("%w: vendor down", fetcher.ErrStale)
	w := f.do("GET", "/v1/tokens/t", "")
	if got, want := w.Body.String(), `{"access_token":"`+token+`","expires_in":-5,"stale":true}`+"\n"; w.Code != 200 || got != want {
		t.Errorf("%d %s, want %s", w.Code, got, want)
	}
}

func TestService_RejectAnswersTheNewToken(t *testing.T) {
	f := newFixture()
	w := f.do("POST", "/v1/tokens/t/reject", `{"access_token":"`+token+`"}`, isJSON)
	if w.Code != 200 || !strings.Contains(w.Body.String(), newer) || len(f.fetcher.rejected) != 1 || f.fetcher.rejected[0] != token {
		t.Errorf("%d %s, rejected %d", w.Code, w.Body, len(f.fetcher.rejected))
	}
}

func TestService_ListsTokensWithoutTheTokens(t *testing.T) {
	f := newFixture()
	w := f.do("GET", "/v1/tokens", "")
	var got struct {
		Tokens []map[string]any `json:"tokens"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Tokens) != 1 {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if state := got.Tokens[0]; state["name"] != "t" || state["state"] != "live" || state["expires_in"] != 3600.0 || state["token"] != "tok-…" {
		t.Errorf("got %v", state)
	}
	if strings.Contains(w.Body.String(), token) {
		t.Error("the list shows a token")
	}
}

func TestService_ErrorsAreProblems(t *testing.T) {
	source := func(class fetcher.Class) error {
		return fmt.Errorf("token %q: %w", "t", &fetcher.SourceError{Source: "dingtalk", Class: class, Code: "40096", Message: "no", RetryAfter: 7 * time.Second})
	}
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		err                      error
		status                   int
		contains                 string
	}{
		{"an unknown token", "GET", "/v1/tokens/x", "", nil, nil, 404, `no token \"x\" is configured`},
		{"an unknown path", "GET", "/v2", "", nil, nil, 404, "nothing at this path"},
		{"the root", "GET", "/", "", nil, nil, 404, "there is: GET /v1/tokens, GET /v1/tokens/{name}, POST /v1/tokens/{name}/reject, GET /healthz, GET /readyz, GET /metrics"},
		{"a wrong method", "DELETE", "/v1/tokens", "", nil, nil, 405, "GET, HEAD"},
		{"wrong credentials", "GET", "/v1/tokens/t", "", nil, source(fetcher.ClassCredential), 502, `"class":"credential","code":"40096"`},
		{"a throttle", "GET", "/v1/tokens/t", "", nil, source(fetcher.ClassThrottle), 503, `"class":"throttle"`},
		{"the database", "GET", "/v1/tokens/t", "", nil, errors.New("down"), 503, "down"},
		{"no time", "GET", "/v1/tokens/t", "", nil, context.DeadlineExceeded, 504, "Not in time"},
		{"rejected too often", "POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, []string{isJSON}, fetcher.ErrRejectedTooOften, 429, "only just now"},
		{"no JSON", "POST", "/v1/tokens/t/reject", "secret", []string{isJSON}, nil, 400, "want a JSON object"},
		{"no content type", "POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, nil, nil, 415, "Content-Type"},
		{"a form", "POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, []string{"Content-Type: text/plain"}, nil, 415, "Content-Type"},
		{"a content type that is none", "POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, []string{"Content-Type: application/json; ="}, nil, 415, "Content-Type"},
		{"no token in it", "POST", "/v1/tokens/t/reject", `{}`, []string{isJSON}, nil, 400, "access_token is missing"},
		{"a long body", "POST", "/v1/tokens/t/reject", `{"access_token":"` + strings.Repeat("x", maxBody) + `"}`, []string{isJSON}, nil, 413, "65536 bytes"},
		{"a wrong parameter", "GET", "/readyz?fresh=-1", "", nil, nil, 400, "want 0 to 1d; want seconds or a duration, such as 600"},
		{"a parameter beyond all lives", "GET", "/readyz?fresh=25h", "", nil, nil, 400, "want 0 to 1d"},
		{"a wrong duration", "GET", "/readyz?fresh=soon", "", nil, nil, 400, "fresh: want seconds or a duration, such as 600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture()
			f.fetcher.err = tt.err
			w := f.do(tt.method, tt.path, tt.body, tt.headers...)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.contains) {
				t.Fatalf("%d %s, want %d and %s", w.Code, w.Body, tt.status, tt.contains)
			}
			var p struct {
				Title  string
				Status int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != tt.status || p.Title == "" || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("no problem: %s (%v)", w.Body, err)
			}
			if tt.name == "a throttle" && w.Header().Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("the body is repeated")
			}
		})
	}
}

// The fetcher warns of a vendor's failure now and then, and callers may come a thousand times a second.
func TestService_WarnsOfItsOwnTroubleAlone(t *testing.T) {
	vendors := &fetcher.SourceError{Source: "dingtalk", Class: fetcher.ClassCredential, Message: "no"}
	for err, level := range map[error]string{errors.New("down"): "WARN", vendors: "DEBUG"} {
		f := newFixture()
		f.fetcher.err = err
		f.do("GET", "/v1/tokens/t", "")
		if said := f.log.String(); strings.Count(said, `msg="request failed"`) != 1 || !strings.Contains(said, "level="+level+` msg="request failed"`) {
			t.Errorf("%v: %s, want it at level %s", err, said, level)
		}
	}
}

// later is a fetcher's error.
type later time.Duration

func (l later) Error() string             { return "again later" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

func TestService_RejectedTooOftenSaysWhenToComeBack(t *testing.T) {
	f := newFixture()
	f.fetcher.err = fmt.Errorf("%w: %w", fetcher.ErrRejectedTooOften, later(48500*time.Millisecond))
	w := f.do("POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, isJSON)
	if w.Code != 429 || w.Header().Get("Retry-After") != "49" {
		t.Errorf("%d, Retry-After %q, want 429 and 49", w.Code, w.Header().Get("Retry-After"))
	}
}

// A rejection that fails is told, though there may be a token still.
func TestService_RejectThatFailsAnswersNoToken(t *testing.T) {
	f := newFixture()
	f.fetcher.refuses = &fetcher.SourceError{Source: "dingtalk", Class: fetcher.ClassConfig, Message: "the same again"}
	w := f.do("POST", "/v1/tokens/t/reject", `{"access_token":"`+token+`"}`, isJSON)
	if w.Code != 502 || !strings.Contains(w.Body.String(), "the same again") || strings.Contains(w.Body.String(), token) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestService_AnswersInTimeWhateverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		f.fetcher.hangs = true
		begun := time.Now()
		if w := f.do("GET", "/v1/tokens/t", ""); w.Code != 504 || time.Since(begun) != 30*time.Second {
			t.Errorf("a token: %d after %v, want 504 after 30 s", w.Code, time.Since(begun))
		}
		f.pings = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		begun = time.Now()
		if w := f.do("GET", "/readyz", ""); w.Code != 503 || time.Since(begun) != 2*time.Second {
			t.Errorf("readyz: %d after %v, want 503 after 2 s", w.Code, time.Since(begun))
		}
	})
}

// A name may be anything that a row's key may be, and no spelling of a path leads to another token or past the key.
func TestService_NamesAreTakenFromThePathAsTheyAre(t *testing.T) {
	names := []string{"a/b", "..", ".", "../../metrics", "t/reject", "träger", "a b", "a?b", "%2e", "日"}
	f := newFixture(Key{Secret: apiKey, Roles: []Role{RoleTokens}})
	for _, name := range names {
		f.tokens[name] = &fakeFetcher{token: "of " + name, life: time.Hour}
	}
	auth := "Authorization: Bearer " + apiKey
	for _, name := range names {
		path := "/v1/tokens/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
		if w := f.do("GET", path, "", auth); w.Code != 200 || !strings.Contains(w.Body.String(), `"of `+name+`"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w := f.do("GET", path, ""); w.Code != 401 {
			t.Errorf("%s without a key: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/v1/tokens/..%2f", "/v1/tokens/..%2ft", "/v1/tokens/%2e%2e%2ft", "/v1/tokens/t%00", "/v1/tokens/T", "/v1/tokens/t%2f", "/v1/tokens/t;x", "/v1/%74okens%2ft", "/V1/tokens/t", "/v1/tokens/%ff"} {
		if w := f.do("GET", path, "", auth); w.Code != 404 || !strings.Contains(w.Body.String(), `"status":404`) || strings.Contains(w.Body.String(), token) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// The router redirects //x to /x also where there is nothing.
func TestService_NothingAtAPathWithDoubleSlashesIsNoRedirect(t *testing.T) {
	for _, path := range []string{"//v2", "/v1/../v2", "/v1//tokens/t/"} {
		w := newFixture().do("GET", path, "")
		if w.Code != 404 || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), `"title":"Not Found","status":404`) {
			t.Errorf("%s: %d to %q: %s", path, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
}

func TestService_KeysAndRoles(t *testing.T) {
	for _, tt := range []struct {
		header string
		roles  []Role
		path   string
		status int
	}{
		{"Authorization: Bearer " + apiKey, []Role{RoleTokens}, "/v1/tokens/t", 200},
		{"Authorization: bearer " + apiKey, []Role{RoleAdmin}, "/v1/tokens/t", 200},
		{"Authorization: Bearer " + apiKey, []Role{RoleRead, RoleWrite}, "/v1/tokens/t", 403},
		{"Authorization: Bearer " + apiKey, []Role{RoleWrite}, "/v1/tokens", 200},
		{"Authorization: Bearer " + apiKey, []Role{RoleTokens}, "/metrics", 403},
		{"Authorization: Bearer " + apiKey, []Role{RoleRead}, "/metrics", 200},
		{"Authorization: Bearer " + apiKey + "x", []Role{RoleAdmin}, "/v1/tokens/t", 401},
		{"Authorization: Bearer ", []Role{RoleAdmin}, "/v1/tokens/t", 401},
		{"Authorization: Basic " + apiKey, []Role{RoleAdmin}, "/v1/tokens/t", 401},
		{"X-Key: " + apiKey, []Role{RoleAdmin}, "/v1/tokens/t", 401},
		{"Authorization: Bearer " + apiKey, []Role{RoleRead, RoleWrite}, "POST /v1/tokens/t/reject", 403},
		{"Authorization: Bearer " + apiKey, []Role{RoleTokens}, "POST /v1/tokens/t/reject", 415}, // it may, but this is no JSON
		{"Authorization: Bearer " + apiKey, []Role{RoleTokens}, "/v1/tokens", 200},
		{"Authorization: Bearer " + apiKey, []Role{}, "/v1/tokens", 403},
		{"X-Key: none", []Role{RoleAdmin}, "/v1/tokens", 401},
		{"X-Key: none", []Role{RoleAdmin}, "/metrics", 401},
		{"X-Key: none", []Role{RoleAdmin}, "POST /v1/tokens/t/reject", 401},
		{"X-Key: none", nil, "/healthz", 200},
		{"X-Key: none", nil, "/readyz", 200},
	} {
		f := newFixture(Key{Secret: apiKey, Roles: tt.roles})
		method, path, ok := strings.Cut(tt.path, " ")
		if !ok {
			method, path = "GET", tt.path
		}
		w := f.do(method, path, "", tt.header, "Host: larder.internal")
		if w.Code != tt.status {
			t.Errorf("%s with %v at %s: %d, want %d", tt.header, tt.roles, tt.path, w.Code, tt.status)
		}
		if (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate %q", tt.header, w.Header().Get("WWW-Authenticate"))
		}
	}
}

// A page that somebody looks at on the server's own machine must not get at the tokens, whatever name it has given to 127.0.0.1.
func TestService_RefusesPagesOfOtherSites(t *testing.T) {
	f := newFixture()
	for _, headers := range [][]string{
		{"Host: evil.example:8420"},
		{"Host: 127.0.0.1.evil.example"},
		{"Host: localhost.evil.example."},
		{"Host: ."},
		{"Sec-Fetch-Site: cross-site", isJSON},
		{"Origin: https://evil.example", isJSON},
	} {
		if w := f.do("POST", "/v1/tokens/t/reject", `{"access_token":"x"}`, headers...); w.Code != 403 {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
	for _, host := range []string{"", "localhost:8420", "127.0.0.1", "[::1]:8420", "[::1]", "127.1.2.3:1", "LocalHost:8420", "localhost.", "localhost.:8420"} {
		if w := f.do("GET", "/v1/tokens/t", "", "Host: "+host); w.Code != 200 {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

func TestService_ReadyWhenTheDatabaseAnswersAndTokensAreFresh(t *testing.T) {
	f := newFixture()
	for _, tt := range []struct {
		path   string
		ping   error
		fresh  error
		status int
		says   string
	}{
		{"/readyz", nil, nil, 200, "ready"},
		{"/readyz?fresh=3600", nil, nil, 200, "ready"},
		{"/readyz?fresh=1h", nil, nil, 200, "ready"},
		{"/readyz?fresh=2h", nil, nil, 503, `token \"t\" is not fresh`},
		{"/readyz?fresh=3601", nil, nil, 503, `token \"t\" is not fresh`},
		{"/readyz", errors.New("p@ss"), nil, 503, "the database does not answer"},
		{"/readyz", errors.New("p@ss"), errors.New("p@ss"), 503, `; token \"t\" is not fresh`},
		{"/healthz", errors.New("p@ss"), errors.New("none"), 200, "ok"},
	} {
		f.ping, f.fetcher.fresh = tt.ping, tt.fresh
		if w := f.do("GET", tt.path, ""); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "p@ss") {
			t.Errorf("%s: %d %s, want %d %s", tt.path, w.Code, w.Body, tt.status, tt.says)
		}
	}
}

func TestService_LogsNeitherKeysNorTokens(t *testing.T) {
	f := newFixture(Key{Secret: apiKey, Roles: []Role{RoleAdmin}})
	auth := "Authorization: Bearer " + apiKey
	f.do("GET", "/v1/tokens/t", "", auth)
	f.do("POST", "/v1/tokens/t/reject", `{"access_token":"`+token+`"}`, auth, isJSON)
	f.do("GET", "/v1/tokens/t", "", auth+"x")
	f.fetcher.err = errors.New("down")
	f.do("GET", "/v1/tokens/t", "", auth)
	f.do("GET", "/v1/tokens/t%0Alevel=ERROR?key="+apiKey+"&access_token="+token, "", auth) // which nobody should send
	for _, secret := range []string{apiKey, token, newer} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log contains %s:\n%s", secret, f.log.String())
		}
	}
	if strings.Count(f.log.String(), "\n") != 5 {
		t.Errorf("want a line a request:\n%s", f.log.String())
	}
	if strings.Count(f.log.String(), "level=WARN") != 1 {
		t.Errorf("want a warning of what is not the callers' doing, and of nothing else:\n%s", f.log.String())
	}
	if !strings.Contains(f.log.String(), "/v1/tokens/t%0Alevel") {
		t.Errorf("want paths escaped:\n%s", f.log.String())
	}
}

func TestKey_IsNotPrinted(t *testing.T) {
	k := Key{Secret: apiKey, Roles: []Role{RoleRead}, Source: "larder.yaml:7"}
	for _, v := range []any{k, &k, []Key{k}, Config{Keys: []Key{k}}} {
		leak.None(t, "a key", leak.Printed(v), apiKey)
	}
	if got := fmt.Sprint(k); !strings.Contains(got, "larder.yaml:7") {
		t.Errorf("got %s, want where it is configured", got)
	}
}

func TestListen_WithoutAKeyOnlyOnLoopback(t *testing.T) {
	for _, tt := range []struct {
		address string
		keys    []Key
		ok      bool
	}{
		{"127.0.0.1:0", nil, true},
		{"localhost:0", nil, true},
		{"0.0.0.0:0", nil, false},
		{":0", nil, false},
		{"example.com:0", nil, false},
		{"nonsense", nil, false},
		{"0.0.0.0:0", []Key{{Secret: apiKey}}, true},
	} {
		l, err := Listen(t.Context(), tt.address, tt.keys)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.address, err)
		}
		if err == nil {
			_ = l.Close()
		} else if tt.address == ":0" && !strings.Contains(err.Error(), "LARDER_API_KEY") {
			t.Errorf("no remedy: %v", err)
		}
	}
}

func TestListen_AKeyThatCanBeGuessedOnlyOnLoopback(t *testing.T) {
	const good = "5f0c9b3e8a7d4c21"
	for _, tt := range []struct {
		address, secret string
		ok              bool
	}{
		{"0.0.0.0:0", good, true},
		{"0.0.0.0:0", good[:15], false},
		{"0.0.0.0:0", strings.Repeat("a1b2c", 10), false},
		{":0", "secret", false},
		{"127.0.0.1:0", "secret", true},
		{"localhost:0", "secret", true},
	} {
		l, err := Listen(t.Context(), tt.address, []Key{{Secret: good}, {Secret: tt.secret, Source: "larder.yaml:7"}})
		if err == nil {
			_ = l.Close()
		}
		if (err == nil) != tt.ok {
			t.Errorf("%s with %q: %v", tt.address, tt.secret, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "larder.yaml:7") || !strings.Contains(err.Error(), "openssl rand") || strings.Contains(err.Error(), tt.secret)) {
			t.Errorf("the error is %v, want where the key is, what to do, and not the key", err)
		}
	}
}

func TestServe_FinishesWhatIsUnderWayAndStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	begun, served := make(chan struct{}), make(chan error, 1)
	go func() {
		served <- Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-ctx.Done() // the order to stop comes while the request is under way
			_, _ = io.WriteString(w, "whole")
		}))
	}()
	go func() { <-begun; stop() }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "whole" {
		t.Errorf("got %q, %v", text, err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// A probe comes every few seconds, and each logged two warnings.
func TestService_AFailingProbeIsOneWarningThatSaysWhy(t *testing.T) {
	f := newFixture()
	f.ping, f.fetcher.fresh = errors.New("down"), errors.New("none yet")
	f.do("GET", "/readyz", "")
	if said := f.log.String(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, "down; none yet") {
		t.Errorf("%s, want one warning with both causes", said)
	}
}
