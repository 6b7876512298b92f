package workers

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/wechat"
	"github.com/larder-cache/larder/store"
)

// settingsVariable has the Settings of a process, as JSON.
const settingsVariable = "LARDER_TEST_WORKER"

// ServeIfAsked makes this process the fetcher that [StartGo] wants of it, and then does not return.
func ServeIfAsked() {
	settings, ok := os.LookupEnv(settingsVariable)
	if !ok {
		return
	}
	if err := serve(settings); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A command is one line of what a process is told, with what its kind needs.
type command struct {
	Do    string // "calls", "reject" or "status"
	Calls Calls
	Token string // to reject
}

func serve(text string) error {
	var set Settings
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return err
	}
	s, err := store.Open(set.Database, store.WithPrefix(set.Prefix))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	f, err := set.fetcher(s)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var running sync.WaitGroup
	if set.Run {
		running.Go(func() { _ = f.Run(ctx) }) // has no error while it is not closed
	}
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		if err := answers.Encode(c.obey(f)); err != nil {
			return err
		}
	}
	stop()
	running.Wait()
	return f.Close(context.Background())
}

func (set Settings) fetcher(s *store.Store) (*fetcher.Fetcher, error) {
	source, err := set.source()
	if err != nil {
		return nil, err
	}
	if set.Held {
		source = &held{Source: source, fetched: os.NewFile(3, "fetched"), goOn: os.NewFile(4, "go on")}
	}
	var opts []fetcher.Option
	for _, o := range []struct {
		value  time.Duration
		option func(time.Duration) fetcher.Option
	}{{set.Timeout, fetcher.WithTimeout}, {set.LockTTL, fetcher.WithLockTTL}, {set.StoreTimeout, fetcher.WithStoreTimeout}} {
		if o.value != 0 {
			opts = append(opts, o.option(o.value))
		}
	}
	return fetcher.New(s, set.Key, source, opts...)
}

func (set Settings) source() (fetcher.Source, error) {
	if set.WeChat {
		return wechat.New(set.AppKey, set.AppSecret, wechat.WithBaseURL(set.URL))
	}
	return dingtalk.New(set.AppKey, set.AppSecret, dingtalk.WithBaseURL(set.URL))
}

// A held source has the vendor's answer and does not return it until it is told to.
type held struct {
	fetcher.Source
	fetched, goOn *os.File
}

func (h *held) Fetch(ctx context.Context) (fetcher.Token, error) {
	token, err := h.Source.Fetch(ctx)
	_, wrote := h.fetched.Write([]byte{'.'})
	_, read := h.goOn.Read(make([]byte, 1)) // not until ctx ends: a process that is stopped does not see that either
	return token, cmp.Or(err, wrote, read)
}

func (c command) obey(f *fetcher.Fetcher) any {
	switch c.Do {
	case "calls":
		return c.Calls.make(f.Token)
	case "reject":
		return c.Calls.make(func(ctx context.Context) (string, error) { return f.Reject(ctx, c.Token) })
	}
	st := f.Status()
	return Status{
		Remaining: st.Remaining, Restored: st.Restored, DirectFetches: st.DirectFetches, Goroutines: runtime.NumGoroutine(),
	}
}

// make has each caller call, and returns what they got.
func (c Calls) make(call func(context.Context) (string, error)) Outcome {
	outcomes := make([]Outcome, c.N)
	var wg sync.WaitGroup
	for i := range c.N {
		wg.Go(func() {
			came := c.Begin.Add(time.Duration(i) * c.Every)
			time.Sleep(time.Until(came))
			token, err := call(context.Background())
			outcomes[i] = outcome(token, err, time.Since(came))
		})
	}
	wg.Wait()
	return Together(outcomes...)
}

func outcome(token string, err error, waited time.Duration) Outcome {
	o := Outcome{Worst: waited}
	if waited > Noticeable {
		o.Waited = 1
	}
	if err == nil && token == "" {
		err = errors.New("an empty token")
	}
	if err != nil {
		o.Failed, o.Errors = 1, []string{err.Error()}
	} else {
		o.Tokens = []string{token}
	}
	return o
}
