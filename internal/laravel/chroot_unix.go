//go:build unix

package laravel

import (
	"os/exec"
	"syscall"
)

// chroot has the command run with another folder as its root.
func chroot(cmd *exec.Cmd, root string) {
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
}
