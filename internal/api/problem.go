package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// A problem is an answer that is none, in the form of RFC 9457. It contains neither secrets nor tokens.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	// Class is the kind of a vendor's failure, as [fetcher.Class] has it.
	Class fetcher.Class `json:"class,omitempty"`
	// Code is the vendor's own code.
	Code string `json:"code,omitempty"`

	retryAfter time.Duration
	causes     []error // which the log tells, and the client does not hear
}

func (p problem) Error() string {
	text := p.Title + ": " + p.Detail
	for _, cause := range p.causes {
		text += "; " + cause.Error()
	}
	return text
}

// level is how loudly to log it: what the caller did wrong is no news to the operator, nor is what the fetcher has warned of.
func (p problem) level() slog.Level {
	if p.Status >= http.StatusInternalServerError && p.Class == "" {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="larder"`)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // to a client that may be gone
}

// problemOf tells an error to the client: whose fault it is, and whether to try again.
func problemOf(err error) problem {
	var p problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, fetcher.ErrRejectedTooOften) {
		p = problem{Status: http.StatusTooManyRequests, Title: "Rejected too often", Detail: err.Error(), retryAfter: time.Second}
		var later interface{ RetryAfter() time.Duration }
		if errors.As(err, &later) {
			p.retryAfter = max(p.retryAfter, later.RetryAfter())
		}
		return p
	}
	var source *fetcher.SourceError
	if errors.As(err, &source) {
		p = problem{Status: http.StatusBadGateway, Title: "The vendor gave no token", Detail: err.Error(), Class: source.Class, Code: source.Code}
		if source.Retryable() {
			p.Status, p.retryAfter = http.StatusServiceUnavailable, max(source.RetryAfter, time.Second)
		}
		return p
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem{Status: http.StatusGatewayTimeout, Title: "Not in time", Detail: err.Error()}
	}
	return problem{Status: http.StatusServiceUnavailable, Title: "Not available", Detail: err.Error(), retryAfter: time.Second}
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // to a client that may be gone
	return nil
}
