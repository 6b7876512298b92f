// Package term draws for people: how wide their terminal is, whether it has colours, and what fits on a line of it. Where the output is no
// terminal, the same drawings come out plain and in full.
package term

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	xterm "golang.org/x/term"
)

// An Output is where something is drawn.
type Output struct {
	Terminal bool // a person sees the lines as they come
	Width    int  // of a terminal, in columns
	Colour   bool
	Unicode  bool // block and ellipsis characters can be shown
}

// Plain is an output that is no terminal.
var Plain = Output{Width: 80, Unicode: true}

// Of returns what the writer is. There is colour on a terminal unless NO_COLOR is set or TERM is dumb (https://no-color.org), and
// Unicode unless the locale names another character set.
func Of(w io.Writer, lookupEnv func(string) (string, bool)) Output {
	f, ok := w.(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) {
		return Plain
	}
	o := Output{Terminal: true, Width: 80, Unicode: unicodeLocale(lookupEnv)}
	if width, _, err := xterm.GetSize(int(f.Fd())); err == nil && width > 0 {
		o.Width = width
	}
	kind, _ := lookupEnv("TERM")
	noColour, _ := lookupEnv("NO_COLOR")
	o.Colour = kind != "" && kind != "dumb" && noColour == ""
	return o
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

// Width is how many columns a text takes that has no control characters: two for a Chinese character or an emoji.
func Width(s string) int { return widths.StringWidth(s) }

// Fit returns the text cut at its end to the width.
func (o Output) Fit(s string, width int) string {
	switch {
	case Width(s) <= width:
		return s
	case width <= 0:
		return ""
	}
	return widths.Truncate(s, width, o.ellipsis(width))
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
	head := widths.Truncate(s, left, "")
	tail := widths.TruncateLeft(s, Width(s)-(width-Width(head)-Width(ellipsis)), "")
	for Width(head)+Width(ellipsis)+Width(tail) > width { // half of a wide character
		_, size := utf8.DecodeRuneInString(tail)
		tail = tail[size:]
	}
	return head + ellipsis + tail
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
