package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// The bounds of a preview, which is one line.
const (
	previewItems  = 20
	previewDepth  = 4
	previewString = 200
)

// preview returns a value on one line, as far as the beginning of it tells that a list reads.
func preview(e store.Entry, k keyView, reveal bool) string {
	if e.Type == "corrupt" {
		return ""
	}
	if v, err := php.Decode([]byte(e.Head)); err == nil {
		if !reveal {
			v, _ = known.Redact(v, k.Secret)
		}
		return oneLine(v)
	}
	name, class := php.Head([]byte(e.Head))
	switch name {
	case "array":
		count, _, _ := strings.Cut(strings.TrimPrefix(string(e.Head), "a:"), ":")
		return "array:" + count + " […]"
	case "object":
		if class != "" {
			return printable(class) + " {…}"
		}
	case "string":
		return cutString(string(e.Head), k, reveal)
	}
	return ""
}

// cutString shows the beginning of a string of which the end is not known.
func cutString(head string, k keyView, reveal bool) string {
	_, text, _ := strings.Cut(head, `"`)
	for cut := 0; cut < utf8.UTFMax-1 && text != "" && !utf8.ValidString(text); cut++ {
		text = text[:len(text)-1]
	}
	switch {
	case reveal:
	case k.Secret, known.SecretText(text):
		text = known.Mask(text)
		return oneLine(php.String(text))
	case k.Meaning.IsSession():
		return "session"
	case known.SecretName(text): // where the secret ends cannot be seen
		return "(masked: it speaks of a credential)"
	}
	return strings.TrimSuffix(oneLine(php.String(text)), `"`) + "…"
}

// oneLine is php.Pretty's text with its lines put one after the other.
func oneLine(v php.Value) string {
	var text strings.Builder
	err := php.Pretty(&text, v, php.WithMaxDepth(previewDepth), php.WithMaxItems(previewItems), php.WithMaxString(previewString))
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	var line strings.Builder
	open := true
	for part := range strings.Lines(text.String()) {
		part = strings.TrimSpace(part)
		if !open && part != "]" && part != "}" {
			line.WriteString(", ")
		}
		line.WriteString(part)
		open = strings.HasSuffix(part, "[") || strings.HasSuffix(part, "{")
	}
	return line.String()
}
