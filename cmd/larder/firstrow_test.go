package main

import (
	"context"
	"errors"
	"testing"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

// A cannedTable answers Many with what it has, or with an error.
type cannedTable struct {
	fetcher.Store
	rows map[string]store.Item
	err  error
}

func (c *cannedTable) Many(context.Context, ...string) (map[string]store.Item, error) {
	return c.rows, c.err
}

func TestFirstLook_AsksOnceAndOnlyWhereNoRowIsFound(t *testing.T) {
	asked := 0
	table := &cannedTable{rows: map[string]store.Item{"token": {}}}
	look := &firstLook{Store: table, nothing: func(context.Context) { asked++ }}
	many := func(want int) {
		t.Helper()
		_, err := look.Many(t.Context(), "token")
		if !errors.Is(err, table.err) || asked != want {
			t.Fatalf("error %v, asked %d times; want %v, %d", err, asked, table.err, want)
		}
	}
	many(0) // the row is there
	table.rows, table.err = nil, errors.New("away")
	many(0)
	table.err = nil
	many(1)
	many(1)
}
