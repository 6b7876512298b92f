package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"
)

// A session is a bash that stays: what one command line exports or starts in the background is there for the next one.
type session struct {
	t        *testing.T
	commands io.Writer
	lines    <-chan string
	tokens   map[string]string    // by the real one, the one that the page shows
	port     string               // stands for the page's 8420
	before   func(command string) // sees each command before it runs
}

// Each line of descriptor 3 is run, and its end and exit status told. The trap ends what was started in the background, also when
// the test has died.
const sessionScript = `
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
while IFS= read -r -u 3 line; do
	eval "$line" 3<&-
	printf '\n%s %d\n' end-of-command $?
done`

var endOfCommand = regexp.MustCompile(`^end-of-command (\d+)\n$`)

var logLine = regexp.MustCompile(`^time=\S+ level=`)

// session starts a session in the server's folder. larder is on PATH, and serve listens on a port of its own.
func (s *server) session() *session {
	s.t.Helper()
	port := freePort(s.t)
	read, commands, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	output, printed, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", sessionScript)
	cmd.Dir, cmd.Env = s.dir, append(s.env, "LARDER_LISTEN=127.0.0.1:"+port)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = printed, printed, []*os.File{read}
	kill := ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_, _ = read.Close(), printed.Close()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for r := bufio.NewReader(output); ; {
			line, err := r.ReadString('\n')
			if line != "" {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = commands.Close()
		stuck := time.AfterFunc(patience, kill)
		for range lines { // until all that was started has ended
		}
		stuck.Stop()
		_, _ = output.Close(), cmd.Wait()
	})
	return &session{t: s.t, commands: commands, lines: lines, tokens: map[string]string{}, port: port, before: func(string) {}}
}

// run runs one command line and returns what a person sees of it, without the log, which pages do not show. A command in the background is
// given time to say as many lines as are expected of it.
func (s *session) run(command string, expected int) (printed string, status int) {
	s.t.Helper()
	for real, shown := range s.tokens {
		command = strings.ReplaceAll(command, shown, real)
	}
	s.before(command)
	if _, err := fmt.Fprintln(s.commands, strings.ReplaceAll(command, "8420", s.port)); err != nil {
		s.t.Fatal(err)
	}
	late := time.After(patience)
	for ended := false; !ended || strings.HasSuffix(command, "&") && strings.Count(printed, "\n") < expected; {
		select {
		case line, ok := <-s.lines:
			switch m := endOfCommand.FindStringSubmatch(line); {
			case !ok:
				s.t.Fatalf("%s ended the session:\n%s", command, printed)
			case m != nil:
				ended = true
				printed = strings.TrimSuffix(printed, "\n") // it was printed with m
				status, _ = strconv.Atoi(m[1])
			case !logLine.MatchString(line):
				printed += line
			}
		case <-late:
			if !ended {
				s.t.Fatalf("%s takes too long:\n%s", command, printed)
			}
			expected = 0
		}
	}
	return strings.ReplaceAll(printed, "127.0.0.1:"+s.port, "127.0.0.1:8420"), status
}

// A consoleStep is a command line of a console block, and what the page shows below it.
type consoleStep struct {
	typed   string // as it stands there, with a comment
	command string
	shown   string
}

// shellComment is a comment at the end of a command line. The pages have no other # behind a blank.
var shellComment = regexp.MustCompile(`\s+#.*`)

func consoleSteps(block string) []consoleStep {
	var found []consoleStep
	for line := range strings.Lines(block) {
		typed, ok := strings.CutPrefix(line, "$ ")
		switch {
		case ok:
			typed = strings.TrimSuffix(typed, "\n")
			found = append(found, consoleStep{typed: typed, command: shellComment.ReplaceAllString(typed, "")})
		case len(found) > 0:
			found[len(found)-1].shown += line
		}
	}
	return found
}

// play runs the commands of a console block. They must succeed and, unless the block shows no output at all, print what it shows.
func (s *session) play(b fencedBlock) {
	s.t.Helper()
	todo := consoleSteps(b.text)
	quiet := true
	for _, step := range todo {
		quiet = quiet && strings.TrimSpace(step.shown) == ""
	}
	var real strings.Builder
	for _, step := range todo {
		printed, status := s.run(step.command, strings.Count(step.shown, "\n"))
		if status != 0 {
			s.t.Errorf("%s:%d: exit status %d of\n%s\n%s", b.page, b.line, status, step.command, printed)
		}
		if quiet {
			printed = ""
		}
		if blank := strings.HasSuffix(step.shown, "\n\n") || step.shown == "\n"; blank { // before the next command
			printed += "\n"
		}
		fmt.Fprintf(&real, "$ %s\n%s", step.typed, s.settle(step.shown, printed))
	}
	if d := diff.Diff(fmt.Sprintf("%s:%d", b.page, b.line), []byte(b.text), "what it is", []byte(real.String())); d != nil {
		s.t.Errorf("%s", d)
	}
}

// varying is what differs from run to run: a token, its masked beginning, the time that is left.
var varying = regexp.MustCompile(`\b[0-9a-f]{32}\b|\b[0-9a-f]{4}…|\bin \d+[hms](?: \d+[hms])?|"expires_in":\d+`)

// settle replaces what varies in a real output by what the page shows in its place: a token by the one that always stands for it,
// a time by one that is less than a minute off.
func (s *session) settle(shown, real string) string {
	shows := varying.FindAllString(shown, -1)
	return varying.ReplaceAllStringFunc(real, func(is string) string {
		if len(shows) == 0 {
			return is
		}
		want := shows[0]
		shows = shows[1:]
		switch {
		case len(is) == 32 && len(want) == 32:
			return s.token(is, want)
		case strings.HasSuffix(is, "…"):
			for token, shown := range s.tokens {
				if token[:4] == is[:4] {
					return shown[:4] + "…"
				}
			}
		default:
			if a, b := timeLeft(is), timeLeft(want); a > 0 && (a-b).Abs() < time.Minute {
				return want
			}
		}
		return is
	})
}

// token returns what stands for a token: what the page shows where it comes first. One text does not stand for two tokens.
func (s *session) token(is, want string) string {
	if shown, ok := s.tokens[is]; ok {
		return shown
	}
	for _, shown := range s.tokens {
		if shown == want {
			return is
		}
	}
	s.tokens[is] = want
	return want
}

// timeLeft reads `in 1h 56m` and `"expires_in":6984`; 0 is neither.
func timeLeft(text string) time.Duration {
	if d, ok := strings.CutPrefix(text, "in "); ok {
		left, _ := time.ParseDuration(strings.ReplaceAll(d, " ", ""))
		return left
	}
	var reply struct {
		ExpiresIn int64 `json:"expires_in"`
	}
	_ = json.Unmarshal([]byte("{"+text+"}"), &reply) // a token is not JSON
	return time.Duration(reply.ExpiresIn) * time.Second
}
