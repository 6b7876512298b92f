package php

import "bytes"

// TypeName returns the kind of the value that data starts with: "null", "bool", "int", "float", "string", "array",
// "object" or "enum", or else "corrupt".
//
// It looks at the head alone, so the first bytes of a long value are enough. A kind other than "corrupt" does not promise
// that the rest is sound; [Decode] tells that. A reference, which cannot be a whole value, is "corrupt".
func TypeName(data []byte) string {
	name, _ := Head(data)
	return name
}

// Head is [TypeName], with the name of the class if the kind is "object" or "enum". The class is empty for other kinds,
// and where data end within it: 300 bytes have room for any class that people write.
func Head(data []byte) (typeName, class string) {
	const corrupt = "corrupt"

	s := scanner{data: data}
	tag, err := s.tag()
	if err != nil {
		return corrupt, ""
	}
	switch tag {
	case 'N':
		if s.want(';') == nil {
			return "null", ""
		}
	case 'b':
		if _, err := s.scalar(tag); err == nil {
			return "bool", ""
		}
	case 'i':
		if s.sign(); s.digit() {
			return "int", ""
		}
	case 'd':
		if s.floatStart() {
			return "float", ""
		}
	case 's', 'S':
		if s.digits() > 0 && s.want(':') == nil && s.want('"') == nil {
			return "string", ""
		}
	case 'a':
		if s.digits() > 0 && s.want(':') == nil && s.want('{') == nil {
			return "array", ""
		}
	case 'O', 'C':
		return s.headClass("object")
	case 'E':
		return s.headClass("enum")
	}
	return corrupt, ""
}

// floatStart reports whether a float may begin here.
func (s *scanner) floatStart() bool {
	s.sign()
	if s.peek() == '.' {
		s.pos++
	}
	return s.digit() || s.peek() == 'I' || s.peek() == 'N'
}

// headClass reads the quoted class of an object, or the class and case of an enum, of which the end may be missing.
func (s *scanner) headClass(typeName string) (string, string) {
	n, err := s.length(':')
	if err != nil || s.want('"') != nil {
		return "corrupt", ""
	}
	text := s.data[s.pos:]
	whole := n <= len(text)
	if whole {
		if s.pos += n; s.want('"') != nil {
			return "corrupt", ""
		}
		text = text[:n]
	}
	class, enumCase, found := bytes.Cut(text, []byte(":"))
	if typeName == "enum" && whole && !(found && validCase(enumCase)) || typeName == "object" && found {
		return "corrupt", ""
	}
	switch {
	case validClass(class) && (whole || found):
		return typeName, string(class)
	case !whole && (len(class) == 0 || validClass(class)):
		return typeName, ""
	}
	return "corrupt", ""
}
