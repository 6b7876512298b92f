package known

import (
	"regexp"
	"strings"

	"github.com/larder-cache/larder/store/php"
)

// Redact masks the credentials in a value, in place, and returns it and whether there were any. They are the strings under names that say so, or of
// a form that does; and if the row is known to be secret, every string, unless it is an array or object in which names say which.
//
// The value must not be encoded afterwards.
func Redact(v php.Value, secret bool) (redacted php.Value, masked bool) {
	named := &redactor{}
	v = named.value(v, false)
	if !secret || named.byName > 0 {
		return v, named.masked > 0
	}
	all := &redactor{}
	v = all.value(v, true)
	return v, all.masked+named.masked > 0
}

// A redactor is one pass over a value. References are not followed, so that it ends; what they point at is a part of the value itself.
type redactor struct {
	masked int
	byName int // of these, for their names
}

func (r *redactor) value(v php.Value, secret bool) php.Value {
	switch v := v.(type) {
	case php.String:
		if secret && v != "" || SecretText(string(v)) {
			r.masked++
			return php.String(Mask(string(v)))
		}
		return r.inner(v)
	case *php.Array:
		r.array(v, secret)
	case *php.Object:
		for i, p := range v.Properties {
			v.Properties[i].Value = r.named(p.Name, p.Value, secret)
		}
	case *php.Custom:
		if secret || SecretName(v.Data) {
			r.masked++
			v.Data = Mask(v.Data)
		}
	}
	return v
}

func (r *redactor) array(a *php.Array, secret bool) {
	type entry struct {
		key   php.Key
		value php.Value
	}
	entries := make([]entry, 0, a.Len())
	for k, v := range a.All() {
		entries = append(entries, entry{k, v})
	}
	for _, e := range entries {
		name := ""
		if _, number := e.key.Int(); !number {
			name = e.key.String()
		}
		a.Set(e.key, r.named(name, e.value, secret))
	}
}

// named redacts what stands under a name.
func (r *redactor) named(name string, v php.Value, secret bool) php.Value {
	if !SecretName(name) {
		return r.value(v, secret)
	}
	before := r.masked
	v = r.value(v, true)
	r.byName += r.masked - before
	return v
}

// jsonString matches a name in a JSON text and the string that stands under it, which may be cut off.
var jsonString = regexp.MustCompile(`"([^"\\]+)"\s*:\s*"((?:[^"\\]|\\.)*)`)

// json redacts a JSON text that is kept as a string, as an API's answer is that somebody stored whole, or the beginning of one.
func (r *redactor) json(s string) string {
	return jsonString.ReplaceAllStringFunc(s, func(match string) string {
		at := jsonString.FindStringSubmatchIndex(match)
		name, value := match[at[2]:at[3]], match[at[4]:]
		if value == "" || !SecretName(name) && !SecretText(value) {
			return match
		}
		r.masked++
		return match[:at[4]] + Mask(value)
	})
}

// inner redacts a serialized array that is kept as a string, as Laravel's sessions are in a cache, and JSON.
func (r *redactor) inner(s php.String) php.String {
	if text := strings.TrimLeft(string(s), " \t\r\n"); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return php.String(r.json(string(s)))
	}
	if !strings.HasPrefix(string(s), "a:") {
		return s
	}
	v, err := php.Decode([]byte(s))
	if err != nil {
		return s
	}
	before := r.masked
	if v = r.value(v, false); r.masked == before {
		return s
	}
	text, err := php.Encode(v)
	if err != nil {
		return php.String(Mask(string(s)))
	}
	return php.String(text)
}
