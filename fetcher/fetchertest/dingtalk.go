// Package fetchertest has fake vendors that answer as the real ones do, byte for byte where that is known: the same HTTP
// status, the same field names, the same codes. Tests of code that fetches tokens, with larder or without, run against them.
package fetchertest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// DingTalk is a fake of the two DingTalk servers that hand out tokens, at one address: GET /gettoken answers as
// oapi.dingtalk.com does, POST /v1.0/oauth2/accessToken as api.dingtalk.com does.
//
// It renews as the real ones do: while an app's token lives, every request returns the same string and starts its life anew;
// after its end the next request returns another. Both APIs return the same token. It is safe for concurrent use.
type DingTalk struct {
	URL       string // the base of both APIs, for example "http://127.0.0.1:34567"
	AppKey    string // an app that it knows: "dingfakeappkey", or the first one of WithApp
	AppSecret string // the app's secret

	server *httptest.Server
	now    func() time.Time
	life   time.Duration

	mu       sync.Mutex
	secrets  map[string]string // by app key
	tokens   map[string]token  // by app key
	latency  time.Duration
	failures []Failure // of the next requests, in order
	calls    []Call
}

type token struct {
	value   string
	expires time.Time
}

// A Call is one request that the fake received.
type Call struct {
	Time    time.Time // by the fake's clock
	Method  string
	Path    string
	AppKey  string // as sent, under whichever name; "" if none was
	Outcome string // "token", or what it was refused with: a [Failure]'s Name
}

// A DingTalkOption changes a fake's defaults.
type DingTalkOption func(*DingTalk)

// WithApp adds an app. Without it the fake knows one: its AppKey and AppSecret.
func WithApp(appKey, appSecret string) DingTalkOption {
	return func(d *DingTalk) {
		if d.AppKey == "" {
			d.AppKey, d.AppSecret = appKey, appSecret
		}
		d.secrets[appKey] = appSecret
	}
}

// WithLife sets how long tokens live. Replies state it in whole seconds, rounded up. Defaults to 7200 s.
func WithLife(life time.Duration) DingTalkOption { return func(d *DingTalk) { d.life = life } }

// WithLatency makes every reply wait, as SetLatency does. Defaults to 0.
func WithLatency(latency time.Duration) DingTalkOption {
	return func(d *DingTalk) { d.latency = latency }
}

// WithClock replaces the clock that tokens expire by. It must be safe for concurrent use. Defaults to time.Now.
func WithClock(now func() time.Time) DingTalkOption { return func(d *DingTalk) { d.now = now } }

// NewDingTalk starts a fake on a free port of the loopback address. Close stops it.
func NewDingTalk(opts ...DingTalkOption) *DingTalk {
	d := &DingTalk{
		now:     time.Now,
		life:    7200 * time.Second,
		secrets: map[string]string{},
		tokens:  map[string]token{},
	}
	for _, o := range opts {
		o(d)
	}
	if d.AppKey == "" {
		WithApp("dingfakeappkey", "fake-app-secret/not+for=use")(d)
	}
	d.server = httptest.NewServer(d)
	d.URL = d.server.URL
	return d
}

// Close stops the fake. Requests in progress lose their connection.
func (d *DingTalk) Close() {
	d.server.CloseClientConnections()
	d.server.Close()
}

// SetLatency makes every later reply wait.
func (d *DingTalk) SetLatency(latency time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency = latency
}

// FailNext makes the next n requests fail, after those of earlier calls that are still to fail.
func (d *DingTalk) FailNext(n int, failure Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failures = append(d.failures, slices.Repeat([]Failure{failure}, n)...)
}

// Calls returns the requests so far, in order.
func (d *DingTalk) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Count returns how many requests there were so far.
func (d *DingTalk) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// The paths of the two APIs.
const (
	getTokenPath = "/gettoken"
	v1Path       = "/v1.0/oauth2/accessToken"
)

// ServeHTTP answers as DingTalk does.
func (d *DingTalk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The body is read first: net/http notices that the client has gone only afterwards.
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	key, secret := credentials(r, body)

	d.mu.Lock()
	now, latency := d.now(), d.latency
	outcome, answer := "token", http.HandlerFunc(nil)
	if len(d.failures) > 0 {
		outcome, answer = d.failures[0].Name, d.failures[0].Handler
		d.failures = d.failures[1:]
	} else if refusal := d.refuse(r, body, key, secret); refusal.Handler != nil {
		outcome, answer = refusal.Name, refusal.Handler
	} else {
		answer = tokenReply(d.renew(key, now), d.life)
	}
	d.calls = append(d.calls, Call{Time: now, Method: r.Method, Path: r.URL.Path, AppKey: key, Outcome: outcome})
	d.mu.Unlock()

	select {
	case <-time.After(latency):
		answer(w, r)
	case <-r.Context().Done():
	}
}

// credentials returns what the request says, under any of the names that DingTalk takes.
func credentials(r *http.Request, body []byte) (key, secret string) {
	if isV1(r) {
		var in struct{ AppKey, AppSecret string }
		_ = json.Unmarshal(body, &in)
		return in.AppKey, in.AppSecret
	}
	query := r.URL.Query()
	if key, secret = query.Get("appkey"), query.Get("appsecret"); key == "" && secret == "" {
		key, secret = query.Get("corpid"), query.Get("corpsecret")
	}
	return key, secret
}

// isV1 tells which of the two servers the request is for.
func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1.0/") }

// refuse returns what is wrong with a request, or a Failure without a handler.
func (d *DingTalk) refuse(r *http.Request, body []byte, key, secret string) Failure {
	known, ok := d.secrets[key]
	matches := ok && secret == known
	switch {
	case r.URL.Path != getTokenPath && r.URL.Path != v1Path, isV1(r) && r.Method != http.MethodPost:
		return NoSuchAPI
	case isV1(r):
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" || len(body) == 0 {
			return MissingBody
		}
	case r.Method != http.MethodGet:
		return WantGet
	case key == "":
		return MissingKey
	case secret == "":
		return MissingSecret
	case !matches && r.URL.Query().Has("corpid"):
		return BadCorpSecret
	}
	if !matches {
		return BadCredentials
	}
	return Failure{}
}

// renew returns the app's token with its life started anew, a new one if the old one has ended.
func (d *DingTalk) renew(key string, now time.Time) string {
	t := d.tokens[key]
	if !t.expires.After(now) {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails
		t.value = hex.EncodeToString(b)
	}
	t.expires = now.Add(d.life)
	d.tokens[key] = t
	return t.value
}

func tokenReply(value string, life time.Duration) http.HandlerFunc {
	seconds := int64(math.Ceil(life.Seconds()))
	return func(w http.ResponseWriter, r *http.Request) {
		if isV1(r) {
			writeJSON(w, http.StatusOK, fmt.Sprintf(`{"expireIn":%d,"accessToken":"%s"}`, seconds, value))
			return
		}
		writeJSON(w, http.StatusOK, fmt.Sprintf(`{"errcode":0,"access_token":"%s","errmsg":"ok","expires_in":%d}`, value, seconds))
	}
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
