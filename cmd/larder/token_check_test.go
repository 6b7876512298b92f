package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
)

func TestTokenCheck_SaysInPlainWordsWhatIsWrong(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	for _, tt := range []struct {
		failure fetchertest.Failure
		code    int
		trouble string
		says    string
	}{
		{fetchertest.BadCredentials, 1, "credential", "The app key or the secret is wrong."},
		{fetchertest.IPNotInWhiteList, 1, "address", "white list"},
		{fetchertest.NoPermission, 1, "permission", "does not have the permission"},
		{fetchertest.Code("90020", "quota"), 3, "quota", "number of calls"},
		{fetchertest.AppThrottled, 3, "throttle", "asked too often"},
		{fetchertest.SystemBusy, 3, "outage", "busy or broken"},
		{fetchertest.Disconnect, 3, "network", "could not be reached"},
		{fetchertest.EmptyToken, 1, "protocol", "not what the vendor documents"},
		{fetchertest.NoSuchAPI, 1, "config", "something in the settings is wrong"},
		{fetchertest.Code("12345", "?"), 1, "unknown", "a code that larder does not know"},
	} {
		t.Run(tt.failure.Name, func(t *testing.T) {
			vendor.FailNext(2, tt.failure)
			text := s.larder("token", "check", "dingding_access_token")
			if text.code != tt.code || !strings.Contains(text.stdout, tt.says) {
				t.Errorf("exit %d, %s%s, want %d and %q", text.code, text.stdout, text.stderr, tt.code, tt.says)
			}
			if strings.Contains(text.stdout+text.stderr, secret) {
				t.Error("the secret is shown")
			}
			var view checkView
			r := s.larder("token", "check", "dingding_access_token", "-o", "json")
			if err := json.Unmarshal([]byte(r.stdout), &view); err != nil || view.Trouble != tt.trouble || view.OK || view.Name != "dingding_access_token" {
				t.Errorf("%s: %v, want trouble %s", r.stdout, err, tt.trouble)
			}
		})
	}
	if r := s.larder("token", "check", "dingding_access_token"); r.code != 0 || !strings.Contains(r.stdout, "all is well") {
		t.Errorf("got %+v", r)
	}
	s.want(1, "", "has", "dingding_access_token") // nothing was stored
}

// A new ticket may end the one in use, so check asks for none; nothing may send somebody there.
func TestTokenCheck_OfATicketSendsToRefresh(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.file("larder.yaml", "tokens:\n  tick: {source: dingtalk_ticket, token: dingding_access_token}\n")
	s.larder("migrate")
	const refresh = "larder token refresh tick"
	s.wantError(3, []string{"token", "check", "tick"}, refresh)
	if r := s.larder("token", "check", "tick"); strings.Contains(r.stderr, "Refresh") || vendor.Count() != 0 {
		t.Errorf("%+v, %d requests, want none, and words of commands", r, vendor.Count())
	}
	vendor.FailNext(1, fetchertest.NoPermission)
	s.larder("token", "get", "tick")
	for _, args := range [][]string{{"token", "list"}, {"doctor"}} {
		r := s.larder(args...)
		if strings.Contains(r.stdout, "token check tick") || !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), refresh) {
			t.Errorf("larder %s: %s", strings.Join(args, " "), r.stdout)
		}
	}
}

// A ticket said of its token for how long that was remembered, and then the same of itself.
func TestTokenGet_OfATicketWithoutATokenSaysOnceForHowLong(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.file("larder.yaml", "tokens:\n  tick: {source: dingtalk_ticket, token: dingding_access_token}\n")
	s.larder("migrate")
	vendor.FailNext(1, fetchertest.BadCredentials)
	s.larder("token", "get", "dingding_access_token")
	for range 2 {
		r := s.larder("token", "get", "tick")
		if strings.Count(r.stderr, "remembered") > 1 || strings.Count(r.stderr, "(code ") != 1 || !strings.Contains(r.stderr, "there is no token to ask with: dingtalk gettoken: ") {
			t.Errorf("got %+v", r)
		}
	}
}

// Cron sends what a command says by mail.
func TestTokenGet_ThatWorksSaysNothingElse(t *testing.T) {
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), newVendor(t))
	s.larder("migrate")
	for range 2 { // a fetch, and a row
		if r := s.larder("token", "get", "dingding_access_token"); r.code != 0 || r.stderr != "" {
			t.Errorf("got %+v", r)
		}
	}
}

func TestTokenGet_ThatFailsSaysSoOnce(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	vendor.FailNext(1, fetchertest.BadCredentials)
	if r := s.larder("token", "get", "dingding_access_token"); r.code != 3 || strings.Count(r.stderr, "check the app key") != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestTokenRefresh_FetchesWhateverTheRowHas(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	first := s.larder("token", "get", "dingding_access_token")
	again := s.larder("token", "refresh", "dingding_access_token")
	if again.code != 0 || again.stdout != first.stdout || vendor.Count() != 2 { // DingTalk gives the same one, renewed
		t.Errorf("%+v, %d fetches", again, vendor.Count())
	}
}

func TestTokenReject_ReplacesThatTokenAlone(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	first := s.larder("token", "get", "dingding_access_token").stdout
	vendor.Revoke(strings.TrimSpace(first))

	second := s.larderWith(first, "token", "reject", "dingding_access_token", "-")
	if second.code != 0 || second.stdout == first || vendor.Count() != 2 {
		t.Fatalf("%+v, %d fetches, want a new token by one more", second, vendor.Count())
	}
	late := s.larder("token", "reject", "dingding_access_token", strings.TrimSpace(first))
	if late.code != 0 || late.stdout != second.stdout || vendor.Count() != 2 {
		t.Errorf("a late report: %+v, %d fetches, want the new token and no more", late, vendor.Count())
	}
	s.wantError(2, []string{"token", "reject", "dingding_access_token", ""}, "TOKEN is empty")
}

// The vendor may have ended the token since it was asked.
func TestTokenReject_OfTheSameTokenSaysWhenTheVendorWasAskedAndHowItIsNow(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	token := strings.TrimSpace(s.larder("token", "get", "dingding_access_token").stdout)
	reject := []string{"token", "reject", "dingding_access_token", token}
	if r := s.larder(reject...); r.code != 3 || !strings.Contains(r.stderr, "is the one that the vendor gives") || strings.Contains(r.stderr, "token refresh") {
		t.Errorf("the vendor was asked: %+v", r)
	}
	vendor.Revoke(token)
	s.wantError(3, reject, "the vendor gave (asked ", "s ago, not again for ", "larder: larder token refresh dingding_access_token asks now\n")
	s.wantError(0, []string{"token", "refresh", "dingding_access_token"})
}

func TestTokenGet_TellsOtherProcessesOfAFailure(t *testing.T) {
	vendor := newVendor(t)
	s := tokenServer(t, "sqlite:"+testdb.SQLite(t), vendor)
	s.larder("migrate")
	vendor.FailNext(10, fetchertest.BadCredentials)
	for range 3 {
		s.wantError(3, []string{"token", "get", "dingding_access_token"}, "check the app key")
	}
	if vendor.Count() != 1 {
		t.Errorf("%d requests with wrong credentials, want 1", vendor.Count())
	}
}
