package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/larder-cache/larder/fetcher"
)

// A known collects one status, each of whose numbers is another.
type known struct{ fetcher.Status }

func (k known) Describe(ch chan<- *prometheus.Desc) { NewTokens().Describe(ch) }
func (k known) Collect(ch chan<- prometheus.Metric) { collect(ch, k.Status) }

func TestTokens_ShowEachNumberUnderItsName(t *testing.T) {
	st := fetcher.Status{
		Key: "t", Token: "toke…", Age: 11 * time.Second, Remaining: -12 * time.Second, LockWaits: 13, Rejections: 14, Restored: 15, DirectFetches: 16,
		HandedOut: map[fetcher.Origin]uint64{fetcher.FromMemory: 17, fetcher.FromRow: 18, fetcher.FromSource: 19, fetcher.FromStale: 20},
		Fetches:   map[string]uint64{"ok": 21, "credential": 22, "config": 23, "throttle": 24, "transient": 25, "protocol": 26, "unknown": 27},
		Alarms:    []fetcher.Alarm{{Kind: fetcher.AlarmFlapping}, {Kind: fetcher.AlarmSameToken}},
	}
	const want = `
# HELP larder_token_age_seconds Since this process read or fetched the token.
# TYPE larder_token_age_seconds gauge
larder_token_age_seconds{token="t"} 11
# HELP larder_token_alarm Whether somebody should look at the token.
# TYPE larder_token_alarm gauge
larder_token_alarm{kind="collision",token="t"} 0
larder_token_alarm{kind="failing",token="t"} 0
larder_token_alarm{kind="flapping",token="t"} 1
larder_token_alarm{kind="same_token",token="t"} 1
larder_token_alarm{kind="wrong_app",token="t"} 0
# HELP larder_token_direct_fetches_total Requests to the vendor without the database.
# TYPE larder_token_direct_fetches_total counter
larder_token_direct_fetches_total{token="t"} 16
# HELP larder_token_fetches_total Requests to the vendor for a token, by what became of them.
# TYPE larder_token_fetches_total counter
larder_token_fetches_total{outcome="config",token="t"} 23
larder_token_fetches_total{outcome="credential",token="t"} 22
larder_token_fetches_total{outcome="ok",token="t"} 21
larder_token_fetches_total{outcome="protocol",token="t"} 26
larder_token_fetches_total{outcome="throttle",token="t"} 24
larder_token_fetches_total{outcome="transient",token="t"} 25
larder_token_fetches_total{outcome="unknown",token="t"} 27
# HELP larder_token_handed_out_total Tokens handed out, by where they came from.
# TYPE larder_token_handed_out_total counter
larder_token_handed_out_total{origin="memory",token="t"} 17
larder_token_handed_out_total{origin="row",token="t"} 18
larder_token_handed_out_total{origin="source",token="t"} 19
larder_token_handed_out_total{origin="stale",token="t"} 20
# HELP larder_token_lock_waits_total How often the lock was waited for.
# TYPE larder_token_lock_waits_total counter
larder_token_lock_waits_total{token="t"} 13
# HELP larder_token_rejections_total Reports that an API did not accept the token.
# TYPE larder_token_rejections_total counter
larder_token_rejections_total{token="t"} 14
# HELP larder_token_remaining_seconds Until the token's row expires.
# TYPE larder_token_remaining_seconds gauge
larder_token_remaining_seconds{token="t"} -12
# HELP larder_token_restored_total How often the row was written again after it was lost.
# TYPE larder_token_restored_total counter
larder_token_restored_total{token="t"} 15
`
	if err := testutil.CollectAndCompare(known{st}, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// Whatever paths are asked for, there is one series for those that lead nowhere.
func TestService_RequestsOfNoRouteAreOneSeries(t *testing.T) {
	m := NewService("1.2.3")
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /v1/tokens/{name}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	handler := m.Instrument(mux)
	get := func(path string) string {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Body.String()
	}
	for _, path := range []string{"/wp-login.php", "/.env", "/v1/tokens/a", "/v1/tokens/b"} {
		get(path)
	}
	shown := get("/metrics")
	for _, want := range []string{
		`larder_http_request_duration_seconds_count{code="404",route="none"} 2`,
		`larder_http_request_duration_seconds_count{code="502",route="GET /v1/tokens/{name}"} 2`,
		"go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "wp-login") {
		t.Error("a path is a label")
	}
}
