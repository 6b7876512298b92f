package wire

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
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
