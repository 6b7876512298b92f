package config

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what a secret prints as.
const hidden = "[secret]"

// A Secret is a string that is printed, logged and encoded as "[secret]", by every verb of fmt. Only Reveal tells it.
//
// NOTE: of a struct's unexported fields fmt cannot call the methods: a Secret must be in none that is printed. And encoding/json writes the keys of
// a map as they are if their type is a string type; a Secret must not be one.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (Secret) String() string { return hidden }

// Format writes "[secret]" under every verb. Without it a wrong one, such as %d, would print the text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// GoString returns "[secret]".
func (Secret) GoString() string { return hidden }

// LogValue returns "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "[secret]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
