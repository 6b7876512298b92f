package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A timer that outlives its store keeps the store in memory, for as long as the value would have lived.
func TestFlexible_NoFailureIsRememberedAfterClose(t *testing.T) {
	for name, closing := range map[string]func(*Store, chan struct{}){
		"closed after the refresh failed":  func(s *Store, fail chan struct{}) { close(fail); _ = s.Wait(context.Background()); _ = s.Close() },
		"closed before the refresh failed": func(s *Store, fail chan struct{}) { _ = s.Close(); close(fail) },
	} {
		s, err := Open("sqlite::memory:", WithClock(time.Now))
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"cache (key TEXT PRIMARY KEY, value TEXT, expiration INTEGER)", "cache_locks (key TEXT PRIMARY KEY, owner TEXT, expiration INTEGER)"} {
			if _, err := s.DB().Exec("CREATE TABLE " + table); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.PutMany(t.Context(), map[string]any{"key": 1, companionPrefix + "key": 1}, time.Hour); err != nil {
			t.Fatal(err)
		}
		refreshing, fail := make(chan struct{}), make(chan struct{})
		_, err = Flexible(t.Context(), s, "key", time.Minute, time.Hour, func(context.Context) (int, error) {
			close(refreshing)
			<-fail
			return 0, errors.New("down")
		})
		if err != nil {
			t.Fatal(err)
		}
		<-refreshing
		closing(s, fail)
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.failures.Range(func(key, _ any) bool {
			t.Errorf("%s: the failure of %v is remembered", name, key)
			return true
		})
	}
}
