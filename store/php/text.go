package php

import "unicode/utf8"

// maxText is how long the text of an array or an object is that is printed, in bytes: enough to know it by in a log or in the output of a test.
const maxText = 1000

// String returns the array as [JSON] has it, of a long one the beginning and "…", so that fmt's verbs show what is in it. Secrets in it are shown as
// all else.
func (a *Array) String() string { return beginning(a) }

// String returns the object as [JSON] has it, of a long one the beginning and "…".
func (o *Object) String() string { return beginning(o) }

func beginning(v Value) string {
	w := jsonWriter{most: maxText}
	err := w.value(v)
	if err == nil && len(w.dst) <= maxText {
		return string(w.dst)
	}
	n := min(len(w.dst), maxText)
	for n < len(w.dst) && !utf8.RuneStart(w.dst[n]) { // no character is cut in two
		n--
	}
	return string(w.dst[:n]) + "…"
}
