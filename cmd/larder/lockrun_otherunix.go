//go:build unix && !linux

package main

import "syscall"

// dieWithParent has no counterpart outside of Linux: a command whose larder is killed goes on.
func dieWithParent(*syscall.SysProcAttr) {}
