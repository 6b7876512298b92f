package fetcher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher"
)

// scheme is DingTalk's older one, in short: the token in the query, errcode in the body.
var scheme = fetcher.Scheme{
	Inject: func(req *http.Request, token string) {
		query := req.URL.Query()
		query.Set("access_token", token)
		req.URL.RawQuery = query.Encode()
	},
	Judge: func(status int, _ http.Header, body []byte) fetcher.Verdict {
		switch {
		case bytes.Contains(body, []byte(`"errcode":40014`)):
			return fetcher.Rejected
		case bytes.Contains(body, []byte(`"errcode":41020`)):
			return fetcher.WrongApp
		}
		return fetcher.Accepted
	},
}

// A pair is a parent with one token and its successor.
type pair struct {
	current    string
	next       string
	rejections []string
	wrong      []string
	err        error
}

func (p *pair) Token(context.Context) (string, error) { return p.current, p.err }

func (p *pair) Reject(_ context.Context, token string) (string, error) {
	p.rejections = append(p.rejections, token)
	if p.next == "" {
		return "", errors.New("there is no other")
	}
	p.current = p.next
	return p.current, nil
}

func (p *pair) ReportWrongApp(token string) { p.wrong = append(p.wrong, token) }

// An api takes "good" and rejects all other tokens.
type api struct {
	*httptest.Server
	tokens []string // that it was sent, in order
	bodies []string
}

func newAPI(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, token string)) *api {
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		token := r.URL.Query().Get("access_token")
		a.tokens, a.bodies = append(a.tokens, token), append(a.bodies, string(body))
		answer(w, r, token)
	}))
	t.Cleanup(a.Close)
	return a
}

func takesGood(w http.ResponseWriter, _ *http.Request, token string) {
	if token != "good" {
		_, _ = io.WriteString(w, `{"errcode":40014,"errmsg":"invalid access_token"}`)
		return
	}
	_, _ = io.WriteString(w, `{"errcode":0}`)
}

func newClient(t *testing.T, tokens fetcher.Parent, opts ...fetcher.TransportOption) *http.Client {
	t.Helper()
	transport, err := fetcher.NewTransport(tokens, scheme, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// said returns the reply's body.
func said(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTransport_RejectedTokenIsReplacedAndTheRequestRepeatedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		next string
		want []string
		body string
	}{
		"the next is accepted":     {"good", []string{"old", "good"}, `{"errcode":0}`},
		"the next is rejected too": {"bad", []string{"old", "bad"}, `{"errcode":40014,"errmsg":"invalid access_token"}`},
		"there is no other":        {"", []string{"old"}, `{"errcode":40014,"errmsg":"invalid access_token"}`},
	} {
		t.Run(name, func(t *testing.T) {
			a, tokens := newAPI(t, takesGood), &pair{current: "old", next: c.next}
			resp, err := newClient(t, tokens).Post(a.URL+"/send?x=1", "application/json", strings.NewReader(`{"to":"me"}`))
			if got := said(t, resp, err); got != c.body {
				t.Errorf("reply is %s, want %s", got, c.body)
			}
			if !slices.Equal(a.tokens, c.want) || !slices.Equal(tokens.rejections, []string{"old"}) {
				t.Errorf("sent %q, rejected %q, want %q sent and the old one rejected", a.tokens, tokens.rejections, c.want)
			}
			for _, body := range a.bodies {
				if body != `{"to":"me"}` {
					t.Errorf("sent the body %q", body)
				}
			}
			if strings.Contains(fmt.Sprint(resp.Request.URL), "access_token") {
				t.Errorf("the response shows the token: %v", resp.Request.URL)
			}
		})
	}
}

func TestTransport_BodyThatCannotBeReplayedIsNotSentTwice(t *testing.T) {
	a, tokens := newAPI(t, takesGood), &pair{current: "old", next: "good"}
	req, err := http.NewRequest(http.MethodPost, a.URL, io.MultiReader(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newClient(t, tokens).Do(req)
	if got := said(t, resp, err); !strings.Contains(got, "40014") || len(a.tokens) != 1 {
		t.Errorf("reply %s after %d requests", got, len(a.tokens))
	}
	if tokens.current != "good" {
		t.Error("the next request would have the rejected token")
	}
}

// 41020 and the codes of missing permissions say nothing about the token's life.
func TestScenario14_WrongAppIsReportedAndNotRetried(t *testing.T) {
	for code, wrong := range map[int]bool{41020: true, 41001: false, 60011: false} {
		a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprintf(w, `{"errcode":%d}`, code) })
		tokens := &pair{current: "old", next: "good"}
		resp, err := newClient(t, tokens).Get(a.URL)
		_ = said(t, resp, err)
		if len(a.tokens) != 1 || len(tokens.rejections) != 0 || (len(tokens.wrong) == 1) != wrong {
			t.Errorf("%d: %d requests, rejected %q, wrong %q", code, len(a.tokens), tokens.rejections, tokens.wrong)
		}
	}
}

func TestScenario19_RedirectElsewhereDoesNotGetTheToken(t *testing.T) {
	elsewhere := newAPI(t, takesGood)
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		http.Redirect(w, r, elsewhere.URL+"/stolen", http.StatusTemporaryRedirect)
	})
	for name, opts := range map[string][]fetcher.TransportOption{
		"by default": nil,
		"with hosts": {fetcher.WithHosts(strings.TrimPrefix(a.URL, "http://"))},
	} {
		resp, err := newClient(t, &pair{current: "good"}, opts...).Get(a.URL)
		_ = said(t, resp, err)
		if !slices.Equal(elsewhere.tokens, []string{""}) {
			t.Errorf("%s: the other host was sent %q", name, elsewhere.tokens)
		}
		elsewhere.tokens = nil
	}
}

func TestTransport_RedirectOnTheSameHostGetsTheToken(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request, token string) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		takesGood(w, r, token)
	})
	resp, err := newClient(t, &pair{current: "good"}).Get(a.URL)
	if got := said(t, resp, err); got != `{"errcode":0}` {
		t.Errorf("reply is %s", got)
	}
}

func TestTransport_OtherHostsThanThoseNamedGetNothing(t *testing.T) {
	a := newAPI(t, takesGood)
	resp, err := newClient(t, &pair{current: "good"}, fetcher.WithHosts("api.dingtalk.com")).Get(a.URL)
	_ = said(t, resp, err)
	if !slices.Equal(a.tokens, []string{""}) {
		t.Errorf("was sent %q", a.tokens)
	}
}

func TestTransport_BodyIsReadWholeByTheCaller(t *testing.T) {
	whole := strings.Repeat("0123456789abcdef", 20<<10) // 320 KB
	judged := 0
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, whole) })
	long := scheme
	long.Judge = func(_ int, _ http.Header, body []byte) fetcher.Verdict { judged = len(body); return fetcher.Accepted }
	transport, err := fetcher.NewTransport(&pair{current: "good"}, long)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Get(a.URL)
	if got := said(t, resp, err); got != whole {
		t.Errorf("read %d bytes, want %d", len(got), len(whole))
	}
	if judged != fetcher.JudgedBytes {
		t.Errorf("judged %d bytes, want %d", judged, fetcher.JudgedBytes)
	}
}

func TestTransport_WithoutATokenNothingIsSent(t *testing.T) {
	a, down := newAPI(t, takesGood), errors.New("no token can be had")
	_, err := newClient(t, &pair{err: down}).Post(a.URL, "text/plain", strings.NewReader("x"))
	if !errors.Is(err, down) || len(a.tokens) != 0 {
		t.Errorf("%v after %d requests", err, len(a.tokens))
	}
	resp, err := newClient(t, &pair{current: "good", err: fmt.Errorf("%w: %w", fetcher.ErrStale, down)}).Get(a.URL)
	if got := said(t, resp, err); got != `{"errcode":0}` {
		t.Errorf("with a stale token: %s", got)
	}
}

func TestNewTransport_RefusesWhatCannotWork(t *testing.T) {
	for name, make := range map[string]func() (*fetcher.Transport, error){
		"no fetcher": func() (*fetcher.Transport, error) { return fetcher.NewTransport(nil, scheme) },
		"no scheme":  func() (*fetcher.Transport, error) { return fetcher.NewTransport(&pair{}, fetcher.Scheme{}) },
		"no base": func() (*fetcher.Transport, error) {
			return fetcher.NewTransport(&pair{}, scheme, fetcher.WithBase(nil))
		},
		"a URL": func() (*fetcher.Transport, error) {
			return fetcher.NewTransport(&pair{}, scheme, fetcher.WithHosts("https://api.dingtalk.com"))
		},
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A stub of the way to an API: what it was sent, and what it answers.
type scripted struct {
	sent   []*http.Request
	answer func(n int) *http.Response
}

func (s *scripted) RoundTrip(req *http.Request) (*http.Response, error) {
	s.sent = append(s.sent, req)
	return s.answer(len(s.sent)), nil
}

// A spied body tells how much of it was read, and whether it was closed.
type spied struct {
	io.Reader
	read   int
	closed bool
}

func (s *spied) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.read += n
	return n, err
}

// once fails once, and has nothing more to say afterwards.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	err := o.err
	o.err = io.EOF
	return 0, err
}

func (s *spied) Close() error { s.closed = true; return nil }

func scriptedTransport(t *testing.T, tokens fetcher.Parent, base http.RoundTripper, opts ...fetcher.TransportOption) *fetcher.Transport {
	t.Helper()
	transport, err := fetcher.NewTransport(tokens, scheme, append(opts, fetcher.WithBase(base))...)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// The vendor that gives the rejected token again is not asked the same again, and what is not returned is closed.
func TestTransport_TheSameTokenIsNotSentTwice(t *testing.T) {
	const rejection = `{"errcode":40014}`
	for next, want := range map[string]int{"old": 1, "other": 2} {
		bodies := []*spied{{Reader: strings.NewReader(rejection)}, {Reader: strings.NewReader(rejection)}}
		base := &scripted{answer: func(n int) *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: bodies[n-1]}
		}}
		resp, err := scriptedTransport(t, &pair{current: "old", next: next}, base).RoundTrip(request(t, "GET", "http://a.fake/", nil))
		if err != nil || len(base.sent) != want || bodies[0].closed != (want == 2) {
			t.Errorf("next is %s: %v, sent %d times, want %d; the first reply is closed: %v", next, err, len(base.sent), want, bodies[0].closed)
		}
		if text := said(t, resp, err); text != rejection {
			t.Errorf("the caller reads %q", text)
		}
	}
}

func TestScenario19_RedirectToPlainHTTPDoesNotGetTheToken(t *testing.T) {
	for location, gets := range map[string]bool{"http://api.fake/next": false, "https://api.fake/next": true, "https://API.fake/next": true} {
		base := &scripted{answer: func(n int) *http.Response {
			r := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
			if n == 1 {
				r.StatusCode, r.Header = http.StatusFound, http.Header{"Location": {location}}
			}
			return r
		}}
		for name, opts := range map[string][]fetcher.TransportOption{"": nil, "with hosts": {fetcher.WithHosts("Api.Fake")}} {
			base.sent = nil
			client := &http.Client{Transport: scriptedTransport(t, &pair{current: "good"}, base, opts...)}
			resp, err := client.Do(request(t, "GET", "https://api.fake/", nil))
			if _ = said(t, resp, err); len(base.sent) != 2 || !strings.Contains(base.sent[0].URL.RawQuery, "good") {
				t.Fatalf("%s: sent %d requests, the first with %q", name, len(base.sent), base.sent[0].URL.RawQuery)
			}
			if got := strings.Contains(base.sent[1].URL.RawQuery, "good"); got != gets {
				t.Errorf("%s %s gets the token: %v, want %v", name, location, got, gets)
			}
		}
	}
}

// A stream is its reader's alone.
func TestTransport_ReadsNothingOfAStream(t *testing.T) {
	for name, reply := range map[string]http.Response{
		"events":              {StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}},
		"switching protocols": {StatusCode: 101, Header: http.Header{}},
	} {
		body := &spied{Reader: strings.NewReader("data: 1\n\n")}
		reply.Body = body
		base := &scripted{answer: func(int) *http.Response { return &reply }}
		resp, err := scriptedTransport(t, &pair{current: "good"}, base).RoundTrip(request(t, "GET", "http://a.fake/", nil))
		if err != nil || body.read != 0 || resp.Body != io.ReadCloser(body) {
			t.Errorf("%s: %v, %d bytes were read", name, err, body.read)
		}
		_ = resp.Body.Close()
	}
}

// What a broken connection left of the body is not taken for the whole.
func TestTransport_BodyThatBreaksOffBreaksOffForTheCaller(t *testing.T) {
	broken := errors.New("connection reset")
	base := &scripted{answer: func(int) *http.Response {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: &spied{Reader: io.MultiReader(strings.NewReader(`{"errcode":0,`), &once{broken})}}
	}}
	resp, err := scriptedTransport(t, &pair{current: "good"}, base).RoundTrip(request(t, "GET", "http://a.fake/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); string(text) != `{"errcode":0,` || !errors.Is(err, broken) {
		t.Errorf("the caller reads %q, %v", text, err)
	}
}

// As http.RoundTripper demands, also of a request that is never sent.
func TestTransport_ClosesTheBodyOfARequestThatIsNotSent(t *testing.T) {
	body := &spied{Reader: strings.NewReader("x")}
	_, err := scriptedTransport(t, &pair{err: errors.New("none")}, &scripted{}).RoundTrip(request(t, "POST", "http://a.fake/", body))
	if err == nil || !body.closed {
		t.Errorf("%v, closed: %v", err, body.closed)
	}
}
