package fetchertest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/dingtalk"
	"github.com/larder-cache/larder/fetcher/feishu"
	"github.com/larder-cache/larder/fetcher/oauth2"
	"github.com/larder-cache/larder/fetcher/wechat"
	"github.com/larder-cache/larder/fetcher/wecom"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever a vendor answers, a source returns a token that can be used or a reason that shows no secret, and a scheme a verdict.
func FuzzSources_AnswerATokenOrAReason(f *testing.F) {
	const secret = "Zq9-secret/of+the=app"
	for _, body := range []string{
		`{"errcode":0,"access_token":"t","errmsg":"ok","expires_in":7200}`, `{"expireIn":7200,"accessToken":"t"}`,
		`{"code":0,"expire":7200,"tenant_access_token":"t-1"}`, `{"access_token":"t","token_type":"Bearer","expires_in":"60"}`,
		`{"errcode":88,"sub_code":"40014"}`, `{"code":"x","requestid":"r"}`, `{"status":1111,"wait":5}`, `{"error":{"code":1}}`, `<html>`, `[]`, `null`, ``,
		`{"access_token":"t","expires_in":"1e999"}`, `{"errcode":"0","access_token":"undefined","expires_in":1e-30}`,
		`{"errcode":40035,"errmsg":"SECRET"}`, `{"code":"SECRET","msg":"x SECRET y"}`, `{"error":"e","error_description":"SECRET"}`,
	} {
		f.Add(200, "application/json", body)
		f.Add(400, "text/html", body)
	}
	var status int
	var contentType, body string
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	})}
	var sources []fetcher.Source
	add := func(s fetcher.Source, err error) {
		if err != nil {
			f.Fatal(err)
		}
		sources = append(sources, s)
	}
	add(dingtalk.New("app", secret, dingtalk.WithHTTPClient(client)))
	add(dingtalk.New("app", secret, dingtalk.WithHTTPClient(client), dingtalk.WithAPI(dingtalk.V1)))
	add(wecom.New("app", secret, wecom.WithHTTPClient(client)))
	add(wechat.New("app", secret, wechat.WithHTTPClient(client)))
	add(feishu.New("app", secret, feishu.WithHTTPClient(client)))
	add(oauth2.New("https://accounts.fake/token", "app", secret, oauth2.WithHTTPClient(client)))
	schemes := []fetcher.Scheme{dingtalk.Scheme(), wecom.Scheme(), wechat.Scheme(), feishu.Scheme(), oauth2.Scheme()}

	f.Fuzz(func(t *testing.T, fuzzedStatus int, fuzzedType, fuzzedBody string) {
		status, contentType, body = fuzzedStatus, fuzzedType, strings.ReplaceAll(fuzzedBody, "SECRET", secret)
		for _, source := range sources {
			token, err := source.Fetch(t.Context())
			var failure *fetcher.SourceError
			switch {
			case err == nil && (token.Check() != nil || status >= 300):
				t.Errorf("%v: unusable token: %v, HTTP %d", source, token.Check(), status)
			case err != nil && (!errors.As(err, &failure) || token.Value != "" || failure.Class == "" || failure.Message == ""):
				t.Errorf("%v: token %q with %#v", source, token.Value, err)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("%v shows its secret: %v", source, err)
			}
		}
		for _, scheme := range schemes {
			if v := scheme.Judge(status, nil, []byte(body)); v < fetcher.Accepted || v > fetcher.WrongApp {
				t.Errorf("verdict %d", v)
			}
		}
	})
}
