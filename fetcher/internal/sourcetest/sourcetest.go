// Package sourcetest tests what all vendors' sources must do, against the fakes of package fetchertest. A vendor's own test says how its
// sources are made and what its codes mean.
package sourcetest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/leak"
)

// The app that every test's fake knows. The secret has every character that URLs, JSON, HTML or Go escape, so that a leak of any escaped
// form is a different string.
const (
	Key    = "appabc123"
	Secret = `s3cr&t+/="<'%25> ü\Q` + "\tzq9x"
)

// A Vendor is what is to be tested.
type Vendor struct {
	Fake    func(...fetchertest.Option) *fetchertest.Fake
	Sources []Source

	// Failures is what the fake's failures must become, by name: those that all vendors have are known already.
	Failures map[string]Want
	// Codes is what the vendor's codes must become.
	Codes map[string]Want

	Scheme fetcher.Scheme
	// Paths are of APIs that need a token, AnotherApps of one that is another app's; "" if the vendor has none.
	Paths       []string
	AnotherApps string
	// Verdicts is what replies mean to the Scheme.
	Verdicts []Verdict
}

// A Source is one of the vendor's sources.
type Source struct {
	New func(Setup) (fetcher.Source, error)
	// Body is a good reply with the token and the life written as they are; life "" leaves the field out.
	Body func(token, life string) string
	// DefaultLife is the life that a reply without one means.
	DefaultLife time.Duration
	// Ticket marks a source that needs a parent.
	Ticket bool
	// Failures are those that this source alone turns into something else.
	Failures map[string]Want
}

// A Setup is what a source is made of.
type Setup struct {
	URL, Key, Secret string
	Client           *http.Client
	Parent           fetcher.Parent
}

// A Want is what a failure must become.
type Want struct {
	Class      fetcher.Class
	Code       string
	RetryAfter time.Duration
}

// A Verdict is what a reply must mean.
type Verdict struct {
	Status int
	Header http.Header
	Body   string
	Want   fetcher.Verdict
}

// common are the failures that mean the same for every vendor.
var common = map[string]Want{
	"bad gateway": {fetcher.ClassTransient, "", 0},
	"login page":  {fetcher.ClassProtocol, "", 0},
	"empty token": {fetcher.ClassProtocol, "", 0},
	"truncated":   {fetcher.ClassProtocol, "", 0},
	"too long":    {fetcher.ClassProtocol, "", 0},
	"redirect":    {fetcher.ClassConfig, "", 0},
	"hang":        {fetcher.ClassTransient, "", 0},
	"disconnect":  {fetcher.ClassTransient, "", 0},
}

// Run runs all tests.
func Run(t *testing.T, v Vendor) {
	for _, s := range v.Sources {
		name := v.start(t).source(s).Info().Name
		t.Run(name, func(t *testing.T) {
			t.Run("fetches a token that can be used", func(t *testing.T) { v.fetches(t, s) })
			t.Run("tells failures apart", func(t *testing.T) { v.tellsFailuresApart(t, s) })
			t.Run("knows the vendor's codes", func(t *testing.T) { v.knowsCodes(t, s) })
			t.Run("refuses what is no token", func(t *testing.T) { v.refusesJunk(t, s) })
			t.Run("believes plausible lives only", func(t *testing.T) { v.believes(t, s) })
			t.Run("shows no secret", func(t *testing.T) { v.showsNoSecret(t, s) })
			t.Run("renews as its info says", func(t *testing.T) { v.renews(t, s) })
			t.Run("validates settings", func(t *testing.T) { v.validates(t, s) })
			t.Run("fingerprint follows the credentials", func(t *testing.T) { v.fingerprints(t, s) })
			if s.Ticket {
				t.Run("tells its parent once", func(t *testing.T) { v.tellsItsParent(t, s) })
				t.Run("has its parent's app", func(t *testing.T) { v.hasItsParentsApp(t, s) })
			}
		})
	}
	t.Run("scheme", func(t *testing.T) { v.schemes(t) })
}

// A bench is a fake and what is needed to use it.
type bench struct {
	*testing.T
	fake *fetchertest.Fake
	*parent
	clock atomic.Int64
	v     Vendor
}

// start starts a fake in memory, whose clock stands still.
func (v Vendor) start(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, v: v}
	b.clock.Store(1e9)
	b.fake = v.Fake(fetchertest.InMemory(), fetchertest.WithApp(Key, Secret), fetchertest.WithClock(func() time.Time { return time.Unix(b.clock.Load(), 0) }))
	t.Cleanup(b.fake.Close)
	b.parent = &parent{source: b.source(v.Sources[0])}
	return b
}

func (b *bench) source(s Source) fetcher.Source {
	b.Helper()
	return b.sourceOf(s, Setup{URL: b.fake.URL, Client: b.fake.Client()})
}

// sourceOf fills what setup leaves out.
func (b *bench) sourceOf(s Source, setup Setup) fetcher.Source {
	b.Helper()
	setup.Key, setup.Secret, setup.Parent = Key, Secret, b.parent
	source, err := s.New(setup)
	if err != nil {
		b.Fatal(err)
	}
	return source
}

// answering returns a source whose every request is answered with the body. Its parent has a token.
func (b *bench) answering(s Source, status int, contentType, body string) fetcher.Source {
	b.Helper()
	b.parent.token = "parents-token-0123456789"
	reply := func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
	return b.sourceOf(s, Setup{URL: "http://vendor.fake", Client: &http.Client{Transport: roundTripper(reply)}})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A parent has the token of another source.
type parent struct {
	source   fetcher.Source
	token    string
	rejected []string
}

func (p *parent) Token(ctx context.Context) (string, error) {
	if p.token != "" {
		return p.token, nil
	}
	t, err := p.source.Fetch(ctx)
	p.token = t.Value
	return p.token, err
}

func (p *parent) Reject(ctx context.Context, token string) (string, error) {
	p.rejected = append(p.rejected, token)
	p.token = ""
	return p.Token(ctx)
}

func (v Vendor) fetches(t *testing.T, s Source) {
	b := v.start(t)
	token, err := b.source(s).Fetch(t.Context())
	if err != nil || token.Check() != nil || token.ExpiresIn != 7200*time.Second {
		t.Errorf("got %v, %v, want a token for 7200 s", token, err)
	}
}

// fail returns what becomes of one request that fails: nil if a ticket got over it by telling its parent.
func (b *bench) fail(s Source, failure fetchertest.Failure) *fetcher.SourceError {
	b.Helper()
	source := b.source(s)
	if _, err := b.Token(b.Context()); s.Ticket && err != nil {
		b.Fatal(err)
	}
	b.fake.FailNext(1, failure)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	if failure.Name == fetchertest.Hang.Name {
		ctx, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
	}
	rejections := len(b.rejected)
	token, err := source.Fetch(ctx)
	if s.Ticket && err == nil && len(b.rejected) == rejections+1 {
		return nil
	}
	var got *fetcher.SourceError
	if !errors.As(err, &got) || token.Value != "" {
		b.Errorf("%s: got %v, %v, want a *fetcher.SourceError", failure.Name, token, err)
		return &fetcher.SourceError{}
	}
	if got.Source != source.Info().Name || got.Message == "" {
		b.Errorf("%s: source %q, message %q", failure.Name, got.Source, got.Message)
	}
	return got
}

func (v Vendor) tellsFailuresApart(t *testing.T, s Source) {
	b := v.start(t)
	for _, failure := range b.fake.Failures() {
		want, ok := s.Failures[failure.Name]
		if !ok {
			want, ok = v.Failures[failure.Name]
		}
		if !ok {
			want, ok = common[failure.Name]
		}
		failed := b.fail(s, failure)
		if failed == nil {
			continue
		}
		if got := (Want{failed.Class, failed.Code, failed.RetryAfter}); !ok || got != want {
			t.Errorf("%s: got %+v, want %+v\n%v", failure.Name, got, want, failed)
		}
	}
}

func (v Vendor) knowsCodes(t *testing.T, s Source) {
	b := v.start(t)
	for code, want := range v.Codes {
		failed := b.fail(s, fetchertest.Code(code, "in the vendor's words"))
		if failed.Class != want.Class || failed.Code != code || failed.RetryAfter != want.RetryAfter {
			t.Errorf("%s: got %s, code %q, retry after %v, want %s, %v", code, failed.Class, failed.Code, failed.RetryAfter, want.Class, want.RetryAfter)
		}
		if failed.Advice == "" && failed.Class != fetcher.ClassUnknown && failed.Class != fetcher.ClassTransient {
			t.Errorf("%s: no advice on %v", code, failed)
		}
	}
}

func (v Vendor) refusesJunk(t *testing.T, s Source) {
	b := v.start(t)
	bodies := []string{``, `{}`, `null`, `[]`, `42`, `"text"`, `ok`, `<html>`, `<!DOCTYPE html><p>{"access_token":"t"}`, s.Body(`"tok"`, `7200`)[:20]}
	for _, token := range []string{
		`null`, `""`, `42`, `true`, `{"a":"b"}`, `["a"]`, `" "`, `"a\nb"`, `"a\u0000b"`, `"tökén"`, `"` + strings.Repeat("x", 8193) + `"`,
		`"null"`, `"undefined"`, `"NULL"`, `"None"`, `"NaN"`, `"[object Object]"`,
	} {
		bodies = append(bodies, s.Body(token, `7200`))
	}
	for _, body := range bodies {
		token, err := b.answering(s, 200, "application/json", body).Fetch(t.Context())
		var failure *fetcher.SourceError
		if !errors.As(err, &failure) || token.Value != "" || failure.Class == fetcher.ClassCredential || failure.Class == fetcher.ClassUnknown {
			t.Errorf("%.80s: got %v, %v, want an error", body, token, err)
		}
	}
	if _, err := b.answering(s, 200, "text/html; charset=utf-8", "not { a page").Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "web page") {
		t.Errorf("a text that says to be a page: %v", err)
	}
}

func (v Vendor) believes(t *testing.T, s Source) {
	const invalid = -1
	b := v.start(t)
	for _, c := range []struct {
		stated string
		want   time.Duration
	}{
		{`7200`, 7200 * time.Second}, {`7200.0`, 7200 * time.Second}, {`"7200"`, 7200 * time.Second}, {`" 7200 "`, 7200 * time.Second},
		{`7.2e3`, 7200 * time.Second}, {`"7200.5"`, 7200500 * time.Millisecond}, {`345`, 345 * time.Second}, {`1`, time.Second}, {`30`, 30 * time.Second},
		{``, s.DefaultLife}, {`null`, s.DefaultLife}, {`""`, s.DefaultLife},
		{`1000000000000`, s.DefaultLife}, {`"1000000000000"`, s.DefaultLife}, {`1e999`, s.DefaultLife},
		{`0`, invalid}, {`-1`, invalid}, {`"-1"`, invalid}, {`1e-99`, invalid}, {`"soon"`, invalid}, {`"NaN"`, invalid}, {`"inf"`, invalid},
		{`"Infinity"`, invalid}, {`"0x1p4"`, invalid}, {`"1_000"`, invalid}, {`"+7200"`, invalid}, {`true`, invalid}, {`[7200]`, invalid}, {`{"s":7200}`, invalid},
	} {
		token, err := b.answering(s, 200, "application/json", s.Body(`"a-token"`, c.stated)).Fetch(t.Context())
		if c.want == invalid && err == nil || c.want != invalid && (err != nil || token.ExpiresIn != c.want || token.Value != "a-token") {
			t.Errorf("life %s: got %v, %v, want %v", c.stated, token.ExpiresIn, err, c.want)
		}
	}
}

// NoLeak fails if text shows the secret.
func NoLeak(t testing.TB, what, text, secret string) {
	t.Helper()
	leak.None(t, what, text, secret)
	if secret == Secret {
		leak.None(t, what, text, "s3cr", "zq9x") // its ends, whatever is done to the rest
	}
}

// Printed is v printed and logged in every way.
func Printed(v any) string { return leak.Printed(v) }

func (v Vendor) showsNoSecret(t *testing.T, s Source) {
	b := v.start(t)
	for _, failure := range b.fake.Failures() {
		shown := Printed(b.fail(s, failure))
		NoLeak(t, failure.Name, shown, Secret)
		if s.Ticket && len(b.token) > 0 {
			NoLeak(t, failure.Name, shown, b.token)
		}
	}
	// What a vendor's gateway, or a proxy, makes of a request: cut off within the secret, whole, in any encoding.
	cut := "bad request: " + Secret[:12]
	b64 := base64.StdEncoding.EncodeToString([]byte(Secret))
	for _, message := range []string{cut, cut + "...", cut + "…", "x " + Secret, "x " + b64 + " y", "x " + b64[:14], "x " + hex.EncodeToString([]byte(Secret))} {
		if s.Ticket {
			continue // it has the parent's token only
		}
		failed := b.fail(s, fetchertest.Code("7", message))
		for _, shown := range []string{Secret[:7], b64[:7], hex.EncodeToString([]byte(Secret))[:7]} {
			if strings.Contains(failed.Error(), shown) {
				t.Errorf("a message that is %q: %v", message, failed)
			}
		}
	}
	const token = "0123456789abcdef0123456789abcdef"
	for _, body := range []string{
		s.Body(`"`+token+` "`, `7200`), s.Body(`"`+token+`"`, `0`), s.Body(`"`+token+`"`, `"`+token+`"`), s.Body(`"`+token+`"`, `{"x":"`+token+`"}`),
		s.Body(`"`+token+`"`, `7200`)[:40],
		strings.Replace(s.Body(`"`+token+`"`, `7200`), `{`, `{"errcode":7,"code":7,"error":"`+token+`","errmsg":"`+token+`","msg":"`+token+`","error_description":"`+token+`",`, 1),
		`{"errcode":7,"code":7,"error":{"a":"` + token + `"},"errmsg":{"access_token":"` + token + `"},"msg":["` + token + `"]}`,
	} {
		if _, err := b.answering(s, 200, "", body).Fetch(t.Context()); err != nil && strings.Contains(Printed(err), token[:12]) {
			t.Errorf("reply %s: %v", body, err)
		}
	}
	chatty := roundTripper(func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		return nil, fmt.Errorf("no way to %s with %s%q%v", r.URL, body, r.URL.Query(), r.Header)
	})
	b.parent.token = token
	source := b.sourceOf(s, Setup{URL: "http://vendor.fake", Client: &http.Client{Transport: chatty}})
	_, err := source.Fetch(t.Context())
	for _, secret := range []string{Secret, token} {
		NoLeak(t, "a transport's error", Printed(err), secret)
		NoLeak(t, "the source", Printed(source)+Printed(source.Info())+Printed(struct{ private, Public any }{source, source}), secret)
	}
}

func (v Vendor) renews(t *testing.T, s Source) {
	b := v.start(t)
	source := b.source(s)
	info := source.Info()
	fetch := func() fetcher.Token {
		t.Helper()
		token, err := source.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := fetch()
	end := b.clock.Load() + 7200
	b.clock.Add(3600)
	second := fetch()
	same := first.Value == second.Value
	wantLife := 7200 * time.Second
	if info.Renewal == fetcher.SameRemainder {
		wantLife /= 2
	}
	if wantSame := info.Renewal == fetcher.SameRenewed || info.Renewal == fetcher.SameRemainder; same != wantSame || second.ExpiresIn != wantLife {
		t.Errorf("after an hour: the same is %v, for %v, want %v, %v", same, second.ExpiresIn, wantSame, wantLife)
	}
	if info.MaxRefreshAhead != 0 && info.MaxRefreshAhead < info.RefreshAhead+info.Margin {
		t.Errorf("it is refreshed %v before the row ends, which is %v before the token does, but that is of use only %v before", info.RefreshAhead, info.Margin, info.MaxRefreshAhead)
	}
	if info.Renewal == fetcher.SameRemainder && info.Name != "wecom gettoken" && !s.Ticket { // which gives a new one only afterwards
		b.clock.Store(end - int64((info.RefreshAhead+info.Margin)/time.Second))
		if third := fetch(); third.Value == first.Value || third.ExpiresIn != 7200*time.Second {
			t.Errorf("when it is refreshed it is the same for %v, want another", third.ExpiresIn)
		}
	}
	if s.Ticket {
		return
	}
	ends := map[fetcher.Renewal]time.Duration{fetcher.NewOldDies: info.Overlap, fetcher.NewOldValid: time.Hour}
	if overlap, ok := ends[info.Renewal]; ok {
		for _, c := range []struct {
			after time.Duration
			want  fetcher.Verdict
		}{{overlap - time.Second, fetcher.Accepted}, {overlap, fetcher.Rejected}} {
			b.clock.Store(end - 3600 + int64(c.after/time.Second))
			if got := b.use(v.Paths[0], first.Value); got != c.want {
				t.Errorf("the former token %v after: %v, want %v", c.after, got, c.want)
			}
		}
	}
}

func (v Vendor) validates(t *testing.T, s Source) {
	b := v.start(t)
	good := Setup{URL: b.fake.URL, Client: b.fake.Client(), Key: Key, Secret: Secret, Parent: b.parent}
	for name, change := range map[string]func(*Setup){
		"no key":               func(c *Setup) { c.Key = "" },
		"no secret":            func(c *Setup) { c.Secret = "" },
		"line break at key":    func(c *Setup) { c.Key += "\n" },
		"blank at secret":      func(c *Setup) { c.Secret += " " },
		"no client":            func(c *Setup) { c.Client = nil },
		"base without scheme":  func(c *Setup) { c.URL = "vendor.fake" },
		"base of another kind": func(c *Setup) { c.URL = "ftp://vendor.fake" },
		"base without host":    func(c *Setup) { c.URL = "https:///path" },
		"base with a password": func(c *Setup) { c.URL = "https://u:s3cr@host" },
		"base with a query":    func(c *Setup) { c.URL = "https://host/?s3cr" },
		"base that is none":    func(c *Setup) { c.URL = "https://s3cr\x7f" },
		"no parent":            func(c *Setup) { c.Parent = nil },
	} {
		changed := good
		change(&changed)
		if s.Ticket && (changed.Key != Key || changed.Secret != Secret) || !s.Ticket && changed.Parent == nil {
			continue // it has none
		}
		source, err := s.New(changed)
		if err == nil {
			t.Errorf("%s: no error, but %v", name, source)
			continue
		}
		NoLeak(t, name, err.Error(), Secret)
	}
}

func (v Vendor) fingerprints(t *testing.T, s Source) {
	info := func(setup Setup) fetcher.Info {
		setup.Client, setup.Parent = http.DefaultClient, &parent{}
		source, err := s.New(setup)
		if err != nil {
			t.Fatal(err)
		}
		return source.Info()
	}
	of := func(setup Setup) string { return info(setup).Fingerprint }
	base := Setup{URL: "http://a.fake", Key: Key, Secret: Secret}
	if got := of(base); len(got) != 16 || got != of(base) {
		t.Errorf("fingerprint is %q, then %q", got, of(base))
	}
	changes := []Setup{{URL: "http://b.fake", Key: Key, Secret: Secret}}
	if !s.Ticket {
		changes = append(changes, Setup{URL: "http://a.fake", Key: "other", Secret: Secret}, Setup{URL: "http://a.fake", Key: Key, Secret: "other"})
	}
	for _, changed := range changes {
		if of(changed) == of(base) {
			t.Errorf("the same fingerprint with %+v", changed)
		}
		app := info(base).App // says which app it is, whatever its secret
		if sameKey := changed.Key == base.Key && changed.URL == base.URL; app != "" && (info(changed).App == app) != sameKey && changed.URL == base.URL {
			t.Errorf("app %q with %+v is %q", app, changed, info(changed).App)
		}
	}
}

// told is a parent that tells which app it is of.
type told struct {
	parent
	app string
}

func (p *told) Info() fetcher.Info { return fetcher.Info{App: p.app} }

// hasItsParentsApp holds for a ticket among the vendor's sources: what another app's ticket is, or another kind of ticket, has another app.
func (v Vendor) hasItsParentsApp(t *testing.T, s Source) {
	info := func(s Source, parent fetcher.Parent) fetcher.Info {
		source, err := s.New(Setup{URL: "http://a.fake", Client: http.DefaultClient, Key: Key, Secret: Secret, Parent: parent})
		if err != nil {
			t.Fatal(err)
		}
		return source.Info()
	}
	one := info(s, &told{app: "one"})
	if one.App == "" || one.App != info(s, &told{app: "one"}).App || one.App == info(s, &told{app: "other"}).App {
		t.Errorf("the app is %q, whatever the parent's", one.App)
	}
	if app := info(s, &told{}).App + info(s, &parent{}).App; app != "" {
		t.Errorf("of a parent that tells none, the app is %q", app)
	}
	for _, other := range v.Sources {
		if about := info(other, &told{app: "one"}); about.App == one.App && about.Name != one.Name {
			t.Errorf("%s and %s have the same app", one.Name, about.Name)
		}
	}
}

func (v Vendor) tellsItsParent(t *testing.T, s Source) {
	b := v.start(t)
	ctx := t.Context()
	former, err := b.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.fake.Revoke(former)
	ticket, err := b.source(s).Fetch(ctx)
	if err != nil || ticket.Check() != nil || fmt.Sprint(b.rejected) != fmt.Sprint([]string{former}) || b.fake.Count("token rejected", "ticket") != 2 {
		t.Errorf("got %v, %v, %d requests, rejected %d, want the ticket at the second request", ticket, err, b.fake.Count("token rejected", "ticket"), len(b.rejected))
	}

	// A vendor that refuses every token is asked twice, not for ever.
	b.rejected = nil
	before := b.fake.Count("token rejected")
	b.fake.FailNext(1, fetchertest.TokenRejected) // the ticket's first request; the parent's is the second
	refusing := &refusingParent{parent: b.parent, fake: b.fake}
	source, err := s.New(Setup{URL: b.fake.URL, Client: b.fake.Client(), Key: Key, Secret: Secret, Parent: refusing})
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Fetch(ctx)
	var failure *fetcher.SourceError
	if !errors.As(err, &failure) || failure.Class != fetcher.ClassConfig || len(b.rejected) != 1 || b.fake.Count("token rejected")-before != 2 {
		t.Errorf("got %v, %d requests, rejected %d, want a config error after two", err, b.fake.Count("token rejected")-before, len(b.rejected))
	}

	// No token is a failure of the parent's class.
	orphan := &parent{source: b.sourceOf(v.Sources[0], Setup{URL: b.fake.URL, Client: b.fake.Client()})}
	source, err = s.New(Setup{URL: b.fake.URL, Client: b.fake.Client(), Key: Key, Secret: Secret, Parent: orphan})
	if err != nil {
		t.Fatal(err)
	}
	b.fake.FailNext(1, fetchertest.AppThrottled)
	if _, err = source.Fetch(ctx); !errors.As(err, &failure) || failure.Class != fetcher.ClassThrottle || failure.RetryAfter < time.Second || failure.Source != source.Info().Name {
		t.Errorf("without a token: %v, want the parent's failure", err)
	}
}

// A refusingParent's token is refused after every renewal.
type refusingParent struct {
	*parent
	fake *fetchertest.Fake
}

func (p *refusingParent) Reject(ctx context.Context, token string) (string, error) {
	next, err := p.parent.Reject(ctx, token)
	p.fake.FailNext(1, fetchertest.TokenRejected)
	return next, err
}

// use calls an API with a token and returns what the Scheme makes of the reply.
func (b *bench) use(path, token string) fetcher.Verdict {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.fake.URL+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	if token != "" {
		b.v.Scheme.Inject(req, token)
	}
	resp, err := b.fake.Client().Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return b.v.Scheme.Judge(resp.StatusCode, resp.Header, body)
}

func (v Vendor) schemes(t *testing.T) {
	for _, path := range v.Paths {
		b := v.start(t)
		token, err := b.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := func(when, path, token string, want fetcher.Verdict) {
			t.Helper()
			if got := b.use(path, token); got != want {
				t.Errorf("%s with %s: %v, want %v\n%+v", path, when, got, want, b.fake.Calls())
			}
		}
		want("a good token", path, token, fetcher.Accepted)
		if n := b.fake.Count("ok"); n != 1 {
			t.Errorf("%s took %d tokens, want one", path, n)
		}
		want("no token the vendor gave", path, "0123456789abcdef0123456789abcdef", fetcher.Rejected)
		if v.AnotherApps != "" && path == v.Paths[0] {
			want("another app's token", v.AnotherApps, token, fetcher.WrongApp)
		}
		b.fake.Distrust(token)
		want("a distrusted token", path, token, fetcher.Rejected)
		b.clock.Add(7201)
		b.parent.token = ""
		next, _ := b.Token(t.Context())
		b.clock.Add(7200)
		want("an expired token", path, next, fetcher.Rejected)
		b.parent.token = ""
		next, _ = b.Token(t.Context())
		b.fake.Revoke(next)
		want("a revoked token", path, next, fetcher.Rejected)
	}
	for _, c := range append(v.Verdicts,
		Verdict{200, nil, ``, fetcher.Accepted}, Verdict{200, nil, `<html>`, fetcher.Accepted}, Verdict{502, nil, `<html>`, fetcher.Accepted},
		Verdict{200, nil, `[]`, fetcher.Accepted}, Verdict{200, nil, `null`, fetcher.Accepted}, Verdict{200, nil, `{"errcode":0,"code":0`, fetcher.Accepted},
		Verdict{200, nil, `{"errcode":0,"code":0,"message":"40014 99991663"}`, fetcher.Accepted}, Verdict{404, nil, `404 page not found`, fetcher.Accepted},
		Verdict{403, nil, `{}`, fetcher.Accepted}, Verdict{429, nil, `{}`, fetcher.Accepted},
	) {
		if got := v.Scheme.Judge(c.Status, c.Header, []byte(c.Body)); got != c.Want {
			t.Errorf("HTTP %d %v %s is %v, want %v", c.Status, c.Header, c.Body, got, c.Want)
		}
	}
}
