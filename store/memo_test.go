package store_test

import (
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

// What was read before a write ended is not remembered after it.
func TestMemo_AReaderDoesNotBringBackWhatWasOverwritten(t *testing.T) {
	s := openSQLite(t)
	m := s.Memo()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = m.Has(t.Context(), "key")
			}
		}
	}()
	for want := range 200 {
		if err := m.Put(t.Context(), "key", want, time.Minute); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := m.Get(t.Context(), "key", &got); err != nil || got != want {
			t.Fatalf("value is %d, %v, want %d", got, err, want)
		}
	}
	close(stop)
	<-done
}

func TestMemo_DoesNotOutliveTheValue(t *testing.T) {
	s := openSQLite(t)
	m := s.Memo()
	if err := m.Put(t.Context(), "key", 1, time.Second); err != nil {
		t.Fatal(err)
	}
	var got int
	_ = m.Get(t.Context(), "key", &got) // it may have expired already
	time.Sleep(1100 * time.Millisecond)
	if err := expect(m.Get(t.Context(), "key", &got), store.ErrNotFound); err != nil {
		t.Error(err)
	}
	if err := s.Put(t.Context(), "key", 2, time.Minute); err != nil {
		t.Fatal(err)
	}
	m.Reset()
	if err := m.Get(t.Context(), "key", &got); err != nil || got != 2 {
		t.Errorf("value is %d, %v", got, err)
	}
}
