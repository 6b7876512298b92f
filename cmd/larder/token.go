package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/misspelt"
	"github.com/larder-cache/larder/internal/tokens"
	"github.com/larder-cache/larder/store"
)

func newTokenCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get, list, check, refresh and reject the access tokens that are configured",
		Long: `Get, list, check, refresh and reject the access tokens that are configured.

CORP_ID and CORP_SECRET (or DINGTALK_APP_KEY and DINGTALK_APP_SECRET) configure dingding_access_token
by themselves; larder.yaml has room for more. DINGTALK_BASE_URL (base_url in larder.yaml) sends the requests to
another server, such as a fake one in tests.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenGetCmd(a), newTokenListCmd(a), newTokenRefreshCmd(a), newTokenRejectCmd(a), newTokenCheckCmd(a))
	return cmd
}

func newTokenGetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "get NAME",
		Short: "Print a token: the row's, or a new one if there is none",
		Long: `Print a token: the row's, or, if there is no live row, a new one, which is stored for everybody.
However many processes ask at once, one of them fetches it for all. Within ten minutes of its expiry
(refresh_ahead in larder.yaml) the token is printed, and then the next one is fetched before the command ends: a token that
is asked for every minute, by larder or by cron, never expires under PHP's eyes.

A token that the vendor does not accept any more: larder token reject NAME TOKEN.

With -o json: {"access_token","expires_in"}; expires_in is in seconds, and of the row.`,
		Example: "  curl \"https://oapi.dingtalk.com/...?access_token=$(larder token get dingding_access_token)\"",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withToken(cmd.Context(), args[0], func(ctx context.Context, t tokens.Token) error {
				return a.printToken(t.Get(ctx))
			})
		},
	}
}

// A tokenView is a token as -o json prints it.
type tokenView struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`      // seconds, of the row; less than 0 if it is stale
	Stale       bool   `json:"stale,omitempty"` // it has expired, and no new one could be had
}

// printToken prints a token, also one that comes with an error because it is stale.
func (a *app) printToken(r fetcher.Result, err error) error {
	stale := errors.Is(err, fetcher.ErrStale)
	if err != nil && !stale {
		return err
	}
	if stale {
		a.sayf("the token has expired: %v", err)
	}
	if a.json() {
		return a.printJSON(tokenView{AccessToken: r.Token.Value, ExpiresIn: int64(r.Token.ExpiresIn / time.Second), Stale: stale})
	}
	return a.println(a.safe(r.Token.Value))
}

func newTokenRefreshCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "refresh NAME",
		Short: "Fetch a new token now, whatever the row has, and print it",
		Long: `Fetch a new token now, whatever the row has, store it for everybody, and print it. What was remembered of
failures and rejections is forgotten. Of some vendors (WeChat's cgi-bin/token) a new token ends the former one.

With -o json: {"access_token","expires_in"}; expires_in is in seconds, and of the row.`,
		Example: "  larder token refresh dingding_access_token >/dev/null",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withToken(cmd.Context(), args[0], func(ctx context.Context, t tokens.Token) error {
				return a.printToken(t.Refresh(ctx))
			})
		},
	}
}

func newTokenRejectCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "reject NAME TOKEN",
		Short: "Say that the vendor does not accept TOKEN, and print the one to use instead",
		Long: `Say that the vendor does not accept TOKEN, and print the one to use instead. If the row has another token by now, that is
printed and nothing is fetched, so that a report that comes late harms nothing. TOKEN - reads it from standard input, which
keeps it out of the list of processes.

With -o json: {"access_token","expires_in"}; expires_in is in seconds, and of the row.`,
		Example: "  larder token get dingding_access_token | larder token reject dingding_access_token -",
		Args:    arguments("NAME", "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			rejected, err := a.readAll(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			if rejected = strings.TrimSpace(rejected); rejected == "" {
				return usagef("TOKEN is empty: give the token that the vendor did not accept")
			}
			return a.withToken(cmd.Context(), args[0], func(ctx context.Context, t tokens.Token) error {
				if _, err := t.Reject(ctx, rejected); err != nil {
					return sendToRefresh(err, args[0])
				}
				return a.printToken(t.Get(ctx))
			})
		},
	}
}

// sendToRefresh says how the vendor is asked at once, if a rejection was answered without asking it.
func sendToRefresh(err error, name string) error {
	var same *fetcher.SourceError
	remembered := errors.Is(err, fetcher.ErrSameToken) && errors.As(err, &same) && same.RetryAfter > 0
	if remembered || errors.Is(err, fetcher.ErrRejectedTooOften) {
		return fmt.Errorf("%w\n%s asks now", err, refreshCommand(name))
	}
	return err
}

// closingTime is how long a command waits for what its tokens have left to do, such as fetching the next one. It is more than a fetch takes of
// any of them, and a fetch's statements.
func closingTime(configured []config.Token) time.Duration {
	var timeout time.Duration
	for _, t := range configured {
		if t.Timeout != nil {
			timeout = max(timeout, *t.Timeout)
		}
	}
	return timeout + 10*time.Second
}

// withToken uses a configured token of a command that does not stay and lets it finish what it does behind its callers' backs.
func (a *app) withToken(ctx context.Context, name string, use func(context.Context, tokens.Token) error) error {
	if _, err := a.config(); err != nil {
		return err
	}
	// A line of cron that works says nothing, and what a command that fails would warn of its error says again.
	var said bytes.Buffer
	level := max(a.level(), slog.LevelWarn)
	if a.level() <= slog.LevelDebug {
		level = slog.LevelDebug
	}
	err := a.withTokens(ctx, logTo(&said, level), func(ctx context.Context, _ *store.Store, set tokens.Set) error {
		t, ok := set.Get(name)
		if !ok {
			return usageError{unknownToken(a.loaded, name)}
		}
		return use(ctx, t)
	})
	if err == nil || a.level() <= slog.LevelDebug {
		_, _ = said.WriteTo(a.stderr)
	}
	return err
}

// withTokens uses all configured tokens, which tell what happens to the log.
func (a *app) withTokens(ctx context.Context, log *slog.Logger, use func(context.Context, *store.Store, tokens.Set) error, opts ...store.Option) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if cfg.TokensErr != nil {
		return usageError{cfg.TokensErr}
	}
	return a.withStore(ctx, func(ctx context.Context, s *store.Store) error {
		set, err := tokens.NewOn(a.tokenTable(s), cfg.Tokens, fetcher.WithLogger(log))
		if err != nil {
			return usageError{err}
		}
		err = use(ctx, s, set)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime(cfg.Tokens))
		defer cancel()
		if closeErr := set.Close(closing); err == nil {
			err = closeErr
		}
		return err
	}, opts...)
}

func unknownToken(cfg *config.Config, name string) error {
	if len(cfg.Tokens) == 0 {
		return fmt.Errorf("token %q is not configured, and no other is: set CORP_ID and CORP_SECRET for dingding_access_token, "+
			"or list tokens in larder.yaml", name)
	}
	var keys []string
	for _, t := range cfg.Tokens {
		keys = append(keys, t.Key)
	}
	meant := ";"
	if near := misspelt.Among(name, keys); near != "" {
		meant = fmt.Sprintf(": did you mean %q?", near)
	}
	return fmt.Errorf("token %q is not configured%s configured are: %s", name, meant, names(cfg))
}

func newTokenListCmd(a *app) *cobra.Command {
	var reveal bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens that are configured, and the state of their rows",
		Long: `List the tokens that are configured, and the state of their rows; and of those whose last fetch failed, why, when, and until when
nobody asks the vendor again. Nothing is fetched.

With -o json each token is one line: {"name","source","state","token","expiration","ttl","failure"}; state is
live, missing or corrupt; failure is there if the last fetch failed: {"message","code","status","request","advice","trouble",
"ago","pause","attempts","other_settings"}.`,
		Example: "  larder token list\n  larder token list -o json | jq -r 'select(.failure) | .name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			if len(cfg.Tokens) == 0 && cfg.TokensErr == nil {
				a.sayf("no tokens are configured: set CORP_ID and CORP_SECRET for dingding_access_token, or list tokens in larder.yaml")
			}
			return a.withTokens(cmd.Context(), a.logger(), func(ctx context.Context, s *store.Store, set tokens.Set) error {
				return a.listTokens(ctx, s, set, reveal)
			})
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "show whole tokens, not only their first 4 characters")
	return cmd
}
