package store

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func testMemory(t *testing.T, d dialect, size int) *memory {
	t.Helper()
	m, err := newMemory(config{memory: memoryConfig{size, time.Minute}}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m
}

func stringItem(key, text string, ttl time.Duration) Item {
	return Item{Key: key, Raw: fmt.Appendf(nil, `s:%d:"%s";`, len(text), text), TTL: ttl}
}

func TestMemory_CountsOnTheMonotonicClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := testMemory(t, sqliteDialect{}, 1<<20)
		asked := m.ask("k")
		time.Sleep(2 * time.Second) // the answer takes its time, which is the row's
		m.keep(asked, stringItem("k", "v", 10*time.Second))
		time.Sleep(7*time.Second - 1)
		if m.live("k") == nil {
			t.Error("the value is gone before its time")
		}
		time.Sleep(time.Nanosecond)
		if m.live("k") != nil {
			t.Error("the value is alive after its time")
		}
	})
}

func TestMemory_WhatWasReadBeforeAWriteEndedIsNotKept(t *testing.T) {
	for what, write := range map[string]func(*memory){
		"a write":                            func(m *memory) { m.wrote("k") },
		"a write of several keys":            func(m *memory) { m.wroteMany(map[string]any{"j": 1, "k": 2}) },
		"a write of all":                     func(m *memory) { m.wroteAll() },
		"a write of a look-alike":            func(m *memory) { m.wrote("K ") },
		"a write of what nobody can tell":    func(m *memory) { m.wrote("é") },
		"the forgetting of the key":          func(m *memory) { m.forgot("k") },
		"a write of a key that is shortened": func(m *memory) { m.wrote("\x00kh") },
	} {
		m := testMemory(t, mysqlDialect{}, 1<<20)
		asked := m.ask("k")
		write(m)
		m.keep(asked, stringItem("k", "old", time.Minute))
		if _, kept := m.values.GetIfPresent("k"); kept || m.live("k") != nil {
			t.Errorf("%s: what was read before is live after it, or takes room", what)
		}
		m.keep(m.ask("k"), stringItem("k", "new", time.Minute))
		m.keep(asked, stringItem("k", "old", time.Minute)) // a reader that is slower still
		if r := m.live("k"); r == nil || r.text != "new" {
			t.Errorf("%s: what was read after it is not live", what)
		}
		write(m)
		if m.live("k") != nil {
			t.Errorf("%s: what was kept before is live after it", what)
		}
	}
}

func TestMemory_AnEarlierAnswerDoesNotReplaceALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := testMemory(t, sqliteDialect{}, 1<<20)
		earlier := m.ask("k")
		time.Sleep(time.Microsecond)
		m.keep(m.ask("k"), stringItem("k", "later", time.Minute))
		m.keep(earlier, stringItem("k", "earlier", time.Minute))
		if r := m.live("k"); r == nil || r.text != "later" {
			t.Errorf("remembered is %v, want the later answer", r)
		}
	})
}

func TestMemory_StaysWithinItsSize(t *testing.T) {
	const size = 100_000
	m := testMemory(t, sqliteDialect{}, size)
	for i := range 1000 {
		key := fmt.Sprint("key", i)
		m.keep(m.ask(key), stringItem(key, fmt.Sprintf("%0*d", i%1000, i), time.Minute))
	}
	m.values.CleanUp()
	if used := m.values.WeightedSize(); used > size || used < size/2 {
		t.Errorf("it holds %d bytes, want at most and about %d", used, size)
	}
}
