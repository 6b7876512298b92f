package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/store"
)

// The bounds of a completion, for which somebody waits who has pressed a key.
const (
	maxCompletions = 100
	maxCompleting  = time.Second
)

// choices are the values of flags, by the flags' names; they are the same wherever the flag is.
var choices = map[string][]string{
	"output":    {"text", "json"},
	"log-level": {"debug", "info", "warn", "error"},
	"state":     {"live", "expired", "all"},
	"sort":      {"key", "expiration", "size"},
	"on-lost":   {"kill", "warn"},
}

// completeArguments says what completes the arguments of each command, and the values of each flag that has a choice. The key is the
// command without "larder".
func (a *app) completeArguments(root *cobra.Command) {
	live, every := a.completeKeys(store.Live), a.completeKeys(store.All)
	arguments := map[string]cobra.CompletionFunc{
		"get": first(live), "put": first(every), "add": first(every), "has": first(live), "pull": first(live), "touch": first(live),
		"forget": every, "increment": first(live), "decrement": first(live), "list": first(live), "inspect": first(every), "export": first(every),
		"lock list": first(a.completeLocks), "lock acquire": first(a.completeLocks), "lock release": first(a.completeLocks), "lock run": lockThenCommand(a.completeLocks),
		"token get": first(a.completeTokens), "token refresh": first(a.completeTokens), "token reject": first(a.completeTokens), "token check": first(a.completeTokens),
	}
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), root.Name()+" ")
		switch complete := arguments[name]; {
		case complete != nil:
			cmd.ValidArgsFunction = complete
		case name != "import": // which takes a file
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if values := choices[f.Name]; values != nil {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // once for each flag
			}
		})
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(root)
}

// first completes the first argument alone.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, text)
	}
}

// lockThenCommand leaves what follows the lock's name to the shell, which knows commands and files.
func lockThenCommand(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return complete(cmd, args, text)
	}
}

// completeKeys completes keys of the prefix, of rows in that state. Whatever goes wrong, there is nothing to complete.
func (a *app) completeKeys(state store.State) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var found []cobra.Completion
		a.completing(cmd, func(ctx context.Context, s *store.Store) {
			literal, _, _ := strings.Cut(strings.ReplaceAll(text, "?", "*"), "*") // in a key they are characters as any other
			for e, err := range s.List(ctx, store.ListOptions{Pattern: literal + "*", State: state, Limit: maxCompletions}) {
				if err != nil {
					return
				}
				if strings.HasPrefix(e.Key, text) && !slices.Contains(args, e.Key) && completable(e.Key) {
					found = append(found, cobra.CompletionWithDesc(e.Key, e.Type+", "+entryExpires(e)))
				}
			}
		})
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeLocks(cmd *cobra.Command, _ []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	a.completing(cmd, func(ctx context.Context, s *store.Store) {
		for e, err := range s.Locks(ctx) {
			if err != nil || len(found) == maxCompletions {
				return
			}
			if strings.HasPrefix(e.Name, text) && completable(e.Name) {
				found = append(found, cobra.CompletionWithDesc(e.Name, expires(e.TTL)))
			}
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeTokens(cmd *cobra.Command, _ []string, text string) ([]cobra.Completion, cobra.ShellCompDirective) {
	a.quietly(cmd)
	cfg, err := a.config()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, t := range cfg.Tokens {
		if strings.HasPrefix(t.Key, text) && completable(t.Key) {
			found = append(found, cobra.CompletionWithDesc(t.Key, t.Source))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completable reports whether a key may stand on a command line that is being typed: it has no characters that shells take for the end of a
// completion, and no secret.
func completable(key string) bool {
	return known.MaskKey(key) == key && !strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// completing opens the store that the command line asks for so far.
func (a *app) completing(cmd *cobra.Command, use func(context.Context, *store.Store)) {
	a.quietly(cmd)
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, maxCompleting)
	defer cancel()
	_ = a.withStore(ctx, func(ctx context.Context, s *store.Store) error { use(ctx, s); return nil }) // a completion is no place for errors
}

// quietly makes the app of a command that does not run: a completion is all that may be printed.
func (a *app) quietly(cmd *cobra.Command) {
	a.changed, a.stderr = cmd.Flags().Changed, io.Discard
}
