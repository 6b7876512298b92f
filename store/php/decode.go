package php

import "bytes"

// minEntry is the shortest text of an entry of an array or object: i:0;N;
const minEntry = 6

// Decode returns the value that data, the output of PHP's serialize, stands for. It reads what PHP 8.2 reads and gives
// the value that PHP gives, also for text that PHP accepts but never writes (i:+7; or a key s:1:"5"). It differs in
// refusing
//   - bytes after the value, which PHP before 8.3 ignores in silence,
//   - lengths of 2^64 and more, which PHP counts modulo 2^64,
//   - a key that occurs twice in an array or object, if there are references too: PHP lets the last one win, but then
//     the numbers in the references no longer count what they say.
//
// The error is a [*SyntaxError], or a [*LimitError] for more than [MaxDepth] levels. Memory is proportional to the length
// of data, whatever lengths the text claims. The Value holds one copy of data, and never data itself.
func Decode(data []byte) (Value, error) {
	d := decoder{scanner: scanner{data: data}, room: len(data) / minEntry, repeated: -1}
	// A text without these letters has no references, and then no places need to be remembered. (One with them may
	// have none either: it may be a string.)
	d.tracked = bytes.Contains(data, []byte("R:")) || bytes.Contains(data, []byte("r:"))
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	if d.rest() > 0 {
		return nil, d.fail(d.pos, "the value ends here, but more data follow")
	}
	if d.repeated >= 0 && d.referred {
		return nil, d.fail(d.repeated, "a key is repeated in data with references")
	}
	return v, nil
}

type decoder struct {
	scanner
	text  string // a copy of data, made when the first string is met: all strings are parts of it
	depth int
	room  int // how many more entries the data can hold, by their length alone

	tracked   bool
	places    []Value // what references may point at, in order; nil for a value still to come
	countable int     // the last place that can be told from the text, or 0 if all can: the first Custom
	referred  bool    // a Reference was read
	repeated  int     // where a repeated key stands, or -1
}

// value reads a value with all that is in it.
func (d *decoder) value() (Value, error) {
	start := d.pos
	tag, err := d.tag()
	if err != nil {
		return nil, err
	}
	if tag == 'R' {
		return d.reference(start, false)
	}
	place := len(d.places)
	if d.tracked {
		d.places = append(d.places, nil)
	}
	var v Value
	switch tag {
	case 'a':
		return d.array(place)
	case 'O':
		return d.object(place)
	case 'C':
		if d.countable == 0 {
			d.countable = place + 1
		}
		v, err = d.custom()
	case 'E':
		v, err = d.enum()
	case 'r':
		v, err = d.reference(start, true)
	default:
		v, err = d.scalarValue(tag)
	}
	if err != nil {
		return nil, err
	}
	d.fill(place, v)
	return v, nil
}

// fill notes what stands at a place. A Reference is noted as what it points at, so that a target is never a Reference.
func (d *decoder) fill(place int, v Value) {
	if !d.tracked {
		return
	}
	if r, ok := v.(Reference); ok {
		v = r.target
	}
	d.places[place] = v
}

func (d *decoder) scalarValue(tag byte) (Value, error) {
	s, err := d.scalar(tag)
	if err != nil {
		return nil, err
	}
	switch s.tag {
	case 'b':
		return Bool(s.num != 0), nil
	case 'i':
		return Int(s.num), nil
	case 'd':
		return Float(s.float), nil
	case 's':
		return String(d.string(s)), nil
	}
	return Null{}, nil
}

// string returns the bytes of s as a part of the one copy of the data.
func (d *decoder) string(s scalar) string {
	if s.start < 0 {
		return string(s.bytes)
	}
	return d.part(s.start, len(s.bytes))
}

func (d *decoder) part(start, n int) string {
	if d.text == "" {
		d.text = string(d.data)
	}
	return d.text[start : start+n]
}

func (d *decoder) array(place int) (Value, error) {
	at := d.pos
	n, err := d.length(':')
	if err != nil {
		return nil, err
	}
	if err := d.open(at, n); err != nil {
		return nil, err
	}
	a := &Array{}
	d.fill(place, a)
	if n == 0 {
		return a, d.want('}') // no level: PHP does not count it either
	}
	if err := d.descend(); err != nil {
		return nil, err
	}
	a.entries = make([]entry, 0, n)
	for range n {
		at := d.pos
		k, err := d.key()
		if err != nil {
			return nil, err
		}
		if k.isText {
			k = StringKey(k.text)
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		size := a.Len()
		if a.Set(k, v); a.Len() == size {
			d.repeated = at
		}
	}
	d.depth--
	return a, d.want('}')
}

// open reads the brace before n entries, after it made sure that so many can follow. The counts of a whole text are
// taken together, for n entries here leave less room for any others: so the memory made ready for them is bounded by the
// length of the data, also for arrays in arrays that all claim to be large.
func (d *decoder) open(at, n int) error {
	if n > d.room {
		return d.fail(at, "the number of entries exceeds the data that follow")
	}
	d.room -= n
	return d.want('{')
}

func (d *decoder) descend() error {
	if d.depth++; d.depth > MaxDepth {
		return &LimitError{What: "levels of nesting", Limit: MaxDepth}
	}
	return nil
}

// key reads a key as it is written: a string that spells an int is left a string.
func (d *decoder) key() (Key, error) {
	at := d.pos
	tag, err := d.tag()
	if err != nil {
		return Key{}, err
	}
	switch tag {
	case 'i', 's', 'S':
	default:
		return Key{}, d.fail(at, "want a key, which is an int or a string")
	}
	s, err := d.scalar(tag)
	if err != nil {
		return Key{}, err
	}
	if s.tag == 'i' {
		return IntKey(s.num), nil
	}
	return Key{text: d.string(s), isText: true}, nil
}

// class reads the name of a class, and the count after it that stands at at.
func (d *decoder) class() (name string, at, n int, err error) {
	start, bytes, err := d.quoted("class name")
	if err != nil {
		return "", 0, 0, err
	}
	if !validClass(bytes) {
		return "", 0, 0, d.fail(start, "the class name is not one that PHP could have")
	}
	if err := d.want(':'); err != nil {
		return "", 0, 0, err
	}
	at = d.pos
	n, err = d.looseLength(':')
	return d.part(start, len(bytes)), at, n, err
}

func (d *decoder) object(place int) (Value, error) {
	class, at, n, err := d.class()
	if err != nil {
		return nil, err
	}
	if err := d.open(at, n); err != nil {
		return nil, err
	}
	if err := d.descend(); err != nil {
		return nil, err
	}
	o := &Object{Class: class}
	d.fill(place, o)
	if n > 0 {
		o.Properties = make([]Property, 0, n)
	}
	var seen propertyIndex
	for range n {
		at := d.pos
		k, err := d.key()
		if err != nil {
			return nil, err
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		p := property(k, v)
		if i := seen.add(p, o.Properties); i >= 0 {
			o.Properties[i] = p
			d.repeated = at
		} else {
			o.Properties = append(o.Properties, p)
		}
	}
	d.depth--
	return o, d.want('}')
}

func (d *decoder) custom() (Value, error) {
	class, at, n, err := d.class()
	if err != nil {
		return nil, err
	}
	if err := d.want('{'); err != nil {
		return nil, err
	}
	if n > d.rest() {
		return nil, d.fail(at, "the length of the object exceeds the data that follow")
	}
	text := d.part(d.pos, n)
	d.pos += n
	return &Custom{Class: class, Data: text}, d.want('}')
}

func (d *decoder) enum() (Value, error) {
	start, text, err := d.quoted("enum case")
	if err != nil {
		return nil, err
	}
	colon := bytes.IndexByte(text, ':')
	if colon < 0 || !validClass(text[:colon]) || !validCase(text[colon+1:]) {
		return nil, d.fail(start, "want the class and the case of an enum, with a colon between them")
	}
	class := d.part(start, colon)
	return Enum{Class: class, Case: d.part(start+colon+1, len(text)-colon-1)}, d.want(';')
}

// reference reads an R: value, or an r: value if object is true, whose tag starts at start.
func (d *decoder) reference(start int, object bool) (Value, error) {
	n, err := d.length(';')
	if err != nil {
		return nil, err
	}
	d.referred = true
	r := Reference{Index: int64(n), Object: object}
	switch {
	case n == 0 || n > len(d.data):
	case d.countable > 0 && n > d.countable:
		return r, nil
	case n <= len(d.places):
		r.target = d.places[n-1]
	}
	if r.target == nil {
		return nil, d.fail(start, "the reference points at no earlier value")
	}
	if t := r.target.Type(); object && t != "object" && t != "enum" {
		return nil, d.fail(start, "the reference to an object points at a value of another kind")
	}
	return r, nil
}
