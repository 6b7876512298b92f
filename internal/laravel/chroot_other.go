//go:build !unix

package laravel

import (
	"errors"
	"os/exec"
)

// chroot lets the command fail when it starts: this system has no other roots.
func chroot(cmd *exec.Cmd, _ string) { cmd.Err = errors.ErrUnsupported }
