package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/store"
)

// candidates are the configured prefix, and those that Laravel's own configurations make of the application's name.
func candidates(c *config.Config) []config.LaravelPrefix {
	own := c.Prefix.Value
	all := []config.LaravelPrefix{{Value: own}}
	for _, p := range c.LaravelPrefixes {
		// Without a prefix there are keys that begin as an old one does: laravel_unique_job, laravel:pulse:restart.
		marked := strings.HasSuffix(p.Value, "_cache_") || strings.HasSuffix(p.Value, "-cache-")
		if p.Value != own && (own != "" || marked) {
			all = append(all, p)
		}
	}
	return all
}

// MeantPrefixes returns the prefixes that may be meant by somebody whose configured prefix no row has: those that rows do have of the ones that
// Laravel's own configurations make of the application's name or, failing that, of no name. It returns none if rows have the configured one.
//
// It is one statement, and as quick on a large table as on a small one. For that, prefixes without a separator are left out: Laravel's until 5.5.21.
func MeantPrefixes(ctx context.Context, s *store.Store, c *config.Config) ([]config.LaravelPrefix, error) {
	mine := candidates(c)
	derived, all := len(mine), mine
	for _, p := range config.DefaultPrefixes() {
		if c.Prefix.Value != "" && !slices.ContainsFunc(all, func(o config.LaravelPrefix) bool { return o.Value == p.Value }) {
			all = append(all, p)
		}
	}
	var values []string
	for i, p := range all {
		if i == 0 || strings.ContainsAny(p.Value, "-_") {
			values = append(values, p.Value)
		}
	}
	used, err := s.UsedPrefixes(ctx, values...)
	if err != nil || slices.Contains(used, c.Prefix.Value) {
		return nil, err
	}
	inUse := func(of []config.LaravelPrefix) []config.LaravelPrefix {
		return slices.DeleteFunc(slices.Clone(of), func(p config.LaravelPrefix) bool { return !slices.Contains(used, p.Value) })
	}
	if found := inUse(all[:derived]); len(found) > 0 {
		return found, nil
	}
	return inUse(all[derived:]), nil
}
