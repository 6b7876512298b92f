package fetchertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/wechat"
)

// In a bubble time passes by itself while everybody waits, which it does not while anybody waits for a network.
func TestFake_InMemoryNeedsNoNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := fetchertest.NewWeChat(fetchertest.InMemory(), fetchertest.WithLatency(time.Hour))
		source, err := wechat.NewStable(fake.AppKey, fake.AppSecret, wechat.WithBaseURL(fake.URL), wechat.WithHTTPClient(fake.Client()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()
		if _, err := source.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before the reply: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		if _, err := source.Fetch(ctx); err != nil {
			t.Errorf("after it: %v", err)
		}
		fake.FailNext(1, fetchertest.Hang)
		time.AfterFunc(time.Minute, fake.Close)
		fake.SetLatency(0)
		if _, err := source.Fetch(ctx); err == nil {
			t.Error("closed: no error")
		}
	})
}

func TestFake_WhiteListAndLimit(t *testing.T) {
	now := time.Unix(1000, 0)
	fake := fetchertest.NewWeCom(fetchertest.InMemory(), fetchertest.WithLimit(2, time.Minute), fetchertest.WithClock(func() time.Time { return now }))
	defer fake.Close()
	closed := fetchertest.NewWeCom(fetchertest.InMemory(), fetchertest.WithWhiteList("198.51.100.7"))
	defer closed.Close()
	get := func(f *fetchertest.Fake) {
		resp, err := f.Client().Get(f.URL + "/cgi-bin/gettoken?corpid=" + f.AppKey + "&corpsecret=" + f.AppSecret)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	for range 3 {
		get(fake)
	}
	now = now.Add(time.Hour)
	get(fake)
	get(closed)
	var got []string
	for _, call := range append(fake.Calls(), closed.Calls()...) {
		got = append(got, call.Outcome)
	}
	if want := "token,token,app throttled,token,IP not in white list"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// The other fakes are used in the same way: NewDingTalk, NewWeCom, NewFeishu, NewOAuth2.
func Example() {
	fake := fetchertest.NewWeChat(fetchertest.InMemory())
	defer fake.Close()
	source, err := wechat.New(fake.AppKey, fake.AppSecret, wechat.WithBaseURL(fake.URL), wechat.WithHTTPClient(fake.Client()))
	if err != nil {
		panic(err)
	}
	fake.FailNext(1, fetchertest.Code("40164", "invalid ip 192.0.2.1, not in whitelist"))
	_, err = source.Fetch(context.Background())
	fmt.Println(err)

	token, err := source.Fetch(context.Background())
	if err != nil {
		panic(err)
	}
	fake.Revoke(token.Value)
	resp, err := fake.Client().Get(fake.URL + "/cgi-bin/user/info?access_token=" + token.Value)
	if err != nil {
		panic(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode == http.StatusOK, string(body[:16]))
	fmt.Println(fake.Count("token"), "token,", fake.Count(), "calls")
	// Output:
	// wechat token: invalid ip 192.0.2.1, not in whitelist (code 40164, HTTP 200, request 655d878c-2e41a3f4-65f9b9ba): add this server's public address to the account's IP white list
	// true {"errcode":40001
	// 1 token, 3 calls
}
