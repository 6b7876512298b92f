package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/metrics"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

// A vendor gives one token, or what it is told.
type vendor struct{ err error }

func (v vendor) Fetch(context.Context) (fetcher.Token, error) {
	return fetcher.Token{Value: "a-token-of-the-vendor", ExpiresIn: time.Hour}, v.err
}

func (vendor) Info() fetcher.Info { return fetcher.Info{Name: "vendor", Renewal: fetcher.SameRenewed} }

// away is a table whose database is away, so that tokens are fetched without it.
type away struct{}

var errAway = errors.New("away")

func (away) Many(context.Context, ...string) (map[string]store.Item, error) { return nil, errAway }

func (away) Lock(string, time.Duration) fetcher.Lock { return nil } // which is not come to

// All that the service shows, as a server that has seen everything shows it, is as Prometheus wants names, helps and units to be.
func TestService_EveryMetricIsAsPrometheusWantsIt(t *testing.T) {
	m := metrics.NewService("1.2.3")
	well, err := fetcher.NewOn(away{}, "well", vendor{})
	if err != nil {
		t.Fatal(err)
	}
	failing, err := fetcher.NewOn(away{}, "failing", vendor{&fetcher.SourceError{Class: fetcher.ClassCredential}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := well.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := failing.Token(t.Context()); err == nil {
		t.Fatal("a token of a vendor that refuses")
	}
	m.Tokens(well, failing)
	for _, name := range record.Names() {
		m.Store.Operation(t.Context(), record.Operation{Name: name, Outcome: record.Done, Rows: 1, Duration: time.Second})
	}
	m.Store.Retry(t.Context(), record.Retry{Cause: record.Deadlock})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	handler := m.Instrument(mux)
	var shown *httptest.ResponseRecorder
	for range 2 { // the first request is in the second one's answer
		shown = httptest.NewRecorder()
		handler.ServeHTTP(shown, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	}
	if shown.Code != http.StatusOK {
		t.Fatalf("%d %s", shown.Code, shown.Body)
	}

	var ours strings.Builder // the rest is the Go runtime's and the process's
	for line := range strings.Lines(shown.Body.String()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "larder_") {
			ours.WriteString(line)
		}
	}
	for _, want := range []string{
		`larder_build_info{version="1.2.3"} 1`, `larder_http_request_duration_seconds_count{code="200",route="GET /metrics"} 1`,
		`larder_token_direct_fetches_total{token="well"} 1`, `larder_token_fetches_total{outcome="credential",token="failing"} 1`,
		`larder_token_alarm{kind="failing",token="failing"} 1`, `larder_token_alarm{kind="failing",token="well"} 0`,
		`larder_token_remaining_seconds{token="well"} `, `larder_token_age_seconds{token="well"} `,
		`larder_store_operations_total{operation="put",outcome="done"} 1`, `larder_store_retries_total{cause="deadlock"} 1`,
	} {
		if !strings.Contains(ours.String(), want) {
			t.Errorf("no %s in\n%s", want, ours.String())
		}
	}
	if strings.Contains(ours.String(), `larder_token_remaining_seconds{token="failing"}`) || strings.Contains(ours.String(), "a-token") {
		t.Error("a token that is not there is shown, or one that is")
	}
	problems, err := promlint.New(strings.NewReader(ours.String())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
