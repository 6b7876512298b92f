package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/api"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/metrics"
	"github.com/larder-cache/larder/internal/tokens"
	"github.com/larder-cache/larder/store"
)

func newServeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Keep every configured token fresh, and serve tokens and metrics by HTTP",
		Long: `Keep every configured token fresh until stopped, delete expired rows now and then, and serve by HTTP:

  GET  /v1/tokens                 the tokens and their state
  GET  /v1/tokens/NAME            {"access_token","expires_in"}
  POST /v1/tokens/NAME/reject     {"access_token":"the rejected one"}, answers the new one
  GET  /healthz, /readyz          alive; the database answers and every token can be used (?fresh=5m: for at least that long)
  GET  /metrics                   for Prometheus

Requests carry "Authorization: Bearer KEY". LARDER_API_KEY may do everything; larder.yaml can have more, with roles:

  api_keys:
    - {key: "${APP_KEY}", role: tokens}         # tokens, reject, the list of tokens
    - {key: "${PROMETHEUS_KEY}", role: read}    # the list of tokens, metrics

write may do what read may, and admin everything; healthz and readyz want no key. On a loopback address it may run
without a key. On any other it wants one, and of each key 16 characters or more, as openssl rand -hex 32 prints them. Errors are problem details: {"title","status","detail"}. Any number of
servers may run it; one of them fetches at a time.

SIGINT, SIGTERM and SIGHUP (but not under nohup) stop it when the requests under way are answered and a fetch under way is stored; a second one
stops it at once.`,
		Example: "  larder serve\n  curl http://127.0.0.1:8420/v1/tokens/dingding_access_token\n" +
			"  curl --json '{\"access_token\":\"...\"}' http://127.0.0.1:8420/v1/tokens/dingding_access_token/reject",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context()) },
	}
	cmd.Flags().StringVar(&a.flags.listen, "listen", "127.0.0.1:8420", "the `address` to listen on")
	return cmd
}

func (a *app) serve(ctx context.Context) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := errors.Join(cfg.APIKeysErr, cfg.TokensErr); err != nil {
		return usageError{err}
	}
	keys := apiKeys(cfg)
	listener, err := api.Listen(ctx, cfg.Listen.Value, keys)
	var network *net.OpError
	switch {
	case errors.As(err, &network): // the address is in use, or another machine's
		return fmt.Errorf("%s: %w", cfg.Listen.Source, err)
	case err != nil:
		return usagef("%s: %w", cfg.Listen.Source, err)
	}
	defer func() { _ = listener.Close() }() // Serve has closed it, unless something failed before

	for _, key := range keys {
		if weak := key.Weak(); weak != "" {
			a.remarkf("%s", weak)
		}
	}
	m := metrics.NewService(buildVersion())
	return a.withTokens(ctx, a.logger(), func(ctx context.Context, s *store.Store, set tokens.Set) error {
		fetchers := map[string]api.Fetcher{}
		for _, t := range set {
			fetchers[t.Config.Key] = t.Fetcher
		}
		m.Tokens(set.Fetchers()...)
		handler := api.Handler(api.Config{
			Tokens: fetchers, Keys: keys, Ping: s.DB().PingContext, Metrics: m.Handler(), Logger: a.logger(),
		})
		a.sayf("listening on http://%s; tokens: %s", listener.Addr(), names(cfg))
		if len(cfg.Tokens) == 0 {
			a.remarkf("without a token it deletes expired rows and serves health and metrics: for dingding_access_token set CORP_ID and CORP_SECRET; " +
				"other tokens go into larder.yaml")
		}

		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return api.Serve(ctx, listener, m.Instrument(handler)) })
		group.Go(func() error { return fetcher.RunAll(ctx, set.Fetchers()...) })
		group.Go(func() error { pruneNowAndThen(ctx, s, cmp.Or(a.pruneEvery, pruneEvery), a.logger()); return nil })
		err := group.Wait()
		a.sayf("stopped")
		return err
	}, store.WithRecorder(m.Store))
}

func apiKeys(cfg *config.Config) []api.Key {
	var keys []api.Key
	for _, k := range cfg.APIKeys {
		key := api.Key{Secret: k.Key.Reveal(), Source: k.Source}
		for _, role := range k.Roles {
			key.Roles = append(key.Roles, api.Role(role))
		}
		keys = append(keys, key)
	}
	return keys
}

func names(cfg *config.Config) string {
	if len(cfg.Tokens) == 0 {
		return "none are configured"
	}
	var names []string
	for _, t := range cfg.Tokens {
		names = append(names, printable(t.Key))
	}
	return strings.Join(names, ", ")
}

// pruneEvery is how often expired rows are deleted: often enough that there are few, so that a prune is short.
const pruneEvery = 10 * time.Minute

// pruneNowAndThen deletes expired rows every so often until ctx ends. Servers that were started together do not come at once.
func pruneNowAndThen(ctx context.Context, s *store.Store, every time.Duration, log *slog.Logger) {
	for {
		select {
		case <-time.After(every/2 + rand.N(every)):
		case <-ctx.Done():
			return
		}
		result, err := s.Prune(ctx, store.PruneOptions{})
		switch {
		case errors.Is(err, store.ErrPruning), ctx.Err() != nil: // another server is at it; or it is time to stop
		case err != nil:
			log.WarnContext(ctx, "prune failed", "error", err.Error())
		default:
			log.InfoContext(ctx, "pruned", "expired", result.Expired, "expired_locks", result.ExpiredLocks)
		}
	}
}
