package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// These tests let clients with connections of their own work on the same few keys and locks at once, write down what each was told and
// when, and look for one order of all that explains it: in which everything happens at one moment between its call and its answer. An
// operation with ErrOutcomeUnknown happens once at any time after its call, or never.

const (
	historyClients = 8
	historyRounds  = 8 // each on keys of its own, or the search would take too long
	historyEach    = 15
)

func TestHistory_SQLite(t *testing.T) {
	path := testdb.SQLite(t)
	h := newHistory(t)
	var clients []historyClient
	for range historyClients {
		s, err := store.Open("sqlite:" + path)
		clients = append(clients, historyClient{prepared(t, s, err, migrateSQLite), newWire()})
	}
	h.work(clients)
	h.wantOneOrder()
}

func TestHistory_MySQL(t *testing.T) {
	h := newHistory(t)
	h.work(openClients(t, 0, migrated(t, testdb.MySQL(t))))
	h.wantOneOrder()
}

// A historyClient is a store with connections of its own, and the wire that they go over. A SQLite file needs none.
type historyClient struct {
	*store.Store
	wire *wire
}

// openClients returns clients of the databases, by turns. One answer in lose is lost, none if it is 0.
func openClients(t *testing.T, lose int32, databases ...*testdb.Database) []historyClient {
	t.Helper()
	clients := make([]historyClient, historyClients)
	for i := range clients {
		cfg := databases[i%len(databases)].Config()
		wire := newWire()
		cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.Logger, cfg.DialFunc = true, 64<<20, &mysql.NopLogger{}, wire.dial
		clients[i] = historyClient{newStore(t, cfg), wire}
		wire.loseOneAnswerIn(lose)
	}
	return clients
}

// A call is what a client asked for.
type call struct {
	what string
	key  string
	n    int64 // the value to add, how much to count on, the owner of the lock
}

// A reply is what it was told.
type reply struct {
	yes     bool
	n       int64
	unknown bool
}

func (c call) String() string { return fmt.Sprintf("%s %s %d", c.what, c.key, c.n) }

func (r reply) String() string {
	if r.unknown {
		return "unknown"
	}
	return fmt.Sprint(r.yes, " ", r.n)
}

// A slot is a row or a lock: there or not, with its number or its owner.
type slot struct {
	there bool
	n     int64
}

// answer is what the operations do, one at a time.
func (s slot) answer(c call) (slot, reply) {
	switch c.what {
	case "get", "owner":
		return s, reply{yes: s.there, n: s.n}
	case "pull":
		return slot{}, reply{yes: s.there, n: s.n}
	case "forget":
		return slot{}, reply{yes: s.there}
	case "increment":
		if s.there {
			s.n += c.n
		}
		return s, reply{yes: s.there, n: s.n}
	case "add":
		if s.there {
			return s, reply{}
		}
		return slot{true, c.n}, reply{yes: true}
	case "acquire":
		if s.there && s.n != c.n {
			return s, reply{}
		}
		return slot{true, c.n}, reply{yes: true}
	case "release":
		if s != (slot{true, c.n}) {
			return s, reply{}
		}
		return slot{}, reply{yes: true}
	}
	panic(c.what)
}

// ask does to the store what answer does to a slot. Rows live for an hour: none expires while the test runs.
func (c call) ask(ctx context.Context, s *store.Store) (r reply, err error) {
	lock := s.RestoreLock(c.key, fmt.Sprint(c.n), time.Hour)
	var value any
	switch c.what {
	case "get":
		err = s.Get(ctx, c.key, &value)
		r.yes = err == nil
	case "pull":
		err = s.Pull(ctx, c.key, &value)
		r.yes = err == nil
	case "forget":
		r.yes, err = s.Forget(ctx, c.key)
	case "increment":
		r.n, err = s.Increment(ctx, c.key, c.n)
		r.yes = err == nil
	case "add":
		value := any(c.n)
		if c.n%2 == 0 {
			value = fmt.Sprint(c.n) // which Increment takes another way with
		}
		r.yes, err = s.Add(ctx, c.key, value, time.Hour)
	case "owner":
		value, err = lock.CurrentOwner(ctx)
		r.yes = value != ""
	case "acquire":
		r.yes, err = lock.Acquire(ctx)
	case "release":
		r.yes, err = lock.Release(ctx)
	}
	if value != nil {
		_, _ = fmt.Sscan(fmt.Sprint(value), &r.n) // no owner is 0
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return reply{}, nil
	case errors.Is(err, store.ErrOutcomeUnknown):
		return reply{unknown: true}, nil
	}
	return r, err
}

// historyModel tells in which states a slot may be after a call with this reply, for each key by itself.
var historyModel = (&porcupine.NondeterministicModel{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range all {
			key := o.Input.(call).key
			byKey[key] = append(byKey[key], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{slot{}} },
	Step: func(state, input, output any) []any {
		s := state.(slot)
		next, told := s.answer(input.(call))
		switch {
		case output.(reply).unknown:
			return []any{s, next}
		case output.(reply) == told:
			return []any{next}
		}
		return nil
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, ": ", output) },
}).ToModel()

type history struct {
	t     *testing.T
	began time.Time
	mu    sync.Mutex
	all   []porcupine.Operation
}

func newHistory(t *testing.T) *history { return &history{t: t, began: time.Now()} }

func (h *history) note(client int, c call, from, to int64, r reply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, porcupine.Operation{ClientId: client, Input: c, Call: from, Output: r, Return: to})
}

// do makes a client's call and writes it down.
//
// When a connection is lost, forget and release are sent again: each sending may have happened, at another moment before the answer, so that
// the last one finds nothing left to forget or to release, or forgets what was added in between.
func (h *history) do(client int, s historyClient, c call) error {
	sent := s.wire.statements.Load()
	from := int64(time.Since(h.began))
	r, err := c.ask(h.t.Context(), s.Store)
	to := int64(time.Since(h.began))
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if r.unknown {
		to = math.MaxInt64
	}
	h.note(client, c, from, to, r)
	if c.what == "forget" || c.what == "release" {
		for range s.wire.statements.Load() - sent - 1 {
			h.note(client, c, from, to, reply{unknown: true})
		}
	}
	return nil
}

// work lets all clients work at once.
func (h *history) work(clients []historyClient) {
	h.t.Helper()
	for round := range historyRounds {
		var wg sync.WaitGroup
		for i, client := range clients {
			wg.Go(func() {
				for n := range historyEach {
					if err := h.do(i, client, randomCall(round, i, n)); err != nil {
						h.t.Errorf("client %d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// randomCall is on one of three rows or one lock. The owner of a lock is the client; no two adds add the same.
func randomCall(round, client, n int) call {
	c := call{what: pick("get", "add", "add", "forget", "pull", "increment", "increment", "increment", "acquire", "acquire", "release", "release", "owner")}
	switch c.what {
	case "acquire", "release", "owner":
		c.key, c.n = fmt.Sprint("lock", round), int64(client+1)
	case "add":
		c.n = int64(client+1)*1_000_000 + int64(n)*1000
		fallthrough
	case "increment":
		c.n += int64(1 + n%3)
		fallthrough
	default:
		c.key = fmt.Sprintf("row%d%s", round, pick("a", "b", "c"))
	}
	return c
}

func pick(from ...string) string { return from[rand.IntN(len(from))] }

// wantOneOrder fails the test if no order of what happened explains what the clients were told.
func (h *history) wantOneOrder() {
	h.t.Helper()
	unknown := 0
	for _, o := range h.all {
		if o.Output.(reply).unknown {
			unknown++
		}
	}
	h.t.Logf("%d operations, %d of them with an unknown outcome", len(h.all), unknown)
	result, info := porcupine.CheckOperationsVerbose(historyModel, h.all, time.Minute)
	switch result {
	case porcupine.Ok:
		return
	case porcupine.Unknown:
		h.t.Fatal("a minute was not enough to look for the order")
	}
	picture := filepath.Join(h.t.ArtifactDir(), "history.html")
	if err := porcupine.VisualizePath(historyModel, info, picture); err != nil {
		h.t.Error(err)
	}
	for _, part := range historyModel.Partition(h.all) {
		if !porcupine.CheckOperations(historyModel, part) {
			slices.SortFunc(part, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			for _, o := range part {
				h.t.Logf("client %d, %12d to %12d: %s: %s", o.ClientId, o.Call, o.Return, o.Input, o.Output)
			}
		}
	}
	h.t.Fatalf("no order explains what the clients were told on the key above; with -artifacts, %s is the picture", picture)
}

// An Increment that happens twice, or answers what another one answered, has no place in any order.
func TestHistory_TheModelSeesALostUpdate(t *testing.T) {
	for name, answers := range map[string][2]int64{"in order": {1, 2}, "lost": {1, 1}, "twice": {1, 3}} {
		h := newHistory(t)
		h.note(0, call{"add", "k", 0}, 0, 1, reply{yes: true})
		h.note(0, call{"increment", "k", 1}, 2, 5, reply{yes: true, n: answers[0]})
		h.note(1, call{"increment", "k", 1}, 3, 4, reply{yes: true, n: answers[1]})
		h.note(2, call{"get", "other", 0}, 3, 4, reply{})
		if got, want := porcupine.CheckOperations(historyModel, h.all), name == "in order"; got != want {
			t.Errorf("%s: an order is found: %t, want %t", name, got, want)
		}
	}
}
