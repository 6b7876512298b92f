//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// A pseudo is a larder that runs as a process of its own on a pseudo terminal, which is the one that it is controlled from: what is typed there as
// Ctrl-C is the signal that a person sends.
type pseudo struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	read chan struct{} // closed when all that it printed has been read

	mu   sync.Mutex
	text bytes.Buffer
}

// onTerminal starts one command line on a terminal that many columns wide, in a UTF-8 locale, with further variables. What is set of the command
// before it starts, such as its standard output, is not the terminal.
func (s *server) onTerminal(columns uint16, env []string, prepare func(*exec.Cmd), args ...string) *pseudo {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &pseudo{t: s.t, cmd: exec.Command(self, args...), read: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = s.dir, append(append([]string{"TERM=xterm-256color", "LANG=C.UTF-8"}, s.env...), env...)
	if prepare != nil {
		prepare(p.cmd)
	}
	if p.tty, err = pty.StartWithSize(p.cmd, &pty.Winsize{Cols: columns, Rows: 50}); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.read)
		chunk := make([]byte, 4096)
		for {
			n, err := p.tty.Read(chunk)
			p.mu.Lock()
			p.text.Write(chunk[:n])
			p.mu.Unlock()
			if err != nil {
				return // EIO on Linux: nobody has the terminal open any more
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_, _ = p.cmd.Process.Wait()
		_ = p.tty.Close()
		<-p.read
	})
	return p
}

func (p *pseudo) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// until waits until what was printed matches the pattern.
func (p *pseudo) until(pattern string) {
	p.t.Helper()
	matches := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); !matches.MatchString(p.printed()); time.Sleep(time.Millisecond) {
		select {
		case <-p.read:
			if !matches.MatchString(p.printed()) {
				p.t.Fatalf("it has ended without %s: %q", pattern, p.printed())
			}
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not within %v: %q", pattern, patience, p.printed())
		}
	}
}

// press types Ctrl-C.
func (p *pseudo) press() {
	p.t.Helper()
	if _, err := p.tty.Write([]byte{3}); err != nil {
		p.t.Fatal(err)
	}
}

// pressUntilItEnds types Ctrl-C, as often as an impatient person does. The first one is not to be enough: what is stuck does not look for it, and ends
// by itself after two seconds or never. So it is the second one that ended it, and at once, if a signal did.
func (p *pseudo) pressUntilItEnds() (code int, by syscall.Signal) {
	p.t.Helper()
	for began := time.Now(); ; {
		p.press()
		select {
		case <-p.read:
			return p.end()
		case <-time.After(200 * time.Millisecond):
		}
		if time.Since(began) > patience {
			p.t.Fatalf("it does not end: %q", p.printed())
		}
	}
}

// end waits for the end, and returns the exit status, or -1 and the signal that ended it.
func (p *pseudo) end() (code int, by syscall.Signal) {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	<-p.read
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return p.cmd.ProcessState.ExitCode(), status.Signal()
}

// A screen is what a person sees, on a terminal that does what larder may ask of one and nothing else: begin the line again, go to the next one,
// change colours.
type screen struct {
	lines    []string
	tooWide  []string // lines that the terminal had to break
	disobeys []string // what would have been obeyed, were this another terminal
	colours  int
}

// measure is how wide terminals draw single characters, as wcwidth(3) has it, which knows of nothing that is put together of several.
var measure = &runewidth.Condition{}

var colour = regexp.MustCompile("^\x1b\\[[0-9;]*m")

func readScreen(text string, columns int) *screen {
	var (
		s    screen
		line []string // what stands in each column; "" right of a wide character
		at   int
	)
	next := func() {
		s.lines = append(s.lines, strings.TrimRight(strings.Join(line, ""), " "))
		line, at = nil, 0
	}
	for text != "" {
		if sequence := colour.FindString(text); sequence != "" {
			s.colours++
			text = text[len(sequence):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		char := text[:size]
		text = text[size:]
		switch {
		case r == '\r':
			at = 0
			continue
		case r == '\n':
			next()
			continue
		case r < ' ', r >= 0x7f && r < 0xa0, r == utf8.RuneError && size == 1, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			s.disobeys = append(s.disobeys, char)
		}
		width := measure.RuneWidth(r)
		if width == 0 {
			if at > 0 {
				line[at-1] += char
			}
			continue
		}
		if at+width > columns {
			s.tooWide = append(s.tooWide, strings.Join(line, ""))
			next()
		}
		for len(line) < at+width {
			line = append(line, " ")
		}
		line[at] = char
		for i := 1; i < width; i++ {
			line[at+i] = ""
		}
		at += width
	}
	if len(line) > 0 {
		next()
	}
	return &s
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") + "\n" }

func TestScreen_FindsWhatItIsFor(t *testing.T) {
	s := readScreen("pruning 40%\r\x1b[32mdone\x1b[0m       \r\n用户用户用户\r\n\x1b]0;owned\x07\u009b31m\u202e", 11)
	if !strings.HasPrefix(s.String(), "done\n用户用户用\n户\n") {
		t.Errorf("%q", s.lines)
	}
	if len(s.tooWide) != 1 || s.colours != 2 || len(s.disobeys) != 4 {
		t.Errorf("%q, %d colours, %q", s.tooWide, s.colours, s.disobeys)
	}
}
