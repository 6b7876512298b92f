package fetcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Transport sends requests with a token: it puts the token where the vendor wants it, judges the reply, and if the vendor does not accept the token,
// gets another one and sends the request once more.
//
//	client := &http.Client{Transport: transport}
//
// A request is sent twice at most, and only if its body can be: it has none, or GetBody, which [http.NewRequest] sets for buffers and
// strings. If there is no other token, or the second one is rejected too, the vendor's reply is returned as it is. A reply's body can be read
// whole, though the transport has looked at its first [JudgedBytes].
//
// The token goes to the hosts of [WithHosts], or without them to the host that a request was made for. A redirect to another host, or from https to
// http, is followed without it, if the client follows it. The caller's request is not changed, and the response's Request is the caller's, so that the
// token is not in either.
type Transport struct {
	tokens Parent
	scheme Scheme
	base   http.RoundTripper
	hosts  map[string]bool // empty: the first request's
}

// A TransportOption changes a transport's defaults.
type TransportOption func(*Transport) error

// WithBase sets what sends the requests. Defaults to [http.DefaultTransport].
func WithBase(base http.RoundTripper) TransportOption {
	return func(t *Transport) error {
		if base == nil {
			return errors.New("base transport: want one, got nil")
		}
		t.base = base
		return nil
	}
}

// WithHosts sets the hosts that get the token, as in a URL: "api.dingtalk.com", with the port if it has one.
func WithHosts(hosts ...string) TransportOption {
	return func(t *Transport) error {
		for _, host := range hosts {
			if host == "" || strings.ContainsAny(host, "/@ ") {
				return fmt.Errorf("host %q: want a name, or a name and a port", host)
			}
			t.hosts[strings.ToLower(host)] = true
		}
		return nil
	}
}

// NewTransport returns a transport that takes its tokens from tokens, mostly a [*Fetcher], and treats them as scheme says.
func NewTransport(tokens Parent, scheme Scheme, opts ...TransportOption) (*Transport, error) {
	if tokens == nil || scheme.Inject == nil || scheme.Judge == nil {
		return nil, errors.New("new transport: want a fetcher and a whole scheme")
	}
	t := &Transport{tokens: tokens, scheme: scheme, base: http.DefaultTransport, hosts: map[string]bool{}}
	for _, o := range opts {
		if err := o(t); err != nil {
			return nil, fmt.Errorf("new transport: %w", err)
		}
	}
	return t, nil
}

// RoundTrip implements [http.RoundTripper]. It returns the errors of [Fetcher.Token], and the base's; a stale token is used.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.gets(req) {
		return t.base.RoundTrip(req)
	}
	token, err := t.tokens.Token(req.Context())
	if err != nil && (token == "" || !errors.Is(err, ErrStale)) {
		closeBody(req)
		return nil, err
	}
	resp, verdict, err := t.send(req, req.Body, token)
	if err != nil {
		return nil, err
	}
	switch verdict {
	case WrongApp:
		if r, ok := t.tokens.(interface{ ReportWrongApp(token string) }); ok {
			r.ReportWrongApp(token)
		}
	case Rejected:
		// Also of a request that cannot be repeated: the next one has a better token then.
		next, err := t.tokens.Reject(req.Context(), token)
		if err != nil || next == token {
			return resp, nil
		}
		body, ok := replayed(req)
		if !ok {
			return resp, nil
		}
		_ = resp.Body.Close()
		resp, _, err = t.send(req, body, next)
		return resp, err
	}
	return resp, nil
}

// gets reports whether the request gets the token. A redirected one leads back to the request that the caller made.
func (t *Transport) gets(req *http.Request) bool {
	if len(t.hosts) > 0 && !t.hosts[strings.ToLower(req.URL.Host)] {
		return false
	}
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
		if first.URL.Scheme == "https" && req.URL.Scheme != "https" {
			return false
		}
	}
	return len(t.hosts) > 0 || strings.EqualFold(first.URL.Host, req.URL.Host)
}

// send sends a copy of the request with the token, and judges the reply.
func (t *Transport) send(req *http.Request, body io.ReadCloser, token string) (*http.Response, Verdict, error) {
	sent := req.Clone(req.Context())
	sent.Body = body
	t.scheme.Inject(sent, token)
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, Accepted, err
	}
	resp.Request = req
	return resp, t.scheme.Judge(resp.StatusCode, resp.Header, peek(resp)), nil
}

// peek returns the beginning of the reply's body, which can be read from its beginning afterwards. It waits for no
// stream of events, and leaves a connection that was taken over alone.
func peek(resp *http.Response) []byte {
	if resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols ||
		strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return nil
	}
	beginning, err := io.ReadAll(io.LimitReader(resp.Body, JudgedBytes))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(beginning), rest), resp.Body}
	return beginning
}

// failing is the rest of a body whose reading has failed: the caller learns it where it happened.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// replayed returns the request's body from its beginning, and whether it can.
func replayed(req *http.Request) (io.ReadCloser, bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return req.Body, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	return body, err == nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
