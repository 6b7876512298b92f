// Package wire is what the vendors' sources have in common: their requests, which are bounded and follow no redirect; their replies,
// which a [Dialect] reads; and their errors, which hold no secret.
package wire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// NewClient returns the client that sources use unless they are given one: the environment's proxy, the system's certificates,
// no connection kept open, because a token is fetched every other hour. How long a request may take is the context's matter.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxBody,
		},
	}
}

// WithoutRedirects returns a copy of client that gives a redirect back as the reply: following it would hand the secret to
// whatever host the reply names.
func WithoutRedirects(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// maxTime bounds a request whose context does not.
const maxTime = 10 * time.Second

// maxBody is the longest reply that is read. A token's is under 1 KiB.
const maxBody = 64 << 10

// A Reply is a vendor's whole reply: a body of at most 64 KiB that is no redirect.
type Reply struct {
	Status      int
	Header      http.Header
	ContentType string // the media type, in lower case and without parameters
	Body        []byte
	RetryAfter  time.Duration // of the headers that say so, at most an hour; 0 if there are none
}

// Do sends req and reads the reply, for at most 10 s if the request's context has no deadline. Its error has no Source yet, and a
// Message that may hold secrets: [Seal] it.
func Do(client *http.Client, req *http.Request) (Reply, *fetcher.SourceError) {
	if _, bounded := req.Context().Deadline(); !bounded {
		ctx, cancel := context.WithTimeout(req.Context(), maxTime)
		defer cancel()
		req = req.WithContext(ctx)
	}
	begun := time.Now()
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "larder")
	resp, err := client.Do(req)
	if err != nil {
		return Reply{}, lost(req.Context(), err, time.Since(begun))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return Reply{}, &fetcher.SourceError{
			Class: fetcher.ClassConfig, Status: resp.StatusCode,
			Message: "the reply is a redirect to " + redirectHost(resp) + ", which is not followed because the secret would go there",
			Advice:  "check the base URL, and the proxy if there is one",
		}
	case err != nil:
		failure := lost(req.Context(), err, time.Since(begun))
		failure.Status = resp.StatusCode
		return Reply{}, failure
	case len(body) > maxBody:
		return Reply{}, &fetcher.SourceError{
			Class: fetcher.ClassProtocol, Status: resp.StatusCode,
			Message: fmt.Sprintf("the reply is longer than %d bytes", maxBody),
			Advice:  "check the base URL",
		}
	}
	return Reply{
		Status:      resp.StatusCode,
		Header:      resp.Header,
		ContentType: mediaType(resp.Header),
		Body:        bytes.TrimSpace(body),
		RetryAfter:  retryAfter(cmp.Or(resp.Header.Get("Retry-After"), resp.Header.Get("X-Ogw-Ratelimit-Reset"))), // the latter is Feishu's
	}, nil
}

// lost classifies a request without a complete reply. Of err only the text is kept: its types print the URL.
func lost(ctx context.Context, err error, after time.Duration) *fetcher.SourceError {
	failure := &fetcher.SourceError{
		Class:  fetcher.ClassTransient,
		Reason: fetcher.ReasonNetwork,
		Advice: "check that this server reaches the vendor, directly or through the proxy of its environment",
	}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		failure.Message, failure.Advice, failure.Err = "the request was cancelled", "", context.Canceled
	case errors.As(err, &timeout) && timeout.Timeout():
		failure.Message = fmt.Sprintf("no complete reply within %v", after.Round(10*time.Millisecond))
		failure.Err = context.DeadlineExceeded
	default:
		var withURL *url.Error // its text is the URL, secrets and all, before the cause
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		failure.Message = unquoted(err.Error())
	}
	return failure
}

// malformed finds where net/http's error on what is no HTTP begins to repeat it, which may be the reply, token and all.
var malformed = regexp.MustCompile(`malformed [A-Za-z/ ]*[A-Za-z]`)

func unquoted(text string) string {
	if at := malformed.FindStringIndex(text); at != nil {
		return text[:at[1]]
	}
	return text
}

func mediaType(header http.Header) string {
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";") // mime.ParseMediaType refuses some that are sent
	return strings.ToLower(strings.TrimSpace(media))
}

func redirectHost(resp *http.Response) string {
	location, err := resp.Location()
	if err != nil || location.Host == "" {
		return "an unknown host"
	}
	return location.Host
}

func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return max(0, min(time.Duration(min(seconds, 3600))*time.Second, time.Hour))
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, min(time.Until(at), time.Hour))
	}
	return 0
}
