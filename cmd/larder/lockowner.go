package main

import (
	"crypto/rand"
	"os"
	"strconv"
	"strings"
)

// newLockOwner returns an owner that nobody else has and that tells who holds the lock: this machine, the process, and 80 random bits, as in
// web-2:4711:k3zq6w2b7oumf5ax.
func newLockOwner(process int) string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return lockOwner(host, process, rand.Text())
}

// maxOwnerHost is how much of a machine's name an owner has. It is Linux's bound, and leaves the owner far below the 255 characters of its column.
const maxOwnerHost = 64

// lockOwner spells an owner that needs no quotes in any shell, whatever the machine is called.
func lockOwner(host string, process int, random string) string {
	host = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, host)
	host = strings.TrimLeft(host[:min(len(host), maxOwnerHost)], "-") // behind --owner it would look like a flag
	if host == "" {
		host = "unknown"
	}
	return host + ":" + strconv.Itoa(process) + ":" + strings.ToLower(random[:16])
}
