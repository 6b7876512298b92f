package term

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A Progress is a line on a terminal that tells how far a long work is, with its rate and the time that is left. On anything else it is
// silent.
type Progress struct {
	bar *progressbar.ProgressBar
}

// NewProgress begins a progress of total rows, or of an unknown number for -1.
func NewProgress(w io.Writer, o Output, what string, total int64) *Progress {
	if !o.Terminal {
		return &Progress{}
	}
	theme := progressbar.ThemeASCII
	if o.Unicode {
		theme = progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}
	}
	// Beside the bar stand a percentage, two counts, a rate and two times, about 60 columns.
	return &Progress{bar: progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetTheme(theme),
		progressbar.OptionSetWidth(min(30, max(5, o.Width-Width(what)-62))),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(o.Colour), progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionSpinnerType(14),
	)}
}

// Set tells how many rows are done, and how many there will be, which may have changed; -1 if that is not known. That the line cannot be drawn
// is no reason to stop the work.
func (p *Progress) Set(done, total int64) {
	if p.bar == nil {
		return
	}
	if total >= 0 && total != p.bar.GetMax64() {
		p.bar.ChangeMax64(total)
	}
	_ = p.bar.Set64(done)
}

// Done takes the line away.
func (p *Progress) Done() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
