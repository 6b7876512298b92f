// Package wecom fetches the access token of a WeCom app (企业微信, also called WeChat Work), and the tickets that its pages sign with.
//
// WeCom gives the same token until it expires, blocks callers that ask often, and may end a token early
// (https://developer.work.weixin.qq.com/document/path/91039). Every app of an organisation has its own secret and its own token;
// rows that are named after the organisation alone mix them up.
package wecom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// A Source fetches the token of one app, or a ticket. It is a [fetcher.Source]. Printing it, with any verb, does not show the
// secret.
//
// The errors of its Fetch are a [*fetcher.SourceError] whose Code is WeCom's errcode in decimal. Codes are in
// https://developer.work.weixin.qq.com/document/path/90313.
type Source struct{ source }

type source = wire.Source

var _ fetcher.Source = (*Source)(nil)

type settings struct{ wire.Endpoint }

// An Option changes a source's defaults. Its value is checked by New and NewTicket.
type Option func(*settings) error

// WithBaseURL sends the request to another server, such as a gateway or a fake. Defaults to https://qyapi.weixin.qq.com.
func WithBaseURL(base string) Option {
	return func(s *settings) error { return s.SetBase(base) }
}

// WithHTTPClient replaces the client, for its transport and timeout; redirects are not followed whatever it says. Defaults to one
// that uses the environment's proxy.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error { return s.SetClient(client) }
}

func newSettings(opts []Option) (*settings, error) {
	s := &settings{}
	if err := wire.Configure("wecom", s, opts); err != nil {
		return nil, err
	}
	s.Default("https://qyapi.weixin.qq.com")
	return s, nil
}

// New returns the source of an app's token: the organisation's id and the app's own secret. Errors do not contain the secret.
//
// A new token is given only when the former one has ended, so its margin is one minute and it is refreshed 4 minutes ahead of that:
// sooner is no use.
func New(corpID, corpSecret string, opts ...Option) (*Source, error) {
	if err := wire.CheckCredentials("wecom", wire.Credential{Name: "corp id", Value: corpID}, wire.Credential{Name: "corp secret", Value: corpSecret}); err != nil {
		return nil, err
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	secret := wire.NewSecret(corpSecret)
	about := info("wecom gettoken")
	about.Fingerprint = fetcher.Fingerprint(about.Name, s.String(), corpID, corpSecret)
	// The apps of an organisation have its id in common and differ by their secrets alone, which change. So two of them on one key are not noticed, but
	// another organisation's app is, or another vendor's.
	about.App = fetcher.Fingerprint("wecom", corpID)
	return &Source{wire.NewSource(wire.Spec{
		Info:     about,
		Subject:  "an app of " + corpID,
		Endpoint: s.Endpoint,
		Secrets:  []wire.Secret{secret},
		Dialect:  dialect("access_token"),
		Request: func(ctx context.Context) (*http.Request, error) {
			return s.Get(ctx, "cgi-bin/gettoken", url.Values{"corpid": {corpID}, "corpsecret": {secret()}})
		},
	})}, nil
}

// A Ticket is one of the two that pages sign with.
type Ticket string

const (
	// JSAPI is for wx.config: one for the whole organisation.
	JSAPI Ticket = "jsapi"
	// AgentConfig is for wx.agentConfig: one for each app.
	AgentConfig Ticket = "agent_config"
)

// NewTicket returns the source of a ticket. The parent has the app's token. If WeCom does not accept that, the parent hears of it and
// the ticket is asked for once more. An organisation may ask 400 times an hour, an app 100 times
// (https://developer.work.weixin.qq.com/document/path/90506).
func NewTicket(parent fetcher.Parent, ticket Ticket, opts ...Option) (*Source, error) {
	if parent == nil {
		return nil, errors.New("wecom: the ticket needs a parent that has the app's token")
	}
	path, query := "cgi-bin/get_jsapi_ticket", url.Values(nil)
	switch ticket {
	case JSAPI:
	case AgentConfig:
		path, query = "cgi-bin/ticket/get", url.Values{"type": {string(AgentConfig)}}
	default:
		return nil, fmt.Errorf("wecom: ticket %q: want %q or %q", string(ticket), JSAPI, AgentConfig)
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	about := info("wecom " + string(ticket) + " ticket")
	about.Fingerprint = wire.TicketFingerprint(parent, about.Name, s.String())
	about.App = wire.TicketApp(about.Name, parent)
	return &Source{wire.NewSource(wire.Spec{
		Info:     about,
		Subject:  "the parent's app",
		Endpoint: s.Endpoint,
		Dialect:  dialect("ticket"),
		Request:  func(ctx context.Context) (*http.Request, error) { return s.Get(ctx, path, query) },
		Parent:   parent,
		Scheme:   Scheme(),
	})}, nil
}

func info(name string) fetcher.Info {
	return fetcher.Info{
		Name:            name,
		Margin:          time.Minute,
		Life:            documentedLife,
		RefreshAhead:    4 * time.Minute,
		MaxRefreshAhead: 5 * time.Minute,
		Renewal:         fetcher.SameRemainder,
	}
}
