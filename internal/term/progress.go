package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
)

// redrawn is how often a progress is drawn at most: more could not be read.
const redrawn = 100 * time.Millisecond

// A Progress is a line on a terminal that tells how far a long work is, with its rate and the time that is left. On anything else it is
// silent. It is safe for concurrent use.
type Progress struct {
	mu           sync.Mutex
	to           io.Writer
	output       Output
	what         string
	done, total  int64
	begun, drawn time.Time
	width        int // of what stands on the line
}

// NewProgress begins a progress of total rows, or of an unknown number for -1.
func NewProgress(w io.Writer, o Output, what string, total int64) *Progress {
	now := time.Now()
	p := &Progress{to: w, output: o, what: what, total: total, begun: now, drawn: now}
	if o.Redraws {
		p.draw()
	}
	return p
}

// Set tells how many rows are done, and how many there will be, which may have changed; -1 if that is not known. That the line cannot be drawn
// is no reason to stop the work.
func (p *Progress) Set(done, total int64) {
	if !p.output.Redraws {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = done
	if total >= 0 {
		p.total = total
	}
	if now := time.Now(); now.Sub(p.drawn) >= redrawn {
		p.drawn = now
		p.draw()
	}
}

// Done takes the line away.
func (p *Progress) Done() {
	if !p.output.Redraws {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	const echo = len("^C") // what the terminal may have put behind it
	blank := strings.Repeat(" ", max(0, min(p.width+echo, widthOf(p.to, p.output.Width)-1)))
	_, _ = io.WriteString(p.to, "\r"+blank+"\r")
	p.width = 0
}

// draw draws over the line that stands there. The last column stays free: a terminal may break a line that fills it.
func (p *Progress) draw() {
	width := widthOf(p.to, p.output.Width) - 1 // it may have been resized
	line := p.line(width)
	shown := Width(line)
	blank := strings.Repeat(" ", max(0, min(p.width, width)-shown))
	if bar := strings.IndexAny(line, "█░"); bar >= 0 {
		end := strings.LastIndexAny(line, "█░") + len("█")
		line = line[:bar] + p.output.Paint(line[bar:end], Good) + line[end:]
	}
	_, _ = io.WriteString(p.to, "\r"+line+blank)
	p.width = shown
}

// The bounds of the bar, in columns.
const (
	leastBar = 6
	mostBar  = 30
)

// line returns as much as the width has room for: the time that is left rather than the rate, that rather than the bar, that rather than the counts.
func (p *Progress) line(width int) string {
	rate, left := p.pace()
	if p.total < 0 {
		text := p.what + " " + humanize.Comma(p.done) + " rows"
		if rate == "" || Width(text+", "+rate) > width {
			return p.output.Fit(text, width)
		}
		return text + ", " + rate
	}
	percent := int64(100)
	if p.total > 0 {
		percent = min(100, p.done*100/p.total)
	}
	begin := fmt.Sprintf("%s %3d%%", p.what, percent)
	counts := fmt.Sprintf("%s of %s rows", humanize.Comma(p.done), humanize.Comma(p.total))
	for _, c := range []struct {
		bar   int
		parts []string
	}{{leastBar, []string{counts, rate, left}}, {leastBar, []string{rate, left}}, {0, []string{rate, left}}, {0, []string{left}}} {
		text := ""
		for _, part := range c.parts {
			if part != "" {
				text += ", " + part
			}
		}
		room := width - Width(begin+text)
		if c.bar == 0 && room >= 0 {
			return begin + text
		}
		if room -= len("  ") - len(","); c.bar > 0 && room >= c.bar { // blanks around the bar, in place of the first comma
			return begin + " " + p.bar(min(room, mostBar)) + strings.TrimSuffix(" "+strings.TrimPrefix(text, ", "), " ")
		}
	}
	return p.output.Fit(begin, width)
}

func (p *Progress) bar(width int) string {
	full, empty := "█", "░"
	if !p.output.Unicode {
		full, empty = "#", "."
	}
	n := width
	if p.total > 0 {
		n = int(min(float64(p.done)/float64(p.total), 1) * float64(width))
	}
	return strings.Repeat(full, n) + strings.Repeat(empty, width-n)
}

// pace returns the rows in a second so far, and how long the rest takes at that rate; "" for what cannot be told yet.
func (p *Progress) pace() (rate, left string) {
	took := time.Since(p.begun)
	if p.done <= 0 || took < redrawn {
		return "", ""
	}
	perSecond := float64(p.done) / took.Seconds()
	rate = humanize.Comma(int64(perSecond+0.5)) + " rows/s"
	if p.total >= p.done {
		seconds := time.Duration(float64(p.total-p.done)/perSecond+0.5) * time.Second
		left = seconds.String() + " left"
	}
	return rate, left
}
