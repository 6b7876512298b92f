// Package fetchertest has fake vendors that answer as the real ones do, byte for byte where that is known: the same HTTP
// status, the same field names, the same codes. Tests of code that fetches tokens, with larder or without, run against them.
//
// Each fake hands out tokens, renews them as its vendor does, and has a small part of the vendor's other APIs, which accept a token or
// refuse it. It can be made to fail, see [Failure]. It listens on a port of its own or, with [InMemory], on none: then only its
// [Fake.Client] reaches it, also from within a bubble of testing/synctest.
//
// A test wires a fake to the source that it stands for by its address and its app:
//
//	fake := fetchertest.NewDingTalk()
//	defer fake.Close()
//	source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL))
//	tokens, err := fetcher.New(db, "dingding_access_token", source)
package fetchertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// A Fake is a fake vendor: see [NewDingTalk], [NewWeCom], [NewWeChat], [NewFeishu] and [NewOAuth2]. It is safe for concurrent use.
type Fake struct {
	URL       string // the base of all its APIs, for example "http://127.0.0.1:34567"
	AppKey    string // an app that it knows: one of the vendor's own form, or the first one of WithApp
	AppSecret string // the app's secret

	vendor   *vendor
	server   *httptest.Server // nil if it is in memory
	inMemory bool
	open     context.Context // until Close
	close    context.CancelFunc
	now      func() time.Time
	life     time.Duration

	mu         sync.Mutex
	secrets    map[string][]string // by app key
	tokens     map[subject][]*token
	distrusted map[string]bool // by token
	whiteList  []string        // of addresses; nil: all
	limit      int             // of requests in period; 0: none
	period     time.Duration
	latency    time.Duration
	failures   []Failure // of the next requests, in order
	calls      []Call
}

// A vendor is what makes a fake one vendor's.
type vendor struct {
	name        string
	key, secret string // of the app that it knows by default

	// credentials returns what the request says, under any of the names that the vendor takes.
	credentials func(r *http.Request, body []byte) (key, secret string)

	// answer returns what becomes of a request that nothing is to happen to. The fake is locked.
	answer func(f *Fake, q *request) (outcome string, answer http.HandlerFunc)

	// refusals are the vendor's own answers, by the name of the Failure.
	refusals map[string]http.HandlerFunc

	// refuse answers with any code and message in the vendor's shape.
	refuse func(code, message string) http.HandlerFunc

	// echoCode is a code that a request may be refused with whose parameters are wrong.
	echoCode func(r *http.Request) string

	// token answers with a token.
	token func(value string, seconds int) http.HandlerFunc
}

// A request is one that a fake is to answer.
type request struct {
	*http.Request
	body        []byte
	key, secret string
	now         time.Time
}

// A Call is one request that the fake received.
type Call struct {
	Time    time.Time // by the fake's clock
	Method  string
	Path    string
	AppKey  string // as sent, under whichever name; "" if none was
	Outcome string // "token", "ticket", "ok", or what it was refused with: a [Failure]'s Name
}

// An Option changes a fake's defaults.
type Option func(*Fake)

// WithApp adds an app, or to one that is known another secret that is good too. Without it the fake knows one app: its AppKey and
// AppSecret.
func WithApp(appKey, appSecret string) Option {
	return func(f *Fake) {
		if f.AppKey == "" {
			f.AppKey, f.AppSecret = appKey, appSecret
		}
		f.secrets[appKey] = append(f.secrets[appKey], appSecret)
	}
}

// WithLife sets how long tokens and tickets live. Replies state it in whole seconds, rounded up. Defaults to 7200 s.
func WithLife(life time.Duration) Option { return func(f *Fake) { f.life = life } }

// WithLatency makes every reply wait, as SetLatency does. Defaults to 0.
func WithLatency(latency time.Duration) Option { return func(f *Fake) { f.latency = latency } }

// WithClock replaces the clock that tokens expire by. It must be safe for concurrent use. Defaults to time.Now.
func WithClock(now func() time.Time) Option { return func(f *Fake) { f.now = now } }

// WithWhiteList refuses requests from other addresses than these, with IPNotInWhiteList. Requests of [Fake.Client] come from 192.0.2.1.
func WithWhiteList(addresses ...string) Option {
	return func(f *Fake) { f.whiteList = append([]string{}, addresses...) }
}

// WithLimit refuses, with AppThrottled, the requests beyond n within a period. Those that are refused count too.
func WithLimit(n int, period time.Duration) Option {
	return func(f *Fake) { f.limit, f.period = n, period }
}

// InMemory opens no port: only the fake's Client reaches it, under its URL. In a bubble of testing/synctest that is the only way, as time
// stands still there while somebody waits for a network.
//
// The bubble's time is nobody else's: a store must count by it too, or its rows have expired, or never do, by the database's clock. That is
// store.WithClock(time.Now), over store.Open("sqlite::memory:"), opened, migrated and closed in the bubble. TestInMemory_ADayInABubble is one to copy.
func InMemory() Option { return func(f *Fake) { f.inMemory = true } }

func start(v *vendor, opts []Option) *Fake {
	f := &Fake{
		URL: "http://" + v.name + ".fake", vendor: v, now: time.Now, life: 7200 * time.Second,
		secrets: map[string][]string{}, tokens: map[subject][]*token{}, distrusted: map[string]bool{},
	}
	for _, o := range opts {
		o(f)
	}
	if f.AppKey == "" {
		WithApp(v.key, v.secret)(f)
	}
	f.open, f.close = context.WithCancel(context.Background())
	if !f.inMemory {
		f.server = httptest.NewServer(f)
		f.URL = f.server.URL
	}
	return f
}

// Close stops the fake. Requests in progress lose their connection.
func (f *Fake) Close() {
	f.close()
	if f.server != nil {
		f.server.CloseClientConnections()
		f.server.Close()
	}
}

// SetLatency makes every later reply wait.
func (f *Fake) SetLatency(latency time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = latency
}

// SetSecrets replaces an app's secrets: with two while one is being changed for the other, with none to forget the app. Tokens stay good.
func (f *Fake) SetSecrets(appKey string, secrets ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets[appKey] = slices.Clone(secrets)
}

// FailNext makes the next n requests fail, whichever they are, after those of earlier calls that are still to fail. It panics if
// the failure is one that this vendor does not have: see [Fake.Failures].
func (f *Fake) FailNext(n int, failure Failure) {
	if f.handler(failure) == nil {
		panic("fetchertest: " + f.vendor.name + " has no failure " + failure.Name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, slices.Repeat([]Failure{failure}, n)...)
}

// Calls returns the requests so far, in order.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns how many requests there were so far: with one of the outcomes, or all if none is named.
func (f *Fake) Count(outcomes ...string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, call := range f.calls {
		if len(outcomes) == 0 || slices.Contains(outcomes, call.Outcome) {
			n++
		}
	}
	return n
}

// ServeHTTP answers as the vendor does.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The body is read first: net/http notices that the client has gone only afterwards.
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	key, secret := f.vendor.credentials(r, body)

	f.mu.Lock()
	q := &request{Request: r, body: body, key: key, secret: secret, now: f.now()}
	outcome, answer := f.decide(q)
	latency := f.latency
	f.calls = append(f.calls, Call{Time: q.now, Method: r.Method, Path: r.URL.Path, AppKey: key, Outcome: outcome})
	f.mu.Unlock()

	select {
	case <-time.After(latency):
		answer(w, r)
	case <-r.Context().Done():
	}
}

// decide returns what becomes of a request.
func (f *Fake) decide(q *request) (outcome string, answer http.HandlerFunc) {
	if len(f.failures) > 0 {
		next := f.failures[0]
		f.failures = f.failures[1:]
		return next.Name, f.handler(next)
	}
	if ip, _, _ := net.SplitHostPort(q.RemoteAddr); f.whiteList != nil && !slices.Contains(f.whiteList, ip) {
		return f.refuse(IPNotInWhiteList)
	}
	if f.limit > 0 && len(f.calls) >= f.limit && q.now.Sub(f.calls[len(f.calls)-f.limit].Time) < f.period {
		return f.refuse(AppThrottled)
	}
	return f.vendor.answer(f, q)
}

// refuse returns the vendor's answer for a failure, in the form that answer functions return.
func (f *Fake) refuse(failure Failure) (outcome string, answer http.HandlerFunc) {
	return failure.Name, f.handler(failure)
}

// knows reports whether the secret is one of the app's.
func (f *Fake) knows(key, secret string) bool { return slices.Contains(f.secrets[key], secret) }

// Client returns a client whose requests reach the fake, whatever their URL, without a network. They end when their context does, follow
// no redirect and need no Close.
func (f *Fake) Client() *http.Client {
	return &http.Client{
		Transport:     inMemory{f},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type inMemory struct{ fake *Fake }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer context.AfterFunc(m.fake.open, cancel)()
	received := r.Clone(ctx)
	received.RequestURI, received.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if r.Body == nil {
		received.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	done := make(chan bool, 1)
	go func() {
		defer cancel()
		defer func() { done <- recover() == nil }() // a handler panics to end the connection
		m.fake.ServeHTTP(recorder, received)
		_ = received.Body.Close()
	}()
	select {
	case replied := <-done:
		switch {
		case r.Context().Err() != nil:
			return nil, r.Context().Err()
		case !replied || m.fake.open.Err() != nil:
			return nil, errors.New("connection reset by fake")
		}
		reply := recorder.Result()
		reply.Request = r
		return reply, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
