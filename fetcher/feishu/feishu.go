// Package feishu fetches the access tokens of a Feishu app (飞书), and of one of Lark, its edition for the rest of the world.
//
// While a token has 30 minutes or more to live, asking again returns the same one; after that a new one, and both work
// (https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token_internal). So refreshing earlier is
// no use. For the newer way, https://accounts.feishu.cn/oauth/v3/token, use package oauth2.
package feishu

import (
	"context"
	"net/http"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// Lark is the base URL of Lark, for [WithBaseURL].
const Lark = "https://open.larksuite.com"

// A Source fetches the token of one app. It is a [fetcher.Source]. Printing it, with any verb, does not show the secret.
//
// The errors of its Fetch are a [*fetcher.SourceError] whose Code is Feishu's code in decimal. Codes are in
// https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code.
type Source struct{ source }

type source = wire.Source

var _ fetcher.Source = (*Source)(nil)

type settings struct{ wire.Endpoint }

// An Option changes a source's defaults. Its value is checked by New and NewApp.
type Option func(*settings) error

// WithBaseURL sends the request to another server: [Lark], a gateway, a fake. Defaults to https://open.feishu.cn.
func WithBaseURL(base string) Option {
	return func(s *settings) error { return s.SetBase(base) }
}

// WithHTTPClient replaces the client, for its transport and timeout; redirects are not followed whatever it says. Defaults to one
// that uses the environment's proxy.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error { return s.SetClient(client) }
}

// New returns the source of the tenant_access_token of an organisation's own app: what most APIs want. Errors do not contain the
// secret.
func New(appID, appSecret string, opts ...Option) (*Source, error) {
	return newToken("tenant_access_token", appID, appSecret, opts)
}

// NewApp returns the source of the app_access_token of an organisation's own app. Errors do not contain the secret.
func NewApp(appID, appSecret string, opts ...Option) (*Source, error) {
	return newToken("app_access_token", appID, appSecret, opts)
}

func newToken(token, appID, appSecret string, opts []Option) (*Source, error) {
	if err := wire.CheckCredentials("feishu", wire.Credential{Name: "app id", Value: appID}, wire.Credential{Name: "app secret", Value: appSecret}); err != nil {
		return nil, err
	}
	s := &settings{}
	if err := wire.Configure("feishu", s, opts); err != nil {
		return nil, err
	}
	s.Default("https://open.feishu.cn")
	secret := wire.NewSecret(appSecret)
	return &Source{wire.NewSource(wire.Spec{
		Info: fetcher.Info{
			Name:            "feishu " + token,
			Margin:          200 * time.Second,
			Life:            documentedLife,
			RefreshAhead:    15 * time.Minute,
			MaxRefreshAhead: 29 * time.Minute, // a minute less than documented, for clocks
			Renewal:         fetcher.SameRemainder,
			App:             fetcher.Fingerprint("feishu", token, appID),
			Fingerprint:     fetcher.Fingerprint("feishu", token, s.String(), appID, appSecret),
		},
		Subject:  "app " + appID,
		Endpoint: s.Endpoint,
		Secrets:  []wire.Secret{secret},
		Dialect:  dialect(token),
		Request: func(ctx context.Context) (*http.Request, error) {
			return s.Post(ctx, "open-apis/auth/v3/"+token+"/internal", map[string]any{"app_id": appID, "app_secret": secret()})
		},
	})}, nil
}
