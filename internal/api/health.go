package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/duration"
)

func (s *service) healthz(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, map[string]string{"status": "ok"})
}

// pingTime bounds the database's answer, so that a probe with the usual timeout of a few seconds gets one.
const pingTime = 2 * time.Second

// maxFresh is longer than any vendor's token lives.
const maxFresh = 24 * time.Hour

// readyz says no if the database does not answer or a token cannot be used, for at least as long as the parameter fresh says. It
// names what is wrong but no details: it needs no key.
func (s *service) readyz(w http.ResponseWriter, r *http.Request) error {
	var atLeast time.Duration
	if text := r.URL.Query().Get("fresh"); text != "" {
		d, err := duration.Parse(text)
		if err == nil && (d < 0 || d > maxFresh) {
			err = fmt.Errorf("want 0 to %s; %w", duration.Text(maxFresh), duration.ErrForm)
		}
		if err != nil {
			return problem{Status: http.StatusBadRequest, Title: "Bad parameter", Detail: fmt.Sprintf("fresh: %v", err)}
		}
		atLeast = d
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingTime)
	defer cancel()
	var (
		wrong  []string
		causes []error // for the log alone
	)
	if err := s.Ping(ctx); err != nil {
		wrong, causes = append(wrong, "the database does not answer"), append(causes, err)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tokens)) {
		if err := s.Tokens[name].Fresh(atLeast); err != nil {
			wrong, causes = append(wrong, fmt.Sprintf("token %q is not fresh", name)), append(causes, err)
		}
	}
	if len(wrong) > 0 {
		return problem{Status: http.StatusServiceUnavailable, Title: "Not ready", Detail: strings.Join(wrong, "; "), retryAfter: time.Second, causes: causes}
	}
	return answer(w, map[string]string{"status": "ready"})
}

func (s *service) metrics(w http.ResponseWriter, r *http.Request) error {
	s.Metrics.ServeHTTP(w, r)
	return nil
}
