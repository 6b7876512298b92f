package php

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// A PrettyOption changes how [Pretty] prints.
type PrettyOption func(*printer) error

// WithMaxDepth prints arrays and objects inside n others as [...] and {...}. Defaults to 10.
func WithMaxDepth(n int) PrettyOption {
	return func(p *printer) error { return bound(&p.maxDepth, n, "depth") }
}

// WithMaxItems prints at most n entries of an array or object, and how many more there are. Defaults to 100.
func WithMaxItems(n int) PrettyOption {
	return func(p *printer) error { return bound(&p.maxItems, n, "number of items") }
}

// WithMaxString prints at most n bytes of a string, and how long it is. Defaults to 1000.
func WithMaxString(n int) PrettyOption {
	return func(p *printer) error { return bound(&p.maxString, n, "length of strings") }
}

func bound(field *int, n int, what string) error {
	if n < 0 {
		return fmt.Errorf("the %s to print must not be negative", what)
	}
	*field = n
	return nil
}

// Pretty writes v to w for people, in the terms of PHP and much as Laravel's dump does, over several lines and with a line
// feed at the end:
//
//	App\Models\User {
//	  +id: 7
//	  #tags: array:2 [
//	    0 => "admin"
//	    1 => Suit::Hearts
//	  ]
//	  -secret (App\Base): null
//	}
//
// Properties are marked + public, # protected and - private, the last with the class that declares it if that is another.
// A date (DateTime, Carbon) is one line, and a Collection shows its items. A value that references point at has its place
// as #2; a PHP reference to it is &#2, and the same object once more its class with #2 and "(see above)".
//
// The output is safe for terminals: it has no control characters but line feeds, and none that are invisible or change the
// direction of text. They are escaped as in PHP's double-quoted strings. A string that is not UTF-8 starts with b" and has
// all bytes above 0x7F escaped.
//
// Pretty bounds depth, items and strings as the options say, and never follows references. The error is that of an option,
// of w, or a [*LimitError] for more than [MaxDepth] levels.
func Pretty(w io.Writer, v Value, options ...PrettyOption) error {
	p := printer{Writer: bufio.NewWriter(w), maxDepth: 10, maxItems: 100, maxString: 1000}
	for _, o := range options {
		if err := o(&p); err != nil {
			return err
		}
	}
	p.marked = map[int64]bool{}
	if err := p.findTargets(v, 0); err != nil {
		return err
	}
	p.value(v, 0)
	p.WriteByte('\n')
	return p.Flush()
}

// A printer writes Values. Errors of writing stay in the Writer until Flush.
type printer struct {
	*bufio.Writer
	maxDepth, maxItems, maxString int

	marked map[int64]bool // the places that references point at
	place  int64          // the place of the last value printed or passed over
}

// findTargets notes the places that References in v point at.
func (p *printer) findTargets(v Value, depth int) error {
	if depth > MaxDepth {
		return &LimitError{What: "levels of nesting", Limit: MaxDepth}
	}
	switch v := normal(v).(type) {
	case Reference:
		if _, isEnum := v.target.(Enum); v.target != nil && !isEnum {
			p.marked[v.Index] = true
		}
	case *Array:
		for _, e := range v.entries {
			if err := p.findTargets(e.value, depth+1); err != nil {
				return err
			}
		}
	case *Object:
		for _, prop := range v.Properties {
			if err := p.findTargets(prop.Value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// count goes to the next place, where v stands, and returns its mark.
func (p *printer) count(v Value) string {
	if r, ok := v.(Reference); ok && !r.Object {
		return ""
	}
	p.place++
	if !p.marked[p.place] {
		return ""
	}
	return " #" + strconv.FormatInt(p.place, 10)
}

// skip counts the places in v without printing them.
func (p *printer) skip(v Value) {
	v = normal(v)
	p.count(v)
	switch v := v.(type) {
	case *Array:
		for _, e := range v.entries {
			p.skip(e.value)
		}
	case *Object:
		for _, prop := range v.Properties {
			p.skip(prop.Value)
		}
	}
}

func (p *printer) value(v Value, depth int) {
	v = normal(v)
	switch v := v.(type) {
	case *Array:
		p.array(v, depth)
		return
	case *Object:
		p.object(v, depth)
		return
	case nil:
		p.WriteString("null")
	case Bool:
		p.WriteString(strconv.FormatBool(bool(v)))
	case Int:
		p.WriteString(strconv.FormatInt(int64(v), 10))
	case Float:
		p.WriteString(floatText(float64(v)))
	case String:
		p.quoted(string(v))
	case *Custom:
		p.name(v.Class)
		p.WriteString(" (Serializable) ")
		p.quoted(v.Data)
	case Enum:
		p.enum(v)
	case Reference:
		p.reference(v)
	}
	p.WriteString(p.count(v))
}

// floatText returns f with a fraction, as PHP's var_export has it.
func floatText(f float64) string {
	text := string(appendFloat(nil, f, 'E'))
	if !strings.Contains(text, ".") && !math.IsInf(f, 0) && !math.IsNaN(f) {
		text += ".0"
	}
	return text
}

func (p *printer) enum(v Enum) {
	p.name(v.Class)
	p.WriteString("::")
	p.name(v.Case)
}

func (p *printer) reference(r Reference) {
	at := "#" + strconv.FormatInt(r.Index, 10)
	switch t := r.target.(type) {
	case Enum:
		p.enum(t)
		return
	case *Object:
		if r.Object {
			p.name(t.Class)
			p.WriteString(" " + at + " (see above)")
			return
		}
	}
	if r.Object {
		p.WriteString("object " + at)
	} else {
		p.WriteString("&" + at)
	}
}

func (p *printer) array(a *Array, depth int) {
	p.WriteString("array:" + strconv.Itoa(a.Len()) + p.count(a) + " ")
	p.items(a, depth)
}

// items prints the entries of an array in brackets.
func (p *printer) items(a *Array, depth int) {
	p.block("[]", depth, a.Len(), func(i int, visible bool) {
		e := a.entries[i]
		if !visible {
			p.skip(e.value)
			return
		}
		p.key(e.key)
		p.WriteString(" => ")
		p.value(e.value, depth+1)
	})
}

// block prints n lines, each by a call of line, between the two brackets. It calls line for those that the bounds leave
// out too, but not to print.
func (p *printer) block(brackets string, depth, n int, line func(i int, visible bool)) {
	p.WriteByte(brackets[0])
	shown := min(n, p.maxItems)
	if depth >= p.maxDepth && n > 0 {
		p.WriteString("...")
		shown = 0
	}
	for i := range shown {
		p.newLine(depth + 1)
		line(i, true)
	}
	for i := shown; i < n; i++ {
		line(i, false)
	}
	if depth < p.maxDepth || n == 0 {
		if shown < n {
			p.newLine(depth + 1)
			p.WriteString("... " + strconv.Itoa(n-shown) + " more")
		}
		if n > 0 {
			p.newLine(depth)
		}
	}
	p.WriteByte(brackets[1])
}

func (p *printer) newLine(depth int) {
	p.WriteByte('\n')
	for range depth {
		p.WriteString("  ")
	}
}

func (p *printer) key(k Key) {
	if k.isText {
		p.quoted(k.text)
	} else {
		p.WriteString(strconv.FormatInt(k.num, 10))
	}
}
