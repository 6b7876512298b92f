package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

func newGetCmd(a *app) *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Print the value of KEY",
		Long: `Print the value of KEY: a string as it is, anything else as JSON. A string is followed by a new line
on a terminal only, so that a file or a pipe gets exactly its bytes. What a terminal would obey, such as escape sequences, is
shown there as \x1b.

Exit status 1 if there is no live row.`,
		Example: "  larder get dingding_access_token\n  larder get settings -o json",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				item, err := s.Item(ctx, args[0])
				if err != nil {
					return a.notThere(ctx, s, args[0], err)
				}
				return a.printItem(item, raw)
			})
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print the stored bytes, PHP's serialization")
	return cmd
}

func newPullCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "pull KEY",
		Short: "Print the value of KEY as get does, and forget it",
		Long: `Print the value of KEY as get does, and forget it. Of several pulls at once, one gets the value.

Exit status 1 if there is no live row.`,
		Example: "  larder pull one-time-code:7",
		Args:    arguments("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				item, err := s.Item(ctx, args[0])
				if err != nil {
					return a.notThere(ctx, s, args[0], err)
				}
				var value php.Value
				if err := s.Pull(ctx, args[0], &value); err != nil {
					return err
				}
				if item.Raw, err = php.Encode(value); err != nil {
					return err
				}
				return a.printItem(item, false)
			})
		},
	}
}

// An itemView is a row with its value, as -o json prints it.
type itemView struct {
	Key        json.RawMessage `json:"key"`
	Value      json.RawMessage `json:"value"`
	Type       string          `json:"type"`
	Expiration int64           `json:"expiration"` // Unix seconds
	TTL        int64           `json:"ttl"`        // seconds
}

// jsonKey is a key in JSON, in the form that php.JSON has for one that is not UTF-8, as a SQLite table may hold.
func jsonKey(key string) json.RawMessage {
	text, _ := php.JSON(php.String(key)) // strings have a form
	return text
}

func (a *app) printItem(item store.Item, raw bool) error {
	if raw {
		return a.printText(string(item.Raw))
	}
	var value php.Value
	if err := item.Decode(&value); err != nil {
		return fmt.Errorf("get %q: %w", item.Key, err)
	}
	text, err := php.JSON(value)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(itemView{
			Key: jsonKey(item.Key), Value: text, Type: php.TypeName(item.Raw), Expiration: item.Expiration, TTL: int64(item.TTL / time.Second),
		})
	}
	if s, ok := value.(php.String); ok {
		return a.printText(string(s))
	}
	_, err = fmt.Fprintf(a.safeJSON(), "%s\n", text)
	return err
}
