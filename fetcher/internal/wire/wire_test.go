package wire

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

func TestRedact_FindsEveryForm(t *testing.T) {
	for _, secret := range []string{"plain", "a+b/c=d&e", `q"uo\te`, "ümläut", "a%2Fb", "<&>'", "line\nbreak", "x"} {
		for _, form := range formsOf(secret) {
			if got := Redact("["+form+"]", secret); got != "["+redacted+"]" && got != redacted {
				t.Errorf("secret %q in the form %q: %q", secret, form, got)
			}
		}
	}
}

func TestRedact_ReplacesTheLongerSecretWhole(t *testing.T) {
	if got, want := Redact("abc abcdef abc", "abc", "abcdef"), "[redacted] [redacted] [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRedact_WithoutSecretsChangesNothing(t *testing.T) {
	if got := Redact("text"); got != "text" {
		t.Errorf("got %q", got)
	}
	if got := Redact("text", ""); got != "text" {
		t.Errorf("empty secret: got %q", got)
	}
}

func TestSecret_IsNeverPrinted(t *testing.T) {
	type holder struct{ secret Secret }
	for _, v := range []any{NewSecret("s3cret"), holder{NewSecret("s3cret")}, &holder{NewSecret("s3cret")}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "s3c") || strings.Contains(got, fmt.Sprintf("%x", "s3c")) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestRetryAfter_IsSecondsOrADateAndAtMostAnHour(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "0": 0, "3601": time.Hour, "soon": 0,
		time.Now().Add(48 * time.Hour).UTC().Format(http.TimeFormat):  time.Hour,
		time.Now().Add(-48 * time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(header); got != want {
			t.Errorf("%q is %v, want %v", header, got, want)
		}
	}
}

// The vendor's name for a request may be anything, the secret and the token included.
func TestDialect_ARequestIDShowsNoToken(t *testing.T) {
	const token, secret = "67bdae2a9d0b3f1c4e5d6a7b8c9d0e1f", "the-app-s-secret"
	d := Dialect{
		Vendor: "Vendor", Token: "access_token", Life: "expires_in", LongestLife: time.Hour,
		Refusal: func(o Object) Refusal {
			return Refusal{Code: o.Code("errcode"), Message: o.Words("errmsg"), RequestID: o.Text("request_id")}
		},
		Judge: func(string) (Meaning, bool) { return Meaning{Class: fetcher.ClassConfig}, true },
	}
	for name, body := range map[string]string{
		"of a refusal":                         `{"errcode":1,"errmsg":"no","access_token":"%[1]s","request_id":"r-%[1]s-%[2]s"}`,
		"of a reply whose token has no life":   `{"access_token":"%[1]s","expires_in":0,"request_id":"r-%[1]s-%[2]s"}`,
		"of a reply whose token has a bad one": `{"access_token":"%[1]s","expires_in":"%[1]s","request_id":"r-%[1]s-%[2]s"}`,
	} {
		header := http.Header{"X-Request-Id": {"h-" + token + secret}}
		for _, text := range []string{body, strings.Replace(body, `,"request_id":"r-%[1]s-%[2]s"`, "", 1)} { // then it is the header's
			if !strings.Contains(text, "%[2]s") {
				text += "%.0[2]s"
			}
			_, failure := d.Parse(Reply{Status: 200, Header: header, Body: fmt.Appendf(nil, text, token, secret)})
			if failure == nil {
				t.Fatalf("%s: no failure", name)
			}
			err := Seal(failure, "vendor", secret)
			if shown := fmt.Sprintf("%s %q", err, failure.RequestID); failure.RequestID == "" || strings.Contains(shown, token) || strings.Contains(shown, secret) {
				t.Errorf("%s: %s", name, shown)
			}
		}
	}
}

func TestDialect_ALifeIsANumberOfJSON(t *testing.T) {
	d := Dialect{DefaultLife: time.Minute, LongestLife: 24 * time.Hour}
	for stated, want := range map[string]time.Duration{
		"": time.Minute, "7200": 2 * time.Hour, "7200.5": 2*time.Hour + 500*time.Millisecond, "7.2e3": 2 * time.Hour, "86400": 24 * time.Hour,
		"86401": time.Minute, "1e999": time.Minute, "99999999999999999999": time.Minute, // longer than any: the documented one
		"0": 0, "-1": 0, "-1e999": 0, "1e-999": 0, "0x1p4": 0, "0X10": 0, "inf": 0, "Infinity": 0, "+7": 0, "NaN": 0, "1_000": 0, "7200s": 0, " 7": 0, "07": 0, "-": 0, ".5": 0,
	} {
		if got, ok := d.life(stated); got != want || ok != (want > 0) {
			t.Errorf("a life of %q is %v, %v, want %v", stated, got, ok, want)
		}
	}
}

// A bounding is a way to a vendor that tells how long it has, and answers nothing.
type bounding struct{ left chan time.Duration }

func (b bounding) RoundTrip(req *http.Request) (*http.Response, error) {
	deadline, _ := req.Context().Deadline()
	b.left <- time.Until(deadline)
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestDo_LastsTenSecondsIfItsCallerSetsNoBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ bound, want time.Duration }{{0, 10 * time.Second}, {time.Second, time.Second}, {time.Minute, time.Minute}} {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.bound > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.bound)
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://vendor.fake/", nil)
			if err != nil {
				t.Fatal(err)
			}
			way, begun := bounding{make(chan time.Duration, 1)}, time.Now()
			_, failure := Do(&http.Client{Transport: way}, req)
			if took := time.Since(begun); <-way.left != c.want || took != c.want || failure == nil || failure.Class != fetcher.ClassTransient {
				t.Errorf("with a bound of %v it took %v and ended with %v", c.bound, took, failure)
			}
			cancel()
		}
	})
}
