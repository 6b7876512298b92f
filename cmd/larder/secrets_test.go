package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/leak"
)

// Whatever goes wrong at a vendor, no command and no page shows the app's secret; and the token only who asks for it.
func TestSecrets_NoCommandAndNoPageShowsThem(t *testing.T) {
	const hidden = `s3cr&t+/="<%25>-of-the-app`
	for _, vendor := range []struct {
		source, more string
		fake         func(...fetchertest.Option) *fetchertest.Fake
	}{
		{"dingtalk", "api: gettoken", fetchertest.NewDingTalk},
		{"dingtalk", "api: v1.0", fetchertest.NewDingTalk},
		{"wecom", "", fetchertest.NewWeCom},
		{"wechat", "", fetchertest.NewWeChat},
		{"wechat_stable", "", fetchertest.NewWeChat},
		{"feishu", "", fetchertest.NewFeishu},
		{"oauth2", "token_url: ", fetchertest.NewOAuth2},
	} {
		t.Run(vendor.source+" "+vendor.more, func(t *testing.T) {
			t.Parallel()
			fake := vendor.fake(fetchertest.WithApp("app-key-123", hidden))
			t.Cleanup(fake.Close)
			s := newServer(t, "sqlite:"+t.TempDir()+"/larder.db", "APP_SECRET="+hidden)
			configure := func(base string) {
				where, more := "base_url: "+base, vendor.more
				if more == "token_url: " {
					where, more = "token_url: "+base+"/token", ""
				}
				s.file("larder.yaml", "tokens:\n  shop_token:\n    source: "+vendor.source+"\n    app_key: app-key-123\n    app_secret: ${APP_SECRET}\n"+
					"    timeout: 300ms\n    "+where+"\n    "+more+"\n")
			}
			configure(fake.URL)
			s.larder("migrate")

			var (
				shown  strings.Builder
				tokens []string
			)
			larder := func(printsToken bool, args ...string) {
				r := s.larder(append(args, "--log-level", "debug")...)
				shown.WriteString(r.stderr)
				switch {
				case r.code == 2:
					t.Fatalf("the command is wrong: %+v", r)
				case !printsToken || r.code != 0:
					shown.WriteString(r.stdout)
				default:
					tokens = append(tokens, strings.TrimSpace(r.stdout))
				}
			}
			commands := func() {
				larder(false, "token", "check", "shop_token")
				larder(false, "token", "check", "shop_token", "-o", "json")
				larder(true, "token", "refresh", "shop_token")
				larder(true, "token", "get", "shop_token")
				larder(true, "token", "reject", "shop_token", "a-token-that-nobody-knows")
				larder(false, "token", "list")
				larder(false, "token", "list", "-o", "json")
			}
			for _, failure := range fake.Failures() {
				fake.FailNext(2, failure)
				commands()
			}
			untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
			untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
			untrusted.StartTLS()
			t.Cleanup(untrusted.Close)
			gone := httptest.NewServer(nil)
			gone.Close()
			for _, base := range []string{untrusted.URL, gone.URL, "http://host.invalid"} {
				configure(base)
				commands()
			}
			configure(fake.URL)
			before := len(tokens)
			for range 100 { // or fewer, until the failures are over that nobody has met yet
				if larder(true, "token", "refresh", "shop_token"); len(tokens) > before {
					break
				}
			}
			commands()
			shown.WriteString(s.pages(t))
			leak.None(t, "a command, a page or the log", shown.String(), append(tokens, hidden)...)
		})
	}
}

// pages returns what the service says and shows, but for the page that is there to hand out the token.
func (s *server) pages(t *testing.T) string {
	t.Helper()
	v := s.serve("--log-level", "debug")
	v.await("/readyz")
	if status, _ := v.get("/v1/tokens/shop_token"); status != http.StatusOK {
		t.Errorf("the token: HTTP %d", status)
	}
	var all strings.Builder
	for _, path := range []string{"/metrics", "/v1/tokens", "/healthz", "/readyz", "/v1/tokens/nobody", "/debug/pprof/", "/debug/vars"} {
		_, body := v.get(path)
		all.WriteString(body)
	}
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		t.Error(err)
	}
	return all.String() + v.said()
}
