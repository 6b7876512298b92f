package php

// MaxDepth is how many arrays and objects may stand inside one another, as in PHP (unserialize_max_depth, since 7.4). An
// empty array does not count, an empty object does. [Decode] and [Encode] refuse more with a [*LimitError].
const MaxDepth = 4096

// A Value is one PHP value, exactly as its serialized text has it. The kinds are [Null], [Bool], [Int], [Float],
// [String], [*Array], [*Object], [*Custom], [Enum] and [Reference]; no others can be made. A nil Value stands for Null.
//
// A Value may be read by several goroutines at once, as long as none changes it.
type Value interface {
	// Type is the kind by the name that [TypeName] has for it: "null", "bool", "int", "float", "string", "array",
	// "object" (for a Custom too), "enum" or "reference".
	Type() string

	sealed()
}

type (
	// Null is PHP's null.
	Null struct{}

	// Bool is a PHP bool.
	Bool bool

	// Int is a PHP int, which has 64 bits on every platform that Laravel runs on.
	Int int64

	// Float is a PHP float: an IEEE 754 double, INF, -INF and NAN included.
	Float float64

	// String is a PHP string: bytes, of any encoding or none.
	String string
)

// An Enum is a case of a PHP enumeration (PHP 8.1). The text names the case alone; the value that backs it stands in
// the PHP source.
type Enum struct {
	Class string // with its namespace, without a leading backslash
	Case  string
}

// A Reference stands where PHP wrote no value, but pointed at another place of the same text.
//
// Places count from 1, the outermost value, in the order of the text. Keys and property names do not count, nor does a
// Reference whose Object is false; one whose Object is true does.
//
// Index is kept as it was read, so that [Encode] gives back the same bytes. Whoever changes a Value that has References
// must see to it that they still count right.
type Reference struct {
	Index int64

	// Object tells the two kinds apart: true (r: in the text) is the same object once more, as two variables of PHP
	// hold one object; false (R:) is a PHP reference, made with &.
	Object bool

	target Value
}

// Target returns the value that r points at, never itself a Reference. It may be a value that contains r: PHP writes
// cycles, and so whoever follows References must expect them.
//
// It returns nil for a Reference that was not made by [Decode], and where the target cannot be told: after a [*Custom],
// whose text may hold places of its own that only its class can count.
func (r Reference) Target() Value { return r.target }

// An Object is an object of a class, by the properties that PHP wrote. The class need not be known, and nothing of it
// runs.
type Object struct {
	Class      string // with its namespace, without a leading backslash, spelled as in the text
	Properties []Property
}

// A Property is a named value of an [Object]. For a class with __serialize (PHP 7.4) these are the entries of the array
// that it returned, which need not be real properties.
type Property struct {
	Name       string // as declared: without the marks that PHP puts before the names of non-public properties
	Visibility Visibility
	Class      string // the class that declares it, if it is Private
	IntKey     bool   // the key is the int that Name spells: only __serialize writes such
	Value      Value
}

// Visibility tells who may use a property in PHP.
type Visibility uint8

// The visibilities of PHP.
const (
	Public Visibility = iota
	Protected
	Private
)

// String returns PHP's word for v.
func (v Visibility) String() string {
	switch v {
	case Protected:
		return "protected"
	case Private:
		return "private"
	default:
		return "public"
	}
}

// Get returns the value of the first property called name, whatever its visibility, and whether there is one. A class
// and its parent can each have a private property of one name; range over Properties to tell them apart.
func (o *Object) Get(name string) (Value, bool) {
	for _, p := range o.Properties {
		if p.Name == name {
			return p.Value, true
		}
	}
	return nil, false
}

// A Custom is an object that wrote its text itself, through the Serializable interface (deprecated since PHP 8.1). Only
// its class can read Data.
type Custom struct {
	Class string
	Data  string
}

// Type implements [Value].
func (Null) Type() string      { return "null" }
func (Bool) Type() string      { return "bool" }
func (Int) Type() string       { return "int" }
func (Float) Type() string     { return "float" }
func (String) Type() string    { return "string" }
func (*Array) Type() string    { return "array" }
func (*Object) Type() string   { return "object" }
func (*Custom) Type() string   { return "object" }
func (Enum) Type() string      { return "enum" }
func (Reference) Type() string { return "reference" }

func (Null) sealed()      {}
func (Bool) sealed()      {}
func (Int) sealed()       {}
func (Float) sealed()     {}
func (String) sealed()    {}
func (*Array) sealed()    {}
func (*Object) sealed()   {}
func (*Custom) sealed()   {}
func (Enum) sealed()      {}
func (Reference) sealed() {}

// typeOf is v.Type(), with nil and nil pointers, which are PHP's null, told as such.
func typeOf(v Value) string {
	if v = normal(v); v == nil {
		return "null"
	}
	return v.Type()
}

// normal returns v, or nil if v stands for null. It takes away the pointer from one to a kind that is no pointer: Go gives
// *Int the methods of Int, and so makes it a Value. Every reader of Values has this one place for what they may be.
func normal(v Value) Value {
	switch p := v.(type) {
	case Null, *Null:
		return nil
	case *Array:
		if p == nil {
			return nil
		}
	case *Object:
		if p == nil {
			return nil
		}
	case *Custom:
		if p == nil {
			return nil
		}
	case *Bool:
		return pointee(p)
	case *Int:
		return pointee(p)
	case *Float:
		return pointee(p)
	case *String:
		return pointee(p)
	case *Enum:
		return pointee(p)
	case *Reference:
		return pointee(p)
	}
	return v
}

func pointee[T Value](p *T) Value {
	if p == nil {
		return nil
	}
	return *p
}
