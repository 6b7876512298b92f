package fetchertest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

// NewDingTalk starts a fake of the two DingTalk servers, at one address: paths that begin with /v1.0/ are answered as
// api.dingtalk.com does, all others as oapi.dingtalk.com does. Close stops it.
//
//   - GET /gettoken and POST /v1.0/oauth2/accessToken hand out the token. While it lives, every request returns the same string and
//     starts its life anew; after its end the next request returns another. Both return the same token.
//   - GET /get_jsapi_ticket and POST /v1.0/oauth2/jsapiTickets hand out the ticket, a new one each time.
//   - Every path below /topapi/ and every other one below /v1.0/ is an API that needs the token. One that is asked about another app's
//     key, as the parameter agent_id, answers as DingTalk does to another app's token.
//
// The shapes are those of DingTalk's documentation (https://open.dingtalk.com/document/orgapp/server-api-error-codes-1 and
// https://open.dingtalk.com/document/orgapp/invocation-frequency-limit) and of the live servers' replies to wrong credentials.
func NewDingTalk(opts ...Option) *Fake { return start(&dingTalk, opts) }

var dingTalk = vendor{
	name: "dingtalk", key: "dingfakeappkey", secret: "fake-app-secret/not+for=use",
	credentials: dingTalkCredentials,
	answer:      answerDingTalk,
	refusals:    dingTalkRefusals,
	refuse: func(code, message string) http.HandlerFunc {
		return either(errCode(code, message), v1(400, code, message))
	},
	echoCode: func(r *http.Request) string {
		if isV1(r) {
			return "InvalidParameter"
		}
		return "40035"
	},
	token: func(value string, seconds int) http.HandlerFunc {
		return either(reply(`{"errcode":0,"access_token":"%s","errmsg":"ok","expires_in":%d}`, value, seconds),
			reply(`{"expireIn":%d,"accessToken":"%s"}`, seconds, value))
	},
}

func dingTalkCredentials(r *http.Request, body []byte) (key, secret string) {
	if isV1(r) {
		return fields(body, "appKey", "appSecret")
	}
	query := r.URL.Query()
	if key, secret = query.Get("appkey"), query.Get("appsecret"); key == "" && secret == "" {
		key, secret = query.Get("corpid"), query.Get("corpsecret")
	}
	return key, secret
}

func answerDingTalk(f *Fake, q *request) (outcome string, answer http.HandlerFunc) {
	switch path := q.URL.Path; {
	case path == "/gettoken", path == "/v1.0/oauth2/accessToken" && q.Method == http.MethodPost:
		if refusal := refuseDingTalk(f, q); refusal.Name != "" {
			return f.refuse(refusal)
		}
		value, seconds := f.give(subject{"token", q.key}, renewal{renews: true}, q.now, func() string {
			b := make([]byte, 16)
			_, _ = rand.Read(b) // never fails
			return hex.EncodeToString(b)
		})
		return "token", f.vendor.token(value, seconds)
	case path == "/get_jsapi_ticket", path == "/v1.0/oauth2/jsapiTickets" && q.Method == http.MethodPost:
		standing, of := f.check(dingTalkToken(q), q.now)
		if standing != good {
			return f.refuse(refused(standing))
		}
		value, seconds := f.give(subject{"ticket", of.key}, renewal{ends: time.Nanosecond}, q.now, func() string { return random(64) })
		return "ticket", either(reply(`{"errcode":0,"errmsg":"ok","ticket":"%s","expires_in":%d}`, value, seconds),
			reply(`{"jsapiTicket":"%s","expireIn":%d}`, value, seconds))
	case strings.HasPrefix(path, "/topapi/"), isV1(q.Request) && !strings.HasPrefix(path, "/v1.0/oauth2/"):
		return f.use(q, dingTalkToken(q), q.URL.Query().Get("agent_id"), either(
			reply(`{"errcode":0,"errmsg":"ok","result":{},"request_id":"16l4ew3d47pdp"}`), reply(`{"result":{}}`)))
	}
	return f.refuse(NoSuchAPI)
}

// refuseDingTalk returns what is wrong with a request for a token, or a Failure without a name.
func refuseDingTalk(f *Fake, q *request) Failure {
	matches := f.knows(q.key, q.secret)
	switch {
	case isV1(q.Request):
		if media, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")); media != "application/json" || len(q.body) == 0 {
			return MissingBody
		}
	case q.Method != http.MethodGet:
		return WantGet
	case q.key == "":
		return MissingKey
	case q.secret == "":
		return MissingSecret
	case !matches && q.URL.Query().Has("corpid"):
		return BadCorpSecret
	}
	if !matches {
		return BadCredentials
	}
	return Failure{}
}

// dingTalkToken returns the token that was sent, from the only place where the host in question looks.
func dingTalkToken(q *request) string {
	if isV1(q.Request) {
		return q.Header.Get("x-acs-dingtalk-access-token")
	}
	return q.URL.Query().Get("access_token")
}

// isV1 tells which of the two servers the request is for.
func isV1(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/v1.0/") }

// either answers a request for the older server with one handler, for the newer with the other.
func either(older, newer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if isV1(r) {
			newer(w, r)
			return
		}
		older(w, r)
	}
}

// v1 answers as the newer server refuses.
func v1(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-acs-request-id", requestID)
		writeJSON(w, status, fmt.Sprintf(`{"requestid":%q,"code":%q,"message":%s}`, requestID, code, quote(message)))
	}
}

// dingTalkRefusal answers the older API with HTTP 200 and its body, the newer one with its status, code and message.
func dingTalkRefusal(older string, status int, code, message string) http.HandlerFunc {
	return either(reply("%s", older), v1(status, code, message))
}

const (
	notFoundCode    = "InvalidAction.NotFound"
	notFoundMessage = "Specified api is not found, please check your url and method."

	badToken = `{"errcode":88,"sub_code":"40014","sub_msg":"不合法的access_token",` +
		`"errmsg":"ding talk error[subcode=40014,submsg=不合法的access_token]","request_id":"16l4ew3d47pdp"}`
)

var dingTalkRefusals = map[string]http.HandlerFunc{
	IPNotInWhiteList.Name: func(w http.ResponseWriter, r *http.Request) {
		ip, _, _ := net.SplitHostPort(r.RemoteAddr)
		body, _ := io.ReadAll(r.Body)
		key, _ := dingTalkCredentials(r, body)
		message := fmt.Sprintf("访问ip不在白名单之中,request ip=%s appKey(%s)", ip, key)
		either(errCode("60020", message), v1(403, "Forbidden.AccessDenied.IpNotInWhiteList", message))(w, r)
	},
	BlockedPage.Name: Reply("", 200, "text/html; charset=utf-8",
		`<!DOCTYPE html><html><head><title>亲，访问被拒绝</title></head><body>punish deny x5</body></html>`).Handler,
	Blocked.Name: Reply("", 200, "application/json",
		`{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"5d2f0c1b7a8e4f6d"}`).Handler,

	// An expired token mostly is "invalid", and rarely 42001.
	TokenRejected.Name: dingTalkRefusal(badToken, 400, "InvalidAuthentication", "不合法的access_token"),
	TokenExpired.Name:  dingTalkRefusal(badToken, 400, "InvalidAuthentication", "不合法的access_token"),
	TokenMissing.Name: dingTalkRefusal(`{"errcode":41001,"errmsg":"缺少access_token参数"}`,
		400, "AuthenticationFailed.MissingParameter", "x-acs-dingtalk-access-token is mandatory for this action."),
	WrongApp.Name: dingTalkRefusal(`{"errcode":41020,"errmsg":"accessToken中包含的appKey与agentId不一致"}`,
		400, "41020", "accessToken中包含的appKey与agentId不一致"),

	SystemBusy.Name: dingTalkRefusal(`{"errcode":-1,"errmsg":"系统繁忙"}`,
		503, "systemBusy", "系统繁忙"),
	// Errcode 40096 is not documented, but live.
	BadCredentials.Name: dingTalkRefusal(`{"errcode":40096,"errmsg":"不合法的appKey或appSecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	BadCorpSecret.Name: dingTalkRefusal(`{"errcode":40089,"errmsg":"不合法的corpid或corpsecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	BadSecret.Name: dingTalkRefusal(`{"errcode":40001,"errmsg":"获取access_token时Secret错误，或者access_token无效"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	BadCorpID.Name: dingTalkRefusal(`{"errcode":40013,"errmsg":"不合法的corpid"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	MissingKey.Name: dingTalkRefusal(`{"errcode":40035,"errmsg":"缺少参数 corpid or appkey"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	MissingSecret.Name: dingTalkRefusal(`{"errcode":40035,"errmsg":"缺少参数 corpsecret or appsecret"}`,
		400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret"),
	MissingBody.Name: dingTalkRefusal(`{"errcode":40035,"errmsg":"不合法的参数"}`,
		400, "Missingbody", "body is mandatory for this action."),
	WantGet.Name: dingTalkRefusal(`{"errcode":43001,"errmsg":"需要GET请求"}`,
		404, notFoundCode, notFoundMessage),
	NoSuchAPI.Name: dingTalkRefusal(`{"errcode":404,"errmsg":"请求的URI地址不存在"}`,
		404, notFoundCode, notFoundMessage),
	Gateway.Name: dingTalkRefusal(`{"errcode":88,"sub_code":"60020","sub_msg":"访问ip不在白名单之中","errmsg":"ding talk error[subcode=60020,submsg=访问ip不在白名单之中]","request_id":"16l4ew3d47pdp"}`,
		403, "Forbidden.AccessDenied.IpNotInWhiteList", "访问ip不在白名单之中"),
	AppThrottled.Name: dingTalkRefusal(`{"errcode":90018,"errmsg":"您的应用调用该接口的频率超过了QPS限制"}`,
		403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "您的应用调用该接口的频率超过了QPS限制"),
	APIThrottled.Name: dingTalkRefusal(`{"errcode":90002,"errmsg":"该接口调用频率超过了QPS限制"}`,
		403, "Forbidden.AccessDenied.QpsLimitForApi", "该接口调用频率超过了QPS限制"),
	NoPermission.Name: dingTalkRefusal(`{"errcode":60011,"errmsg":"没有调用该接口的权限"}`,
		403, "Forbidden.AccessDenied.AccessTokenPermissionDenied", "应用尚未开通所需的权限：[qyapi_base]"),
	UnknownError.Name: dingTalkRefusal(`{"errcode":-1,"errmsg":"系统繁忙"}`,
		500, "unknownError", "未知错误"),
}
