//go:build peers

package store_test

// What takes a Galera cluster: make test-peers starts one, builds this with -tags peers and tells where its nodes are.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/storetest"
)

// A cluster of which one node writes is as good as one server.
func TestGalera_Conformance(t *testing.T) {
	node := testdb.Galera(t)[0]
	storetest.Run(t, func(tb testing.TB, opts ...store.Option) *store.Store {
		s, err := store.Open(node.Database(tb).URL(), opts...)
		return prepared(tb, s, err, migrateMySQL)
	})
}

// clients is how many work at once on two nodes, every other one on the second.
const clients = 8

// onTwoNodes returns a store for each client.
func onTwoNodes(t *testing.T) []*store.Store {
	nodes := testdb.Galera(t)
	db := migrated(t, nodes[0].Database(t))
	stores := make([]*store.Store, clients)
	for i := range stores {
		s, err := store.Open(db.On(nodes[i%2]).URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		caughtUp(t, s)
		stores[i] = s
	}
	return stores
}

// caughtUp waits until a node has applied all that the cluster has agreed on so far. A node does it a moment after the one that wrote.
func caughtUp(t *testing.T, s *store.Store) {
	t.Helper()
	conn, err := s.DB().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{"SET SESSION wsrep_sync_wait = 1", "DO (SELECT 1)", "SELECT COUNT(*) FROM cache", "SET SESSION wsrep_sync_wait = 0"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// together runs each client's work at the same time and fails the test with each error.
func together(t *testing.T, stores []*store.Store, work func(client int, s *store.Store) error) {
	t.Helper()
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i, s := range stores {
		wg.Go(func() {
			<-begin
			if err := work(i, s); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	close(begin)
	wg.Wait()
}

func TestGalera_OneOfManyWinsOnTwoNodes(t *testing.T) {
	stores := onTwoNodes(t)
	for name, try := range map[string]func(ctx context.Context, s *store.Store, key string, client int) (bool, error){
		"Add": func(ctx context.Context, s *store.Store, key string, client int) (bool, error) {
			return s.Add(ctx, key, client, time.Minute)
		},
		"Acquire": func(ctx context.Context, s *store.Store, key string, _ int) (bool, error) {
			return s.Lock(key, time.Minute).Acquire(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for round := range 25 {
				key := fmt.Sprint(name, round)
				var won [clients]bool
				together(t, stores, func(client int, s *store.Store) (err error) {
					won[client], err = try(t.Context(), s, key, client)
					return err
				})
				winners := 0
				for _, w := range won {
					if w {
						winners++
					}
				}
				if winners != 1 {
					t.Errorf("%s has %d winners, want 1", key, winners)
				}
			}
		})
	}
}

func TestGalera_IncrementOnTwoNodesCountsEachOnce(t *testing.T) {
	const each = 25
	stores := onTwoNodes(t)
	if err := stores[0].Put(t.Context(), "hits", 0, time.Minute); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, stores[1])

	var answers [clients][]int64
	together(t, stores, func(client int, s *store.Store) error {
		for range each {
			n, err := s.Increment(t.Context(), "hits", 1)
			if err != nil {
				return err
			}
			answers[client] = append(answers[client], n)
		}
		return nil
	})

	all := slices.Sorted(slices.Values(slices.Concat(answers[:]...)))
	for i, n := range all {
		if n != int64(i+1) {
			t.Fatalf("answer %d of %d is %d; all: %v", i+1, len(all), n, all)
		}
	}
	for i, s := range stores[:2] {
		caughtUp(t, s)
		var total int64
		if err := s.Get(t.Context(), "hits", &total); err != nil || total != clients*each {
			t.Errorf("node %d has %d, %v, want %d", i+1, total, err, clients*each)
		}
	}
}
