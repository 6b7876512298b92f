// Package tokens makes fetchers of the tokens that are configured.
package tokens

import (
	"fmt"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/store"
)

// NewFetcher returns the fetcher of a configured token, which keeps its row in the store.
func NewFetcher(s *store.Store, t config.Token) (*fetcher.Fetcher, error) {
	source, err := newSource(t)
	if err != nil {
		return nil, fmt.Errorf("token %q (%s): %w", t.Key, t.At, err)
	}
	var opts []fetcher.Option
	if t.Margin != nil {
		opts = append(opts, fetcher.WithMargin(*t.Margin))
	}
	if t.RefreshAhead != nil {
		opts = append(opts, fetcher.WithRefreshAhead(*t.RefreshAhead))
	}
	f, err := fetcher.New(s, t.Key, source, opts...)
	if err != nil {
		return nil, fmt.Errorf("token %q (%s): %w", t.Key, t.At, err)
	}
	return f, nil
}

func newSource(t config.Token) (fetcher.Source, error) {
	switch t.Source {
	case "dingtalk":
		var opts []dingtalk.Option
		if t.API != "" {
			opts = append(opts, dingtalk.WithAPI(dingtalk.API(t.API)))
		}
		if t.BaseURL != "" {
			opts = append(opts, dingtalk.WithBaseURL(t.BaseURL))
		}
		return dingtalk.New(t.AppKey, t.AppSecret.Reveal(), opts...)
	}
	return nil, fmt.Errorf("source %q is not available in this version", t.Source)
}
