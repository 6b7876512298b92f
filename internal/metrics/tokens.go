package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/larder-cache/larder/fetcher"
)

// Tokens collects what fetchers know and have done, at the moment it is asked:
//
//	larder_token_remaining_seconds{token}, less than 0 if it has expired; absent if there is no token
//	larder_token_age_seconds{token}
//	larder_token_alarm{token,kind}, 1 or 0
//	larder_token_handed_out_total{token,origin}
//	larder_token_fetches_total{token,outcome}, outcome ok or the class of the failure
//	larder_token_lock_waits_total{token}
//	larder_token_rejections_total{token}
//	larder_token_restored_total{token}
//	larder_token_direct_fetches_total{token}, those without the database
//
// The label token is the configured name; no token is shown, not even in part.
type Tokens struct {
	fetchers []*fetcher.Fetcher
}

// NewTokens returns the collector of the fetchers. No two may have the same key.
func NewTokens(fetchers ...*fetcher.Fetcher) *Tokens { return &Tokens{fetchers} }

var _ prometheus.Collector = (*Tokens)(nil)

func tokenDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("larder_token_"+name, help, append([]string{"token"}, labels...), nil)
}

// The metrics of tokens.
var (
	remaining = tokenDesc("remaining_seconds", "Until the token's row expires.")
	age       = tokenDesc("age_seconds", "Since this process read or fetched the token.")
	alarmed   = tokenDesc("alarm", "Whether somebody should look at the token.", "kind")

	handedOut = tokenDesc("handed_out_total", "Tokens handed out, by where they came from.", "origin")
	fetches   = tokenDesc("fetches_total", "Requests to the vendor for a token, by what became of them.", "outcome")
	waits     = tokenDesc("lock_waits_total", "How often the lock was waited for.")
	rejected  = tokenDesc("rejections_total", "Reports that an API did not accept the token.")
	restored  = tokenDesc("restored_total", "How often the row was written again after it was lost.")
	direct    = tokenDesc("direct_fetches_total", "Requests to the vendor without the database.")
)

// Describe implements prometheus.Collector.
func (t *Tokens) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{remaining, age, alarmed, handedOut, fetches, waits, rejected, restored, direct} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (t *Tokens) Collect(ch chan<- prometheus.Metric) {
	for _, f := range t.fetchers {
		collect(ch, f.Status())
	}
}

func collect(ch chan<- prometheus.Metric, st fetcher.Status) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{st.Key}, labels...)...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), append([]string{st.Key}, labels...)...)
	}
	if st.Token != "" {
		gauge(remaining, st.Remaining.Seconds())
		gauge(age, st.Age.Seconds())
	}
	raised := map[fetcher.AlarmKind]float64{}
	for _, a := range st.Alarms {
		raised[a.Kind] = 1
	}
	for _, kind := range []fetcher.AlarmKind{
		fetcher.AlarmFailing, fetcher.AlarmSameToken, fetcher.AlarmWrongApp, fetcher.AlarmCollision, fetcher.AlarmFlapping,
	} {
		gauge(alarmed, raised[kind], string(kind))
	}
	// The values that are there from the start, so that a first one is an increase.
	for _, origin := range []fetcher.Origin{fetcher.FromMemory, fetcher.FromRow, fetcher.FromSource, fetcher.FromStale} {
		counter(handedOut, st.HandedOut[origin], string(origin))
	}
	for _, outcome := range []string{
		"ok", string(fetcher.ClassCredential), string(fetcher.ClassConfig), string(fetcher.ClassThrottle), string(fetcher.ClassTransient),
		string(fetcher.ClassProtocol), string(fetcher.ClassUnknown),
	} {
		counter(fetches, st.Fetches[outcome], outcome)
	}
	counter(waits, st.LockWaits)
	counter(rejected, st.Rejections)
	counter(restored, st.Restored)
	counter(direct, st.DirectFetches)
}
