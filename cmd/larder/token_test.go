package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
)

const secret = "the-corp-secret"

func newVendor(t *testing.T, opts ...fetchertest.Option) *fetchertest.Fake {
	t.Helper()
	d := fetchertest.NewDingTalk(append([]fetchertest.Option{fetchertest.WithApp("corp", secret)}, opts...)...)
	t.Cleanup(d.Close)
	return d
}

func tokenServer(t *testing.T, database string, vendor *fetchertest.Fake) *server {
	t.Helper()
	return newServer(t, database, "LARDER_PREFIX=laravel_cache_", "CORP_ID=corp", "CORP_SECRET="+secret, "DINGTALK_BASE_URL="+vendor.URL)
}

// The main job: one server fetches, the row is Laravel's, and every other process and Laravel itself has the token without a fetch.
func TestTokenGet_FetchesOnceForEverybody(t *testing.T) {
	db := testdb.MySQL(t)
	sqlite := testdb.SQLite(t)
	for _, c := range []struct {
		name, database string
		app            *laravel.App
	}{
		{"MySQL", db.URL(), laravel.OnMySQL(t, db, "laravel_cache_")},
		{"SQLite", "sqlite:" + sqlite, laravel.OnSQLite(sqlite, "laravel_cache_")},
	} {
		t.Run(c.name, func(t *testing.T) {
			vendor := newVendor(t)
			s := tokenServer(t, c.database, vendor)
			s.larder("migrate")

			before := time.Now().Unix()
			first := s.larder("token", "get", "dingding_access_token")
			after := time.Now().Unix()
			token := strings.TrimSuffix(first.stdout, "\n")
			if first.code != 0 || token == "" || vendor.Count() != 1 {
				t.Fatalf("first get: %+v, %d fetches, want 1", first, vendor.Count())
			}

			var row struct {
				Value      string
				Expiration int64
			}
			c.app.Ask(t, &row, `$row = $conn->table('cache')->where('key', 'laravel_cache_dingding_access_token')->first();
				answer(['Value' => $row->value, 'Expiration' => (int) $row->expiration]);`)
			if want := fmt.Sprintf(`s:%d:"%s";`, len(token), token); row.Value != want {
				t.Errorf("row is %s, want %s", row.Value, want)
			}
			if row.Expiration < before+7000 || row.Expiration > after+7000 {
				t.Errorf("row expires %d s from now, want 7000", row.Expiration-before)
			}

			second := tokenServer(t, c.database, vendor) // another server
			if r := second.process("token", "get", "dingding_access_token"); r.stdout != token+"\n" {
				t.Errorf("second process: %+v", r)
			}
			second.want(0, token+"\n", "token", "get", "dingding_access_token")
			var php string
			c.app.Ask(t, &php, `answer($cache->get('dingding_access_token'));`)
			if php != token {
				t.Errorf("Laravel reads %q, want %q", php, token)
			}
			if n := vendor.Count(); n != 1 {
				t.Errorf("%d fetches in all, want 1", n)
			}
		})
	}
}

// A token that PHP stored by the recipe is used, and not fetched again.
func TestTokenGet_UsesWhatPHPStored(t *testing.T) {
	db := testdb.MySQL(t)
	vendor := newVendor(t)
	s := tokenServer(t, db.URL(), vendor)
	s.larder("migrate")
	laravel.OnMySQL(t, db, "laravel_cache_").Run(t, `$cache->put('dingding_access_token', '0123456789abcdef0123456789abcdef', 7000);`)
	s.want(0, "0123456789abcdef0123456789abcdef\n", "token", "get", "dingding_access_token")
	if n := vendor.Count(); n != 0 {
		t.Errorf("%d fetches, want none", n)
	}
}

func TestTokenGet_TenProcessesFetchOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		vendor := newVendor(t, fetchertest.WithLatency(500*time.Millisecond))
		s := tokenServer(t, database, vendor)
		s.larder("migrate")
		results := s.together(10, "token", "get", "dingding_access_token")
		for _, r := range results {
			if r.code != 0 || r.stdout != results[0].stdout {
				t.Errorf("%+v", r)
			}
		}
		if n := vendor.Count(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestTokenGet_RefusalsSayWhatToDoAndStoreNothing(t *testing.T) {
	vendor := newVendor(t)
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "CORP_ID=corp", "CORP_SECRET=wrong-secret-value", "DINGTALK_BASE_URL="+vendor.URL)
	s.larder("migrate")
	s.wantError(3, []string{"token", "get", "dingding_access_token"}, "40089", "app key and the app secret")
	s.want(1, "", "has", "dingding_access_token")
	s.wantError(2, []string{"token", "get", "dingding_acess_token"}, "configured are: dingding_access_token")

	vendor.Close()
	s.wantError(3, []string{"token", "get", "dingding_access_token"}, "dingtalk")
	r := s.larder("token", "get", "dingding_access_token", "--log-level", "debug")
	if strings.Contains(r.stdout+r.stderr, "wrong-secret-value") {
		t.Errorf("the secret is shown: %+v", r)
	}
}

func TestTokenList_MasksTokens(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	if r := s.larder("token", "list"); r.code != 0 || !strings.Contains(r.stdout, "missing") || vendor.Count() != 0 {
		t.Errorf("list before: %+v, %d fetches", r, vendor.Count())
	}
	token := strings.TrimSpace(s.larder("token", "get", "dingding_access_token").stdout)
	for _, args := range [][]string{{"token", "list"}, {"token", "list", "-o", "json"}} {
		r := s.larder(args...)
		if r.code != 0 || strings.Contains(r.stdout, token) || !strings.Contains(r.stdout, token[:4]) || !strings.Contains(r.stdout, "live") {
			t.Errorf("larder %s: %+v", strings.Join(args, " "), r)
		}
		if r := s.larder(append(args, "--reveal")...); !strings.Contains(r.stdout, token) {
			t.Errorf("larder %s --reveal: %+v", strings.Join(args, " "), r)
		}
	}
	s.larder("put", "dingding_access_token", "")
	if r := s.larder("token", "list"); !strings.Contains(r.stdout, "corrupt") {
		t.Errorf("list of an empty token: %+v", r)
	}
}

func TestToken_ConfiguredInYAML(t *testing.T) {
	vendor := newVendor(t)
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "MY_SECRET="+secret)
	s.file("larder.yaml", `
prefix: shop_
tokens:
  shop_token:
    source: dingtalk
    app_key: corp
    app_secret: ${MY_SECRET}
    api: v1.0
    base_url: `+vendor.URL+`
    margin: 1000s
`)
	s.larder("migrate")
	r := s.larder("token", "get", "shop_token", "-o", "json")
	if r.code != 0 || !strings.Contains(r.stdout, `"expires_in":6200`) && !strings.Contains(r.stdout, `"expires_in":6199`) {
		t.Errorf("get: %+v", r)
	}
	if calls := vendor.Calls(); len(calls) != 1 || calls[0].Path != "/v1.0/oauth2/accessToken" {
		t.Errorf("calls are %v", calls)
	}
	s.want(0, "", "has", "shop_token", "--prefix", "shop_")
}

func TestTokenGet_AnUnknownNameIsToldOnOneLine(t *testing.T) {
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "S="+secret)
	s.file("larder.yaml", `tokens: {"a\nb": {source: dingtalk, app_key: corp, app_secret: "${S}"}}`)
	s.larder("migrate")
	s.wantError(2, []string{"token", "get", "c"}, `token "c" is not configured; configured are: "a\nb"`)
}

// A fetch that is under way when a command has printed its token is waited for, however long it may take: else the command says that it could
// not be done, and leaves the lock behind.
func TestClosingTime_IsMoreThanAFetchTakes(t *testing.T) {
	timeout := 59 * time.Second
	if got := closingTime([]config.Token{{}, {Timeout: &timeout}, {}}); got < timeout+8*time.Second {
		t.Errorf("closing time is %v with a timeout of %v", got, timeout)
	}
}
