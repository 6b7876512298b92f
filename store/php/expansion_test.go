package php

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A long string that is referred to many times would be copied each time: half a megabyte of text used to become half a gigabyte.
func TestUnmarshal_LongStringsBehindReferencesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 500_000)
	direct := fmt.Sprintf(`a:1001:{i:0;s:%d:"%s";`, len(long), long)
	nested := fmt.Sprintf(`a:1001:{i:0;a:1:{i:0;s:%d:"%s";}`, len(long), long)
	keyed := fmt.Sprintf(`a:1001:{i:0;a:1:{s:%d:"%s";i:1;}`, len(long), long)
	for i := 1; i <= 1000; i++ {
		direct += fmt.Sprintf("i:%d;R:2;", i)
		nested += fmt.Sprintf("i:%d;R:2;", i)
		keyed += fmt.Sprintf("i:%d;R:2;", i)
	}
	for _, c := range []struct {
		name, text string
		into       func() any
	}{
		{"any", direct, func() any { return new(any) }},
		{"[]string", direct, func() any { return new([]string) }},
		{"[][]byte", direct, func() any { return new([][]byte) }},
		{"map[string]any", direct, func() any { return new(map[string]any) }},
		{"map[string]string", direct, func() any { return new(map[string]string) }},
		{"lists", nested, func() any { return new([][]string) }},
		{"any of lists", nested, func() any { return new(any) }},
		{"keys", keyed, func() any { return new([]map[string]int) }},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Unmarshal([]byte(c.text+"}"), c.into())
		runtime.ReadMemStats(&after)
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: error is %v, want a LimitError", c.name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 100*uint64(len(c.text)) {
			t.Errorf("%s: %d bytes were allocated for %d", c.name, got, len(c.text))
		}
	}

	few := fmt.Sprintf(`a:4:{i:0;s:%d:"%s";i:1;R:2;i:2;R:2;i:3;R:2;}`, len(long), long)
	var got []string
	if err := Unmarshal([]byte(few), &got); err != nil || len(got) != 4 || got[3] != long {
		t.Errorf("a few references to a long string: %d values, %v", len(got), err)
	}
}
