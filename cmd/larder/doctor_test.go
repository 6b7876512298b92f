package main

import (
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/fetchertest"
)

func TestDoctor_TellsWhatIsWrongWithATokenAndAsksItsVendorOnRequest(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		vendor := newVendor(t)
		s := tokenServer(t, database, vendor)
		s.larder("migrate")
		vendor.FailNext(2, fetchertest.BadCredentials)
		s.larder("token", "get", "dingding_access_token")
		asked := vendor.Count()

		r := s.larder("doctor")
		if r.code != 1 || !strings.Contains(r.stdout, "dingding_access_token: the last fetch failed: dingtalk: ") || vendor.Count() != asked {
			t.Errorf("exit %d after %d requests, want 1 after %d\n%s", r.code, vendor.Count(), asked, r.stdout)
		}
		r = s.larder("doctor", "--check-tokens")
		if r.code != 1 || !strings.Contains(r.stdout, "problem  vendors ") || vendor.Count() != asked+1 {
			t.Errorf("exit %d after %d requests, want 1 after %d\n%s", r.code, vendor.Count(), asked+1, r.stdout)
		}
		token := s.larder("token", "refresh", "dingding_access_token").stdout
		r = s.larder("doctor", "--check-tokens")
		for _, says := range []string{"dingding_access_token: live for 1h 5", "dingding_access_token: dingtalk gave a token that lives for "} {
			if !strings.Contains(r.stdout, says) {
				t.Errorf("it does not say %q:\n%s", says, r.stdout)
			}
		}
		if strings.Contains(r.stdout+r.stderr, secret) || strings.Contains(r.stdout+r.stderr, strings.TrimSpace(token)) {
			t.Errorf("a secret is shown: %s%s", r.stdout, r.stderr)
		}
	})
}
