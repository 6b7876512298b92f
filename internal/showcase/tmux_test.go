//go:build showcase

package showcase

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A terminal is a tmux server of its own, whose windows show one command each.
type terminal struct {
	tb     testing.TB
	socket string
	dir    string // where the commands run
	width  int
	env    []string
}

// A capture is what a command left on the terminal, as text and with its colours.
type capture struct{ plain, coloured string }

func newTerminal(tb testing.TB, dir string, width int, env ...string) *terminal {
	t := &terminal{tb: tb, socket: filepath.Join(tb.TempDir(), "tmux"), dir: dir, width: width, env: env}
	tb.Cleanup(func() { _ = t.command("kill-server").Run() })
	t.tmux("start-server", ";", "set-option", "-s", "exit-empty", "off", ";", "set-option", "-g", "history-limit", "5000", ";",
		"set-option", "-g", "default-terminal", "tmux-256color")
	return t
}

func (t *terminal) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-u", "-S", t.socket, "-f", "/dev/null"}, args...)...)
	cmd.Dir, cmd.Env = t.dir, t.env
	return cmd
}

func (t *terminal) tmux(args ...string) string {
	t.tb.Helper()
	out, err := t.command(args...).CombinedOutput()
	if err != nil {
		t.tb.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start shows a command line behind a prompt and runs it.
func (t *terminal) start(command string) {
	t.tb.Helper()
	script := `printf '\033[1;32m$\033[0m %s\n' "$SHOWN"; ` + command + `; tmux wait-for -S ended; exec sleep 1000`
	t.tmux("new-session", "-d", "-s", "show", "-x", strconv.Itoa(t.width), "-y", "50", "-e", "SHOWN="+command, "sh", "-c", script)
}

// wait waits until the command has ended.
func (t *terminal) wait() {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := t.command("wait-for", "ended")
	ended := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	ended.Env = t.env
	if out, err := ended.CombinedOutput(); err != nil {
		t.tb.Fatalf("the command does not end: %v\n%s%s", err, out, t.capture().plain)
	}
}

// capture returns what stands on the terminal, and fails the test if the terminal had to break a line: tmux, which knows how wide each character is
// drawn, joins what it broke.
func (t *terminal) capture() capture {
	t.tb.Helper()
	show := func(flags ...string) string {
		lines := strings.Split(t.tmux(append([]string{"capture-pane", "-p", "-t", "show", "-S", "-"}, flags...)...), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
	}
	plain := show()
	if joined := show("-J"); joined != plain {
		t.tb.Errorf("at %d columns the terminal breaks lines:\n%s", t.width, plain)
	}
	return capture{plain: plain, coloured: show("-e")}
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	half    = regexp.MustCompile(` (4|5|6)\d%.* left`) // a progress line in its middle
)

// middle waits for the middle of a progress and returns what stands on the terminal, of which that is the last line.
func (t *terminal) middle() capture {
	t.tb.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		coloured := strings.TrimRight(t.tmux("capture-pane", "-p", "-e", "-t", "show"), " \n") + "\n" // in one: the next one would show a later time
		plain := colours.ReplaceAllString(coloured, "")
		if half.MatchString(plain) {
			if strings.Count(plain, "\n") != 2 {
				t.tb.Errorf("at %d columns the progress has not one line:\n%s", t.width, plain)
			}
			return capture{plain, coloured}
		}
	}
	t.tb.Fatalf("no progress is seen: %s", t.capture().plain)
	return capture{}
}

// run returns what a command leaves on the terminal, and before that, if it is asked for, what stands there in the middle of its work.
func (t *terminal) run(command string, half bool) (seen []capture) {
	t.tb.Helper()
	t.start(command)
	defer t.tmux("kill-session", "-t", "show")
	if half {
		seen = append(seen, t.middle())
	}
	t.wait()
	return append(seen, t.capture())
}
