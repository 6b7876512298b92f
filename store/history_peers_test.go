//go:build peers

package store_test

import (
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestGalera_Model(t *testing.T) {
	node := testdb.Galera(t)[0]
	runModel(t, unicodeEngine, func(tb testing.TB, opts ...store.Option) *store.Store {
		s, err := store.Open(node.Database(tb).URL(), opts...)
		return prepared(tb, s, err, migrateMySQL)
	})
}

// What clients that write on two nodes of a cluster may rely on: everything that changes a row or a lock happens in one order, and finds
// what the change before it left, because the cluster refuses a change that has not seen the one before it, which is then repeated. No update
// is lost, no value is pulled twice, no lock has two holders.
//
// What changes nothing ("there is none", "it is held", a value that is read) is said by one node, which may not have applied yet what another
// client has done on the other: it was true at some time, not before this client's own last change. (Sessions that set wsrep_sync_wait wait
// for the node; larder does not ask for it.)
func TestGalera_HistoryOnTwoNodes(t *testing.T) { historyOnTwoNodes(t, 0) }

func TestGalera_HistoryOnTwoNodesWithLostAnswers(t *testing.T) { historyOnTwoNodes(t, 10) }

func historyOnTwoNodes(t *testing.T, lose int32) {
	nodes := testdb.Galera(t)
	db := migrated(t, nodes[0].Database(t))
	other := db.On(nodes[1])
	caughtUp(t, newStore(t, other.Config()))
	h := newHistory(t)
	h.work(openClients(t, lose, db, other))
	h.mayBeStale()
	h.wantOneOrder()
}

// mayBeStale lets what changed nothing happen at any time since its client's last change of the same row or lock.
func (h *history) mayBeStale() {
	type who struct {
		client int
		key    string
	}
	slices.SortFunc(h.all, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	changed := map[who]int64{}
	for i, o := range h.all {
		c, r := o.Input.(call), o.Output.(reply)
		by := who{o.ClientId, c.key}
		if !r.unknown && (!r.yes || c.what == "get" || c.what == "owner") {
			h.all[i].Call = changed[by]
		} else if !r.unknown {
			changed[by] = o.Call
		}
	}
}
