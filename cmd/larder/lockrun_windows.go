package main

import (
	"os"
	"os/exec"
)

// forwarded are the signals that the command gets too: Windows sends an interrupt to both by itself.
var forwarded = []os.Signal{os.Interrupt}

type group struct{ cmd *exec.Cmd }

func startGroup(cmd *exec.Cmd) (*group, error) { return &group{cmd}, cmd.Start() }

func (*group) close() {}

func (*group) forward(os.Signal) {}

// end is kill, since Windows has no way to ask a process to end.
func (g *group) end()  { g.kill() }
func (g *group) kill() { _ = g.cmd.Process.Kill() } // it may have ended

func codeOf(state *os.ProcessState) int { return state.ExitCode() }
