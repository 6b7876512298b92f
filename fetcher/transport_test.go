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
