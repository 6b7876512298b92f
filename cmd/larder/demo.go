package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher/fetchertest"
)

func newDemoCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See the main job at work, on a temporary SQLite file and a fake DingTalk",
		Long: `See the main job at work: create the table, fetch a token once for five servers that start together, look at its row,
let it expire, fetch again. It runs larder itself, as processes of their own, with the commands that it shows, on a
temporary SQLite file and a fake DingTalk on this machine. It takes a few seconds and leaves nothing behind.`,
		Example: "  larder demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := newDemo(cmd.Context(), a)
			if err != nil {
				return err
			}
			defer d.close()
			// A pipe that nobody reads any more, as in larder demo | head, is an error of writing then, and not this process's end.
			broken := make(chan os.Signal, 1)
			signal.Notify(broken, syscall.SIGPIPE)
			defer signal.Stop(broken)
			err = cmp.Or(d.run(), d.writing)
			if errors.Is(err, syscall.EPIPE) {
				return exitStatus{code: 128 + int(syscall.SIGPIPE)} // as if it had ended by the signal
			}
			return err
		},
	}
}

const demoToken = "dingding_access_token"

type demo struct {
	ctx    context.Context
	app    *app
	larder string // this program
	dir    string
	vendor *fetchertest.Fake
	env    []string

	writing error // the first error of showing it
}

func newDemo(ctx context.Context, a *app) (*demo, error) {
	larder, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find larder's own program: %w", err)
	}
	dir, err := os.MkdirTemp("", "larder-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("demo-corp", "demo-secret"), fetchertest.WithLatency(300*time.Millisecond))
	settings := []string{
		"LARDER_DATABASE=sqlite:" + filepath.Join(dir, "larder.db"),
		"LARDER_PREFIX=laravel-cache-",
		"CORP_ID=demo-corp", "CORP_SECRET=demo-secret", "DINGTALK_BASE_URL=" + vendor.URL,
	}
	return &demo{ctx: ctx, app: a, larder: larder, dir: dir, vendor: vendor, env: append(withoutSettings(os.Environ()), settings...)}, nil
}

// withoutSettings leaves out what would configure the demo's larder otherwise.
func withoutSettings(env []string) []string {
	var kept []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "LARDER_TEST_"): // the tests' own
		case strings.HasPrefix(name, "LARDER_"), strings.HasPrefix(name, "DINGTALK_"), strings.HasPrefix(name, "CORP_"),
			strings.HasPrefix(name, "DB_"), strings.HasPrefix(name, "APP_"), name == "CACHE_PREFIX", name == "DATABASE_URL":
			continue
		}
		kept = append(kept, v)
	}
	return kept
}

func (d *demo) close() {
	d.vendor.Close()
	_ = os.RemoveAll(d.dir)
}

func (d *demo) run() error {
	d.say("larder keeps small things fresh in one shared place: Laravel's own cache table.")
	d.say("This demo has a temporary SQLite file for the database and a fake DingTalk, which takes 0.3 s to answer.")

	d.say("\n1. Create the table that Laravel would have created (on yours, adopt it).")
	if err := d.show("migrate"); err != nil {
		return err
	}

	d.say("\n2. Five servers start at the same moment, and each needs DingTalk's access token.")
	if err := d.together(5, "token", "get", demoToken); err != nil {
		return err
	}
	d.say("   DingTalk was asked %s. With the usual recipe it would have been asked 5 times.", times(d.vendor.Count()))

	d.say("\n3. What PHP's cache('%s') reads: a row like any that Laravel writes, for 7200 - 200 s.", demoToken)
	if err := d.show("get", demoToken, "--raw"); err != nil {
		return err
	}
	if err := d.show("list"); err != nil {
		return err
	}

	d.say("\n4. The row expires (here: in one second).")
	if err := d.show("touch", demoToken, "--ttl", "1"); err != nil {
		return err
	}
	select {
	case <-time.After(1200 * time.Millisecond):
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
	if err := d.show("list", "--state", "expired"); err != nil {
		return err
	}

	d.say("\n5. The next one who asks fetches it again, for all. DingTalk renews the same token.")
	if err := d.show("token", "get", demoToken); err != nil {
		return err
	}
	if err := d.show("token", "list"); err != nil {
		return err
	}
	d.say("   DingTalk was asked %s in all.", times(d.vendor.Count()))

	d.say("\nOn your own database:")
	d.say("   cd /where/your/laravel/is    its .env says which database and prefix; or")
	d.say("   export LARDER_DATABASE=mysql://user:password@host:3306/database LARDER_PREFIX=laravel-cache-")
	d.say("      Laravel's prefix: laravel_cache to 9.0.0, laravel_cache_ to 12.0, laravel-cache- since 12.1; your APP_NAME for laravel")
	d.say("   export CORP_ID=... CORP_SECRET=...")
	d.say("   larder migrate && larder token get %s", demoToken)
	return nil
}

func (d *demo) say(format string, args ...any) {
	if d.writing == nil {
		_, d.writing = fmt.Fprintf(d.app.stdout, format+"\n", args...)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// show runs one command and shows it with what it prints.
func (d *demo) show(args ...string) error {
	d.say("   $ larder %s", strings.Join(args, " "))
	out, err := d.command(args)
	d.print(out)
	return err
}

// together runs one command in several processes at once.
func (d *demo) together(processes int, args ...string) error {
	var (
		wg   sync.WaitGroup
		outs = make([]string, processes)
		errs = make([]error, processes)
	)
	for i := range processes {
		wg.Go(func() { outs[i], errs[i] = d.command(args) })
	}
	wg.Wait()
	for i := range processes {
		d.say("   server%d$ larder %s", i+1, strings.Join(args, " "))
		d.print(outs[i])
		if errs[i] != nil {
			return errs[i]
		}
	}
	return nil
}

func (d *demo) print(out string) {
	if out != "" {
		d.say("   %s", strings.ReplaceAll(strings.TrimSuffix(out, "\n"), "\n", "\n   "))
	}
}

func (d *demo) command(args []string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(d.ctx, d.larder, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.dir, d.env, &out, &out
	if d.writing != nil {
		return "", d.writing // nobody looks any more
	}
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("larder %s: %w", strings.Join(args, " "), err)
	}
	return out.String(), nil
}
