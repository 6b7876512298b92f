package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
)

func newListCmd(a *app) *cobra.Command {
	var (
		o            store.ListOptions
		state, order string
	)
	cmd := &cobra.Command{
		Use:        "list [PATTERN]",
		Aliases:    []string{"ls"},
		SuggestFor: []string{"keys", "scan"},
		Short:      "List the rows of the prefix, without their values",
		Long: `List the live rows of the prefix whose key matches PATTERN, in which "*" stands for any characters and "?"
for one; --state all lists the expired ones too. Values are never read whole.

With -o json each row is one line: {"key","type","size","state","expiration","ttl"}.`,
		Example: "  larder list\n  larder list 'user:*' --state all --sort size --limit 20",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Pattern = args[0]
			}
			o.State, o.Order = store.State(state), store.Order(order)
			switch o.State {
			case store.Live, store.Expired, store.All:
			default:
				return usagef("--state %q: want live, expired or all", state)
			}
			switch o.Order {
			case store.ByKey, store.ByExpiration, store.BySize:
			default:
				return usagef("--sort %q: want key, expiration or size", order)
			}
			if o.Limit < 0 {
				return usagef("--limit %d: want 0 (all) or more", o.Limit)
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.list(ctx, s, o) })
		},
	}
	cmd.Flags().StringVar(&state, "state", "live", "which rows: live, expired or all")
	cmd.Flags().StringVar(&order, "sort", "key", "by what: key, expiration (soonest first) or size (largest first)")
	cmd.Flags().IntVar(&o.Limit, "limit", 0, "how many rows at most (default: all)")
	cmd.Flags().BoolVar(&o.AllPrefixes, "all-prefixes", false, "list all of the table, by whole row keys")
	return cmd
}

// An entryView is a row without its value, as -o json prints it.
type entryView struct {
	Key        json.RawMessage `json:"key"`
	Type       string          `json:"type"`
	Size       int64           `json:"size"` // bytes, as stored
	State      store.State     `json:"state"`
	Expiration int64           `json:"expiration"` // Unix seconds
	TTL        int64           `json:"ttl"`        // seconds; 0 or less if it has expired
}

func viewEntry(e store.Entry) entryView {
	v := entryView{Key: jsonKey(e.Key), Type: e.Type, Size: e.Size, State: store.Expired, Expiration: e.Expiration, TTL: int64(e.TTL / time.Second)}
	if e.Live() {
		v.State = store.Live
	}
	return v
}

// Columns are aligned over this many rows at a time, so that the first ones appear before the last are read.
const alignedRows = 500

func (a *app) list(ctx context.Context, s *store.Store, o store.ListOptions) error {
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	rows := 0
	for e, err := range s.List(ctx, o) {
		if err != nil {
			_ = table.Flush() // what was found before the error is shown; the error says more
			return err
		}
		if rows++; a.json() {
			if err := a.printJSON(viewEntry(e)); err != nil {
				return err
			}
			continue
		}
		if rows == 1 {
			_, _ = fmt.Fprintln(table, "KEY\tTYPE\tSIZE\tEXPIRES")
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", printable(e.Key), e.Type, e.Size, expires(e.TTL))
		if rows%alignedRows == 0 {
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	if rows == 0 && !a.json() {
		a.sayf("%s", nothingListed(s, o))
	}
	return table.Flush()
}

func nothingListed(s *store.Store, o store.ListOptions) string {
	text := "no rows"
	if o.State != store.All {
		text = fmt.Sprintf("no %s rows", o.State)
	}
	if o.Pattern != "" {
		text += fmt.Sprintf(" that match %q", o.Pattern)
	}
	if !o.AllPrefixes {
		text += fmt.Sprintf(" with prefix %q; --all-prefixes shows those of others", s.Prefix())
	}
	if o.State == store.Live {
		text += "; --state all shows expired ones"
	}
	return text
}

// foreverYears is from how long a time on "forever" says more than the number.
const foreverYears = 9 * 365 * 24 * time.Hour

// expires says when a row expires, to two units.
func expires(ttl time.Duration) string {
	switch {
	case ttl > foreverYears:
		return "forever"
	case ttl > 0:
		return "in " + span(ttl)
	}
	return span(-ttl) + " ago"
}

func span(d time.Duration) string {
	s := int64(d / time.Second)
	for _, u := range []struct {
		seconds  int64
		name     string
		smaller  int64
		lessName string
	}{{86400, "d", 3600, "h"}, {3600, "h", 60, "m"}, {60, "m", 1, "s"}} {
		if s >= u.seconds {
			return fmt.Sprintf("%d%s %d%s", s/u.seconds, u.name, s%u.seconds/u.smaller, u.lessName)
		}
	}
	return fmt.Sprintf("%ds", s)
}
