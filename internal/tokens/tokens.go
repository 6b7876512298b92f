// Package tokens makes fetchers of the tokens that are configured.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/feishu"
	"github.com/larder-cache/larder/fetcher/oauth2"
	"github.com/larder-cache/larder/fetcher/wechat"
	"github.com/larder-cache/larder/fetcher/wecom"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/store"
)

// A Token is a configured token with its fetcher.
type Token struct {
	*fetcher.Fetcher
	Config config.Token
}

// A Set is the configured tokens, in their order.
type Set []Token

// New returns the fetchers of the configured tokens, which keep their rows in the store. The options are for all of them.
func New(s *store.Store, configured []config.Token, opts ...fetcher.Option) (Set, error) {
	return NewOn(fetcher.On(s), configured, opts...)
}

// NewOn is New for another table than a [*store.Store].
func NewOn(table fetcher.Store, configured []config.Token, opts ...fetcher.Option) (Set, error) {
	set := make(Set, len(configured))
	byName := map[string]*fetcher.Fetcher{}
	// Tickets come after the tokens that they are asked for with.
	for _, tickets := range []bool{false, true} {
		for i, t := range configured {
			if isTicket(t) != tickets {
				continue
			}
			f, err := newFetcher(table, t, byName[t.Options["token"].Reveal()], opts)
			if err != nil {
				return nil, fmt.Errorf("token %q (%s): %w", t.Key, t.At, err)
			}
			byName[t.Key], set[i] = f, Token{f, t}
		}
	}
	return set, nil
}

// Get returns the token of that name.
func (s Set) Get(name string) (Token, bool) {
	i := slices.IndexFunc(s, func(t Token) bool { return t.Config.Key == name })
	if i < 0 {
		return Token{}, false
	}
	return s[i], true
}

// Fetchers returns the tokens' fetchers.
func (s Set) Fetchers() []*fetcher.Fetcher {
	fetchers := make([]*fetcher.Fetcher, 0, len(s))
	for _, t := range s {
		fetchers = append(fetchers, t.Fetcher)
	}
	return fetchers
}

// Close closes the fetchers; see [fetcher.Fetcher.Close]. Tickets come first, because what they are at may need their token still.
func (s Set) Close(ctx context.Context) error {
	var errs []error
	for _, tickets := range []bool{true, false} {
		for _, t := range s {
			if isTicket(t.Config) != tickets {
				continue
			}
			if err := t.Fetcher.Close(ctx); err != nil {
				errs = append(errs, fmt.Errorf("close token %q: what it is at has not ended: %w", t.Config.Key, err))
			}
		}
	}
	return errors.Join(errs...)
}

func isTicket(t config.Token) bool { return strings.HasSuffix(t.Source, "_ticket") }

func newFetcher(table fetcher.Store, t config.Token, parent *fetcher.Fetcher, common []fetcher.Option) (*fetcher.Fetcher, error) {
	source, err := newSource(t, t.AppSecret.Reveal(), parent)
	if err != nil {
		return nil, err
	}
	if old := t.Options["old_app_secret"]; old != "" {
		older, err := newSource(t, old.Reveal(), parent)
		if err != nil {
			return nil, fmt.Errorf("old_app_secret: %w", err)
		}
		source = fetcher.Rotate(source, older)
	}
	opts := slices.Clone(common)
	add := func(d *time.Duration, option func(time.Duration) fetcher.Option) {
		if d != nil {
			opts = append(opts, option(*d))
		}
	}
	add(t.Margin, fetcher.WithMargin)
	add(t.RefreshAhead, fetcher.WithRefreshAhead)
	add(t.Timeout, fetcher.WithTimeout)
	add(t.Stale, fetcher.WithStale)
	add(t.RejectInterval, fetcher.WithRejectInterval)
	if t.Shape == "array" {
		opts = append(opts, fetcher.WithShape(fetcher.ShapeArray))
	}
	return fetcher.NewOn(table, t.Key, source, opts...)
}

// newSource returns the source of a token with that secret, or of a ticket with that parent.
func newSource(t config.Token, secret string, parent *fetcher.Fetcher) (fetcher.Source, error) {
	option := func(name string) string { return t.Options[name].Reveal() }
	if isTicket(t) && parent == nil {
		return nil, fmt.Errorf("no token %q is configured, and a ticket is asked for with one", option("token"))
	}
	switch t.Source {
	case "dingtalk":
		opts := given(t.BaseURL, dingtalk.WithBaseURL)
		if t.API != "" {
			opts = append(opts, dingtalk.WithAPI(dingtalk.API(t.API)))
		}
		if corp := option("corp_id"); corp != "" {
			opts = append(opts, dingtalk.WithBodyField("corpId", corp))
		}
		return dingtalk.New(t.AppKey, secret, opts...)
	case "dingtalk_ticket":
		api := dingtalk.GetToken // the older host, as of get_jsapi_ticket
		if t.API == string(dingtalk.V1) {
			api = dingtalk.V1
		}
		return dingtalk.NewTicket(parent, append(given(t.BaseURL, dingtalk.WithBaseURL), dingtalk.WithAPI(api))...)
	case "wecom":
		return wecom.New(t.AppKey, secret, given(t.BaseURL, wecom.WithBaseURL)...)
	case "wecom_ticket":
		return wecom.NewTicket(parent, wecom.Ticket(t.API), given(t.BaseURL, wecom.WithBaseURL)...)
	case "wechat":
		return wechat.New(t.AppKey, secret, given(t.BaseURL, wechat.WithBaseURL)...)
	case "wechat_stable":
		return wechat.NewStable(t.AppKey, secret, given(t.BaseURL, wechat.WithBaseURL)...)
	case "wechat_ticket":
		return wechat.NewTicket(parent, wechat.Ticket(t.API), given(t.BaseURL, wechat.WithBaseURL)...)
	case "feishu":
		if t.API == "app" {
			return feishu.NewApp(t.AppKey, secret, given(t.BaseURL, feishu.WithBaseURL)...)
		}
		return feishu.New(t.AppKey, secret, given(t.BaseURL, feishu.WithBaseURL)...)
	case "oauth2":
		var opts []oauth2.Option
		if scopes := strings.Fields(option("scope")); scopes != nil {
			opts = append(opts, oauth2.WithScopes(scopes...))
		}
		if option("auth") == "body" {
			opts = append(opts, oauth2.WithBodyAuth())
		}
		if text := option("life"); text != "" {
			life, err := duration.Parse(text)
			if err != nil {
				return nil, fmt.Errorf("life: %w", err)
			}
			opts = append(opts, oauth2.WithDefaultLife(life))
		}
		return oauth2.New(option("token_url"), t.AppKey, secret, opts...)
	}
	return nil, fmt.Errorf("source %q is not available in this version", t.Source)
}

// given returns the option for a base URL, if there is one.
func given[O any](base string, option func(string) O) []O {
	if base == "" {
		return nil
	}
	return []O{option(base)}
}
