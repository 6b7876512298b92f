//go:build unix

package main

import (
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
}

func prepare(cmd *exec.Cmd) group {
	g := group{cmd: cmd, foreground: inForeground()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !g.foreground}
	dieWithParent(cmd.SysProcAttr)
	return g
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
func (g group) send(s syscall.Signal) {
	to := g.cmd.Process.Pid
	if !g.foreground {
		to = -to
	}
	_ = syscall.Kill(to, s)
}

func (g group) forward(s os.Signal) {
	if g.foreground && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
		return // of Ctrl-C and Ctrl-\, which the terminal sends to the command too
	}
	g.send(s.(syscall.Signal))
}

func (g group) end()  { g.send(syscall.SIGTERM) }
func (g group) kill() { g.send(syscall.SIGKILL) }

func codeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
