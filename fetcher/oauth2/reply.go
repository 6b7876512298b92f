package oauth2

import (
	"cmp"
	"net/http"
	"regexp"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// longestLife is the longest that is believed. There are servers whose tokens live for a year.
const longestLife = 366 * 24 * time.Hour

func dialect(life time.Duration) *wire.Dialect {
	return &wire.Dialect{
		Vendor: "the server", Token: "access_token", Life: "expires_in",
		DefaultLife: life, LongestLife: longestLife,
		Refusal: refusal, Judge: byCode, Status: byStatus,
	}
}

// refusal finds the standard's error. Some servers send it with HTTP 200, others a code of their own beside it, which says less.
func refusal(o wire.Object) wire.Refusal {
	return wire.Refusal{
		Code:      o.Code("error"),
		Message:   cmp.Or(o.Words("error_description"), o.Words("message"), o.Words("msg")),
		RequestID: cmp.Or(o.Text("request_id"), o.Text("correlation_id"), o.Text("trace_id"), o.Text("log_id")),
	}
}

const (
	checkPair  = "check the client id and the client secret; some servers want them in the body (client_secret_post)"
	checkGrant = "allow the client the grant client_credentials, at the server"
	checkScope = "check the scopes, and that the client may have them"
)

// byCode judges the codes of RFC 6749, section 5.2. All but the last two are refusals that stay; those are borrowed from section 4.1.2.1
// by many servers.
func byCode(code string) (wire.Meaning, bool) {
	switch code {
	case "invalid_client":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true
	case "invalid_grant", "access_denied":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true
	case "unauthorized_client", "unsupported_grant_type":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonPermission, Advice: checkGrant}, true
	case "invalid_scope":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonPermission, Advice: checkScope}, true
	case "invalid_request", "invalid_target":
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: "check the parameters that the server wants, and the token endpoint's URL"}, true
	case "slow_down", "too_many_requests":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: time.Minute}, true
	case "server_error", "temporarily_unavailable":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: wire.TryAgain, RetryAfter: time.Second}, true
	}
	return wire.Meaning{}, false
}

func byStatus(status int) (wire.Meaning, bool) {
	switch status {
	case http.StatusUnauthorized:
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed:
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: "check the token endpoint's URL, and that the client may use it from here"}, true
	}
	return wire.Meaning{}, false
}

// Scheme returns how APIs take a token by RFC 6750: as a bearer in the header Authorization.
func Scheme() fetcher.Scheme {
	return fetcher.Scheme{
		Inject: func(req *http.Request, token string) { req.Header.Set("Authorization", "Bearer "+token) },
		Judge:  judge,
	}
}

// bearerError finds the error in a challenge, such as: Bearer realm="example", error="invalid_token".
var bearerError = regexp.MustCompile(`(?i)\bbearer\b.*\berror="?([a-z_]+)`)

// judge goes by the challenge: invalid_token with whichever status, and any HTTP 401 that gives no other reason.
func judge(status int, header http.Header, body []byte) fetcher.Verdict {
	reason := ""
	for _, challenge := range header.Values("WWW-Authenticate") {
		if match := bearerError.FindStringSubmatch(challenge); match != nil {
			reason = match[1]
		}
	}
	if reason == "" && status >= 400 {
		o, _ := wire.ParseObject(body)
		reason = refusal(o).Code
	}
	switch {
	case reason == "invalid_token":
		return fetcher.Rejected
	case status == http.StatusUnauthorized && reason != "insufficient_scope" && reason != "invalid_request":
		return fetcher.Rejected
	}
	return fetcher.Accepted
}
