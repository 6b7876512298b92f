package workers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
)

// Settings are what a process is started with.
type Settings struct {
	Database string // an address as store.Open takes it
	Prefix   string
	Key      string

	WeChat            bool // the vendor is WeChat, and else DingTalk
	URL               string
	AppKey, AppSecret string

	Timeout, LockTTL, StoreTimeout time.Duration // 0: the fetcher's default

	Run  bool // the fetcher's Run goes on all the time
	Held bool // a fetched token is held back until [Go.GoOn]
}

// Of returns the settings with a fake vendor's address and credentials.
func (s Settings) Of(fake *fetchertest.Fake) Settings {
	s.URL, s.AppKey, s.AppSecret = fake.URL, fake.AppKey, fake.AppSecret
	return s
}

// A Status is how a process is.
type Status struct {
	Remaining     time.Duration
	Restored      uint64
	DirectFetches uint64
	Goroutines    int
}

// A Go is a process with one fetcher. It does one command after another.
type Go struct {
	cmd           *exec.Cmd
	stdin         io.WriteCloser
	answers       *bufio.Reader
	stderr        strings.Builder
	fetched, goOn *os.File
}

// StartGo starts a process, which ends with the test.
func StartGo(tb testing.TB, set Settings) *Go {
	tb.Helper()
	self, err := os.Executable()
	must(tb, err)
	text, err := json.Marshal(set)
	must(tb, err)
	fetched, childFetched, err := os.Pipe()
	must(tb, err)
	childGoOn, goOn, err := os.Pipe()
	must(tb, err)
	p := &Go{cmd: exec.Command(self), fetched: fetched, goOn: goOn}
	p.cmd.Env = append(os.Environ(), settingsVariable+"="+string(text))
	p.cmd.ExtraFiles = []*os.File{childFetched, childGoOn}
	p.cmd.Stderr = &p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	must(tb, err)
	stdout, err := p.cmd.StdoutPipe()
	must(tb, err)
	p.answers = bufio.NewReader(stdout)
	must(tb, p.cmd.Start())
	_, _ = childFetched.Close(), childGoOn.Close()
	tb.Cleanup(func() { p.end(tb) })
	return p
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// end lets the process end by itself, if nobody has killed it.
func (p *Go) end(tb testing.TB) {
	tb.Helper()
	_ = p.stdin.Close()
	_ = thaw(p.cmd.Process) // or it would never end; an error means that it has
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	if !late.Stop() {
		tb.Error("the process did not end when it was to, and was killed")
	}
	_, _ = p.fetched.Close(), p.goOn.Close()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); err != nil && !(ok && status.Signal() == syscall.SIGKILL) {
		tb.Errorf("the process: %v\n%s", err, p.stderr.String())
	}
}

// Kill ends the process as SIGKILL does: it can do nothing more.
func (p *Go) Kill(tb testing.TB) {
	tb.Helper()
	must(tb, p.cmd.Process.Kill())
}

// Stop stops the process as a frozen machine is stopped, and Continue lets it go on. When it returns nothing of the process runs any more: the
// signal alone is answered by one thread after the other.
func (p *Go) Stop(tb testing.TB) {
	tb.Helper()
	must(tb, freeze(p.cmd.Process))
	for !stopped(tb, p.cmd.Process.Pid) {
		time.Sleep(time.Millisecond)
	}
}

// stopped reports whether every thread of a process is stopped, by Linux's proc file system.
func stopped(tb testing.TB, pid int) bool {
	tb.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	must(tb, err)
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err == nil && !strings.Contains(string(status), "\nState:\tT") { // one that has ended has no file
			return false
		}
	}
	return len(threads) > 0
}

// Continue is the end of Stop.
func (p *Go) Continue(tb testing.TB) {
	tb.Helper()
	must(tb, thaw(p.cmd.Process))
}

// Fetched waits until the process, which is Held, has the vendor's answer.
func (p *Go) Fetched(tb testing.TB) {
	tb.Helper()
	must(tb, p.fetched.SetReadDeadline(time.Now().Add(time.Minute)))
	if _, err := p.fetched.Read(make([]byte, 1)); err != nil {
		tb.Fatalf("the process fetched nothing: %v", err)
	}
}

// GoOn hands the answer that is held back, or the next one, to the fetcher.
func (p *Go) GoOn(tb testing.TB) {
	tb.Helper()
	_, err := p.goOn.Write([]byte{'.'})
	must(tb, err)
}

// Begin has callers ask for the token. Outcome returns what they got.
func (p *Go) Begin(tb testing.TB, calls Calls) {
	tb.Helper()
	p.tell(tb, command{Do: "calls", Calls: calls})
}

// BeginReject has callers say that the token was rejected.
func (p *Go) BeginReject(tb testing.TB, token string, calls Calls) {
	tb.Helper()
	p.tell(tb, command{Do: "reject", Token: token, Calls: calls})
}

// Outcome waits for what the callers of the first Begin got whose outcome is not known yet.
func (p *Go) Outcome(tb testing.TB) (o Outcome) {
	tb.Helper()
	p.hear(tb, &o)
	return o
}

// Token returns what one caller gets now, and the error.
func (p *Go) Token(tb testing.TB) (string, error) {
	tb.Helper()
	p.Begin(tb, Calls{Begin: time.Now(), N: 1})
	o := p.Outcome(tb)
	if o.Failed > 0 {
		return "", fmt.Errorf("%s", o.Errors[0])
	}
	return o.Tokens[0], nil
}

// Status returns how the process is.
func (p *Go) Status(tb testing.TB) (s Status) {
	tb.Helper()
	p.tell(tb, command{Do: "status"})
	p.hear(tb, &s)
	return s
}

func (p *Go) tell(tb testing.TB, c command) {
	tb.Helper()
	must(tb, json.NewEncoder(p.stdin).Encode(c))
}

func (p *Go) hear(tb testing.TB, dst any) {
	tb.Helper()
	line, err := p.answers.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, dst)
	}
	if err != nil {
		tb.Fatalf("the process answers %q: %v", line, err)
	}
}
