package laravel_test

import (
	"context"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

// phpFlexible is Cache::flexible (11.24 and later) on the methods of the installed Laravel, which may be older: the same reads and writes in
// the same order. What Laravel defers runs at once.
const phpFlexible = `
function flexible($cache, $key, $fresh, $stale, $make) {
    $created = "illuminate:cache:flexible:created:$key";
    ['value' => $value, 'at' => $at] = array_combine(['value', 'at'], array_values($cache->many([$key, $created])));
    $store = function () use ($cache, $key, $created, $stale, $make) {
        $value = $make();
        $cache->putMany([$key => $value, $created => time()], $stale);
        return $value;
    };
    if ($value === null || $at === null) {
        return $store();
    }
    if ($at + $fresh > time()) {
        return $value;
    }
    $cache->lock("illuminate:cache:flexible:lock:$key", 0)->get(function () use ($cache, $created, $at, $store) {
        if ($cache->get($created) === $at) {
            $store();
        }
    });
    return $value;
}
`

func TestFlexibleIsSharedWithLaravel(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		ctx := t.Context()
		ours := func(value string) string {
			t.Helper()
			got, err := store.Flexible(ctx, s.store, "rate", time.Minute, time.Hour, func(context.Context) (string, error) { return value, nil })
			if err != nil {
				t.Fatal(err)
			}
			if err := s.store.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			return got
		}
		theirs := func(value string) (got string) {
			t.Helper()
			s.app.Ask(t, &got, phpFlexible+`answer(flexible($cache, 'rate', 60, 3600, fn () => `+quote(value)+`));`)
			return got
		}
		age := `$created = 'illuminate:cache:flexible:created:rate'; $cache->put($created, $cache->get($created) - 100, 3500);`
		for i, step := range []struct {
			make func(string) string
			with string
			want string
		}{
			{ours, "go 1", "go 1"},    // larder populates
			{theirs, "php 2", "go 1"}, // which is fresh for Laravel
			{nil, age, ""},
			{theirs, "php 3", "go 1"}, // and stale later: Laravel refreshes
			{ours, "go 4", "php 3"},   // which is fresh for larder
			{nil, age, ""},
			{ours, "go 5", "php 3"}, // and stale later: larder refreshes
			{theirs, "php 6", "go 5"},
			{nil, age + `answer($cache->lock('illuminate:cache:flexible:lock:rate', 60)->get());`, ""},
			{ours, "go 7", "go 5"}, // Laravel is at it: larder leaves it alone
			{ours, "go 8", "go 5"},
			{nil, `$cache->lock('illuminate:cache:flexible:lock:rate')->forceRelease(); $cache->forget('rate');`, ""},
			{ours, "go 9", "go 9"}, // a companion that an older Laravel's forget has left
			{theirs, "php 10", "go 9"},
		} {
			if step.make == nil {
				s.app.Run(t, step.with)
			} else if got := step.make(step.with); got != step.want {
				t.Fatalf("step %d: value is %q, want %q", i, got, step.want)
			}
		}
	})
}
