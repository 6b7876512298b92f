package term

import (
	"bytes"
	"strings"
	"testing"
)

func TestFit_NeverIsWiderThanAsked(t *testing.T) {
	for _, o := range []Output{{Unicode: true}, {}} {
		for _, s := range []string{"abcdefghijklmnopqrstuvwxyz", "钉钉钉钉钉钉钉钉钉钉", "a钉b钉c钉d钉e钉f", "👍🏽👍🏽👍🏽👍🏽👍🏽👍🏽", "short"} {
			for width := range 30 {
				for name, got := range map[string]string{"Fit": o.Fit(s, width), "FitMiddle": o.FitMiddle(s, width)} {
					if Width(got) > width || Width(s) <= width && got != s || strings.Contains(got, "\uFFFD") {
						t.Errorf("%s(%q, %d) is %q", name, s, width, got)
					}
				}
			}
		}
	}
	if got := (Output{Unicode: true}).FitMiddle("user:1234567890:name", 11); got != "user:…:name" {
		t.Errorf("FitMiddle is %q", got)
	}
}

func TestTable_FitsATerminalAndIsWholeElsewhere(t *testing.T) {
	draw := func(o Output) string {
		var text bytes.Buffer
		table := NewTable(&text, o, Column{Title: "KEY", Least: 8, Middle: true}, Column{Title: "SIZE", Right: true}, Column{Title: "VALUE", Least: 8})
		table.Add(Cell{Text: "a"}, Cell{Text: "12"}, Cell{Text: "short"})
		table.Add(Cell{Text: strings.Repeat("钉", 30)}, Cell{Text: "123456"}, Cell{Text: strings.Repeat("long ", 30)})
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	for width := 1; width < 130; width++ {
		for line := range strings.Lines(draw(Output{Terminal: true, Width: width, Unicode: true})) {
			if Width(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
	want := "KEY" + strings.Repeat(" ", 57) + "    SIZE  VALUE\n" +
		"a" + strings.Repeat(" ", 59) + "      12  short\n" +
		strings.Repeat("钉", 30) + "  123456  " + strings.Repeat("long ", 30) + "\n"
	if got := draw(Plain); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestOf_ColourIsForTerminalsThatWantIt(t *testing.T) {
	env := func(string) (string, bool) { return "xterm", true }
	if o := Of(new(bytes.Buffer), env); o.Terminal || o.Colour {
		t.Errorf("a buffer is %+v", o)
	}
	if got := (Output{}).Paint("x", Bad); got != "x" {
		t.Errorf("without colour: %q", got)
	}
	if got := (Output{Colour: true}).Paint("x", Bad); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
}

func TestBar_ShowsSharesAndIsAsWideAsAsked(t *testing.T) {
	o := Output{Unicode: true}
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 10, "    "}, {10, 10, "████"}, {5, 10, "██  "}, {1, 1000, "▏   "}, {9, 16, "██▎ "}, {20, 10, "████"}, {1, 0, "    "}} {
		if got := o.Bar(c.part, c.whole, 4); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	if got := (Output{}).Bar(5, 10, 4); got != "##  " {
		t.Errorf("without Unicode: %q", got)
	}
}
