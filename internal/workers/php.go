package workers

import (
	_ "embed"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/laravel"
)

//go:embed recipe.php
var recipe string

// A PHP is a process in which a real Laravel fetches the token by the recipe. As PHP's workers do, it serves one caller at a time.
type PHP struct{ session *laravel.Session }

// StartPHP starts a worker of the application, which ends with the test. Its key is "dingding_access_token".
func StartPHP(tb testing.TB, app *laravel.App, fake *fetchertest.Fake) *PHP {
	tb.Helper()
	w := &PHP{app.Start(tb, recipe)}
	w.ask(tb, []any{fake.URL, fake.AppKey, fake.AppSecret})
	return w
}

// ask sends a command that is answered with true.
func (w *PHP) ask(tb testing.TB, command any) {
	tb.Helper()
	var ok bool
	if w.session.Ask(tb, &ok, command); !ok {
		tb.Fatal("the worker does not do what it is told")
	}
}

// Begin has callers ask for the token. Outcome returns what they got.
func (w *PHP) Begin(tb testing.TB, calls Calls) {
	tb.Helper()
	w.ask(tb, []any{float64(calls.Begin.UnixMicro()) / 1e6, calls.N, calls.Every.Seconds()})
}

// Outcome waits for what the callers got.
func (w *PHP) Outcome(tb testing.TB) Outcome {
	tb.Helper()
	var answer struct {
		Outcome
		Waits []time.Duration
	}
	w.session.Ask(tb, &answer, nil)
	o := answer.Outcome
	for _, wait := range answer.Waits {
		o.Worst = max(o.Worst, wait)
		if wait > Noticeable {
			o.Waited++
		}
	}
	return o
}
