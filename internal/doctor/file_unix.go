//go:build unix

package doctor

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// mayWrite asks the system, which knows about groups, lists of rights, and disks that are mounted to be read alone. The file is not opened: closing it
// would give up the locks that SQLite has on it.
func mayWrite(path string) error {
	mode := uint32(unix.R_OK | unix.W_OK)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	return unix.Access(path, mode)
}

// whoami is the name of the user as whom this runs, or the number of one without a name.
func whoami() string { return userName(strconv.Itoa(os.Getuid())) }

// ownerOf is the name of the user whose a file is, "" if it cannot be found out.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return userName(strconv.FormatUint(uint64(stat.Uid), 10))
	}
	return ""
}

// userName is also what sudo takes: #65534 for a user that has no name.
func userName(id string) string {
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}
