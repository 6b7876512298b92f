package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/internal/tokens"
)

// lateToken is when a token should have been refreshed ahead, with every vendor's default.
const lateToken = time.Minute

// checkTokens looks at the tokens' rows and at what their fetchers have told each other. No vendor is asked.
func checkTokens(ctx context.Context, e *exam) ([]Finding, error) {
	if len(e.Config.Tokens) == 0 {
		return one(ok("none are configured"))
	}
	set, err := tokens.New(e.Store, e.Config.Tokens)
	if err != nil {
		return one(problem("larder token list", "%v", err))
	}
	var found []Finding
	for _, t := range set {
		f, err := e.token(ctx, t)
		if err != nil {
			f = []Finding{warning("larder token list", "%s: it could not be found out: %v", t.Config.Key, err)}
		}
		found = append(found, f...)
	}
	return found, nil
}

func (e *exam) token(ctx context.Context, configured tokens.Token) ([]Finding, error) {
	t := configured.Config
	items, err := e.Store.Many(ctx, t.Key, fetcher.StateKey(t.Key))
	if err != nil {
		return nil, err
	}
	var found []Finding
	if state, ok := items[fetcher.StateKey(t.Key)]; ok {
		if failure, failed := fetcher.LastFailure(state); failed {
			failure.Err.Source = t.Source
			remedy := "larder token check " + ShellQuote(t.Key)
			if !configured.Info().Checkable() {
				remedy = "larder token refresh " + ShellQuote(t.Key) + " >/dev/null"
			}
			found = append(found, problem(remedy, "%s: the last fetch failed: %v", t.Key, failure.Err))
		}
	}
	item, live := items[t.Key]
	if !live {
		return append(found, warning("larder token get "+ShellQuote(t.Key)+" >/dev/null    # larder serve keeps it there",
			"%s: there is no live row: the next one who asks larder waits for %s, and PHP finds nothing", t.Key, t.Source)), nil
	}
	if _, ok := fetcher.TokenOf(item); !ok {
		return append(found, problem("larder token refresh "+ShellQuote(t.Key)+" >/dev/null", "%s: what the row holds is no token", t.Key)), nil
	}
	if item.TTL < lateToken {
		return append(found, warning("larder serve    # or by cron: * * * * * larder token get "+ShellQuote(t.Key)+" >/dev/null",
			"%s: it expires in %s, and nobody has fetched the next one yet", t.Key, duration.Rough(item.TTL))), nil
	}
	return append(found, ok("%s: live for %s more", t.Key, duration.Rough(item.TTL))), nil
}

// checkVendors asks each vendor once for a token, and stores nothing.
func checkVendors(ctx context.Context, e *exam) ([]Finding, error) {
	var found []Finding
	for _, t := range e.Vendors {
		token, err := t.Check(ctx)
		var refusal *fetcher.SourceError
		switch {
		case err == nil:
			found = append(found, ok("%s: %s gave a token that lives for %s", t.Config.Key, t.Config.Source, duration.Rough(token.ExpiresIn)))
		case errors.Is(err, fetcher.ErrUnsafeCheck):
			found = append(found, ok("%s: %s is not asked, because a new one may end the one in use", t.Config.Key, t.Config.Source))
		case errors.As(err, &refusal):
			found = append(found, problem("larder token check "+ShellQuote(t.Config.Key), "%s: %v", t.Config.Key, refusal))
		default:
			found = append(found, warning(fmt.Sprintf("larder token check %s", ShellQuote(t.Config.Key)), "%s: %v", t.Config.Key, err))
		}
	}
	return found, nil
}
