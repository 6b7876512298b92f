package fetcher_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/fetcher/wecom"
)

// The scenarios that depend on how a vendor's replies look: through the real source and scheme, from a fake that has DingTalk's shapes.

// dingTalkIn returns a DingTalk that a bubble can reach, and its source. The time between calls is the fake's real latency: none.
func dingTalkIn(t *testing.T, api dingtalk.API) (*fetchertest.Fake, *dingtalk.Source) {
	t.Helper()
	fake := fetchertest.NewDingTalk(fetchertest.InMemory())
	t.Cleanup(fake.Close)
	source, err := dingtalk.New(fake.AppKey, fake.AppSecret, dingtalk.WithBaseURL(fake.URL), dingtalk.WithHTTPClient(fake.Client()), dingtalk.WithAPI(api))
	if err != nil {
		t.Fatal(err)
	}
	return fake, source
}

// The firewall's page comes with HTTP 200 and without an errcode, so that a reader who takes a missing one for 0 stores an empty token. Who is
// blocked must ask less, not more.
func TestScenario09_BanPageIsNoTokenAndIsWaitedFor(t *testing.T) {
	for _, api := range []dingtalk.API{dingtalk.GetToken, dingtalk.V1} {
		for _, page := range []fetchertest.Failure{fetchertest.Blocked, fetchertest.BlockedPage} {
			t.Run(string(api)+" "+page.Name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newTable()
					fake, source := dingTalkIn(t, api)
					fake.FailNext(4, page)
					f, g := process(t, s, source), process(t, s, source)
					begun := time.Now()
					for f.Fresh(0) != nil {
						for _, p := range []*fetcher.Fetcher{f, g} {
							token, err := p.Token(t.Context())
							var failure *fetcher.SourceError
							if err != nil && (token != "" || !errors.As(err, &failure) || failure.Class != fetcher.ClassThrottle || failure.RetryAfter != 5*time.Minute) {
								t.Fatalf("got %q, %v, want a throttle of 5 minutes", token, err)
							}
							if row, _ := s.Row(key); err != nil && row != "" {
								t.Fatalf("the row is %s", row)
							}
						}
						if time.Sleep(time.Second); time.Since(begun) > time.Hour {
							t.Fatal("no token in an hour")
						}
					}
					calls := fake.Calls()
					for i := range len(calls) - 1 {
						if pause := calls[i+1].Time.Sub(calls[i].Time); pause < 5*time.Minute || pause > 6*time.Minute {
							t.Errorf("asked again after %v, want 5 minutes", pause)
						}
					}
					if len(calls) != 5 {
						t.Errorf("%d requests, want 5: %v", len(calls), calls)
					}
				})
			})
		}
	}
}

// While a token lives, the block hurts nobody.
func TestScenario09_BlockedServerGoesOnWithTheTokenThatItHas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTable()
		fake, source := dingTalkIn(t, dingtalk.GetToken)
		f := process(t, s, source)
		token, err := f.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fake.FailNext(1000, fetchertest.BlockedPage)
		running(t, f)
		for range 6990 {
			time.Sleep(time.Second)
			wantAtOnce(t, f, token)
		}
		if n := fake.Count(fetchertest.BlockedPage.Name); n < 2 || n > 3 { // in 600 s ahead
			t.Errorf("%d requests while blocked, want one in 5 minutes", n)
		}
	})
}

// callAPI has a client ask the vendor's API n times, as an application would.
func callAPI(t *testing.T, client *http.Client, url string, n int) (last string) {
	t.Helper()
	for range n {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		last = string(body)
	}
	return last
}

// application returns a client whose requests carry the fetcher's token, in memory.
func application(t *testing.T, fake *fetchertest.Fake, tokens fetcher.Parent) *http.Client {
	t.Helper()
	transport, err := fetcher.NewTransport(tokens, dingtalk.Scheme(), fetcher.WithBase(fake.Client().Transport))
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: transport}
}

// While a token lives DingTalk gives the same one again, so that fetching helps against no rejection.
func TestScenario13_DingTalkThatInsistsOnARejectedTokenIsAskedOnceAMinute(t *testing.T) {
	for _, path := range []string{"/topapi/v2/user/get", "/v1.0/contact/users/me"} {
		t.Run(path, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newTable()
				fake, source := dingTalkIn(t, dingtalk.GetToken)
				f, g := process(t, s, source), process(t, s, source)
				token, err := f.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				fake.Distrust(token)
				one, other := application(t, fake, f), application(t, fake, g)
				for range 600 {
					for _, client := range []*http.Client{one, other} {
						if body := callAPI(t, client, fake.URL+path, 5); !strings.Contains(body, "不合法的access_token") {
							t.Fatalf("the application got %s, want the vendor's refusal", body)
						}
					}
					time.Sleep(time.Second)
				}
				if n := fake.Count("token"); n < 2 || n > 1+11 {
					t.Errorf("%d requests for a token in 10 minutes and 6,000 rejections, want one a minute at most", n)
				}
				wantRow(t, s, quoted(token))
				_, err = f.Reject(t.Context(), token)
				var failure *fetcher.SourceError
				if !errors.Is(err, fetcher.ErrSameToken) || !errors.As(err, &failure) || !strings.Contains(failure.Advice, "credential or app mismatch") {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// What an API says about a token comes in many shapes, and some that look alike are about something else.
func TestScenario14_OnlyRepliesThatBlameTheTokenReplaceIt(t *testing.T) {
	const older, newer = "/topapi/v2/user/get", "/v1.0/contact/users/me"
	json := func(status int, body string) fetchertest.Failure {
		return fetchertest.Reply("reply", status, "application/json", body)
	}
	for name, c := range map[string]struct {
		path     string
		reply    fetchertest.Failure
		replaced bool
	}{
		"88 and sub_code 40014, a string": {older, fetchertest.TokenRejected, true},
		"88 and sub_code 40014, a number": {older, json(200, `{"errcode":88,"sub_code":40014,"sub_msg":"x","errmsg":"x"}`), true},
		"40014":                           {older, fetchertest.Code("40014", "不合法的access_token"), true},
		"40014, a string":                 {older, json(200, `{"errcode":"40014","errmsg":"x"}`), true},
		"42001":                           {older, fetchertest.Code("42001", "access_token超时"), true},
		"HTTP 400 InvalidAuthentication":  {newer, fetchertest.TokenRejected, true},
		"HTTP 401 without a code":         {newer, json(401, ``), true},

		"41001, no token":                       {older, fetchertest.TokenMissing, false},
		"HTTP 400 no token":                     {newer, fetchertest.TokenMissing, false},
		"60011, no permission":                  {older, fetchertest.NoPermission, false},
		"HTTP 403 no permission":                {newer, fetchertest.NoPermission, false},
		"41020, another app's":                  {older, fetchertest.WrongApp, false},
		"HTTP 400 41020":                        {newer, fetchertest.WrongApp, false},
		"60020, the address":                    {older, fetchertest.IPNotInWhiteList, false},
		"88 and sub_code 60020":                 {older, fetchertest.Gateway, false},
		"90018, too many":                       {older, fetchertest.AppThrottled, false},
		"the firewall's page":                   {older, fetchertest.BlockedPage, false},
		"a proxy's page":                        {newer, fetchertest.BadGateway, false},
		"40014 in words, with a code for other": {older, json(200, `{"errcode":40035,"errmsg":"40014 invalid access_token"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newTable()
				fake, source := dingTalkIn(t, dingtalk.GetToken)
				f := process(t, s, source)
				first, err := f.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if c.replaced {
					fake.Revoke(first)
				}
				time.Sleep(time.Minute)
				fake.FailNext(1, c.reply)
				body := callAPI(t, application(t, fake, f), fake.URL+c.path, 1)
				second, err := f.Token(t.Context())
				if err != nil || (second != first) != c.replaced {
					t.Errorf("the token is another one: %v, want %v (%v)", second != first, c.replaced, err)
				}
				if ok := strings.Contains(body, `"result":{}`); ok != c.replaced {
					t.Errorf("the application got %s", body)
				}
				if n, want := fake.Count("token"), map[bool]int{false: 1, true: 2}[c.replaced]; n != want {
					t.Errorf("%d fetches, want %d", n, want)
				}
			})
		})
	}
}

// A ticket whose token cannot be had for wrong credentials is there as soon as the token is: with the right ones, or when the vendor changes its mind.
func TestScenario07_TicketIsThereAsSoonAsItsTokenIs(t *testing.T) {
	for name, mend := range map[string]func(t *testing.T, fake *fetchertest.Fake, open func(secret string) (token, ticket *fetcher.Fetcher)) *fetcher.Fetcher{
		"with other credentials": func(_ *testing.T, fake *fetchertest.Fake, open func(string) (token, ticket *fetcher.Fetcher)) *fetcher.Fetcher {
			_, ticket := open(fake.AppSecret) // started again
			return ticket
		},
		"after an operator's refresh of the token": func(t *testing.T, fake *fetchertest.Fake, open func(string) (token, ticket *fetcher.Fetcher)) *fetcher.Fetcher {
			fake.FailNext(1, fetchertest.BadCredentials)
			token, ticket := open(fake.AppSecret)
			if _, err := ticket.Token(t.Context()); err == nil {
				t.Fatal("a ticket of a token that there is none of")
			}
			if _, err := token.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			return ticket
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newTable()
				fake := fetchertest.NewWeCom(fetchertest.InMemory())
				t.Cleanup(fake.Close)
				settings := []wecom.Option{wecom.WithBaseURL(fake.URL), wecom.WithHTTPClient(fake.Client())}
				open := func(secret string) (token, ticket *fetcher.Fetcher) {
					source, err := wecom.New(fake.AppKey, secret, settings...)
					if err != nil {
						t.Fatal(err)
					}
					token = process(t, s, source)
					source, err = wecom.NewTicket(token, wecom.JSAPI, settings...)
					if err != nil {
						t.Fatal(err)
					}
					ticket, err = fetcher.NewOn(s, "ticket", source)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = ticket.Close(t.Context()) })
					return token, ticket
				}
				_, ticket := open("a-wrong-secret")
				for range 60 {
					_, err := ticket.Token(t.Context())
					var failure *fetcher.SourceError
					if !errors.As(err, &failure) || failure.Class != fetcher.ClassCredential {
						t.Fatalf("got %v, want what is wrong with the token's credentials", err)
					}
					time.Sleep(time.Second)
				}
				if n := len(fake.Calls()); n != 1 {
					t.Errorf("WeCom was asked %d times for a token with wrong credentials, want once", n)
				}
				if _, err := mend(t, fake, open).Token(t.Context()); err != nil {
					t.Errorf("the ticket: %v", err)
				}
			})
		})
	}
}
