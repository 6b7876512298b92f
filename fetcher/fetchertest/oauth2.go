package fetchertest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// NewOAuth2 starts a fake of a server that knows OAuth 2.0's client credentials. Close stops it. Its AppKey is the client's id.
//
//   - POST /token hands out a new token each time, and former ones live on. The client may identify itself with the header Authorization or
//     with parameters, but not with both.
//   - Every other path is an API that needs the token, as RFC 6750 says.
//
// The shapes are those of RFC 6749, sections 4.4 and 5, and of RFC 6750, section 3.
func NewOAuth2(opts ...Option) *Fake { return start(&oAuth2, opts) }

var oAuth2 = vendor{
	name: "oauth2", key: "fake-client", secret: "fake-client-secret/not+for=use",
	credentials: func(r *http.Request, body []byte) (key, secret string) {
		if id, secret, ok := r.BasicAuth(); ok {
			id, _ = url.QueryUnescape(id)
			secret, _ = url.QueryUnescape(secret)
			return id, secret
		}
		form, _ := url.ParseQuery(string(body))
		return form.Get("client_id"), form.Get("client_secret")
	},
	answer:   answerOAuth2,
	refuse:   func(code, message string) http.HandlerFunc { return oAuthRefusal(400, code, message) },
	echoCode: func(*http.Request) string { return "invalid_request" },
	token: func(value string, seconds int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, fmt.Sprintf(`{"access_token":"%s","token_type":"Bearer","expires_in":%d}`, value, seconds))
		}
	},
	refusals: map[string]http.HandlerFunc{
		SystemBusy.Name: oAuthRefusal(503, "temporarily_unavailable", "The server is overloaded."),
		BadCredentials.Name: func(w http.ResponseWriter, r *http.Request) {
			status := http.StatusBadRequest
			if r.Header.Get("Authorization") != "" {
				status = http.StatusUnauthorized
				w.Header().Set("WWW-Authenticate", `Basic realm="fake"`)
			}
			oAuthRefusal(status, "invalid_client", "Client authentication failed.")(w, r)
		},
		MissingKey.Name:    oAuthRefusal(400, "invalid_request", "The client is not identified."),
		MissingSecret.Name: oAuthRefusal(400, "invalid_request", "The client is not authenticated."),
		NoPermission.Name:  oAuthRefusal(400, "unauthorized_client", "The client may not use this grant."),
		AppThrottled.Name: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		IPNotInWhiteList.Name: Reply("", 403, "text/html", "<html><head><title>403 Forbidden</title></head></html>").Handler,
		TokenMissing.Name:     challenge(`Bearer realm="fake"`, ""),
		TokenRejected.Name:    challenge(`Bearer realm="fake", error="invalid_token", error_description="The access token is invalid"`, "invalid_token"),
		TokenExpired.Name:     challenge(`Bearer realm="fake", error="invalid_token", error_description="The access token expired"`, "invalid_token"),
	},
}

func oAuthRefusal(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, status, fmt.Sprintf(`{"error":%s,"error_description":%s}`, quote(code), quote(message)))
	}
}

func challenge(header, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", header)
		if code == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		writeJSON(w, http.StatusUnauthorized, fmt.Sprintf(`{"error":%q}`, code))
	}
}

func answerOAuth2(f *Fake, q *request) (outcome string, answer http.HandlerFunc) {
	if q.URL.Path != "/token" {
		token, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
		return f.use(q, token, "", reply(`{"ok":true}`))
	}
	form, _ := url.ParseQuery(string(q.body))
	switch {
	case q.Method != http.MethodPost:
		return "code invalid_request", oAuthRefusal(http.StatusMethodNotAllowed, "invalid_request", "Want POST.")
	case form.Get("grant_type") != "client_credentials":
		return "code unsupported_grant_type", oAuthRefusal(400, "unsupported_grant_type", "Want client_credentials.")
	case q.Header.Get("Authorization") != "" && form.Has("client_secret"):
		return "code invalid_request", oAuthRefusal(400, "invalid_request", "The client identifies itself twice.")
	case q.key == "":
		return f.refuse(MissingKey)
	case !f.knows(q.key, q.secret):
		return f.refuse(BadCredentials)
	}
	value, seconds := f.give(subject{"token", q.key}, renewal{}, q.now, func() string { return "eyJhbGciOiJub25lIn0." + random(300) })
	return "token", f.vendor.token(value, seconds)
}
