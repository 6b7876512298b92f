package fetchertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A Failure is a way in which DingTalk refuses, or in which a reply goes wrong on its way. [Reply] makes further ones, and so does
// a handler of one's own, which can read the request's body again.
type Failure struct {
	Name    string // as in Call.Outcome
	Handler http.HandlerFunc
}

// What DingTalk refuses with. The older API answers HTTP 200 and an errcode, the newer one HTTP 4xx or 5xx and a code; where a
// refusal is known from only one of them, the other answers with the nearest that it has.
//
// The shapes are those of DingTalk's documentation (https://open.dingtalk.com/document/orgapp/server-api-error-codes-1 and
// https://open.dingtalk.com/document/orgapp/invocation-frequency-limit) and of the live servers' replies to wrong credentials.
var (
	// SystemBusy passes by itself: the documentation says to try again, at most three times.
	SystemBusy = refusal("system busy", `{"errcode":-1,"errmsg":"系统繁忙"}`, 503, "systemBusy", "系统繁忙")

	// BadCredentials is the answer to an unknown app key or a wrong secret. Errcode 40096 is not documented, but live.
	BadCredentials = refusal("bad credentials", `{"errcode":40096,"errmsg":"不合法的appKey或appSecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")

	// BadCorpSecret is the answer to a wrong pair under the names corpid and corpsecret.
	BadCorpSecret = refusal("bad corpsecret", `{"errcode":40089,"errmsg":"不合法的corpid或corpsecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")

	// BadSecret and BadCorpID are documented for the older API.
	BadSecret = refusal("bad secret", `{"errcode":40001,"errmsg":"获取access_token时Secret错误，或者access_token无效"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
	BadCorpID = refusal("bad corpid", `{"errcode":40013,"errmsg":"不合法的corpid"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")

	// MissingKey and MissingSecret are the answers to a request that lacks a parameter, which is also what becomes of one
	// that sends them in a body.
	MissingKey = refusal("missing key", `{"errcode":40035,"errmsg":"缺少参数 corpid or appkey"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
	MissingSecret = refusal("missing secret", `{"errcode":40035,"errmsg":"缺少参数 corpsecret or appsecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")

	// MissingBody is the newer API's answer to a body that is not JSON.
	MissingBody = refusal("missing body",
		`{"errcode":40035,"errmsg":"不合法的参数"}`, 400, "Missingbody", "body is mandatory for this action.")

	// WantGet is the older API's answer to a POST.
	WantGet = refusal("want GET", `{"errcode":43001,"errmsg":"需要GET请求"}`, 404, notFoundCode, notFoundMessage)

	// IPNotInWhiteList names the caller's address and app.
	IPNotInWhiteList = Failure{"IP not in white list", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, _ := credentials(r, body)
		ip, _, _ := net.SplitHostPort(r.RemoteAddr)
		message := fmt.Sprintf("访问ip不在白名单之中,request ip=%s appKey(%s)", ip, key)
		if isV1(r) {
			writeV1(w, 403, "Forbidden.AccessDenied.IpNotInWhiteList", message)
			return
		}
		writeJSON(w, 200, fmt.Sprintf(`{"errcode":60020,"errmsg":%s}`, quote(message)))
	}}

	// NoSuchAPI is the answer to a wrong path: of the older API with HTTP 200.
	NoSuchAPI = refusal("no such API", `{"errcode":404,"errmsg":"请求的URI地址不存在"}`, 404, notFoundCode, notFoundMessage)

	// Gateway is the older API's gateway before the API: the errcode says nothing, the sub_code, a string, says what is wrong.
	Gateway = refusal("gateway",
		`{"errcode":88,"sub_code":"60020","sub_msg":"访问ip不在白名单之中","errmsg":"ding talk error[subcode=60020,submsg=访问ip不在白名单之中]","request_id":"16l4ew3d47pdp"}`,
		403, "Forbidden.AccessDenied.IpNotInWhiteList", "访问ip不在白名单之中")

	// AppThrottled is over after a second: the app calls this API more than 20 times a second.
	AppThrottled = refusal("app throttled", `{"errcode":90018,"errmsg":"您的应用调用该接口的频率超过了QPS限制"}`,
		403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "您的应用调用该接口的频率超过了QPS限制")

	// APIThrottled is over after a second: all of DingTalk's customers call this API too often.
	APIThrottled = refusal("API throttled", `{"errcode":90002,"errmsg":"该接口调用频率超过了QPS限制"}`,
		403, "Forbidden.AccessDenied.QpsLimitForApi", "该接口调用频率超过了QPS限制")

	// NoPermission comes with the HTTP status of throttling, and does not pass.
	NoPermission = refusal("no permission", `{"errcode":60011,"errmsg":"没有调用该接口的权限"}`,
		403, "Forbidden.AccessDenied.AccessTokenPermissionDenied", "应用尚未开通所需的权限：[qyapi_base]")

	// UnknownError is the newer API's answer when it does not know what is wrong.
	UnknownError = refusal("unknown error", `{"errcode":-1,"errmsg":"系统繁忙"}`, 500, "unknownError", "未知错误")

	// Blocked and BlockedPage are the firewall's answers, for 5 minutes, to an address that made more than 10,000 calls
	// within 20 seconds. Neither has an errcode: a reader that takes a missing one for 0 finds success with an empty token.
	Blocked = Reply("blocked", 200, "application/json",
		`{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"5d2f0c1b7a8e4f6d"}`)
	BlockedPage = Reply("blocked page", 200, "text/html; charset=utf-8",
		`<!DOCTYPE html><html><head><title>亲，访问被拒绝</title></head><body>punish deny x5</body></html>`)
)

// What else happens to requests.
var (
	// BadGateway is a proxy's page for a server that is down.
	BadGateway = Reply("bad gateway", 502, "text/html", "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")

	// TooManyRequests has a Retry-After of 7 seconds.
	TooManyRequests = Failure{"too many requests", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		writeJSON(w, http.StatusTooManyRequests, `{"code":"Throttling","message":"Request was denied due to flow control.","requestid":"`+requestID+`"}`)
	}}

	// EmptyToken is success with an empty token, which no vendor documents and every cache must refuse.
	EmptyToken = Failure{"empty token", tokenReply("", 7200e9)}

	// Truncated is a reply that ends early though its length is right.
	Truncated = Reply("truncated", 200, "application/json", `{"errcode":0,"access_token":"abcdef`)

	// TooLong is 10 MiB of JSON.
	TooLong = Failure{"too long", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, `{"errcode":0,"errmsg":"`)
		for range 10 << 10 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<10))
		}
		_, _ = io.WriteString(w, `"}`)
	}}

	// Redirect sends the client, with the secret, to another host.
	Redirect = Failure{"redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid"+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}}

	// Echo is a refusal whose message repeats the whole request, secret included.
	Echo = Failure{"echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		echo := quote(r.URL.RequestURI() + " " + string(body))
		if isV1(r) {
			writeJSON(w, http.StatusBadRequest, `{"code":"InvalidParameter","message":`+echo+`}`)
			return
		}
		writeJSON(w, http.StatusOK, `{"errcode":40035,"errmsg":`+echo+`}`)
	}}

	// Hang gives no reply until the client leaves.
	Hang = Failure{"hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}

	// Disconnect ends the connection instead of replying.
	Disconnect = Failure{"disconnect", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
)

// Failures returns all failures of this package.
func Failures() []Failure {
	return []Failure{
		SystemBusy, BadCredentials, BadCorpSecret, BadSecret, BadCorpID, MissingKey, MissingSecret, MissingBody, WantGet,
		IPNotInWhiteList, NoSuchAPI, Gateway, AppThrottled, APIThrottled, NoPermission, UnknownError, Blocked, BlockedPage,
		BadGateway, TooManyRequests, EmptyToken, Truncated, TooLong, Redirect, Echo, Hang, Disconnect,
	}
}

// Reply returns the failure that answers both APIs with the given reply.
func Reply(name string, status int, contentType, body string) Failure {
	return Failure{name, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}}
}

// refusal answers the older API with HTTP 200 and its body, the newer one with its status, code and message.
func refusal(name, older string, status int, code, message string) Failure {
	return Failure{name, func(w http.ResponseWriter, r *http.Request) {
		if isV1(r) {
			writeV1(w, status, code, message)
			return
		}
		writeJSON(w, http.StatusOK, older)
	}}
}

const (
	notFoundCode    = "InvalidAction.NotFound"
	notFoundMessage = "Specified api is not found, please check your url and method."
	requestID       = "30EE8654-7C2F-7B5A-9F3C-0A6F1D2B4C5E"
)

func writeV1(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("x-acs-request-id", requestID)
	writeJSON(w, status, fmt.Sprintf(`{"requestid":%q,"code":%q,"message":%s}`, requestID, code, quote(message)))
}

// quote writes text as a JSON string without escaping &, < and >, as DingTalk does.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // strings always encode
	return strings.TrimSpace(b.String())
}
