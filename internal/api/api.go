// Package api is larder's HTTP service.
//
// Its contract is JSON; errors are problem details (RFC 9457). Requests carry "Authorization: Bearer KEY", and every key has roles; see
// [Key]. Without any key the service is open, which [Listen] allows on loopback addresses only; requests that a browser makes for
// another site's page are refused then as always.
//
//	GET  /v1/tokens                the tokens and their state, without the tokens themselves
//	GET  /v1/tokens/{name}         {"access_token","expires_in"}
//	POST /v1/tokens/{name}/reject  {"access_token":"the rejected one"}, answers the new one
//	GET  /healthz                  the process is alive
//	GET  /readyz                   the database answers and every token can be used; ?fresh=5m: for at least that long
//	GET  /metrics                  for Prometheus
package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// A Fetcher keeps one token; a [*fetcher.Fetcher] is one.
type Fetcher interface {
	Get(ctx context.Context) (fetcher.Result, error)
	Reject(ctx context.Context, token string) (string, error)
	Status() fetcher.Status
	Fresh(atLeast time.Duration) error
}

// A Config is what the service needs. Its fields must not be changed afterwards.
type Config struct {
	// Tokens are the fetchers by the names of their tokens.
	Tokens map[string]Fetcher

	// Keys open the service to those who present them. Defaults to none: everybody who can connect may do everything.
	Keys []Key

	// Ping reports whether the database answers.
	Ping func(ctx context.Context) error

	// Metrics answers GET /metrics.
	Metrics http.Handler

	// Logger gets one event for each request: a warning if it failed because of the service, and else at debug level. That a vendor gives no
	// token is not warned of for each request; the fetcher's own log does that. Defaults to none.
	Logger *slog.Logger
}

// maxTime is how long a request may take, so that none outlives the server's write timeout without an answer.
const maxTime = 30 * time.Second

// Handler returns the service.
func Handler(c Config) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &service{Config: c, keys: digestKeys(c.Keys)}
	mux := http.NewServeMux()
	var routes []string
	handle := func(pattern string, allowed []Role, h handler) {
		mux.Handle(pattern, s.route(allowed, h))
		routes = append(routes, pattern)
	}

	handle("GET /v1/tokens", []Role{RoleRead, RoleTokens}, s.listTokens)
	handle("GET /v1/tokens/{name}", []Role{RoleTokens}, s.getToken)
	handle("POST /v1/tokens/{name}/reject", []Role{RoleTokens}, s.rejectToken)
	handle("GET /healthz", nil, s.healthz)
	handle("GET /readyz", nil, s.readyz)
	handle("GET /metrics", []Role{RoleRead}, s.metrics)
	return s.guard(otherwise(mux, routes))
}

type service struct {
	Config
	keys []digestedKey
}

// A handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// route checks the key, bounds the time, and turns an error into its problem.
func (s *service) route(allowed []Role, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), maxTime)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		begun := time.Now()
		err := s.authorize(r, allowed)
		if err == nil {
			err = h(w, r.WithContext(ctx))
		}
		// The path is logged escaped, so that it stays on one line; it holds no secret.
		attrs := []any{"method", r.Method, "path", r.URL.EscapedPath(), "took", time.Since(begun).Round(time.Microsecond)}
		if err == nil {
			s.Logger.DebugContext(ctx, "request", attrs...)
			return
		}
		p := problemOf(err)
		s.Logger.Log(ctx, p.level(), "request failed", append(attrs, "status", p.Status, "error", err.Error())...)
		p.write(w)
	})
}

// otherwise answers what the mux has no route for with its status, 404 or 405, as a problem that names those it has.
func otherwise(mux *http.ServeMux, routes []string) http.Handler {
	nothing := "there is nothing at this path; there is: " + strings.Join(routes, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := statusOnly{ResponseWriter: w}
		h.ServeHTTP(&refusal, r)
		if refusal.status < http.StatusBadRequest { // a redirect to the path without its double slashes, where there is nothing either
			w.Header().Del("Location")
			refusal.status = http.StatusNotFound
		}
		p := problem{Status: refusal.status, Title: http.StatusText(refusal.status), Detail: nothing}
		if allow := w.Header().Get("Allow"); allow != "" {
			p.Detail = "this path takes " + allow
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		p.write(w)
	})
}

// statusOnly keeps the status and the header of an answer.
type statusOnly struct {
	http.ResponseWriter
	status int
}

func (s *statusOnly) WriteHeader(status int) { s.status = status }

func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }

// guard refuses what a browser sends for a page of another site: a page could otherwise use an open service on its reader's own machine.
// It compares the Host too, because a page's own name can be made to point to 127.0.0.1. Without a Host it was no browser, but mostly a load
// balancer's check by HTTP/1.0.
func (s *service) guard(next http.Handler) http.Handler {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem{Status: http.StatusForbidden, Title: "Cross-site request", Detail: "a browser sent this for another site's page; call the service from a program"}.write(w)
	})
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(refuse)
	protected := crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(s.keys) == 0 && r.Host != "" && !loopbackHost(r.Host) {
			problem{Status: http.StatusForbidden, Title: "Not a loopback name",
				Detail: "without a key the service answers to 127.0.0.1, ::1 and localhost alone: use one of them, or set LARDER_API_KEY"}.write(w)
			return
		}
		protected.ServeHTTP(w, r)
	})
}
