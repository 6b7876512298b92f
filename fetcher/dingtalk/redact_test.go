package dingtalk_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/dingtalk"
)

// A refusal may carry a token where nobody expects one.
func TestSource_NoErrorHoldsAToken(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef"
	for _, reply := range []string{
		`{"errcode":7,"accessToken":"TOK","errmsg":"here TOK"}`,
		`{"errcode":7,"access_token":"TOK","errmsg":"here TOK"}`,
		`{"errcode":7,"errmsg":{"debug":{"access_token":"TOK"}}}`,
		`{"errcode":7,"access_token":"TOK","request_id":"TOK","errmsg":"x"}`,
		`{"errcode":"TOK","access_token":"TOK","errmsg":"x"}`,
		`{"errcode":0,"access_token":"TOK","expires_in":"TOK"}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.ReplaceAll(reply, "TOK", token))
		}))
		for _, api := range []dingtalk.API{dingtalk.GetToken, dingtalk.V1} {
			source, err := dingtalk.New("key", "secret", dingtalk.WithBaseURL(server.URL), dingtalk.WithAPI(api))
			if err != nil {
				t.Fatal(err)
			}
			_, err = source.Fetch(t.Context())
			if err == nil || strings.Contains(err.Error(), token[:12]) {
				t.Errorf("%s, %s: error is %v", api, reply, err)
			}
		}
		server.Close()
	}
}
