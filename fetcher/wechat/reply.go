package wechat

import (
	"net/http"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

const documentedLife = 7200 * time.Second

func dialect(token string) *wire.Dialect {
	return &wire.Dialect{
		Vendor: "WeChat", Token: token, Life: "expires_in",
		DefaultLife: documentedLife, LongestLife: 24 * time.Hour,
		Refusal: wire.ErrCode, Judge: byCode,
	}
}

const (
	checkSecret = "check the app secret, and that it belongs to this app id; it can only be seen when it is made, and reset"
	checkIP     = "add this server's public address to the account's IP white list"
	unfreeze    = "the app secret is frozen: unfreeze it in the account's console"
	account     = "the account is frozen, cancelled or unknown: look at its console"
	confirm     = "the account's administrator must confirm this server's address: ask them, and do not try on, since WeChat counts the refusals"
	daily       = "the day's quota of 2000 is used up: use stable_token, look for other programs that fetch this app's token, " +
		"or clear the quota once (clear_quota)"
)

// byCode judges the codes that a request for a token or a ticket can be answered with. Their sources are the tables of
// https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_access_token.html and of the page on stable_token.
func byCode(code string) (wire.Meaning, bool) {
	switch code {
	case "40001", "40125":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkSecret}, true
	case "40013":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: "check the app id: it is case-sensitive and begins with wx"}, true
	case "40243":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: unfreeze}, true
	case "40002", "41002", "41004", "43001", "43002":
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: wire.CheckWay}, true
	case "40164":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonAddress, Advice: checkIP}, true
	case "48001":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonPermission, Advice: "the account has no right to this API: it must be verified"}, true
	case "50004", "50007":
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: account}, true
	case "89501", "89503", "89506", "89507":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonAddress, Advice: confirm}, true
	case "-1":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: "WeChat is busy: try again, at most 3 times", RetryAfter: time.Second}, true
	case "45009":
		return wire.Meaning{Class: fetcher.ClassThrottle, Reason: fetcher.ReasonQuota, Advice: daily, RetryAfter: time.Hour}, true
	case "45011":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: time.Minute}, true
	}
	return wire.Meaning{}, false
}

// Scheme returns how WeChat's APIs take a token: as the parameter access_token.
func Scheme() fetcher.Scheme {
	return fetcher.Scheme{
		Inject: func(req *http.Request, token string) { wire.SetQuery(req, "access_token", token) },
		Judge:  judge,
	}
}

// judge goes by the code, because the status always is 200. A token that a newer one has ended is a 40001, "invalid or not latest".
func judge(_ int, _ http.Header, body []byte) fetcher.Verdict {
	o, _ := wire.ParseObject(body)
	switch wire.ErrCode(o).Code {
	case "40014", "42001", "40001":
		return fetcher.Rejected
	}
	return fetcher.Accepted
}
