package laravel_test

import (
	"context"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// onEachWithFlexible runs a test for the releases that have Cache::flexible itself, on MariaDB.
func onEachWithFlexible(t *testing.T, test func(t *testing.T, s shared)) {
	for _, release := range laravel.Releases() {
		if !release.Since(t, 11, 24) {
			t.Logf("Laravel %s has no flexible of its own", release.Version(t))
			continue
		}
		t.Run(release.String(), func(t *testing.T) {
			db := testdb.MySQL(t)
			app := release.OnMySQL(t, db, prefix)
			app.Run(t, "$migration->up();")
			test(t, adopt(t, app, db.URL(), migrations.MySQL))
		})
	}
}

// laravelsFlexible calls Cache::flexible for the key "rate", fresh for a minute, stale for an hour, as a request does: it returns what the
// request gets, and how often the value was made until the deferred callbacks had run, which is after the response.
func laravelsFlexible(t *testing.T, s shared, value string) (got string, made int) {
	t.Helper()
	var answers struct {
		Got  string
		Made int
	}
	s.app.Ask(t, &answers, `
		$made = 0;
		$got = $cache->flexible('rate', [60, 3600], function () use (&$made) { $made++; return `+quote(value)+`; });
		run_deferred();
		answer(['Got' => $got, 'Made' => $made]);`)
	return answers.Got, answers.Made
}

// larders is the same by larder, whose refresh is under way when it returns.
func lardersFlexible(t *testing.T, s shared, make func(context.Context) (string, error)) string {
	t.Helper()
	got, err := store.Flexible(t.Context(), s.store, "rate", time.Minute, time.Hour, make)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func unexpected(t *testing.T) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		t.Error("larder made a value that is there")
		return "", nil
	}
}

// age makes the value older than a minute.
func (s shared) age(t *testing.T) {
	t.Helper()
	s.app.Run(t, `$cache->put('`+created+`rate', $cache->get('`+created+`rate') - 100, 3500);`)
}

func TestFlexible_LarderRefreshesWhatLaravelMadeWhileLaravelServesItStale(t *testing.T) {
	onEachWithFlexible(t, func(t *testing.T, s shared) {
		if got, made := laravelsFlexible(t, s, "php 1"); got != "php 1" || made != 1 {
			t.Fatalf("Laravel populates with %q, made %d times", got, made)
		}
		if got := lardersFlexible(t, s, unexpected(t)); got != "php 1" {
			t.Fatalf("larder finds %q fresh", got)
		}
		s.age(t)

		refreshing, goOn := make(chan struct{}), make(chan struct{})
		got := lardersFlexible(t, s, func(context.Context) (string, error) {
			close(refreshing)
			<-goOn
			return "go 2", nil
		})
		if got != "php 1" {
			t.Fatalf("larder serves %q stale", got)
		}
		<-refreshing // under the lock
		if got, made := laravelsFlexible(t, s, "php 3"); got != "php 1" || made != 0 {
			t.Errorf("while larder refreshes, Laravel serves %q, and makes a value %d times", got, made)
		}
		close(goOn)
		if err := s.store.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, made := laravelsFlexible(t, s, "php 4"); got != "go 2" || made != 0 {
			t.Errorf("after it Laravel finds %q, and makes a value %d times", got, made)
		}
	})
}

func TestFlexible_LaravelRefreshesWhatLarderMadeInItsDeferredCallback(t *testing.T) {
	onEachWithFlexible(t, func(t *testing.T, s shared) {
		if got := lardersFlexible(t, s, func(context.Context) (string, error) { return "go 1", nil }); got != "go 1" {
			t.Fatalf("larder populates with %q", got)
		}
		if got, made := laravelsFlexible(t, s, "php 2"); got != "go 1" || made != 0 {
			t.Fatalf("Laravel finds %q fresh, and makes a value %d times", got, made)
		}
		s.age(t)
		if got, made := laravelsFlexible(t, s, "php 3"); got != "go 1" || made != 1 {
			t.Errorf("Laravel serves %q stale, and makes a value %d times", got, made)
		}
		if got := lardersFlexible(t, s, unexpected(t)); got != "php 3" {
			t.Errorf("after it larder finds %q", got)
		}
		if err := s.store.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		var locks int
		if err := s.store.DB().Get(&locks, "SELECT COUNT(*) FROM cache_locks"); err != nil || locks != 0 {
			t.Errorf("%d locks are left, %v", locks, err)
		}
	})
}
