// Package wechat fetches the access token of a WeChat official account or mini program (公众号, 小程序), and the tickets that its pages
// sign with.
//
// There are two tokens, which do not affect each other. That of cgi-bin/token, see [New], ends the former one 5 minutes after it was
// given, so that there must be one fetcher in the world. That of stable_token, see [NewStable], is the same for everybody who asks,
// and is what WeChat recommends (https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html).
package wechat

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
// The errors of its Fetch are a [*fetcher.SourceError] whose Code is WeChat's errcode in decimal. Codes are in
// https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html.
type Source struct{ source }

type source = wire.Source

var _ fetcher.Source = (*Source)(nil)

type settings struct{ wire.Endpoint }

// An Option changes a source's defaults. Its value is checked by New, NewStable and NewTicket.
type Option func(*settings) error

// WithBaseURL sends the request to another server: a gateway, a fake, or one of WeChat's own for other regions, such as
// https://api2.weixin.qq.com. Defaults to https://api.weixin.qq.com.
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
	if err := wire.Configure("wechat", s, opts); err != nil {
		return nil, err
	}
	s.Default("https://api.weixin.qq.com")
	return s, nil
}

// New returns the source of an app's token of cgi-bin/token. Each request for it ends the token that was given before, after 5
// minutes in which both work: nobody else may ask, not even a developer's machine. Errors do not contain the secret.
func New(appID, appSecret string, opts ...Option) (*Source, error) {
	spec := wire.Spec{Info: fetcher.Info{
		Name:         "wechat token",
		Margin:       200 * time.Second,
		Life:         documentedLife,
		RefreshAhead: 10 * time.Minute,
		Renewal:      fetcher.NewOldDies,
		Overlap:      5 * time.Minute,
	}}
	return newToken(spec, appID, appSecret, opts, func(ctx context.Context, s *settings, secret string) (*http.Request, error) {
		return s.Get(ctx, "cgi-bin/token", url.Values{"grant_type": {"client_credential"}, "appid": {appID}, "secret": {secret}})
	})
}

// NewStable returns the source of an app's token of stable_token. WeChat renews it by itself in its last 5 minutes, in which both
// the former token and the next work; asking sooner returns the same token with what remains of its life. The request never has
// force_refresh, which WeChat grants 20 times a day and which ends the token that others use. Errors do not contain the secret.
func NewStable(appID, appSecret string, opts ...Option) (*Source, error) {
	spec := wire.Spec{Info: fetcher.Info{
		Name:            "wechat stable_token",
		Margin:          30 * time.Second,
		Life:            documentedLife,
		RefreshAhead:    4 * time.Minute,
		MaxRefreshAhead: 5 * time.Minute,
		Renewal:         fetcher.SameRemainder,
	}}
	return newToken(spec, appID, appSecret, opts, func(ctx context.Context, s *settings, secret string) (*http.Request, error) {
		return s.Post(ctx, "cgi-bin/stable_token", map[string]any{
			"grant_type": "client_credential", "appid": appID, "secret": secret, "force_refresh": false,
		})
	})
}

func newToken(spec wire.Spec, appID, appSecret string, opts []Option, request func(context.Context, *settings, string) (*http.Request, error)) (*Source, error) {
	if err := wire.CheckCredentials("wechat", wire.Credential{Name: "app id", Value: appID}, wire.Credential{Name: "app secret", Value: appSecret}); err != nil {
		return nil, err
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	secret := wire.NewSecret(appSecret)
	spec.Info.App = fetcher.Fingerprint("wechat", appID)
	spec.Info.Fingerprint = fetcher.Fingerprint(spec.Info.Name, s.String(), appID, appSecret)
	spec.Subject = "app " + appID
	spec.Endpoint = s.Endpoint
	spec.Secrets = []wire.Secret{secret}
	spec.Dialect = dialect("access_token")
	spec.Request = func(ctx context.Context) (*http.Request, error) { return request(ctx, s, secret()) }
	return &Source{wire.NewSource(spec)}, nil
}

// A Ticket is one of those that pages sign with.
type Ticket string

const (
	// JSAPI is for wx.config in a page.
	JSAPI Ticket = "jsapi"
	// Card is for cards and coupons (api_ticket).
	Card Ticket = "wx_card"
)

// NewTicket returns the source of a ticket. The parent has the app's token. If WeChat does not accept that, the parent hears of it and
// the ticket is asked for once more. WeChat allows very few requests for it
// (https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/JS-SDK.html#62), and does not document what they do to the former ticket.
func NewTicket(parent fetcher.Parent, ticket Ticket, opts ...Option) (*Source, error) {
	if parent == nil {
		return nil, errors.New("wechat: the ticket needs a parent that has the app's token")
	}
	if ticket != JSAPI && ticket != Card {
		return nil, fmt.Errorf("wechat: ticket %q: want %q or %q", string(ticket), JSAPI, Card)
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	name := "wechat " + string(ticket) + " ticket"
	return &Source{wire.NewSource(wire.Spec{
		Info: fetcher.Info{
			Name:         name,
			Margin:       200 * time.Second,
			Life:         documentedLife,
			RefreshAhead: 10 * time.Minute,
			Renewal:      fetcher.RenewalUnknown,
			App:          wire.TicketApp(name, parent),
			Fingerprint:  wire.TicketFingerprint(parent, name, s.String()),
		},
		Subject:  "the parent's app",
		Endpoint: s.Endpoint,
		Dialect:  dialect("ticket"),
		Request: func(ctx context.Context) (*http.Request, error) {
			return s.Get(ctx, "cgi-bin/ticket/getticket", url.Values{"type": {string(ticket)}})
		},
		Parent: parent,
		Scheme: Scheme(),
	})}, nil
}
