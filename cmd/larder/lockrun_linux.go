package main

import "syscall"

// dieWithParent has the kernel kill the command when larder is killed itself: the lock then ends unrenewed, and the next holder must not
// find the command running.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
