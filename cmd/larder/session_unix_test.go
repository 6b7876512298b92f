//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup has a command that is not started yet lead a process group, and returns what kills all that it will have started.
func ownGroup(cmd *exec.Cmd) (kill func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
