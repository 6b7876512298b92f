// Package term draws for people: how wide their terminal is, whether it has colours, and what fits on a line of it. Where the output is no
// terminal, the same drawings come out plain and in full.
package term

import (
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/mattn/go-runewidth"
	xterm "golang.org/x/term"
)

// An Output is where something is drawn.
type Output struct {
	Terminal bool // a person sees the lines as they come
	Redraws  bool // a terminal that can draw over a line
	Width    int  // of a terminal, in columns
	Colour   bool
	Unicode  bool // block and ellipsis characters can be shown
}

// Plain is an output that is no terminal.
var Plain = Output{Width: 80, Unicode: true}

// Of returns what the writer is. There is colour on a terminal unless NO_COLOR is set (https://no-color.org), CLICOLOR is 0, or TERM is dumb;
// and elsewhere only if CLICOLOR_FORCE is set (https://bixense.com/clicolors). There is Unicode unless the locale names another character set.
func Of(w io.Writer, lookupEnv func(string) (string, bool)) Output {
	value := func(name string) string { v, _ := lookupEnv(name); return v }
	forced := value("CLICOLOR_FORCE") != "" && value("CLICOLOR_FORCE") != "0" && value("NO_COLOR") == ""
	f, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) {
		o := Plain
		o.Colour = forced
		return o
	}
	kind := value("TERM")
	return Output{
		Terminal: true, Redraws: kind != "dumb", Width: widthOf(f, 80), Unicode: unicodeLocale(lookupEnv),
		Colour: forced || kind != "" && kind != "dumb" && value("NO_COLOR") == "" && value("CLICOLOR") != "0",
	}
}

// widthOf returns how many columns a terminal has now, or the other number if it does not tell.
func widthOf(w io.Writer, otherwise int) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := xterm.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return otherwise
}

func unicodeLocale(lookupEnv func(string) (string, bool)) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts, as in setlocale(3)
		if value, _ := lookupEnv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return true // nobody has said otherwise, and terminals have spoken UTF-8 for long
}

// widths measures as terminals do that are not set to an East Asian locale's ambiguous widths; the package's own default would depend on the
// environment.
var widths = &runewidth.Condition{}

// Width is how many columns a text takes that has no control characters: two for a Chinese character or an emoji. Terminals disagree about
// emoji that are put together of several characters, such as flags and skin tones: the most columns count that any of them takes, so that
// nothing is ever wider than that.
func Width(s string) int {
	if isASCII(s) {
		return len(s)
	}
	width := 0
	for cluster := range clusters(s) {
		width += clusterWidth(cluster)
	}
	return width
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// clusters yields what a reader takes for one character each, such as a letter with its accents, or an escape as [Safe] has it.
func clusters(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s != "" {
			cluster := ""
			if s[0] == '\\' {
				cluster = escape.FindString(s)
			}
			if all := graphemes.FromString(s); cluster == "" && all.Next() {
				cluster = all.Value()
			}
			if s = s[len(cluster):]; !yield(cluster) {
				return
			}
		}
	}
}

var escape = regexp.MustCompile(`^\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})`)

func clusterWidth(cluster string) int {
	if len(cluster) == 1 {
		return 1 // ASCII
	}
	apart := 0
	for _, r := range cluster {
		apart += widths.RuneWidth(r)
	}
	if strings.Contains(cluster, "\uFE0F") { // drawn as an emoji, where the terminal can
		apart = max(apart, 2)
	}
	return max(apart, widths.StringWidth(cluster))
}

// head returns as much of the beginning of a text as fits the width, and tail of its end.
func head(s string, width int) string {
	end := 0
	for cluster := range clusters(s) {
		if width -= clusterWidth(cluster); width < 0 {
			break
		}
		end += len(cluster)
	}
	return s[:end]
}

func tail(s string, width int) string {
	tooWide, begin := Width(s)-width, 0
	for cluster := range clusters(s) {
		// What has no width of its own would stand on the character before.
		if of := clusterWidth(cluster); tooWide > 0 || begin > 0 && of == 0 {
			tooWide, begin = tooWide-of, begin+len(cluster)
			continue
		}
		break
	}
	return s[begin:]
}

// Fit returns the text cut at its end to the width.
func (o Output) Fit(s string, width int) string {
	switch {
	case Width(s) <= width:
		return s
	case width <= 0:
		return ""
	}
	ellipsis := o.ellipsis(width)
	return head(s, width-Width(ellipsis)) + ellipsis
}

// FitMiddle returns the text cut in its middle to the width, so that what a key begins and ends with can be seen.
func (o Output) FitMiddle(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	ellipsis := o.ellipsis(width)
	left := (width - Width(ellipsis) + 1) / 2
	if left < 3 {
		return o.Fit(s, width)
	}
	begin := head(s, left)
	return begin + ellipsis + tail(s, width-Width(begin)-Width(ellipsis))
}

// Wrap breaks a text at blanks into lines of the width; a word that is wider is broken anywhere. On what is no terminal it is one line.
func (o Output) Wrap(text string, width int) []string {
	if !o.Terminal {
		return []string{text}
	}
	width = max(width, 2) // a Chinese character's
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && Width(line)+1+Width(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		pieces := o.Break(line+word, width)
		last := len(pieces) - 1
		lines, line = append(lines, pieces[:last]...), pieces[last]
	}
	return append(lines, line)
}

// Reflow breaks the lines of a text that are wider than the terminal: those of a paragraph are filled anew, and of a list what is in the second column
// goes on below itself.
func (o Output) Reflow(text string) string {
	var flowed strings.Builder
	var paragraph []string
	end := func() {
		tooWide := slices.ContainsFunc(paragraph, func(line string) bool { return Width(line) > o.Width })
		if o.Terminal && tooWide {
			paragraph = o.Wrap(strings.Join(paragraph, " "), o.Width)
		}
		for _, line := range paragraph {
			flowed.WriteString(line + "\n")
		}
		paragraph = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && line[0] != ' ' && !strings.HasSuffix(line, ":") {
			paragraph = append(paragraph, line)
			continue
		}
		end()
		flowed.WriteString(o.hang(line) + "\n")
	}
	end()
	return flowed.String()
}

// hang breaks one line, and begins what goes on below where the line's last column begins, as far as blanks tell that; else a little behind where
// the line does.
func (o Output) hang(line string) string {
	if !o.Terminal || Width(line) <= o.Width {
		return line
	}
	begin := len(line) - len(strings.TrimLeft(line, " "))
	hanging := begin
	if gap := strings.LastIndex(line, "  "); gap >= begin && Width(line[:gap]) < o.Width/2 {
		begin = gap + len("  ")
		hanging = Width(line[:begin])
	} else if begin > 0 {
		hanging += 4
	}
	return line[:begin] + strings.Join(o.Wrap(line[begin:], o.Width-hanging), "\n"+strings.Repeat(" ", hanging))
}

// Break breaks a text anywhere into pieces of the width, so that all of its characters can be seen. On what is no terminal it is one piece.
func (o Output) Break(text string, width int) []string {
	if !o.Terminal {
		return []string{text}
	}
	width = max(width, 2) // a Chinese character's
	var pieces []string
	for Width(text) > width {
		piece := head(text, width)
		if blank := strings.LastIndex(piece, " ") + 1; blank > len(piece)*3/4 {
			piece = piece[:blank]
		}
		if piece == "" && text[0] == '\\' {
			piece = text[:width] // an escape, which is ASCII
		}
		if piece == "" {
			break // one character that is wider, such as a family of emoji
		}
		pieces, text = append(pieces, piece), text[len(piece):]
	}
	return append(pieces, text)
}

// Safe returns a line of text without what a terminal would obey or hide: control characters, escape sequences, characters that are invisible or
// change the direction of text, and bytes that are not UTF-8. They are shown as in Go's strings, tabs as blanks.
func Safe(s string) string {
	safe := func(r rune) bool { return r != utf8.RuneError && strconv.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var text strings.Builder
	for i, r := range s {
		switch {
		case r == '\t':
			text.WriteByte(' ')
		case safe(r) || r == utf8.RuneError && strings.HasPrefix(s[i:], "\uFFFD"):
			text.WriteRune(r)
		case r == utf8.RuneError:
			fmt.Fprintf(&text, `\x%02x`, s[i])
		default:
			quoted := strconv.QuoteRune(r)
			text.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return text.String()
}

func (o Output) ellipsis(width int) string {
	switch {
	case o.Unicode:
		return "…"
	case width < 6:
		return ""
	}
	return "..."
}

// A Style is how a text looks.
type Style string

// The styles. Each has a meaning of its own and none is the only sign of it, for those who do not see colours.
const (
	Normal  Style = ""
	Strong  Style = "1"
	Faint   Style = "2"
	Good    Style = "32"
	Warning Style = "33"
	Bad     Style = "31"
	Title   Style = "1;36"
)

// Paint returns the text in the style, if the output has colours.
func (o Output) Paint(s string, style Style) string {
	if !o.Colour || style == Normal || s == "" {
		return s
	}
	return "\x1b[" + string(style) + "m" + s + "\x1b[0m"
}

// Bar returns a bar whose length is to the width what part is to whole, followed by blanks up to the width. What is more than nothing is seen.
func (o Output) Bar(part, whole int64, width int) string {
	if whole <= 0 || part <= 0 || width <= 0 {
		return strings.Repeat(" ", max(width, 0))
	}
	if !o.Unicode {
		n := max(1, int(float64(part)/float64(whole)*float64(width)+0.5))
		return strings.Repeat("#", min(n, width)) + strings.Repeat(" ", width-min(n, width))
	}
	eighths := min(max(1, int(float64(part)/float64(whole)*float64(width)*8+0.5)), 8*width)
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += []string{"▏", "▎", "▍", "▌", "▋", "▊", "▉"}[rest-1]
	}
	return bar + strings.Repeat(" ", width-(eighths+7)/8)
}
