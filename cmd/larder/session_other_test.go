//go:build !unix

package main

import "os/exec"

// ownGroup returns what kills the command alone: this system has no process groups.
func ownGroup(cmd *exec.Cmd) (kill func()) { return func() { _ = cmd.Process.Kill() } }
