package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/leak"
)

const secret = `s3cr&t+/="<'%25> ü\Q`

// recorder is a test that only remembers whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestNone_FindsEveryForm(t *testing.T) {
	inJSON, _ := json.Marshal(secret)
	for _, shown := range []string{
		"the secret is " + secret + ".", "?secret=" + url.QueryEscape(secret) + "&x", "/" + url.PathEscape(secret), string(inJSON), fmt.Sprintf("%q", secret),
		html.EscapeString(secret), hex.EncodeToString([]byte("x" + secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))), fmt.Sprintf("%x", secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("a:" + secret)),
		base64.URLEncoding.EncodeToString([]byte("app:" + secret + " and more")),
	} {
		r := &recorder{TB: t}
		if leak.None(r, "text", "before "+shown+" after", "another-secret", secret); !r.failed {
			t.Errorf("not found in %s", shown)
		}
	}
	if leak.None(t, "text", "nothing of the kind: s3cr…", secret); t.Failed() {
		t.Error("found where it is not")
	}
}
