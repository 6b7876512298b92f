package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A service is a larder serve that runs as a process of its own.
type service struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string

	mu  sync.Mutex
	log bytes.Buffer
}

var listening = regexp.MustCompile(`listening on (http://\S+);`)

// serve starts the service and waits until it listens. The test's end kills it, if it still runs.
func (s *server) serve(args ...string) *service {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	v := &service{t: s.t, cmd: exec.Command(self, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	v.cmd.Dir, v.cmd.Env = s.dir, s.env
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = v.cmd.Process.Kill(); _ = v.cmd.Wait() })
	address := make(chan string, 1)
	go func() {
		defer close(address)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			v.mu.Lock()
			v.log.WriteString(lines.Text() + "\n")
			v.mu.Unlock()
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	if v.address = <-address; v.address == "" {
		s.t.Fatalf("it does not listen:\n%s", v.said())
	}
	return v
}

func (v *service) said() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log.String()
}

// get returns the status and the body of a path.
func (v *service) get(path string) (int, string) {
	v.t.Helper()
	resp, err := http.Get(v.address + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// await waits until a path answers 200.
func (v *service) await(path string) {
	v.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if status, _ := v.get(path); status == 200 {
			return
		}
	}
	_, body := v.get(path)
	v.t.Fatalf("%s: %s\n%s", path, body, v.said())
}

func TestServe_KeepsTokensFreshAndHandsThemOut(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		vendor := newVendor(t)
		s := tokenServer(t, database, vendor)
		s.larder("migrate")
		one, other := s.serve(), tokenServer(t, database, vendor).serve()
		one.await("/readyz") // nobody has asked for the token
		other.await("/readyz?fresh=600")
		if vendor.Count() != 1 {
			t.Errorf("two servers fetched %d times, want once", vendor.Count())
		}

		token := strings.TrimSpace(s.larder("token", "get", "dingding_access_token").stdout)
		status, body := other.get("/v1/tokens/dingding_access_token")
		if status != 200 || !strings.HasPrefix(body, `{"access_token":"`+token+`","expires_in":`) {
			t.Errorf("%d %s, want token %s", status, body, token)
		}
		if status, body = one.get("/v1/tokens"); status != 200 || !strings.Contains(body, `"state":"live"`) || strings.Contains(body, token) {
			t.Errorf("%d %s", status, body)
		}
		_, metrics := one.get("/metrics")
		for _, name := range []string{
			`larder_token_remaining_seconds{token="dingding_access_token"} `, `larder_store_operations_total{`, `larder_http_request_duration_seconds_count{`,
			`larder_token_fetches_total{outcome="ok",token="dingding_access_token"} `, "larder_build_info{",
		} {
			if !strings.Contains(metrics, name) {
				t.Errorf("no %s in the metrics", name)
			}
		}

		vendor.Revoke(token)
		resp, err := http.Post(one.address+"/v1/tokens/dingding_access_token/reject", "application/json", strings.NewReader(`{"access_token":"`+token+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || strings.Contains(string(answer), token) || vendor.Count() != 2 {
			t.Errorf("reject: %d %s, %d fetches", resp.StatusCode, answer, vendor.Count())
		}

		if err := one.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := one.cmd.Wait(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		for _, hidden := range []string{secret, token} {
			if strings.Contains(one.said()+other.said()+metrics, hidden) {
				t.Errorf("the log or the metrics show %s", hidden)
			}
		}
	})
}

func TestServe_RefusesAnOpenAddressWithoutAKey(t *testing.T) {
	newServer(t, "sqlite:x.db").wantError(2, []string{"serve", "--listen", "0.0.0.0:0"}, "--listen", "LARDER_API_KEY")
}

func TestServe_WantsTheKeyItWasGiven(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+t.TempDir()+"/larder.db", vendor)
	s.env = append(s.env, "LARDER_API_KEY=an-api-key")
	s.larder("migrate")
	s.wantError(2, []string{"serve", "--listen", "0.0.0.0:0"}, "--listen", "the API key of LARDER_API_KEY can be guessed: want 16 characters or more")
	v := s.serve()
	if said := v.said(); !strings.Contains(said, "the API key of LARDER_API_KEY can be guessed") || strings.Contains(said, "an-api-key") {
		t.Errorf("of a short key is said: %s", said)
	}
	if status, body := v.get("/v1/tokens/dingding_access_token"); status != 401 {
		t.Errorf("without a key: %d %s", status, body)
	}
	req, err := http.NewRequest("GET", v.address+"/v1/tokens/dingding_access_token", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer an-api-key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("with the key: %d", resp.StatusCode)
	}
}

// A service that was started with nohup outlives its terminal.
func TestServe_GoesOnAfterASIGHUPThatNohupIgnores(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+t.TempDir()+"/larder.db", vendor)
	s.larder("migrate")
	signal.Ignore(syscall.SIGHUP) // which a process inherits
	defer ignoreNothing()
	v := s.serve()
	if err := v.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	v.await("/readyz")
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil || vendor.Count() != 1 {
		t.Errorf("%v, %d fetches\n%s", err, vendor.Count(), v.said())
	}
}

func TestServe_AddressInUseIsNoFaultOfTheCommandLine(t *testing.T) {
	taken := httptest.NewServer(nil)
	t.Cleanup(taken.Close)
	s := newServer(t, "sqlite:x.db")
	r := s.larder("serve", "--listen", taken.Listener.Addr().String())
	if r.code != exitError || !strings.Contains(r.stderr, "--listen") || !strings.Contains(r.stderr, "in use") || strings.Contains(r.stderr, "is it well?") {
		t.Errorf("want an error that speaks of the address, and not of the database: %+v", r)
	}
}
