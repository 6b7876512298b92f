package metrics

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/larder-cache/larder/fetcher"
)

// Service is all that the HTTP service shows: the store, the tokens, its own requests, the Go runtime and the process.
type Service struct {
	// Store is the recorder of the service's store.
	Store *Store

	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// NewService returns the metrics of a service of that version:
//
//	larder_build_info{version}
//	larder_http_request_duration_seconds{route,code}, a histogram
//
// and those of [Store] and [NewTokens].
func NewService(version string) *Service {
	s := &Service{
		Store:    NewStore(),
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "larder_http_request_duration_seconds",
			Help:    "How long requests took.",
			Buckets: durationBuckets,
		}, []string{"route", "code"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "larder_build_info", Help: "The version that runs; always 1.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	s.registry.MustRegister(s.Store, s.requests, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

// Tokens shows the fetchers' tokens. It is called once.
func (s *Service) Tokens(fetchers ...*fetcher.Fetcher) {
	s.registry.MustRegister(NewTokens(fetchers...))
}

// Handler answers what Prometheus asks.
func (s *Service) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry})
}

// Instrument measures the requests that next answers. The routes are the patterns of an [http.ServeMux] in it, so that their number is
// bounded whatever paths are asked for.
func (s *Service) Instrument(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		answer := &answered{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		code := strconv.Itoa(cmp.Or(answer.code, http.StatusOK))
		s.requests.WithLabelValues(cmp.Or(r.Pattern, "none"), code).Observe(time.Since(begun).Seconds())
	})
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter
	code int
}

func (a *answered) WriteHeader(code int) {
	a.code = cmp.Or(a.code, code)
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets [http.ResponseController] find the answer's other abilities.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
