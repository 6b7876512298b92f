// Package dingtalk fetches the access token of a DingTalk app.
//
// DingTalk has two requests for it, see [API]. Asking again while a token lives returns the same string and lengthens its
// life, so two servers that ask at once do no harm. DingTalk blocks callers that ask often, and wants the token shared
// (https://open.dingtalk.com/document/orgapp/obtain-orgapp-token).
package dingtalk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// An API is one of DingTalk's requests for a token.
type API string

const (
	// GetToken is GET https://oapi.dingtalk.com/gettoken, the older one. It needs no permission, answers HTTP 200 whatever
	// happens, and has the secret in its URL, where proxies log it. Its parameters are corpid and corpsecret, as in the programs
	// that this replaces: an organisation's own id and secret are known under these names only.
	GetToken API = "gettoken"

	// GetTokenApp is GetToken with the parameters appkey and appsecret, the names that DingTalk documents for an app's key and
	// secret.
	GetTokenApp API = "gettoken_app"

	// V1 is POST https://api.dingtalk.com/v1.0/oauth2/accessToken, which DingTalk recommends. The secret is in the body, and
	// failures have an HTTP status.
	V1 API = "v1.0"
)

// A Source fetches the token of one app. It is a [fetcher.Source]. Printing it, with any verb, does not show the secret.
type Source struct {
	api    API
	appKey string
	secret wire.Secret
	base   *url.URL
	client *http.Client
}

var _ fetcher.Source = (*Source)(nil)

// An Option changes a source's defaults. Its value is checked by New.
type Option interface{ apply(*Source) error }

type option func(*Source) error

func (o option) apply(s *Source) error { return o(s) }

// WithAPI chooses the request. Defaults to GetToken.
func WithAPI(api API) Option {
	return option(func(s *Source) error {
		if api != GetToken && api != GetTokenApp && api != V1 {
			return fmt.Errorf("api %q: want %q, %q or %q", string(api), GetToken, GetTokenApp, V1)
		}
		s.api = api
		return nil
	})
}

// WithBaseURL sends the request to another server, such as a gateway or a fake: both APIs' paths are appended to base. Defaults
// to the host that DingTalk documents for the API.
func WithBaseURL(base string) Option {
	return option(func(s *Source) error {
		u, err := url.Parse(base)
		// The messages do not repeat base, which may hold a password.
		switch {
		case err != nil:
			return errors.New("base URL: cannot be parsed")
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			return errors.New("base URL: want http:// or https:// and a host")
		case u.User != nil, u.RawQuery != "", u.Fragment != "":
			return errors.New("base URL: want no user, no query and no fragment")
		}
		s.base = u
		return nil
	})
}

// WithHTTPClient replaces the client, for its transport and timeout; redirects are not followed whatever it says. Defaults to one
// that uses the environment's proxy.
func WithHTTPClient(client *http.Client) Option {
	return option(func(s *Source) error {
		if client == nil {
			return errors.New("HTTP client: want one, got nil")
		}
		s.client = client
		return nil
	})
}

// New returns the source of an app's token. The key is the app's AppKey (also called Client ID) or the organisation's CorpId,
// the secret the one that belongs to it. Errors do not contain the secret.
func New(appKey, appSecret string, opts ...Option) (*Source, error) {
	s := &Source{api: GetToken, appKey: appKey, secret: wire.NewSecret(appSecret), client: wire.NewClient()}
	for _, credential := range []struct{ name, value string }{{"app key", appKey}, {"app secret", appSecret}} {
		if credential.value == "" {
			return nil, fmt.Errorf("dingtalk: the %s is empty", credential.name)
		}
		if strings.TrimSpace(credential.value) != credential.value {
			return nil, fmt.Errorf("dingtalk: the %s begins or ends with a blank or a line break", credential.name)
		}
	}
	for _, o := range opts {
		if err := o.apply(s); err != nil {
			return nil, fmt.Errorf("dingtalk: %w", err)
		}
	}
	if s.base == nil {
		s.base = &url.URL{Scheme: "https", Host: "oapi.dingtalk.com"}
		if s.api == V1 {
			s.base.Host = "api.dingtalk.com"
		}
	}
	s.client = wire.WithoutRedirects(s.client)
	return s, nil
}

// Info returns "dingtalk" and the API as the name; a margin of 200 s, so that DingTalk's 7200 s become a row of 7000; and 10 minutes
// to refresh ahead, as DingTalk's guide to calling its APIs advises (2026). A renewed token is the same string, so that those who still use the old one are not disturbed.
func (s *Source) Info() fetcher.Info {
	return fetcher.Info{Name: "dingtalk " + string(s.api), Margin: 200 * time.Second, Life: 2 * time.Hour, RefreshAhead: 10 * time.Minute}
}

// Fetch asks DingTalk once. Its errors are a [*fetcher.SourceError] whose Code is DingTalk's errcode in decimal, or the code of
// the newer API; for the gateway's errcode 88 it is the sub_code, which says what was wrong. Codes are in
// https://open.dingtalk.com/document/orgapp/server-api-error-codes-1.
//
// ExpiresIn is what the reply says, as a number or a string. A reply without it, which DingTalk's older samples show, and one of
// more than a day, which is no life of a DingTalk token, count as the documented 7200 s. A life of zero, or less, or that is no
// number, is an error.
func (s *Source) Fetch(ctx context.Context) (fetcher.Token, error) {
	token, failure := s.fetch(ctx)
	if failure != nil {
		return fetcher.Token{}, wire.Seal(failure, s.Info().Name, s.secret())
	}
	return token, nil
}

func (s *Source) fetch(ctx context.Context) (fetcher.Token, *fetcher.SourceError) {
	req, err := s.request(ctx)
	if err != nil {
		return fetcher.Token{}, &fetcher.SourceError{Class: fetcher.ClassConfig, Message: err.Error()}
	}
	reply, failure := wire.Do(s.client, req)
	if failure != nil {
		return fetcher.Token{}, failure
	}
	return s.api.parse(reply)
}

func (s *Source) request(ctx context.Context) (*http.Request, error) {
	if s.api == V1 {
		body, _ := json.Marshal(map[string]string{"appKey": s.appKey, "appSecret": s.secret()}) // strings always marshal
		address := s.base.JoinPath("v1.0/oauth2/accessToken").String()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		return req, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath("gettoken").String(), nil)
	if err != nil {
		return nil, err
	}
	query := url.Values{"corpid": {s.appKey}, "corpsecret": {s.secret()}}
	if s.api == GetTokenApp {
		query = url.Values{"appkey": {s.appKey}, "appsecret": {s.secret()}}
	}
	req.URL.RawQuery = query.Encode()
	return req, nil
}

// String names the API, the app and the server. An app key is no secret: DingTalk's own messages show it.
func (s *Source) String() string {
	return fmt.Sprintf("%s of app %s at %s", s.Info().Name, s.appKey, s.base)
}

// Format prints the source as String does, whatever the verb.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String does.
func (s *Source) LogValue() slog.Value { return slog.StringValue(s.String()) }
