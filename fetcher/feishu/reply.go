package feishu

import (
	"cmp"
	"net/http"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

const documentedLife = 7200 * time.Second

func dialect(token string) *wire.Dialect {
	return &wire.Dialect{
		Vendor: "Feishu", Token: token, Life: "expire",
		DefaultLife: documentedLife, LongestLife: 24 * time.Hour,
		Refusal: refusal, Judge: byCode,
	}
}

func refusal(o wire.Object) wire.Refusal {
	return wire.Refusal{Code: o.Code("code"), Message: o.Words("msg"), RequestID: cmp.Or(o.Text("log_id"), o.Text("request_id"))}
}

const (
	checkPair = "check the app id and the app secret, that they belong to the same app, and that it is one of Feishu, not of Lark, or the reverse"
	limited   = "Feishu limits how often this API is called: " + wire.AskLess
)

// byCode judges the codes that a request for a token can be answered with. Their source is
// https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code, and replies that people report.
func byCode(code string) (wire.Meaning, bool) {
	switch code {
	case "10003": // "invalid param", which is the answer to an unknown app id
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true
	case "10014", "10015", "20070":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true
	case "10005", "10013", "10018": // of kinds of app that this request is not for
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: "check that the app is one that the organisation made for itself"}, true
	case "2200", "10001":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: wire.TryAgain, RetryAfter: time.Second}, true
	case "99991400", "11232":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: limited, RetryAfter: time.Second}, true
	case "99991401":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonAddress, Advice: "add this server's public address to the app's IP white list"}, true
	}
	return wire.Meaning{}, false
}

// Scheme returns how Feishu's APIs take a token: as a bearer in the header Authorization.
func Scheme() fetcher.Scheme {
	return fetcher.Scheme{
		Inject: func(req *http.Request, token string) { req.Header.Set("Authorization", "Bearer "+token) },
		Judge:  judge,
	}
}

// judge goes by the code. It comes with HTTP 400, and came with HTTP 200.
func judge(status int, _ http.Header, body []byte) fetcher.Verdict {
	o, _ := wire.ParseObject(body)
	switch refusal(o).Code {
	case "99991663", "99991664", "99991668", "99991671": // of a tenant, of an app, of whichever sort, no token at all by its form
		return fetcher.Rejected
	case "99991661", "99991672": // none was sent; the app has no such scope
		return fetcher.Accepted
	}
	if status == http.StatusUnauthorized {
		return fetcher.Rejected
	}
	return fetcher.Accepted
}
