package laravel

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A Session is a PHP script that runs until the test ends, and answers one command after another.
type Session struct {
	app     *App
	stdin   io.Writer
	answers *bufio.Reader
	stderr  *strings.Builder
}

// Start runs a PHP script as [App.Run] does. It must read commands from STDIN, a line of JSON each, and call answer() for each.
func (a *App) Start(tb testing.TB, script string) *Session {
	tb.Helper()
	s := &Session{app: a, stderr: new(strings.Builder)}
	cmd := a.script(tb, script)
	cmd.Stderr = s.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatalf("%v: %v%s", a.Release, err, a.Release.hint())
	}
	tb.Cleanup(func() { s.stop(tb, cmd, stdin) })
	s.stdin, s.answers = stdin, bufio.NewReader(stdout)
	return s
}

// stop ends the script, which sees the end of its commands.
func (s *Session) stop(tb testing.TB, cmd *exec.Cmd, stdin io.Closer) {
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		tb.Errorf("%v: %v\n%s", s.app.Release, err, s.stderr)
	}
}

// Ask sends a command and decodes its answer into dst.
func (s *Session) Ask(tb testing.TB, dst, command any) {
	tb.Helper()
	line, err := json.Marshal(command)
	if err == nil {
		_, err = s.stdin.Write(append(line, '\n'))
	}
	var out []byte
	if err == nil {
		out, err = s.answers.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(out, dst)
	}
	if err != nil {
		tb.Fatalf("%v, asked %s, answers %q: %v\n%s", s.app.Release, line, out, err, s.stderr)
	}
}
