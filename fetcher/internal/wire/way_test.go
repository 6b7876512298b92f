package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// answering is the address of a vendor that answers each connection with bytes, as no HTTP server would.
func answering(t *testing.T, answer func(conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			answer(conn)
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

const goodReply = `{"access_token":"a-token-of-16-bytes","expires_in":7200}`

var plain = Dialect{
	Vendor: "Vendor", Token: "access_token", Life: "expires_in", DefaultLife: time.Hour, LongestLife: 24 * time.Hour,
	Refusal: ErrCode, Judge: func(string) (Meaning, bool) { return Meaning{}, false },
}

// fetch asks as a source does.
func fetch(t *testing.T, client *http.Client, base string) (fetcher.Token, *fetcher.SourceError) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/gettoken?secret=the-app-s-secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, failure := Do(client, req)
	if failure != nil {
		return fetcher.Token{}, failure
	}
	return plain.Parse(reply)
}

// Whatever comes that is not exactly one whole reply is no token, and an error that says so.
func TestDo_WhatIsNoWholeReplyIsNoToken(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = io.WriteString(z, goodReply+strings.Repeat(" ", 64<<20))
	_ = z.Close()
	for name, c := range map[string]struct {
		raw  string
		want fetcher.Class
	}{
		"nothing":                 {"", fetcher.ClassTransient},
		"half a length":           {"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + goodReply, fetcher.ClassTransient},
		"chunks without an end":   {fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(goodReply), goodReply), fetcher.ClassTransient},
		"no gzip":                 {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip at all, but long enough", fetcher.ClassTransient},
		"a gzip bomb":             {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), bomb.String()), fetcher.ClassProtocol},
		"HTTP/2's GOAWAY":         {"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", fetcher.ClassTransient},
		"no HTTP":                 {goodReply + "\r\n\r\n", fetcher.ClassTransient},
		"a header that is none":   {"HTTP/1.1 200 OK\r\n" + goodReply + "\r\n\r\n", fetcher.ClassTransient},
		"a status that is none":   {"HTTP/1.1 " + goodReply + "\r\n\r\n", fetcher.ClassTransient},
		"headers without a bound": {"HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 128<<10) + "\r\n\r\n" + goodReply, fetcher.ClassTransient},
		"another protocol":        {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + goodReply, fetcher.ClassUnknown},
		"204":                     {"HTTP/1.1 204 No Content\r\n\r\n", fetcher.ClassProtocol},
		"a byte order mark":       {"HTTP/1.1 200 OK\r\n\r\n\xef\xbb\xbf" + goodReply, fetcher.ClassProtocol},
		"UTF-16":                  {"HTTP/1.1 200 OK\r\n\r\n\xff\xfe{\x00}\x00", fetcher.ClassProtocol},
		"two objects":             {"HTTP/1.1 200 OK\r\n\r\n" + goodReply + goodReply, fetcher.ClassProtocol},
		"null":                    {"HTTP/1.1 200 OK\r\n\r\nnull", fetcher.ClassProtocol},
		"the last errcode counts": {"HTTP/1.1 200 OK\r\n\r\n" + `{"errcode":0,"errcode":40096,"access_token":"a-token-of-16-bytes"}`, fetcher.ClassUnknown},
	} {
		base := answering(t, func(conn net.Conn) { _, _ = io.WriteString(conn, c.raw) })
		token, failure := fetch(t, NewClient(), base)
		if failure == nil || failure.Class != c.want || token.Value != "" || failure.Message == "" {
			t.Errorf("%s: got %v, %v, want a failure of class %s", name, token, failure, c.want)
			continue
		}
		if shown := Seal(failure, "vendor", "the-app-s-secret").Error(); strings.Contains(shown, "the-app-s-secret") || strings.Contains(shown, "a-token-of-16") {
			t.Errorf("%s: %s", name, shown)
		}
	}
}

// endless is a body that is much too long, and counts what was taken of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 16<<20 { // enough for the test
		return 0, io.EOF
	}
	e.read += len(p)
	return len(p), nil
}
func (*endless) Close() error { return nil }

type way func(*http.Request) (*http.Response, error)

func (w way) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func TestDo_ReadsNoMoreThanAReplyCanHave(t *testing.T) {
	body := &endless{}
	_, failure := fetch(t, &http.Client{Transport: way(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r}, nil
	})}, "http://vendor.fake")
	if failure == nil || failure.Class != fetcher.ClassProtocol || !strings.Contains(failure.Message, "65536") || body.read > 128<<10 {
		t.Errorf("%v after %d bytes, want 64 KiB", failure, body.read)
	}
}

// What a way to the vendor says is told without the URL, which is not the reason and holds the secret.
func TestDo_TellsTheReasonWithoutTheURL(t *testing.T) {
	_, failure := fetch(t, &http.Client{Transport: way(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("no route to host")
	})}, "http://vendor.fake")
	if failure == nil || failure.Message != "no route to host" || failure.Reason != fetcher.ReasonNetwork {
		t.Errorf("got %+v", failure)
	}
}

func TestNewClient_UsesTheEnvironmentsProxyAndKeepsNoConnection(t *testing.T) {
	transport, ok := NewClient().Transport.(*http.Transport)
	if !ok || transport.Proxy == nil || !transport.DisableKeepAlives {
		t.Errorf("got %+v", transport)
	}
	if ok && fmt.Sprintf("%p", transport.Proxy) != fmt.Sprintf("%p", http.ProxyFromEnvironment) {
		t.Error("it is another proxy's")
	}
}

// The parent's former token is a secret of the second request too: the vendor may tell of either.
func TestSource_NeitherOfAParentsTokensIsShown(t *testing.T) {
	const former, next = "the-former-token-of-the-parent", "the-next-token-of-the-parent-x"
	endpoint := Endpoint{}
	if err := errors.Join(endpoint.SetBase("http://vendor.fake"), endpoint.SetClient(&http.Client{Transport: way(func(r *http.Request) (*http.Response, error) {
		body := `{"errcode":40014,"errmsg":"not ` + former + `, not ` + next + `"}`
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})})); err != nil {
		t.Fatal(err)
	}
	s := NewSource(Spec{
		Endpoint: endpoint, Dialect: &plain, Parent: &parent{former, next},
		Request: func(ctx context.Context) (*http.Request, error) { return endpoint.Get(ctx, "ticket", nil) },
		Scheme: fetcher.Scheme{
			Inject: func(req *http.Request, token string) { SetQuery(req, "access_token", token) },
			Judge:  func(int, http.Header, []byte) fetcher.Verdict { return fetcher.Rejected },
		},
	})
	_, err := s.Fetch(t.Context())
	if err == nil || strings.Contains(err.Error(), former) || strings.Contains(err.Error(), next) || strings.Count(err.Error(), redacted) != 2 {
		t.Errorf("got %v", err)
	}
}

type parent struct{ token, next string }

func (p *parent) Token(context.Context) (string, error)          { return p.token, nil }
func (p *parent) Reject(context.Context, string) (string, error) { return p.next, nil }

// A throttle is never over at once, and a parameter whose name cannot be read is left as it is.
func TestFail_AThrottleLastsASecondAtLeast(t *testing.T) {
	if got := Fail(Reply{}, Meaning{Class: fetcher.ClassThrottle}, "").RetryAfter; got != time.Second {
		t.Errorf("got %v", got)
	}
}

func TestSetQuery_LeavesTheOthersAsTheyAre(t *testing.T) {
	req := &http.Request{URL: &url.URL{RawQuery: "a=%zz&%zz=b&access%5ftoken=old&access_token=old&&c"}}
	SetQuery(req, "access_token", "n&w")
	if got, want := req.URL.RawQuery, "a=%zz&%zz=b&c&access_token=n%26w"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
