// Package dingtalk fetches the access token of a DingTalk app, and the ticket that its pages sign with.
//
// DingTalk has two requests for the token, see [API]. Asking again while a token lives returns the same string and lengthens its
// life, so two servers that ask at once do no harm. DingTalk blocks callers that ask often, and wants the token shared
// (https://open.dingtalk.com/document/orgapp/obtain-orgapp-token).
package dingtalk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
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

// A Source fetches the token of one app, or its ticket. It is a [fetcher.Source]. Printing it, with any verb, does not show the
// secret.
//
// The errors of its Fetch are a [*fetcher.SourceError] whose Code is DingTalk's errcode in decimal, or the code of the newer API;
// for the gateway's errcode 88 it is the sub_code, which says what was wrong. Codes are in
// https://open.dingtalk.com/document/orgapp/server-api-error-codes-1.
//
// ExpiresIn is what the reply says, as a number or a string. A reply without it, which DingTalk's older samples show, and one of
// more than a day, which is no life of a DingTalk token, count as the documented 7200 s. A life of zero, or less, or that is no
// number, is an error.
type Source struct{ source }

type source = wire.Source

var _ fetcher.Source = (*Source)(nil)

// settings is what options change.
type settings struct {
	wire.Endpoint
	api    API
	fields map[string]any
}

// An Option changes a source's defaults. Its value is checked by New and NewTicket.
type Option func(*settings) error

// WithAPI chooses the request. Defaults to GetToken. For a ticket only the host matters, which is the older one for GetToken and
// GetTokenApp, the newer for V1.
func WithAPI(api API) Option {
	return func(s *settings) error {
		if api != GetToken && api != GetTokenApp && api != V1 {
			return fmt.Errorf("api %q: want %q, %q or %q", string(api), GetToken, GetTokenApp, V1)
		}
		s.api = api
		return nil
	}
}

// WithBodyField adds a field to the body of V1's request. Some apps, such as those of Yida, get their token only with a corpId,
// and invalidClientIdOrSecret without it.
func WithBodyField(name, value string) Option {
	return func(s *settings) error {
		if name == "" || name == "appKey" || name == "appSecret" {
			return fmt.Errorf("body field %q: want another name", name)
		}
		s.fields[name] = value
		return nil
	}
}

// WithBaseURL sends the request to another server, such as a gateway or a fake: both APIs' paths are appended to base. Defaults
// to the host that DingTalk documents for the API.
func WithBaseURL(base string) Option {
	return func(s *settings) error { return s.SetBase(base) }
}

// WithHTTPClient replaces the client, for its transport and timeout; redirects are not followed whatever it says. Defaults to one
// that uses the environment's proxy.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error { return s.SetClient(client) }
}

func newSettings(opts []Option) (*settings, error) {
	s := &settings{api: GetToken, fields: map[string]any{}}
	if err := wire.Configure("dingtalk", s, opts); err != nil {
		return nil, err
	}
	if len(s.fields) > 0 && s.api != V1 {
		return nil, fmt.Errorf("dingtalk: body fields are for the api %q, not %q, which has no body", V1, s.api)
	}
	if s.api == V1 {
		s.Default("https://api.dingtalk.com")
	} else {
		s.Default("https://oapi.dingtalk.com")
	}
	return s, nil
}

// New returns the source of an app's token. The key is the app's AppKey (also called Client ID) or the organisation's CorpId,
// the secret the one that belongs to it. Errors do not contain the secret.
//
// Its Info says "dingtalk" and the API as the name; a margin of 200 s, so that DingTalk's 7200 s become a row of 7000; and 10 minutes
// to refresh ahead, as DingTalk's guide to calling its APIs advises (2026). A renewed token is the same string, so that those who
// still use the old one are not disturbed.
func New(appKey, appSecret string, opts ...Option) (*Source, error) {
	if err := wire.CheckCredentials("dingtalk", wire.Credential{Name: "app key", Value: appKey}, wire.Credential{Name: "app secret", Value: appSecret}); err != nil {
		return nil, err
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	secret := wire.NewSecret(appSecret)
	app := []string{"dingtalk", appKey}
	if s.api == V1 && len(s.fields) > 0 {
		app = append(app, fmt.Sprint(s.fields)) // which say for whose organisation the token is
	}
	return &Source{wire.NewSource(wire.Spec{
		Info: fetcher.Info{
			Name:         "dingtalk " + string(s.api),
			Margin:       200 * time.Second,
			Life:         documentedLife,
			RefreshAhead: 10 * time.Minute,
			Renewal:      fetcher.SameRenewed,
			App:          fetcher.Fingerprint(app...),
			Fingerprint:  fetcher.Fingerprint("dingtalk", string(s.api), s.String(), fmt.Sprint(s.fields), appKey, appSecret),
		},
		Subject:  "app " + appKey,
		Endpoint: s.Endpoint,
		Secrets:  []wire.Secret{secret},
		Dialect:  s.api.dialect(),
		Request:  func(ctx context.Context) (*http.Request, error) { return s.tokenRequest(ctx, appKey, secret()) },
	})}, nil
}

func (s *settings) tokenRequest(ctx context.Context, key, secret string) (*http.Request, error) {
	switch s.api {
	case V1:
		body := map[string]any{"appKey": key, "appSecret": secret}
		maps.Copy(body, s.fields)
		return s.Post(ctx, "v1.0/oauth2/accessToken", body)
	case GetTokenApp:
		return s.Get(ctx, "gettoken", url.Values{"appkey": {key}, "appsecret": {secret}})
	}
	return s.Get(ctx, "gettoken", url.Values{"corpid": {key}, "corpsecret": {secret}})
}

// NewTicket returns the source of the app's jsapi_ticket, with which a page in the DingTalk client proves that it is the app's
// (https://open.dingtalk.com/document/orgapp/obtain-jsapi_ticket). The parent has the app's token. If DingTalk does not accept that, the
// parent hears of it and the ticket is asked for once more.
//
// What asking again does to the former ticket is not documented, and people report that it ends; so there should be one fetcher.
func NewTicket(parent fetcher.Parent, opts ...Option) (*Source, error) {
	if parent == nil {
		return nil, errors.New("dingtalk: the ticket needs a parent that has the app's token")
	}
	s, err := newSettings(opts)
	if err != nil {
		return nil, err
	}
	dialect := s.api.dialect()
	dialect.Token = "ticket"
	request := func(ctx context.Context) (*http.Request, error) { return s.Get(ctx, "get_jsapi_ticket", nil) }
	if s.api == V1 {
		dialect.Token = "jsapiTicket"
		request = func(ctx context.Context) (*http.Request, error) {
			return s.Post(ctx, "v1.0/oauth2/jsapiTickets", s.fields)
		}
	}
	const name = "dingtalk jsapi_ticket"
	return &Source{wire.NewSource(wire.Spec{
		Info: fetcher.Info{
			Name:         name,
			Margin:       200 * time.Second,
			Life:         documentedLife,
			RefreshAhead: 10 * time.Minute,
			Renewal:      fetcher.RenewalUnknown,
			App:          wire.TicketApp(name, parent),
			Fingerprint:  wire.TicketFingerprint(parent, name, string(s.api), s.String()),
		},
		Subject:  "the parent's app",
		Endpoint: s.Endpoint,
		Dialect:  dialect,
		Request:  request,
		Parent:   parent,
		Scheme:   Scheme(),
	})}, nil
}
