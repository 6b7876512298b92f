package fetcher_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/fetchertest"
)

// rotating returns a fake whose app has one of two secrets, and the rotation from one to the other.
func rotating(t *testing.T) (*fetchertest.Fake, fetcher.Source) {
	t.Helper()
	fake := fetchertest.NewDingTalk(fetchertest.InMemory(), fetchertest.WithApp("app", "former"))
	t.Cleanup(fake.Close)
	source := func(secret string) fetcher.Source {
		s, err := dingtalk.New("app", secret, dingtalk.WithAPI(dingtalk.V1), dingtalk.WithBaseURL(fake.URL), dingtalk.WithHTTPClient(fake.Client()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return fake, fetcher.Rotate(source("newer1"), source("former"))
}

func fetchRotated(t *testing.T, s fetcher.Source) {
	t.Helper()
	if token, err := s.Fetch(t.Context()); err != nil || token.Check() != nil {
		t.Fatalf("got %v, %v, want a token", token, err)
	}
}

func TestRotate_AsksWithTheOlderSecretUntilTheVendorKnowsTheNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, source := rotating(t)
		wantRefusals := func(want int, when string) {
			t.Helper()
			if got := fake.Count("bad credentials"); got != want {
				t.Errorf("%s: %d refusals, want %d", when, got, want)
			}
		}
		fetchRotated(t, source)
		wantRefusals(1, "at first")
		fetchRotated(t, source)
		wantRefusals(1, "while the older is remembered")
		time.Sleep(10 * time.Minute)
		fetchRotated(t, source)
		wantRefusals(2, "after 10 minutes")

		fake.SetSecrets("app", "newer1")
		fetchRotated(t, source)
		wantRefusals(3, "when the vendor has changed the secret")
		fetchRotated(t, source)
		wantRefusals(3, "once the newer has worked")
	})
}

func TestRotate_OnlyARefusalOfTheSecretIsTriedAgain(t *testing.T) {
	for _, failure := range []fetchertest.Failure{fetchertest.SystemBusy, fetchertest.AppThrottled, fetchertest.IPNotInWhiteList, fetchertest.Blocked} {
		fake, source := rotating(t)
		fake.FailNext(1, failure)
		if _, err := source.Fetch(t.Context()); err == nil || fake.Count() != 1 {
			t.Errorf("%s: %d requests, %v, want one and an error", failure.Name, fake.Count(), err)
		}
	}
}

func TestRotate_ErrorNamesBothAndIsOfTheClassThatDecides(t *testing.T) {
	for _, c := range []struct {
		failure fetchertest.Failure // what the older meets
		class   fetcher.Class
	}{
		{fetchertest.BadCredentials, fetcher.ClassCredential},
		{fetchertest.AppThrottled, fetcher.ClassThrottle},
		{fetchertest.IPNotInWhiteList, fetcher.ClassConfig},
	} {
		fake, source := rotating(t)
		fake.FailNext(1, fetchertest.BadCredentials)
		fake.FailNext(1, c.failure)
		_, err := source.Fetch(t.Context())
		var failure *fetcher.SourceError
		if !errors.As(err, &failure) || failure.Class != c.class || failure.Source != "dingtalk v1.0" || fake.Count() != 2 ||
			!strings.Contains(failure.Message, "with the newer credentials: ") || !strings.Contains(failure.Message, "; with the older: ") ||
			strings.Contains(err.Error(), "former") || strings.Contains(err.Error(), "newer1") {
			t.Errorf("%s: %v", c.failure.Name, err)
		}
	}
}

func TestRotate_FingerprintIsOfBoth(t *testing.T) {
	of := func(fingerprint string) fetcher.Source { return printedOnly{fingerprint} }
	seen := map[string]bool{}
	for _, s := range []fetcher.Source{
		fetcher.Rotate(of("a"), of("b")), fetcher.Rotate(of("a"), of("c")), fetcher.Rotate(of("c"), of("b")), fetcher.Rotate(of("b"), of("a")), of("a"),
	} {
		seen[s.Info().Fingerprint] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d fingerprints of 5 sources", len(seen))
	}
}

// printedOnly is a source of which only the fingerprint matters.
type printedOnly struct{ fingerprint string }

func (p printedOnly) Info() fetcher.Info                         { return fetcher.Info{Name: "x", Fingerprint: p.fingerprint} }
func (printedOnly) Fetch(context.Context) (fetcher.Token, error) { return fetcher.Token{}, nil }
