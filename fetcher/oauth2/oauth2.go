// Package oauth2 fetches tokens from any server that knows OAuth 2.0's client credentials (RFC 6749, section 4.4).
//
// It does not use golang.org/x/oauth2, which reads a reply before anybody can look at it: without regard to its size and its content
// type, and with errors that hold the whole of it.
package oauth2

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// A Source fetches the token of one client. It is a [fetcher.Source]. Printing it, with any verb, does not show the secret.
//
// The errors of its Fetch are a [*fetcher.SourceError] whose Code is the reply's "error", as section 5.2 defines it, whatever the
// status that it comes with.
type Source struct{ source }

type source = wire.Source

var _ fetcher.Source = (*Source)(nil)

type settings struct {
	wire.Endpoint
	form   url.Values
	inBody bool
	life   time.Duration
}

// An Option changes a source's defaults. Its value is checked by New.
type Option func(*settings) error

// WithHTTPClient replaces the client, for its transport and timeout; redirects are not followed whatever it says. Defaults to one
// that uses the environment's proxy.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error { return s.SetClient(client) }
}

// WithScopes asks for these scopes. Defaults to none, for which the server has its own default.
func WithScopes(scopes ...string) Option {
	return func(s *settings) error {
		for _, scope := range scopes {
			if scope == "" || strings.ContainsAny(scope, " \t\r\n") {
				return fmt.Errorf("scope %q: want one without blanks", scope)
			}
		}
		s.form.Set("scope", strings.Join(scopes, " "))
		return nil
	}
}

// WithParam adds a parameter that the server wants, such as audience or resource. It can be given more than once.
func WithParam(name, value string) Option {
	return func(s *settings) error {
		if slices.Contains([]string{"", "grant_type", "client_id", "client_secret", "scope"}, name) {
			return fmt.Errorf("parameter %q: want another name", name)
		}
		s.form.Add(name, value)
		return nil
	}
}

// WithBodyAuth sends the client's id and secret as parameters (client_secret_post). Defaults to the header Authorization
// (client_secret_basic), which every server must know. Never both: some refuse that.
func WithBodyAuth() Option {
	return func(s *settings) error {
		s.inBody = true
		return nil
	}
}

// WithDefaultLife is how long a token is taken to live whose reply does not say so, which the standard allows. Defaults to 5 minutes,
// which is short because a token that is used for too long does more harm than one that is fetched too often.
func WithDefaultLife(life time.Duration) Option {
	return func(s *settings) error {
		if life < time.Second || life > longestLife {
			return fmt.Errorf("default life %v: want 1 s to %v", life, longestLife)
		}
		s.life = life
		return nil
	}
}

// New returns the source of a client's token. The address is that of the server's token endpoint, in full, for example
// https://accounts.example.com/oauth2/token. Errors do not contain the secret.
//
// Its Info says a margin of 30 s and 2 minutes to refresh ahead, because there are servers whose tokens live no longer than 5 minutes;
// and that former tokens stay valid, as they do with most.
func New(tokenURL, clientID, clientSecret string, opts ...Option) (*Source, error) {
	if err := wire.CheckCredentials("oauth2", wire.Credential{Name: "client id", Value: clientID}, wire.Credential{Name: "client secret", Value: clientSecret}); err != nil {
		return nil, err
	}
	s := &settings{form: url.Values{"grant_type": {"client_credentials"}}, life: 5 * time.Minute}
	if tokenURL == "" {
		return nil, errors.New("oauth2: the token endpoint's URL is empty")
	}
	if err := s.SetBase(tokenURL); err != nil {
		return nil, fmt.Errorf("oauth2: token endpoint: %w", err)
	}
	if err := wire.Configure("oauth2", s, opts); err != nil {
		return nil, err
	}
	s.Default(tokenURL)
	secret := wire.NewSecret(clientSecret)
	return &Source{wire.NewSource(wire.Spec{
		Info: fetcher.Info{
			Name:         "oauth2 client_credentials",
			Margin:       30 * time.Second,
			RefreshAhead: 2 * time.Minute,
			Renewal:      fetcher.NewOldValid,
			App:          fetcher.Fingerprint("oauth2", s.String(), clientID),
			Fingerprint:  fetcher.Fingerprint("oauth2", s.String(), s.form.Encode(), fmt.Sprint(s.inBody), clientID, clientSecret),
		},
		Subject:  "client " + clientID,
		Endpoint: s.Endpoint,
		Secrets:  []wire.Secret{secret, wire.NewSecret(basic(clientID, clientSecret))},
		Dialect:  dialect(s.life),
		Request:  func(ctx context.Context) (*http.Request, error) { return s.request(ctx, clientID, secret()) },
	})}, nil
}

func (s *settings) request(ctx context.Context, id, secret string) (*http.Request, error) {
	form := url.Values{}
	for name, values := range s.form {
		form[name] = values
	}
	if s.inBody {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	req, err := s.PostForm(ctx, form)
	if err != nil {
		return nil, err
	}
	if !s.inBody {
		req.Header.Set("Authorization", "Basic "+basic(id, secret))
	}
	return req, nil
}

// basic writes both as a form does before it joins them, as section 2.3.1 demands: without that a colon in the id would end it.
func basic(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
}
