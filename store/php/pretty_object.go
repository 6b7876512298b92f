package php

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func (p *printer) object(o *Object, depth int) {
	p.name(o.Class)
	if text, ok := date(o); ok {
		p.WriteString(" " + text)
		p.skip(o)
		return
	}
	if p.collection(o, depth) {
		return
	}
	p.WriteString(p.count(o) + " ")
	p.block("{}", depth, len(o.Properties), func(i int, visible bool) {
		prop := &o.Properties[i]
		if !visible {
			p.skip(prop.Value)
			return
		}
		p.property(o, prop)
		p.value(prop.Value, depth+1)
	})
}

func (p *printer) property(o *Object, prop *Property) {
	if prop.IntKey {
		p.WriteString(prop.Name + " => ")
		return
	}
	p.WriteByte("+#-"[min(prop.Visibility, Private)])
	if isName(prop.Name) {
		p.name(prop.Name)
	} else {
		p.quoted(prop.Name)
	}
	if prop.Visibility == Private && !strings.EqualFold(prop.Class, o.Class) {
		p.WriteString(" (")
		p.name(prop.Class)
		p.WriteByte(')')
	}
	p.WriteString(": ")
}

// date returns the time that o shows, if it is a DateTime, a DateTimeImmutable, or of a class made from them, such as
// Carbon: all write the same three properties. An object with others, which would not be seen, is no date.
func date(o *Object) (string, bool) {
	var at, zone String
	typed := false
	for _, p := range o.Properties {
		ok := false
		switch p.Name {
		case "date":
			at, ok = p.Value.(String)
		case "timezone":
			zone, ok = p.Value.(String)
		case "timezone_type":
			_, ok = p.Value.(Int)
			typed = ok
		case "dumpLocale", "dumpDateProperties": // of Carbon
			ok = true
		}
		if !ok {
			return "", false
		}
	}
	if !typed || !onlyIn(string(at), "0123456789-:. ") || !onlyIn(string(zone), zoneChars) {
		return "", false
	}
	return string(at) + " " + string(zone), true
}

const zoneChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-:"

func onlyIn(s, chars string) bool {
	return strings.Trim(s, chars) == "" && s != "" && len(s) < 64
}

// collection prints o by its items, if it is one of Laravel's collections: those keep them in a protected property.
func (p *printer) collection(o *Object, depth int) bool {
	if !strings.HasSuffix(o.Class, "Collection") {
		return false
	}
	var items *Array
	for _, prop := range o.Properties {
		switch a, ok := prop.Value.(*Array); {
		case ok && prop.Name == "items" && prop.Visibility == Protected:
			items = a
		case prop.Name != "escapeWhenCastingToString":
			return false // it would not be seen
		}
	}
	if items == nil {
		return false
	}
	p.WriteString(":" + strconv.Itoa(items.Len()) + p.count(o) + " ")
	for _, prop := range o.Properties {
		if prop.Value == Value(items) {
			p.count(items)
			p.items(items, depth)
		} else {
			p.skip(prop.Value)
		}
	}
	return true
}

// name prints the name of a class, property or case: the bytes of it that are not letters of ASCII may be anything.
func (p *printer) name(s string) {
	const maxName = 256
	shown := cut(s, maxName)
	p.escaped(strings.ToValidUTF8(shown, "\uFFFD"), `\`, false)
	if len(shown) < len(s) {
		p.WriteString("...")
	}
}

// cut returns at most n bytes of s, without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for least := max(0, n-utf8.UTFMax+1); n > least && !utf8.RuneStart(s[n]); {
		n--
	}
	return s[:n]
}

// quoted prints a string in quotes, as much of it as the bound allows.
func (p *printer) quoted(s string) {
	shown, binary := cut(s, p.maxString), !utf8.ValidString(s)
	if binary {
		p.WriteByte('b')
	}
	p.WriteByte('"')
	p.escaped(shown, "", binary)
	p.WriteByte('"')
	if len(shown) < len(s) {
		p.WriteString(" ... (" + strconv.Itoa(len(s)) + " bytes)")
	}
}

// escaped prints s so that no byte of it has an effect on a terminal, in the escapes of PHP's double-quoted strings. The
// characters in plain are printed as they are.
func (p *printer) escaped(s, plain string, binary bool) {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		r, n := rune(s[i]), 1
		if !binary {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		switch at := strings.IndexRune("\n\r\t\x1b\v\f\"\\", r); {
		case at >= 0 && !strings.ContainsRune(plain, r):
			p.WriteString("\\" + `nrtevf"\`[at:at+1])
		case r < ' ' || r == 0x7f || binary && r > 0x7f:
			p.WriteString(`\x` + string(hex[r>>4]) + string(hex[r&15]))
		case !strconv.IsPrint(r):
			p.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + "}")
		default:
			p.WriteString(s[i : i+n])
		}
		i += n
	}
}
