package php

import (
	"bytes"
	"math"
	"strconv"
)

// appendFloat appends f as PHP writes it, with e as the letter of the exponent.
//
// PHP (7.1 and later, where serialize_precision is -1) writes the fewest digits that read back as f: in full if the
// decimal exponent is from -4 to 16, otherwise as one digit, a fraction of at least one digit, and an exponent with a
// sign and no padding. This is its smart_str_append_double with a precision of 17.
func appendFloat(dst []byte, f float64, e byte) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "INF"...)
	case math.IsInf(f, -1):
		return append(dst, "-INF"...)
	case math.IsNaN(f):
		return append(dst, "NAN"...)
	}
	var buf [32]byte
	sci := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // -d.ddde-ddd, as few digits as will do
	mark := len(sci) - 1
	for sci[mark] != 'e' {
		mark--
	}
	exponent := 0
	for _, c := range sci[mark+2:] {
		exponent = exponent*10 + int(c-'0')
	}
	if sci[mark+1] == '-' {
		exponent = -exponent
	}
	if exponent >= -4 && exponent <= 16 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	mantissa := sci[:mark]
	dst = append(dst, mantissa...)
	if bytes.IndexByte(mantissa, '.') < 0 {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, e)
	if exponent >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}
