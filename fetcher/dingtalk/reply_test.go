package dingtalk

import (
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/internal/wire"
)

func FuzzParse_AnswersATokenOrAReason(f *testing.F) {
	for _, body := range []string{
		`{"errcode":0,"access_token":"t","errmsg":"ok","expires_in":7200}`, `{"expireIn":7200,"accessToken":"t"}`,
		`{"errcode":88,"sub_code":"40014"}`, `{"code":"x","requestid":"r"}`, `{"status":1111}`, `<html>`, `[]`, `null`, ``,
		`{"access_token":"t","expires_in":"1e999"}`, `{"errcode":"0","access_token":"t","expires_in":1e-30}`,
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, text string) {
		for _, api := range []API{GetToken, V1} {
			token, failure := api.parse(wire.Reply{Status: status, Body: []byte(strings.TrimSpace(text))})
			switch {
			case failure == nil && (token.Check() != nil || token.ExpiresIn > longestLife || status >= 300):
				t.Errorf("unusable token %v, life %v, of HTTP %d", token.Check(), token.ExpiresIn, status)
			case failure != nil && (token.Value != "" || failure.Class == "" || failure.Message == ""):
				t.Errorf("token %q with a failure of class %q and message %q", token.Value, failure.Class, failure.Message)
			}
		}
	})
}
