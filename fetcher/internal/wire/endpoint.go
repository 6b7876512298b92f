package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// An Endpoint is where a source sends its requests and with which client: the two settings that all sources have in common.
type Endpoint struct {
	base   *url.URL
	client *http.Client
}

// SetBase sends the requests to another server. The error does not repeat base, which may hold a password.
func (e *Endpoint) SetBase(base string) error {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return errors.New("base URL: cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("base URL: want http:// or https:// and a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return errors.New("base URL: want no user, no query and no fragment")
	}
	e.base = u
	return nil
}

// SetClient replaces the client, except for what it does with redirects: see [WithoutRedirects].
func (e *Endpoint) SetClient(client *http.Client) error {
	if client == nil {
		return errors.New("HTTP client: want one, got nil")
	}
	e.client = WithoutRedirects(client)
	return nil
}

// Default fills what no option has set.
func (e *Endpoint) Default(base string) {
	if e.base == nil {
		e.base, _ = url.Parse(base) // the vendors' addresses are constants
	}
	if e.client == nil {
		e.client = WithoutRedirects(NewClient())
	}
}

// String returns the base URL.
func (e *Endpoint) String() string { return e.base.String() }

// Get returns the request for a path below the base URL.
func (e *Endpoint) Get(ctx context.Context, path string, query url.Values) (*http.Request, error) {
	u := e.base.JoinPath(path)
	u.RawQuery = query.Encode()
	return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
}

// Post returns the request that sends body as JSON.
func (e *Endpoint) Post(ctx context.Context, path string, body map[string]any) (*http.Request, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base.JoinPath(path).String(), bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// PostForm returns the request that sends form to the base URL itself.
func (e *Endpoint) PostForm(ctx context.Context, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// Configure applies options, and names the vendor in their errors.
func Configure[S any, O ~func(*S) error](vendor string, settings *S, opts []O) error {
	for _, o := range opts {
		if err := o(settings); err != nil {
			return fmt.Errorf("%s: %w", vendor, err)
		}
	}
	return nil
}

// A Credential is one part of what an app identifies itself with.
type Credential struct{ Name, Value string }

// CheckCredentials refuses what no vendor accepts and people paste by mistake. The error does not contain the value.
func CheckCredentials(vendor string, credentials ...Credential) error {
	for _, c := range credentials {
		if c.Value == "" {
			return fmt.Errorf("%s: the %s is empty", vendor, c.Name)
		}
		if strings.TrimSpace(c.Value) != c.Value {
			return fmt.Errorf("%s: the %s begins or ends with a blank or a line break", vendor, c.Name)
		}
	}
	return nil
}

// SetQuery sets one parameter of the request's URL and leaves the others as they are written.
func SetQuery(req *http.Request, name, value string) {
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(req.URL.RawQuery, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); pair != "" && (err != nil || decoded != name) {
			kept = append(kept, pair)
		}
	}
	req.URL.RawQuery = strings.Join(append(kept, url.QueryEscape(name)+"="+url.QueryEscape(value)), "&")
}
