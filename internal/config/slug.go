package config

import (
	"slices"
	"strings"
)

// slug returns what Laravel's Str::slug(name, separator) does, and whether it can be sure: Laravel 5.5 and 6 spell letters in ASCII
// with a table of their own, Laravel 7 to 13 with voku/portable-ascii 1.4 to 2.x. It is sure of ASCII, of the Latin letters below, and
// of Chinese, Japanese and Korean, where all of these agree, the latter because all drop them.
func slug(name, separator string) (string, bool) {
	var ascii strings.Builder
	for _, r := range name {
		switch {
		case ' ' <= r && r < 0x7f:
			ascii.WriteRune(r)
		case spelling[r] != "":
			ascii.WriteString(spelling[r])
		case !dropped(r):
			return "", false
		}
	}
	flip := "_"
	if separator == "_" {
		flip = "-"
	}
	// Every run of separators and spaces becomes one separator in the end, so replacing them one by one changes nothing.
	text := strings.ReplaceAll(ascii.String(), flip, separator)
	text = strings.ReplaceAll(text, "@", separator+"at"+separator)
	words := strings.FieldsFunc(strings.Map(slugByte, strings.ToLower(text)), func(r rune) bool {
		return r == ' ' || string(r) == separator
	})
	return strings.Join(words, separator), true
}

// slugByte keeps what may stand in a slug: letters, digits, separators and the spaces that become separators.
func slugByte(r rune) rune {
	if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == ' ' {
		return r
	}
	return -1
}

// dropped tells whether every Laravel removes the character, as it has no spelling for it.
func dropped(r rune) bool {
	if r == '元' || r == '円' { // currencies, CNY and JPY, since Laravel 7; removed before
		return false
	}
	return slices.ContainsFunc(droppedRanges, func(in [2]rune) bool { return in[0] <= r && r <= in[1] })
}

var droppedRanges = [][2]rune{
	{0x00a1, 0x00a1}, {0x00a4, 0x00a4}, {0x00a6, 0x00a8}, {0x00ab, 0x00af}, {0x00b1, 0x00b1}, {0x00b4, 0x00b4}, {0x00b6, 0x00b8}, {0x00bb, 0x00bf},
	{0x00d7, 0x00d7}, {0x00f7, 0x00f7}, // punctuation
	{0x2010, 0x2012}, {0x2015, 0x2027}, {0x2030, 0x205e}, // more of it, without the dashes – and —, which became separators in Laravel 7
	{0x2e80, 0x2fff}, {0x3001, 0x318f}, {0x31f0, 0x4dbf}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0x20000, 0x2a6df}, // CJK
	{0xfe30, 0xfe6f}, {0xff01, 0xff0f}, {0xff1a, 0xff20}, {0xff3b, 0xff40}, {0xff5b, 0xff9f}, // and its punctuation, without wide letters and digits
	{0x1f300, 0x1f66f}, {0x1f671, 0x1f6ff}, // emoji
}

// spelling holds the letters that every Laravel spells alike, in lower case.
var spelling = func() map[rune]string {
	m := map[rune]string{}
	for to, from := range map[string]string{
		" ":  "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
		"1":  "¹",
		"2":  "²",
		"3":  "³",
		"a":  "ªÀÁÂÃÄÅàáâãäåĀāĂăĄąǍǎǺǻẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặ",
		"ae": "ÆæǼǽ",
		"c":  "ÇçĆćĈĉĊċČč",
		"d":  "ÐðĎďĐđ",
		"e":  "ÈÉÊËèéêëĒēĔĕĖėĘęĚěƏẸẹẺẻẼẽẾếỀềỂểỄễỆệ",
		"f":  "ƒ",
		"g":  "ĝĞğĠġĢģ",
		"h":  "ĥĦħ",
		"i":  "ÌÍÎÏìíîïĨĩĪīĬĭĮįİıǏǐỈỉỊị",
		"ij": "Ĳĳ",
		"j":  "ĵ",
		"k":  "Ķķĸ",
		"l":  "ĹĺĻļĽľĿŀŁł",
		"n":  "ÑñŃńŅņŇňŉŊŋ",
		"o":  "ºÒÓÔÕÖØòóôõöøŌōŎŏŐőƠơǑǒǾǿỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợ",
		"oe": "Œœ",
		"r":  "ŔŕŖŗŘř",
		"s":  "ŚśŜŞşŠšſȘș",
		"ss": "ßẞ",
		"t":  "ŢţŤťŦŧȚț",
		"th": "Þþ",
		"u":  "ÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲųƯưǓǔǕǖǗǘǙǚǛǜỤụỦủỨứỪừỬửỮữỰự",
		"w":  "Ŵŵ",
		"y":  "ÝýÿŶŷŸỲỳỴỵỶỷỸỹ",
		"z":  "ŹźŻżŽž",
	} {
		for _, r := range from {
			m[r] = to
		}
	}
	return m
}()
