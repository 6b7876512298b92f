package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadKeys_NeverTakesOneKeyForAnother(t *testing.T) {
	for _, text := range []string{"\"\xff\"", "{\"key\":\"\xff\"}", "null", "7", "[]", "{}", `{"key":null}`, `{"key":7}`, `{"key":["a"]}`, `{"$bytes":"?"}`, `{"key":"a"`, "a"} {
		for key, err := range readKeys(t.Context(), strings.NewReader(text)) {
			var usage usageError
			if err == nil || !errors.As(err, &usage) {
				t.Errorf("%q is read as %q, %v", text, key, err)
			}
		}
	}
}

func TestReadKeys_WaitsNoLongerThanItsContext(t *testing.T) {
	in, held := io.Pipe() // as a terminal at which nobody types
	defer func() { _ = held.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for key, err := range readKeys(ctx, in) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%q, %v", key, err)
		}
	}
}
