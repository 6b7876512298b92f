package wecom

import (
	"net/http"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

const documentedLife = 7200 * time.Second

func dialect(token string) *wire.Dialect {
	return &wire.Dialect{
		Vendor: "WeCom", Token: token, Life: "expires_in",
		DefaultLife: documentedLife, LongestLife: 24 * time.Hour,
		Refusal: wire.ErrCode, Judge: byCode,
	}
}

const (
	checkSecret = "check that the secret is this app's, not another app's or the address book's, and that the app is enabled"
	checkIP     = "add this server's public address to the app's trusted IPs (企业可信IP)"
	slowDown    = wire.AskLess + "; WeCom lifts the block after a minute, an hour or a day"
)

// byCode judges the codes that a request for a token or a ticket can be answered with. Their source is WeCom's table of global codes
// (https://developer.work.weixin.qq.com/document/path/90313); the limits are in its page on call frequency (…/path/90312).
func byCode(code string) (wire.Meaning, bool) {
	switch code {
	case "40001", "40091", "42005": // 42005: the secret was reset
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkSecret}, true
	case "40013":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: "check the corp id"}, true
	case "41002", "41004", "40035", "43001", "43002":
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: wire.CheckWay}, true
	case "60020":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonAddress, Advice: checkIP}, true
	case "301002": // "not allow operate another agent with this accesstoken"
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: "use the token of the app that the request is about"}, true
	case "-1":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: "WeCom is busy: try again, at most 3 times", RetryAfter: time.Second}, true
	case "45009":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: slowDown, RetryAfter: time.Minute}, true
	case "45033": // requests at the same time
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: time.Second}, true
	}
	return wire.Meaning{}, false
}

// Scheme returns how WeCom's APIs take a token: as the parameter access_token.
func Scheme() fetcher.Scheme {
	return fetcher.Scheme{
		Inject: func(req *http.Request, token string) { wire.SetQuery(req, "access_token", token) },
		Judge:  judge,
	}
}

// judge goes by the code, because the status always is 200. An expired token is a 42001 or, more often since 2024, a 40014.
func judge(_ int, _ http.Header, body []byte) fetcher.Verdict {
	o, _ := wire.ParseObject(body)
	switch wire.ErrCode(o).Code {
	case "40014", "42001", "40001":
		return fetcher.Rejected
	case "301002":
		return fetcher.WrongApp
	}
	return fetcher.Accepted
}
