package term

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

func TestTable_IsSafeOnATerminalAndExactElsewhere(t *testing.T) {
	for _, c := range []struct {
		output Output
		want   string
	}{{Output{Terminal: true, Width: 80}, `\x1b[31m` + "\n"}, {Plain, "\x1b[31m\n"}} {
		var text bytes.Buffer
		table := NewTable(&text, c.output, Column{})
		table.Add(Cell{Text: "\x1b[31m"})
		if err := table.Flush(); err != nil || text.String() != c.want {
			t.Errorf("%+v: %q, %v, want %q", c.output, text.String(), err, c.want)
		}
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

func TestWidth_IsTheMostThatAnyTerminalTakes(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "用户": 4, "é": 1, "e\u0301\u0323": 1, "👍": 2, "👍🏽": 4, "🇨🇳": 2, "한글": 4, "שלום": 4, "ﷺ": 1, "❤\ufe0f": 2, "ｱ": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestFit_CutsNoCharacterApart(t *testing.T) {
	o := Output{Unicode: true}
	for _, c := range []struct{ got, want string }{
		{o.Fit("日本語", 4), "日…"}, {o.Fit("日本語", 3), "日…"}, {o.Fit("日本語", 2), "…"}, {o.Fit("e\u0301e\u0301e\u0301", 2), "e\u0301…"},
		{o.FitMiddle("用户:张伟:设置:语言", 12), "用户:…:语言"}, {o.FitMiddle("aaaaaae\u0301", 6), "aaa…ae\u0301"},
		{o.FitMiddle(`ab\x1b[31m-----\u202ezz`, 17), `ab\x1b[3…\u202ezz`}, {o.FitMiddle(`ab\x1b[31m-----\u202ezz`, 15), `ab\x1b[…zz`},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for _, text := range []string{"👍🏽👍🏽👍🏽👍🏽👍🏽", strings.Repeat("e\u0301", 20), `aa\x1b[31mbb\u202ecc\U000e0001dd`, "日本語日本語日本語"} {
		whole := map[string]bool{}
		for c := range clusters(text) {
			whole[c] = true
		}
		for width := range 24 {
			for c := range clusters(strings.ReplaceAll(o.FitMiddle(text, width), "…", "")) {
				if !whole[c] {
					t.Errorf("%q at %d has the part %q", text, width, c)
				}
			}
		}
	}
}

func TestSafe_LeavesNothingThatATerminalObeys(t *testing.T) {
	for text, want := range map[string]string{
		"用户 abc": "用户 abc", "\x1b[31mred": `\x1b[31mred`, "a\tb": "a b", "\u009b31m": `\u009b31m`, "\x9b": `\x9b`, "a\u202eb": `a\u202eb`,
		"\u200d\ufeff": `\u200d\ufeff`, "\x7f\x00\r\n\b": `\x7f\x00\r\n\b`, "\uFFFD": "\uFFFD", "\U000E0041": `\U000e0041`, "👍🏽": "👍🏽",
	} {
		if got := Safe(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWrap_LosesNothingAndIsNeverWider(t *testing.T) {
	texts := []string{"a sentence of some words, of which one is/very/long/and/has/no/blank/at/all and goes on", "用户的会话 很长很长很长很长的一个词 end", `\U000e0041\u202e`}
	for _, text := range texts {
		for width := 2; width < 60; width++ {
			o := Output{Terminal: true, Width: width, Unicode: true}
			for name, lines := range map[string][]string{"Wrap": o.Wrap(text, width), "Break": o.Break(text, width)} {
				for _, line := range lines {
					if Width(line) > width {
						t.Errorf("%s at %d: %q is %d wide", name, width, line, Width(line))
					}
				}
				bare := func(s string) string { return strings.ReplaceAll(s, " ", "") }
				if got := strings.Join(lines, ""); bare(got) != bare(text) || name == "Break" && got != text {
					t.Errorf("%s at %d has lost something: %q", name, width, lines)
				}
			}
		}
	}
	if got := Plain.Wrap(texts[0], 10); len(got) != 1 || got[0] != texts[0] {
		t.Errorf("where there is no terminal: %q", got)
	}
}

func TestReflow_FitsHelpAndLeavesWhatFits(t *testing.T) {
	const help = `A paragraph whose lines
are short enough on their own, but for this one.

Commands:
  one         Do one thing, and then another
  two         Short

  larder some example    # with a comment
`
	if got := (Output{Terminal: true, Width: 80}).Reflow(help); got != help {
		t.Errorf("what fits is changed:\n%s", got)
	}
	if got := Plain.Reflow(help); got != help {
		t.Errorf("where there is no terminal:\n%s", got)
	}
	const want = `A paragraph whose lines are
short enough on their own, but
for this one.

Commands:
  one         Do one thing, and
              then another
  two         Short

  larder some example #
      with a comment
`
	if got := (Output{Terminal: true, Width: 31}).Reflow(help); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestProgress_TellsShareRateAndRestAndNeverFillsTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		draw := func(width int, total int64) string {
			var text bytes.Buffer
			p := NewProgress(&text, Output{Terminal: true, Redraws: true, Width: width, Unicode: true}, "pruning", total)
			time.Sleep(2 * time.Second)
			text.Reset()
			p.Set(50_000, total)
			return strings.TrimPrefix(text.String(), "\r")
		}
		for width, want := range map[int]string{
			120: "pruning  40% ████████████░░░░░░░░░░░░░░░░░░ 50,000 of 125,000 rows, 25,000 rows/s, 3s left",
			80:  "pruning  40% ███████░░░░░░░░░░░ 50,000 of 125,000 rows, 25,000 rows/s, 3s left",
			60:  "pruning  40% ████████░░░░░░░░░░░░░░ 25,000 rows/s, 3s left",
			40:  "pruning  40%, 25,000 rows/s, 3s left",
			30:  "pruning  40%, 3s left",
			10:  "pruning …",
		} {
			if got := strings.TrimRight(draw(width, 125_000), " "); got != want {
				t.Errorf("%d columns: %q, want %q", width, got, want)
			}
		}
		for width := 1; width < 130; width++ {
			for _, total := range []int64{-1, 0, 125_000, 1 << 60} {
				if got := draw(width, total); Width(got) >= width {
					t.Errorf("%d columns, total %d: %q", width, total, got)
				}
			}
		}
		if got := strings.TrimRight(draw(80, -1), " "); got != "pruning 50,000 rows, 25,000 rows/s" {
			t.Errorf("without a total: %q", got)
		}
	})
}

func TestProgress_TakesItsLineAwayAndIsSilentElsewhere(t *testing.T) {
	var text bytes.Buffer
	p := NewProgress(&text, Output{Terminal: true, Redraws: true, Width: 80}, "flushing", 10)
	p.Done()
	lines := strings.Split(text.String(), "\r")
	if last := lines[len(lines)-2]; strings.TrimSpace(last) != "" || Width(last) < Width(lines[1]) || !strings.HasSuffix(text.String(), "\r") {
		t.Errorf("the line is not blank: %q", text.String())
	}
	text.Reset()
	for _, o := range []Output{Plain, {Terminal: true, Width: 80}} {
		p := NewProgress(&text, o, "flushing", 10)
		p.Set(5, 10)
		p.Done()
	}
	if text.Len() > 0 {
		t.Errorf("where lines cannot be drawn over: %q", text.String())
	}
}
