package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/record"
)

func TestMemo_WhoWritesThroughItReadsWhatHeWroteWhateverOthersRead(t *testing.T) {
	s := openSQLite(t)
	m := s.Memo()
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = m.Has(t.Context(), "key")
				}
			}
		})
	}
	for want := range 100 {
		if err := m.Put(t.Context(), "key", want, time.Minute); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := m.Get(t.Context(), "key", &got); err != nil || got != want {
			t.Fatalf("value is %d, %v, want %d", got, err, want)
		}
	}
	close(stop)
	readers.Wait()
}

// A read that is overtaken by a write through the Memo brings the older value home after it, which must not be what is known from then on.
func TestMemo_AReadThatAWriteOvertakesIsNotKept(t *testing.T) {
	var overtake func()
	s := openSQLite(t, store.WithRecorder(recorderFunc(func(o record.Operation) {
		if write := overtake; o.Name == record.Many && write != nil { // the value is read, and not yet with the Memo
			overtake = nil
			write()
		}
	})))
	for name, write := range map[string]func(*store.Memo) error{
		"Put":     func(m *store.Memo) error { return m.Put(t.Context(), "key", 2, time.Minute) },
		"PutMany": func(m *store.Memo) error { return m.PutMany(t.Context(), map[string]any{"key": 2}, time.Minute) },
		"Reset":   func(m *store.Memo) error { m.Reset(); return s.Put(t.Context(), "key", 2, time.Minute) },
	} {
		m := s.Memo()
		if err := s.Put(t.Context(), "key", 1, time.Minute); err != nil {
			t.Fatal(err)
		}
		overtake = func() {
			if err := write(m); err != nil {
				t.Error(err)
			}
		}
		var first, second int
		if err := errors.Join(m.Get(t.Context(), "key", &first), m.Get(t.Context(), "key", &second)); err != nil {
			t.Fatal(err)
		}
		if first != 1 || second != 2 {
			t.Errorf("%s: the read that was overtaken gave %d, the next one %d; want 1 and 2", name, first, second)
		}
	}
}

// A recorderFunc hears of operations.
type recorderFunc func(record.Operation)

func (f recorderFunc) Operation(_ context.Context, o record.Operation) { f(o) }
func (recorderFunc) Retry(context.Context, record.Retry)               {}

func TestMemo_DoesNotOutliveTheValue(t *testing.T) {
	bubbled(t, func(t *testing.T, s *store.Store) {
		m := s.Memo()
		if err := m.Put(t.Context(), "key", 1, time.Minute); err != nil {
			t.Fatal(err)
		}
		var got int
		for range 2 { // read, known
			if err := m.Get(t.Context(), "key", &got); err != nil || got != 1 {
				t.Fatalf("value is %d, %v", got, err)
			}
		}
		if err := s.Put(t.Context(), "key", 2, time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if err := m.Get(t.Context(), "key", &got); err != nil || got != 1 {
			t.Errorf("before its end the value is %d, %v, want 1 as it was read", got, err)
		}
		time.Sleep(time.Nanosecond)
		if err := m.Get(t.Context(), "key", &got); err != nil || got != 2 {
			t.Errorf("at its end the value is %d, %v, want 2 as it is", got, err)
		}
	})
}

// A write of Foo takes over the row of foo where the column's collation takes them for one.
func TestMemo_WriteOfALookalikeIsSeen(t *testing.T) {
	s := openMySQL(t)
	for _, keys := range [][2]string{{"foo", "Foo"}, {"straße", "strasse"}, {"key", "kéy"}} {
		m := s.Memo()
		var value string
		if err := errors.Join(m.Put(t.Context(), keys[0], "one", time.Minute), m.Get(t.Context(), keys[0], &value)); err != nil {
			t.Fatal(err)
		}
		if err := m.Put(t.Context(), keys[1], "two", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := m.Get(t.Context(), keys[0], &value); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s is %q, %v after %s took its row over", keys[0], value, err, keys[1])
		}
	}
}
