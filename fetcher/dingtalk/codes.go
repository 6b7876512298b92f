package dingtalk

import (
	"net/http"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// A verdict says what a refusal means for the caller.
type verdict struct {
	class      fetcher.Class
	advice     string
	retryAfter time.Duration
}

// codeBlocked is the status in the body of the firewall's reply. It stands for that reply's other form, a web page, too.
const codeBlocked = "1111"

const (
	checkPair = "check the app key and the app secret, and that they belong to the same app"
	checkURL  = "check the base URL and which API is configured"
	checkWay  = "check the base URL, and that no proxy on the way changes the request"
	checkIP   = "add this server's public address to the app's IP white list"
	askLess   = "ask less often: look for other programs that fetch this app's token"
	busy      = "DingTalk is busy: try again, at most 3 times"
	corpPair  = checkPair + "; an organisation's secret that was just made may need a minute, and an app's may need the v1.0 API"
	quota     = "the organisation's monthly quota is used up: buy more, or wait for next month"
	blocked   = "wait 5 minutes: DingTalk blocks an address that makes 10,000 calls in 20 s"
	needPerm  = "give the app the permission qyapi_base, or use the gettoken API, which needs none"
	maybeID   = "if it stays, check the app key: DingTalk answers some wrong ids like this"
	rushHour  = "all of DingTalk's customers together ask too often, mostly at the full hour: try again"
)

// byCode judges the codes that a request for a token can be answered with, and reports whether it knows this one. Sources:
// DingTalk's table of global codes (https://open.dingtalk.com/document/orgapp/server-api-error-codes-1), its page on call
// limits (https://open.dingtalk.com/document/orgapp/invocation-frequency-limit), and replies of the live hosts.
func byCode(code string) (verdict, bool) {
	const limit = "Forbidden.AccessDenied." // comes with HTTP 403, for what passes by itself and for what does not
	switch code {
	case "40001", "40096", "invalidClientIdOrSecret": // 40096 is not in the table, but the usual answer to a wrong pair
		return verdict{fetcher.ClassCredential, checkPair, 0}, true
	case "40013":
		return verdict{fetcher.ClassCredential, "check the corp id", 0}, true
	case "40089":
		return verdict{fetcher.ClassCredential, corpPair, 0}, true

	case "22", "40002", "40035", "41002", "41004", "43001", "43002", "Missingbody":
		return verdict{fetcher.ClassConfig, checkWay, 0}, true
	case "404", "InvalidAction.NotFound": // 404 comes with HTTP 200, and from either host
		return verdict{fetcher.ClassConfig, checkURL, 0}, true
	case "60020", limit + "IpNotInWhiteList":
		return verdict{fetcher.ClassConfig, checkIP, 0}, true
	case "60011", limit + "AccessTokenPermissionDenied":
		return verdict{fetcher.ClassConfig, needPerm, 0}, true

	case "-1", "systemBusy":
		return verdict{fetcher.ClassTransient, busy, time.Second}, true
	case "system.error", "server.error", "ServiceUnavailable":
		return verdict{fetcher.ClassTransient, "", time.Second}, true
	case "unknownError":
		return verdict{fetcher.ClassTransient, maybeID, time.Second}, true

	case "90018", limit + "QpsLimitForAppkeyAndApi": // per second
		return verdict{fetcher.ClassThrottle, askLess, time.Second}, true
	case "90002", limit + "QpsLimitForApi":
		return verdict{fetcher.ClassThrottle, rushHour, time.Second}, true
	case limit + "QpmLimitForAppkeyAndApi", limit + "QpsLimitForSuitekeyAndOrgAndApi":
		return verdict{fetcher.ClassThrottle, askLess, time.Minute}, true
	case "90001", "90003", "90004", "90005", "90006", "90007", "90008", "90009", "90010", "90011", "90012", "90013", "90014",
		"90017": // "temporarily disabled", for some minutes: a server, an organisation, its secret, an address
		return verdict{fetcher.ClassThrottle, askLess, 5 * time.Minute}, true
	case "90020", limit + "ApiCountLimitForOrg": // the monthly quota, from which requests for tokens are said to be exempt
		return verdict{fetcher.ClassThrottle, quota, time.Hour}, true
	case codeBlocked:
		return verdict{fetcher.ClassThrottle, blocked, 5 * time.Minute}, true
	}
	return verdict{}, false
}

// byStatus judges a reply whose code is unknown or missing.
func byStatus(status int) verdict {
	switch {
	case status == http.StatusTooManyRequests:
		return verdict{fetcher.ClassThrottle, askLess, time.Minute}
	case status >= 500:
		return verdict{fetcher.ClassTransient, "", 0}
	case status == http.StatusNotFound:
		return verdict{fetcher.ClassConfig, checkURL, 0}
	case status == http.StatusProxyAuthRequired:
		return verdict{fetcher.ClassConfig, "give the proxy its user and password, or go around it with NO_PROXY", 0}
	}
	return verdict{fetcher.ClassUnknown, "", 0}
}
