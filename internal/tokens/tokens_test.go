package tokens

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open("sqlite:" + testdb.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := migrations.New(s.DB().DB, migrations.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Every vendor's token and ticket, from the settings to the row, of which the tickets come first in the configuration's order.
func TestNew_FetchesEveryVendorsTokensAndTickets(t *testing.T) {
	for _, tt := range []struct {
		fake   *fetchertest.Fake
		tokens []config.Token
	}{
		{fake: fetchertest.NewDingTalk(), tokens: []config.Token{
			{Key: "a_ticket", Source: "dingtalk_ticket", API: "get_jsapi_ticket", Options: map[string]config.Secret{"token": "z"}},
			{Key: "b_ticket", Source: "dingtalk_ticket", API: "v1.0", Options: map[string]config.Secret{"token": "z"}},
			{Key: "y", Source: "dingtalk", API: "v1.0", Options: map[string]config.Secret{"corp_id": "corp"}},
			{Key: "z", Source: "dingtalk", API: "gettoken_app"},
		}},
		{fake: fetchertest.NewWeCom(), tokens: []config.Token{
			{Key: "a_ticket", Source: "wecom_ticket", API: "jsapi", Options: map[string]config.Secret{"token": "z"}},
			{Key: "b_ticket", Source: "wecom_ticket", API: "agent_config", Options: map[string]config.Secret{"token": "z"}},
			{Key: "z", Source: "wecom"},
		}},
		{fake: fetchertest.NewWeChat(), tokens: []config.Token{
			{Key: "a_ticket", Source: "wechat_ticket", API: "wx_card", Options: map[string]config.Secret{"token": "z"}},
			{Key: "y", Source: "wechat"},
			{Key: "z", Source: "wechat_stable"},
		}},
		{fake: fetchertest.NewFeishu(), tokens: []config.Token{
			{Key: "y", Source: "feishu", API: "app"},
			{Key: "z", Source: "feishu", API: "tenant", Shape: "array"},
		}},
		{fake: fetchertest.NewOAuth2(), tokens: []config.Token{
			{Key: "y", Source: "oauth2", Options: map[string]config.Secret{"auth": "body", "scope": "a b", "life": "1h"}},
			{Key: "z", Source: "oauth2", Options: map[string]config.Secret{"auth": "basic"}},
		}},
	} {
		t.Run(tt.tokens[len(tt.tokens)-1].Source, func(t *testing.T) {
			t.Cleanup(tt.fake.Close)
			for i := range tt.tokens {
				c := &tt.tokens[i]
				c.At = "larder.yaml:1"
				if !strings.HasSuffix(c.Source, "_ticket") {
					c.AppKey, c.AppSecret = tt.fake.AppKey, config.Secret(tt.fake.AppSecret)
				}
				if c.BaseURL = tt.fake.URL; c.Source == "oauth2" {
					c.BaseURL, c.Options["token_url"] = "", config.Secret(tt.fake.URL+"/token")
				}
			}
			s := openStore(t)
			set, err := New(s, tt.tokens)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = set.Close(t.Context()) })
			for _, c := range tt.tokens {
				token, ok := set.Get(c.Key)
				if !ok {
					t.Fatalf("no token %s", c.Key)
				}
				value, err := token.Token(t.Context())
				if err != nil {
					t.Errorf("%s (%s %s): %v", c.Key, c.Source, c.API, err)
					continue
				}
				item, err := s.Item(t.Context(), c.Key)
				if err != nil {
					t.Fatal(err)
				}
				if got, ok := fetcher.TokenOf(item); !ok || got.Value != value || strings.HasPrefix(string(item.Raw), "a:") != (c.Shape == "array") {
					t.Errorf("%s: the row is %q", c.Key, item.Raw)
				}
			}
		})
	}
}

// A short-lived process prints the row's ticket and refreshes it while it closes. It has nothing else in memory, so that
// needs the token, whose name comes first.
func TestSet_ClosesATicketBeforeTheTokenThatItNeeds(t *testing.T) {
	fake := fetchertest.NewWeCom(fetchertest.WithLife(5 * time.Minute))
	t.Cleanup(fake.Close)
	s := openStore(t)
	configured := []config.Token{
		{Key: "app", Source: "wecom", BaseURL: fake.URL, AppKey: fake.AppKey, AppSecret: config.Secret(fake.AppSecret)},
		{Key: "app_ticket", Source: "wecom_ticket", API: "jsapi", BaseURL: fake.URL, Options: map[string]config.Secret{"token": "app"}},
	}
	open := func() Set {
		set, err := New(s, configured)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	set := open()
	ticket, err := set[1].Token(t.Context())
	if err == nil {
		err = errors.Join(set.Close(t.Context()), s.Put(t.Context(), "app_ticket", ticket, 90*time.Second)) // within the time ahead, before the hard window
	}
	if err != nil {
		t.Fatal(err)
	}
	fake.SetLatency(50 * time.Millisecond) // so that the refresh is under way when the set closes
	set = open()
	if _, err := set[1].Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := set.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := set[1].Status(); st.LastError != nil || fake.Count("ticket") != 2 {
		t.Errorf("the ticket was asked for %d times, want 2; %v", fake.Count("ticket"), st.LastError)
	}
}

func TestNew_RotatesSecrets(t *testing.T) {
	fake := fetchertest.NewDingTalk()
	t.Cleanup(fake.Close)
	set, err := New(openStore(t), []config.Token{{
		Key: "t", Source: "dingtalk", API: "gettoken", BaseURL: fake.URL, AppKey: fake.AppKey, AppSecret: "the-next-secret",
		Options: map[string]config.Secret{"old_app_secret": config.Secret(fake.AppSecret)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close(t.Context()) })
	if _, err := set[0].Token(t.Context()); err != nil {
		t.Error(err)
	}
}

// Two kinds of tickets of one app, that two servers' files have under one key, are not taken for each other.
func TestNew_TicketsOfTwoKindsOnOneKeyAreNoticed(t *testing.T) {
	fake := fetchertest.NewWeCom()
	t.Cleanup(fake.Close)
	s := openStore(t)
	process := func(api string) Token {
		set, err := New(s, []config.Token{
			{Key: "app", Source: "wecom", BaseURL: fake.URL, AppKey: fake.AppKey, AppSecret: config.Secret(fake.AppSecret)},
			{Key: "ticket", Source: "wecom_ticket", API: api, BaseURL: fake.URL, Options: map[string]config.Secret{"token": "app"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = set.Close(t.Context()) })
		return set[1]
	}
	page, err := process("jsapi").Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := process("jsapi").Token(t.Context()); again != page || err != nil {
		t.Errorf("another process of the same has %q, %v, want %q", again, err, page)
	}
	agent := process("agent_config")
	if ticket, err := agent.Token(t.Context()); ticket == page || err != nil {
		t.Errorf("the agent's ticket is that of the page: %q, %v", ticket, err)
	}
	if alarms := agent.Status().Alarms; len(alarms) != 1 || alarms[0].Kind != fetcher.AlarmCollision {
		t.Errorf("alarms are %v, want a collision", alarms)
	}
}

func TestNew_SaysWhichTokenCannotBe(t *testing.T) {
	const secret = "wr0ng-s3cret"
	long, less := time.Hour, -time.Second
	for name, c := range map[string]struct {
		token config.Token
		want  string
	}{
		"no credentials":             {config.Token{Source: "dingtalk"}, "app key"},
		"a secret with a blank":      {config.Token{Source: "wecom", AppKey: "k", AppSecret: secret + " "}, "blank"},
		"an API that is not there":   {config.Token{Source: "dingtalk", AppKey: "k", AppSecret: secret, API: "v9"}, "v9"},
		"no such source":             {config.Token{Source: "fax", AppKey: "k", AppSecret: secret}, `"fax"`},
		"a life that is none":        {config.Token{Source: "oauth2", AppKey: "k", AppSecret: secret, Options: map[string]config.Secret{"token_url": "https://a.fake", "life": "long"}}, "life"},
		"no token URL":               {config.Token{Source: "oauth2", AppKey: "k", AppSecret: secret}, "URL"},
		"a base URL with a user":     {config.Token{Source: "feishu", AppKey: "k", AppSecret: secret, BaseURL: "https://u:" + secret + "@a.fake"}, "no user"},
		"an old secret with a tab":   {config.Token{Source: "feishu", AppKey: "k", AppSecret: "s", Options: map[string]config.Secret{"old_app_secret": secret + "\t"}}, "old_app_secret"},
		"a ticket without its token": {config.Token{Source: "wecom_ticket", API: "jsapi", Options: map[string]config.Secret{"token": "elsewhere"}}, `"elsewhere"`},
		"a ticket of another kind":   {config.Token{Source: "wechat_ticket", API: "agent_config", Options: map[string]config.Secret{"token": "app"}}, "agent_config"},
		"a timeout of nothing":       {config.Token{Source: "dingtalk", AppKey: "k", AppSecret: secret, Timeout: new(time.Duration)}, "timeout"},
		"a grace of less":            {config.Token{Source: "dingtalk", AppKey: "k", AppSecret: secret, Stale: &less}, "stale"},
		"an interval of nothing":     {config.Token{Source: "dingtalk", AppKey: "k", AppSecret: secret, RejectInterval: new(time.Duration)}, "reject interval"},
		"no key":                     {config.Token{Source: "dingtalk", AppKey: "k", AppSecret: secret, Margin: &long}, "key"},
	} {
		c.token.At = "larder.yaml:3"
		if c.token.Key = "t"; name == "no key" {
			c.token.Key = ""
		}
		_, err := New(openStore(t), []config.Token{{Key: "app", Source: "wechat", AppKey: "k", AppSecret: "s"}, c.token})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("token %q (larder.yaml:3)", c.token.Key)) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error is %v, want one about %s", name, err, c.want)
		}
	}
}

// The settings of every token reach its fetcher.
func TestNew_AppliesTheSettingsOfEveryToken(t *testing.T) {
	fake := fetchertest.NewWeChat()
	t.Cleanup(fake.Close)
	margin, ahead, interval := time.Hour, 20*time.Minute, 90*time.Minute
	s := openStore(t)
	set, err := New(s, []config.Token{{
		Key: "t", Source: "wechat", BaseURL: fake.URL, AppKey: fake.AppKey, AppSecret: config.Secret(fake.AppSecret),
		Margin: &margin, RefreshAhead: &ahead, RejectInterval: &interval,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close(t.Context()) })
	first, err := set[0].Get(t.Context())
	if err != nil || first.Token.ExpiresIn > time.Hour || first.Token.ExpiresIn < 59*time.Minute {
		t.Fatalf("got %v, %v, want a row of an hour", first.Token, err)
	}
	if next := set[0].Status().NextRefresh; next < 35*time.Minute || next > 45*time.Minute {
		t.Errorf("it is refreshed in %v, want about 40 minutes", next)
	}
	second, err := set[0].Reject(t.Context(), first.Token.Value)
	if err != nil {
		t.Fatal(err)
	}
	var wait interface{ RetryAfter() time.Duration }
	if _, err := set[0].Reject(t.Context(), second); !errors.As(err, &wait) || wait.RetryAfter() < 80*time.Minute {
		t.Errorf("a second rejection: %v, want to wait for an hour and a half", err)
	}
}

// The settings of a vendor reach its requests.
func TestNew_AppliesTheSettingsOfAVendor(t *testing.T) {
	var mu sync.Mutex
	var last string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		last = fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"access_token":"a-token-of-them-all","accessToken":"a-token-of-them-all","app_access_token":"a-token-of-them-all","jsapiTicket":"a-ticket-of-them-all"}`)
	}))
	t.Cleanup(server.Close)
	option := func(pairs ...string) map[string]config.Secret {
		m := map[string]config.Secret{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = config.Secret(pairs[i+1])
		}
		return m
	}
	url := option("token_url", server.URL+"/oauth")
	for name, c := range map[string]struct {
		token config.Token
		want  []string // of the request
		life  time.Duration
	}{
		"corp_id":    {config.Token{Source: "dingtalk", API: "v1.0", Options: option("corp_id", "corp-7")}, []string{"POST /v1.0/oauth2/accessToken", `"corpId":"corp-7"`}, 7000 * time.Second},
		"api app":    {config.Token{Source: "feishu", API: "app"}, []string{"/app_access_token/internal"}, 7000 * time.Second},
		"v1.0":       {config.Token{Source: "dingtalk_ticket", API: "v1.0", Options: option("token", "parent")}, []string{"POST /v1.0/oauth2/jsapiTickets"}, 7000 * time.Second},
		"auth body":  {config.Token{Source: "oauth2", Options: merged(url, option("auth", "body"))}, []string{"client_id=k", "client_secret=the-secret"}, 4*time.Minute + 30*time.Second},
		"scope":      {config.Token{Source: "oauth2", Options: merged(url, option("scope", " read  write "))}, []string{"scope=read+write"}, 4*time.Minute + 30*time.Second},
		"life":       {config.Token{Source: "oauth2", Options: merged(url, option("life", "2h"))}, []string{"POST /oauth"}, 2*time.Hour - 30*time.Second},
		"no setting": {config.Token{Source: "dingtalk"}, []string{"GET /gettoken"}, 7000 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c.token.Key, c.token.AppKey, c.token.AppSecret = "t", "k", "the-secret"
			if c.token.Source != "oauth2" {
				c.token.BaseURL = server.URL
			}
			told := make(events, 100)
			set, err := New(openStore(t), []config.Token{c.token, {Key: "parent", Source: "dingtalk", AppKey: "k", AppSecret: "s", BaseURL: server.URL}}, fetcher.WithObserver(told))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = set.Close(t.Context()) })
			got, err := set[0].Get(t.Context())
			if err != nil || got.Token.ExpiresIn > c.life || got.Token.ExpiresIn < c.life-10*time.Second {
				t.Errorf("got %v, %v, want a token for %v", got, err, c.life)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, want := range c.want {
				if !strings.Contains(last, want) {
					t.Errorf("the request was %s, want %s", last, want)
				}
			}
			if len(told) == 0 {
				t.Error("the observer for all was not told")
			}
		})
	}
}

func merged(of ...map[string]config.Secret) map[string]config.Secret {
	all := map[string]config.Secret{}
	for _, m := range of {
		maps.Copy(all, m)
	}
	return all
}

// events are those that an observer was told of.
type events chan fetcher.Event

func (e events) Observe(event fetcher.Event) { e <- event }
