package dingtalk

import (
	"cmp"
	"strconv"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// The life of a DingTalk token, and the longest that is believed.
const (
	documentedLife = 7200 * time.Second
	longestLife    = 24 * time.Hour
)

// dialect tells how the API's replies are read.
func (api API) dialect() *wire.Dialect {
	d := &wire.Dialect{
		Vendor: "DingTalk", Token: "access_token", Life: "expires_in",
		DefaultLife: documentedLife, LongestLife: longestLife,
		Refusal: refusal, Judge: byCode,
	}
	d.Page, _ = byCode(codeBlocked)
	if api == V1 {
		d.Token, d.Life = "accessToken", "expireIn"
	}
	return d
}

// refusal knows every shape that either host answers with: the older host's errcode, the gateway's sub_code before it, the newer
// host's code (in some replies Code), and the firewall's status. The hosts mix them: a wrong path on the newer one is answered in
// the older shape.
func refusal(o wire.Object) wire.Refusal {
	r := wire.Refusal{
		Code:      code(o),
		Message:   cmp.Or(o.Words("sub_msg"), o.Words("errmsg"), o.Words("message")),
		RequestID: cmp.Or(o.Text("request_id"), o.Text("requestid")),
	}
	if r.Code == codeBlocked {
		r.Message = "DingTalk's firewall blocks this server's address"
		if minutes, err := strconv.Atoi(o.Text("wait")); err == nil && minutes > 0 {
			r.Message += " for " + strconv.Itoa(minutes) + " minutes"
		}
	}
	return r
}

// code returns the code of a refusal, "" if the reply has none.
func code(o wire.Object) string {
	if o.Text("errcode") == "88" { // the gateway's, for whatever the API behind it says
		return cmp.Or(o.Text("sub_code"), "88")
	}
	if c := cmp.Or(o.Code("errcode"), o.Code("code")); c != "" {
		return c
	}
	if o.Text("status") == codeBlocked {
		return codeBlocked
	}
	return ""
}

// codeBlocked is the status in the body of the firewall's reply. It stands for that reply's other form, a web page, too.
const codeBlocked = "1111"

const (
	checkPair = "check the app key and the app secret, and that they belong to the same app"
	checkIP   = "add this server's public address to the app's IP white list"
	busy      = "DingTalk is busy: try again, at most 3 times"
	corpPair  = checkPair + "; an organisation's secret that was just made may need a minute, and an app's may need the v1.0 API"
	quota     = "the organisation's monthly quota is used up: buy more, or wait for next month"
	blocked   = "wait 5 minutes: DingTalk blocks an address that makes 10,000 calls in 20 s"
	needPerm  = "give the app the permission qyapi_base, or use the gettoken API, which needs none"
	maybeID   = "if it stays, check the app key: DingTalk answers some wrong ids like this"
	rushHour  = "all of DingTalk's customers together ask too often, mostly at the full hour: try again"
)

// limit begins the codes that come with HTTP 403, for what passes by itself and for what does not.
const limit = "Forbidden.AccessDenied."

// byCode judges the codes that a request for a token can be answered with, and reports whether it knows this one. Sources:
// DingTalk's table of global codes (https://open.dingtalk.com/document/orgapp/server-api-error-codes-1), its page on call
// frequency (https://open.dingtalk.com/document/orgapp/invocation-frequency-limit), and replies of the live hosts.
func byCode(code string) (wire.Meaning, bool) {
	switch code {
	case "40001", "40096", "invalidClientIdOrSecret", "invalid.client", "unauthorized.client":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: checkPair}, true // 40096 is not in the table, but the usual answer
	case "40013":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: "check the corp id"}, true
	case "40089":
		return wire.Meaning{Class: fetcher.ClassCredential, Advice: corpPair}, true

	case "22", "unsupported.grant.type", "40002", "40035", "41002", "41004", "43001", "43002", "Missingbody":
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: wire.CheckWay}, true
	case "404", "InvalidAction.NotFound": // 404 comes with HTTP 200, and from either host
		return wire.Meaning{Class: fetcher.ClassConfig, Advice: wire.CheckURL}, true
	case "60020", limit + "IpNotInWhiteList":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonAddress, Advice: checkIP}, true
	case "60011", limit + "AccessTokenPermissionDenied":
		return wire.Meaning{Class: fetcher.ClassConfig, Reason: fetcher.ReasonPermission, Advice: needPerm}, true

	case "-1", "systemBusy":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: busy, RetryAfter: time.Second}, true
	case "system.error", "server.error", "ServiceUnavailable":
		return wire.Meaning{Class: fetcher.ClassTransient, RetryAfter: time.Second}, true
	case "unknownError":
		return wire.Meaning{Class: fetcher.ClassTransient, Advice: maybeID, RetryAfter: time.Second}, true

	case "90018", limit + "QpsLimitForAppkeyAndApi": // per second
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: time.Second}, true
	case "90002", limit + "QpsLimitForApi":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: rushHour, RetryAfter: time.Second}, true
	case limit + "QpmLimitForAppkeyAndApi", limit + "QpsLimitForSuitekeyAndOrgAndApi":
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: time.Minute}, true
	case "90001", "90003", "90004", "90005", "90006", "90007", "90008", "90009", "90010", "90011", "90012", "90013", "90014",
		"90017": // "temporarily disabled", for some minutes: a server, an organisation, its secret, an address
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: wire.AskLess, RetryAfter: 5 * time.Minute}, true
	case "90020", limit + "ApiCountLimitForOrg": // the monthly quota, from which requests for tokens are said to be exempt
		return wire.Meaning{Class: fetcher.ClassThrottle, Reason: fetcher.ReasonQuota, Advice: quota, RetryAfter: time.Hour}, true
	case codeBlocked:
		return wire.Meaning{Class: fetcher.ClassThrottle, Advice: blocked, RetryAfter: 5 * time.Minute}, true
	}
	return wire.Meaning{}, false
}
