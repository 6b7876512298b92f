package fetchertest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larder-cache/larder/fetcher/fetchertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	older = "/gettoken?"
	newer = "/v1.0/oauth2/accessToken"
)

func start(t *testing.T, opts ...fetchertest.Option) *fetchertest.Fake {
	fake := fetchertest.NewDingTalk(append([]fetchertest.Option{fetchertest.WithApp("key", "s&cret")}, opts...)...)
	t.Cleanup(fake.Close)
	return fake
}

var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask returns the reply as one text: the status and the body, with the token and request ids masked.
func ask(t *testing.T, method, address, contentType, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, masked.ReplaceAllString(string(b), `"…"`))
}

var masked = regexp.MustCompile(`"([0-9a-f]{32}|[0-9A-F-]{36})"`)

func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return older + v.Encode()
}

func TestDingTalk_AnswersByteForByteAsTheRealOnes(t *testing.T) {
	const (
		success   = `200 {"errcode":0,"access_token":"…","errmsg":"ok","expires_in":7200}`
		noKey     = `200 {"errcode":40035,"errmsg":"缺少参数 corpid or appkey"}`
		success1  = `200 {"expireIn":7200,"accessToken":"…"}`
		badPair1  = `400 {"requestid":"…","code":"invalidClientIdOrSecret","message":"无效的clientId或者clientSecret"}`
		noBody1   = `400 {"requestid":"…","code":"Missingbody","message":"body is mandatory for this action."}`
		notFound1 = `404 {"requestid":"…","code":"InvalidAction.NotFound","message":"Specified api is not found, please check your url and method."}`
		jsonType  = "application/json; charset=utf-8"
		rightBody = `{"appKey":"key","appSecret":"s&cret"}`
	)
	fake := start(t)
	for _, c := range []struct{ name, method, path, contentType, body, want string }{
		{"app key", "GET", query("appkey", "key", "appsecret", "s&cret"), "", "", success},
		{"corp id", "GET", query("corpid", "key", "corpsecret", "s&cret"), "", "", success},
		{"wrong app key", "GET", query("appkey", "k", "appsecret", "s&cret"), "", "", `200 {"errcode":40096,"errmsg":"不合法的appKey或appSecret"}`},
		{"wrong app secret", "GET", query("appkey", "key", "appsecret", "s"), "", "", `200 {"errcode":40096,"errmsg":"不合法的appKey或appSecret"}`},
		{"wrong corp secret", "GET", query("corpid", "key", "corpsecret", "s"), "", "", `200 {"errcode":40089,"errmsg":"不合法的corpid或corpsecret"}`},
		{"no parameters", "GET", older, "", "", noKey},
		{"no secret", "GET", query("appkey", "key"), "", "", `200 {"errcode":40035,"errmsg":"缺少参数 corpsecret or appsecret"}`},
		{"parameters in a body", "GET", older, "application/x-www-form-urlencoded", "appkey=key&appsecret=s%26cret", noKey},
		{"POST", "POST", query("appkey", "key", "appsecret", "s&cret"), "", "", `200 {"errcode":43001,"errmsg":"需要GET请求"}`},
		{"wrong path", "GET", "/getoken", "", "", `200 {"errcode":404,"errmsg":"请求的URI地址不存在"}`},

		{"JSON", "POST", newer, jsonType, rightBody, success1},
		{"wrong secret", "POST", newer, jsonType, `{"appKey":"key","appSecret":"s"}`, badPair1},
		{"no fields", "POST", newer, jsonType, `{}`, badPair1},
		{"a form", "POST", newer, "application/x-www-form-urlencoded", "appKey=key&appSecret=s%26cret", noBody1},
		{"no body", "POST", newer, jsonType, "", noBody1},
		{"GET", "GET", newer, jsonType, "", notFound1},
		{"wrong path", "POST", "/v1.0/oauth2/accesstoken", jsonType, rightBody, notFound1},
	} {
		if got := ask(t, c.method, fake.URL+c.path, c.contentType, c.body); got != c.want {
			t.Errorf("%s %s with %s:\n%s, want\n%s", c.method, c.path, c.name, got, c.want)
		}
	}
}

// raw returns the reply's body as it is.
func raw(t *testing.T, fake *fetchertest.Fake) string {
	t.Helper()
	resp, err := client.Get(fake.URL + query("appkey", fake.AppKey, "appsecret", fake.AppSecret))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func TestDingTalk_RenewsTheTokenWhileItLives(t *testing.T) {
	var now atomic.Int64
	fake := start(t, fetchertest.WithLife(100*time.Second), fetchertest.WithClock(func() time.Time { return time.Unix(now.Load(), 0) }))
	first := raw(t, fake)
	now.Store(99)
	renewed := raw(t, fake)
	now.Store(198) // 99 s after the renewal
	again := raw(t, fake)
	now.Store(298) // its end
	next := raw(t, fake)
	if first != renewed || renewed != again || again == next || !strings.Contains(first, `"expires_in":100`) {
		t.Errorf("got %s, %s, %s, %s, want the same three times and then another", first, renewed, again, next)
	}
}

func TestDingTalk_AppsHaveTheirOwnTokens(t *testing.T) {
	fake := start(t, fetchertest.WithApp("other", "its secret"))
	mine := raw(t, fake)
	fake.AppKey, fake.AppSecret = "other", "its secret"
	if theirs := raw(t, fake); theirs == mine {
		t.Errorf("two apps have one token: %s", mine)
	}
}

func TestDingTalk_FailsInTheOrderThatWasAskedFor(t *testing.T) {
	fake := start(t)
	fake.FailNext(2, fetchertest.SystemBusy)
	fake.FailNext(1, fetchertest.Reply("mine", 200, "text/plain", "hello"))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { raw(t, fake) })
	}
	wg.Wait()
	var outcomes []string
	for _, call := range fake.Calls() {
		outcomes = append(outcomes, call.Outcome)
	}
	if got := fmt.Sprint(outcomes[:4]); got != "[system busy system busy mine token]" || fake.Count() != 20 {
		t.Errorf("outcomes are %v of %d calls", got, fake.Count())
	}
}

func TestDingTalk_RecordsCallsWithoutSecrets(t *testing.T) {
	at := time.Unix(1000, 0)
	fake := start(t, fetchertest.WithClock(func() time.Time { return at }))
	raw(t, fake)
	ask(t, "POST", fake.URL+newer, "application/json", `{"appKey":"key","appSecret":"wrong"}`)
	want := []fetchertest.Call{
		{Time: at, Method: "GET", Path: "/gettoken", AppKey: "key", Outcome: "token"},
		{Time: at, Method: "POST", Path: "/v1.0/oauth2/accessToken", AppKey: "key", Outcome: "bad credentials"},
	}
	if got := fake.Calls(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("calls are %+v, want %+v", got, want)
	}
}

func TestDingTalk_CloseEndsRequestsInProgress(t *testing.T) {
	fake := fetchertest.NewDingTalk()
	fake.FailNext(1, fetchertest.Hang)
	done := make(chan error, 1)
	go func() {
		resp, err := client.Get(fake.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	for fake.Count() == 0 {
		time.Sleep(time.Millisecond)
	}
	fake.Close()
	if err := <-done; err == nil {
		t.Error("the request got a reply")
	}
}
