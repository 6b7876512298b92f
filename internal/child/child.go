// Package child runs larder as its users do, as a process of its own, and tells what that took. It is for tests and measurements.
package child

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Build builds larder, without the race detector whatever the test has, and returns the program's path in a folder that is removed when the test ends.
func Build(tb testing.TB) string {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "larder")
	build := exec.Command("go", "build", "-o", program, "github.com/larder-cache/larder/cmd/larder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build larder: %v\n%s", err, out)
	}
	return program
}

// A Larder is a program and the database that it works on.
type Larder struct {
	Program  string
	Database string // as --database takes it
	Prefix   string
}

// A Run is what one command took.
type Run struct {
	Took time.Duration // from its start to its end

	// Peak is the most physical memory that the process had, in bytes, with the pages of the program itself that it shares with others.
	Peak int64
}

// Run runs a command whose output goes to a file, which may be nil.
func (l Larder) Run(ctx context.Context, stdout io.Writer, args ...string) (Run, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, l.Program, args...)
	cmd.Dir = os.TempDir() // where no .env is
	cmd.Env = []string{"LARDER_DATABASE=" + l.Database, "LARDER_PREFIX=" + l.Prefix, "LARDER_LOG_LEVEL=error"}
	cmd.Stdout, cmd.Stderr = stdout, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Run{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go watch(cmd.Process.Pid, ended, peak)
	err := cmd.Wait()
	took := time.Since(start)
	close(ended)
	run := Run{took, <-peak}
	if err == nil && run.Peak == 0 {
		err = fmt.Errorf("its memory could not be read in /proc")
	}
	if err != nil {
		return run, fmt.Errorf("larder %s: %w\n%s", strings.Join(args, " "), err, said.Bytes())
	}
	return run, nil
}

// watch reads a process's high-water mark again and again, so that of the last one only a moment is missing. The one that the system tells when a
// process has ended is no less than that of the process which started it, for exec passes it on.
func watch(pid int, ended <-chan struct{}, peak chan<- int64) {
	status, most := fmt.Sprintf("/proc/%d/status", pid), int64(0)
	for {
		text, _ := os.ReadFile(status) // it may have ended
		most = max(most, highWater(string(text)))
		select {
		case <-ended:
			peak <- most
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func highWater(status string) int64 {
	_, rest, _ := strings.Cut(status, "VmHWM:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kilobytes, _ := strconv.ParseInt(number, 10, 64) // 0 if it has ended
	return kilobytes << 10
}
