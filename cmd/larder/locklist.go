package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

// A lockSelection is which locks a list shows.
type lockSelection struct {
	pattern     string
	state       store.State
	allPrefixes bool
}

func (l lockSelection) wants(e store.LockEntry) bool {
	if l.state == store.Live && !e.Live() || l.state == store.Expired && e.Live() {
		return false
	}
	return l.pattern == "" || store.Match(l.pattern, e.Name)
}

func newLockListCmd(a *app) *cobra.Command {
	var (
		selection lockSelection
		state     string
	)
	cmd := &cobra.Command{
		Use:     "list [PATTERN]",
		Aliases: []string{"ls"},
		Short:   "List the locks of the prefix and who holds them",
		Long: `List the locks of the prefix that are held and whose name matches PATTERN, in which "*" stands for any characters and "?" for one, with their
owners, whole, as lock release wants them. A lock that has expired is held by nobody: its holder did not give it back, and
--state all or expired lists what is left of it.

With -o json each lock is one line: {"name","owner","state","expiration","ttl"}; state is live or expired.`,
		Example: "  larder lock list\n  larder lock list 'report*' --state all",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				selection.pattern = args[0]
			}
			selection.state = store.State(state)
			if err := checkState(selection.state); err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error { return a.listLocks(ctx, s, selection) })
		},
	}
	cmd.Flags().StringVar(&state, "state", "live", "which locks: live, expired or all")
	cmd.Flags().BoolVar(&selection.allPrefixes, "all-prefixes", false, "list all of the table, by whole row keys")
	return cmd
}

// A lockEntryView is a lock of the table, as -o json prints it.
type lockEntryView struct {
	Name       json.RawMessage `json:"name"`
	Owner      json.RawMessage `json:"owner"`
	State      store.State     `json:"state"`
	Expiration int64           `json:"expiration"` // Unix seconds
	TTL        int64           `json:"ttl"`        // seconds; 0 or less if it has expired
}

func viewLock(e store.LockEntry) lockEntryView {
	v := lockEntryView{Name: jsonKey(e.Name), Owner: jsonKey(e.Owner), State: store.Expired, Expiration: e.Expiration, TTL: int64(e.TTL / time.Second)}
	if e.Live() {
		v.State = store.Live
	}
	return v
}

func (a *app) listLocks(ctx context.Context, s *store.Store, selection lockSelection) error {
	locks := s.Locks
	if selection.allPrefixes {
		locks = s.AllLocks
	}
	table := term.NewTable(a.stdout, a.output(), term.Column{Title: "NAME", Least: 16, Middle: true}, term.Column{Title: "OWNER"}, term.Column{Title: "EXPIRES"})
	found := 0
	for e, err := range locks(ctx) {
		if err != nil {
			_ = table.Flush() // what was found before the error is shown; the error says more
			return err
		}
		if !selection.wants(e) {
			continue
		}
		found++
		if a.json() {
			if err := a.printJSON(viewLock(e)); err != nil {
				return err
			}
			continue
		}
		table.Add(term.Cell{Text: printable(e.Name)}, term.Cell{Text: printable(e.Owner)}, term.Cell{Text: expires(e.TTL), Style: urgency(e.TTL)})
		if table.Len() == alignedRows {
			if err := table.Flush(); err != nil {
				return err
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if found == 0 && !a.json() {
		a.remarkf("%s", noLocks(s, selection))
	}
	return nil
}

func noLocks(s *store.Store, selection lockSelection) string {
	text := "no locks"
	switch selection.state {
	case store.Live:
		text += " are held"
	case store.Expired:
		text += " have expired"
	}
	if selection.pattern != "" {
		text += fmt.Sprintf(" that match %q", selection.pattern)
	}
	if !selection.allPrefixes && s.Prefix() != "" {
		text += fmt.Sprintf(" with prefix %q; --all-prefixes shows those of others", s.Prefix())
	}
	return text
}
