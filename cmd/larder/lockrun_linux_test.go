package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/larder-cache/larder/internal/testdb"
)

// newTerminal returns the two ends of a terminal: what a person types and sees, and what programs have. Linux has a call for each step.
func newTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// At a terminal the command reads what is typed, and Ctrl-C reaches it once: from the terminal, and not from larder again.
func TestLockRun_AtATerminal(t *testing.T) {
	t.Parallel()
	s, _ := lockServer(t, "sqlite:"+testdb.SQLite(t))
	person, program := newTerminal(t)
	r := s.prepare("lock", "run", "job", "--", "sh", "-c",
		`trap "echo interrupted >>interrupts" INT; read -r line; echo "$line" >typed; `+untilDone("done")+"; exit 6")
	r.cmd.Stdin, r.cmd.Stdout = program, program
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	r.begin()
	seen := make(chan struct{})
	go func() { defer close(seen); _, _ = io.Copy(io.Discard, person) }() // until no program has the other end
	_, _ = person.WriteString("hello\n")
	eventually(t, "the command has read a line", s.has("ready"))
	_, _ = person.WriteString("\x03")
	eventually(t, "it is interrupted", s.has("interrupts"))
	s.file("done", "")
	r.wantExit(6, "")
	_ = program.Close()
	<-seen
	for file, want := range map[string]string{"typed": "hello\n", "interrupts": "interrupted\n"} {
		if got, err := os.ReadFile(s.dir + "/" + file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", file, got, err, want)
		}
	}
}
