//go:build unix

package workers

import (
	"os"
	"syscall"
)

// freeze and thaw are what Stop and Continue send.
func freeze(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func thaw(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
