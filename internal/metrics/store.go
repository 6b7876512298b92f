// Package metrics shows what larder does to Prometheus.
package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/store/record"
)

// Store is a recorder for store.WithRecorder, of one store or of several, and the collector of what it heard:
//
//	larder_store_operations_total{operation,outcome}
//	larder_store_operation_duration_seconds{operation}, a histogram
//	larder_store_rows_total{operation}
//	larder_store_retries_total{cause}
//
// The labels are the names, outcomes and causes of package record, of which there are few. Keys and names of locks are never labels.
type Store struct {
	operations *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	rows       *prometheus.CounterVec
	retries    *prometheus.CounterVec
}

var (
	_ record.Recorder      = (*Store)(nil)
	_ prometheus.Collector = (*Store)(nil)
)

// durationBuckets reach from a SQLite file that lies in memory (0.1 ms) to the ten seconds that a statement is repeated for.
var durationBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// NewStore returns a recorder that has heard nothing yet.
func NewStore() *Store {
	s := &Store{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "larder_store_operations_total",
			Help: "Operations of the store and its locks, by what became of them.",
		}, []string{"operation", "outcome"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "larder_store_operation_duration_seconds",
			Help:    "How long operations that asked the database took, repeats and waits for locks included.",
			Buckets: durationBuckets,
		}, []string{"operation"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "larder_store_rows_total",
			Help: "Rows that operations found, wrote or deleted in the database. Those of prune_batch are deleted by prunes, each counted once.",
		}, []string{"operation"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "larder_store_retries_total",
			Help: "Statements that were repeated, by why they had failed.",
		}, []string{"cause"}),
	}
	for _, cause := range record.Causes() {
		s.retries.WithLabelValues(string(cause)) // so that a first one is an increase
	}
	s.rows.WithLabelValues(string(record.PruneBatch)) // the same, for who watches whether anything is pruned
	return s
}

// Operation counts an operation. A hit in the store's memory has no duration: it takes less than a microsecond, and would hide what the
// database takes. It has no row in the database either. The rows of a Prune are those of its batches, which are counted as they go, also
// if the Prune fails later.
func (s *Store) Operation(_ context.Context, o record.Operation) {
	s.operations.WithLabelValues(string(o.Name), string(o.Outcome)).Inc()
	if o.Outcome == record.MemoryHit {
		return
	}
	s.durations.WithLabelValues(string(o.Name)).Observe(o.Duration.Seconds())
	if o.Rows > 0 && o.Name != record.Prune {
		s.rows.WithLabelValues(string(o.Name)).Add(float64(o.Rows))
	}
}

// Retry counts a repeat.
func (s *Store) Retry(_ context.Context, r record.Retry) {
	s.retries.WithLabelValues(string(r.Cause)).Inc()
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	s.operations.Describe(ch)
	s.durations.Describe(ch)
	s.rows.Describe(ch)
	s.retries.Describe(ch)
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	s.operations.Collect(ch)
	s.durations.Collect(ch)
	s.rows.Collect(ch)
	s.retries.Collect(ch)
}
