//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that the command gets too.
var forwarded = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// A group is the command with whatever it starts.
type group struct {
	cmd *exec.Cmd
	// foreground tells that the command shares the terminal and its process group: it can read from it, and gets the terminal's own signals by
	// itself. Else it has a group of its own, so that signals reach its children too.
	foreground bool
	guard      *guard // of a group of its own, nil where there is no shell
}

// startGroup starts the command.
func startGroup(cmd *exec.Cmd) (*group, error) {
	g := &group{cmd: cmd, foreground: inForeground()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !g.foreground}
	dieWithParent(cmd.SysProcAttr)
	if !g.foreground {
		g.guard = startGuard()
	}
	if err := cmd.Start(); err != nil {
		g.close()
		return nil, err
	}
	g.guard.watch(cmd.Process.Pid)
	return g, nil
}

// close ends the watching over a command that has ended.
func (g *group) close() { g.guard.dismiss() }

// A guard is a process that kills a process group if this process ends before it has dismissed the guard, as it does when it is killed itself. The
// kernel's own means ([dieWithParent]) kills the command alone, and exists on Linux only: the programs that a shell script runs would go on
// without the lock.
//
// It is a shell, which takes a hundredth of the memory of a second larder. A nil guard watches nothing.
type guard struct {
	shell *exec.Cmd
	alive *os.File // the other end of its standard input, which ends with this process and which no other has
}

// guardScript is told the group in a line. A second line would dismiss it; that there is an end instead means that larder is gone. It ignores what
// systemd sends to everybody when it stops a service.
const guardScript = `trap "" HUP INT QUIT TERM; read -r group && { read -r dismissed || kill -s KILL -- "-$group"; }`

// startGuard returns nil if there is no shell, as in the container image, or no more processes can be had: that the command cannot be started then
// either is for the command to say.
func startGuard() *guard {
	asleep, alive, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer func() { _ = asleep.Close() }() // it is the shell's
	shell := exec.Command("sh", "-c", guardScript)
	shell.Stdin = asleep
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of the reach of signals for this process and the command
	if err := shell.Start(); err != nil {
		_ = alive.Close()
		return nil
	}
	return &guard{shell, alive}
}

func (g *guard) watch(group int) {
	if g != nil {
		_, _ = fmt.Fprintln(g.alive, group) // an error means that the guard was killed
	}
}

func (g *guard) dismiss() {
	if g == nil {
		return
	}
	_ = g.shell.Process.Kill() // sooner than by a line
	_ = g.shell.Wait()
	_ = g.alive.Close()
}

// inForeground tells whether this process is in the foreground of a terminal.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = tty.Close() }() // nothing was written
	of, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && of == unix.Getpgrp()
}

// send sends a signal; that the command has ended meanwhile is no trouble.
func (g *group) send(s syscall.Signal) {
	if g.foreground {
		_ = g.cmd.Process.Signal(s)
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, s)
}

func (g *group) forward(s os.Signal) {
	if g.foreground && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
		return // of Ctrl-C and Ctrl-\, which the terminal sends to the command too
	}
	g.send(s.(syscall.Signal))
}

// end asks the command to end, also if it is stopped, when it would not hear of it.
func (g *group) end() {
	g.send(syscall.SIGTERM)
	g.send(syscall.SIGCONT)
}

func (g *group) kill() { g.send(syscall.SIGKILL) }

func codeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
