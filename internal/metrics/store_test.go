package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/larder-cache/larder/internal/metrics"
	"github.com/larder-cache/larder/store/record"
)

func registered(t *testing.T) (*metrics.Store, *prometheus.Registry) {
	t.Helper()
	s, registry := metrics.NewStore(), prometheus.NewPedanticRegistry()
	if err := registry.Register(s); err != nil {
		t.Fatal(err)
	}
	return s, registry
}

func TestStore_CountsWhatItHears(t *testing.T) {
	ctx := context.Background()
	s, registry := registered(t)
	for range 3 {
		s.Operation(ctx, record.Operation{Name: record.Get, Outcome: record.Hit, Key: "secret:1", Rows: 1, Duration: 3 * time.Millisecond})
	}
	s.Operation(ctx, record.Operation{Name: record.Get, Outcome: record.MemoryHit, Key: "secret:1", Rows: 1})
	s.Operation(ctx, record.Operation{Name: record.Put, Outcome: record.Unknown, Key: "secret:2", Duration: time.Minute, Err: errors.New("secret")})
	for range 2 {
		s.Operation(ctx, record.Operation{Name: record.PruneBatch, Outcome: record.Forgotten, Rows: 199, Duration: time.Millisecond})
	}
	s.Operation(ctx, record.Operation{Name: record.Prune, Outcome: record.Done, Rows: 398, Duration: time.Second})
	s.Retry(ctx, record.Retry{Cause: record.Deadlock, Attempt: 1, Err: errors.New("secret")})

	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP larder_store_operations_total Operations of the store and its locks, by what became of them.
# TYPE larder_store_operations_total counter
larder_store_operations_total{operation="get",outcome="hit"} 3
larder_store_operations_total{operation="get",outcome="memory_hit"} 1
larder_store_operations_total{operation="prune",outcome="done"} 1
larder_store_operations_total{operation="prune_batch",outcome="forgotten"} 2
larder_store_operations_total{operation="put",outcome="outcome_unknown"} 1
# HELP larder_store_rows_total Rows that operations found, wrote or deleted in the database. Those of prune_batch are deleted by prunes, each counted once.
# TYPE larder_store_rows_total counter
larder_store_rows_total{operation="get"} 3
larder_store_rows_total{operation="prune_batch"} 398
# HELP larder_store_retries_total Statements that were repeated, by why they had failed.
# TYPE larder_store_retries_total counter
larder_store_retries_total{cause="busy"} 0
larder_store_retries_total{cause="connect"} 0
larder_store_retries_total{cause="deadlock"} 1
larder_store_retries_total{cause="interrupted"} 0
larder_store_retries_total{cause="lock_wait"} 0
larder_store_retries_total{cause="lost_connection"} 0
larder_store_retries_total{cause="not_ready"} 0
larder_store_retries_total{cause="stale_read"} 0
larder_store_retries_total{cause="too_many"} 0
`), "larder_store_operations_total", "larder_store_rows_total", "larder_store_retries_total")
	if err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	if strings.Contains(text, "secret") {
		t.Error("a key or an error is in the metrics")
	}
	for _, family := range families {
		if family.GetName() != "larder_store_operation_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			h := m.GetHistogram()
			switch operation := m.GetLabel()[0].GetValue(); {
			case operation == "get" && (h.GetSampleCount() != 3 || h.GetSampleSum() < .0089 || h.GetSampleSum() > .0091),
				operation == "put" && (h.GetSampleCount() != 1 || h.GetSampleSum() != 60):
				t.Errorf("durations of %s are %v", operation, h)
			}
		}
	}
}

func TestStore_NamesAreWhatPrometheusWants(t *testing.T) {
	s, registry := registered(t)
	for _, name := range record.Names() {
		s.Operation(context.Background(), record.Operation{Name: name, Outcome: record.Done, Duration: time.Second})
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
