package fetchertest

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"time"
)

// NewWeChat starts a fake of WeChat's official accounts and mini programs (公众号, 小程序). Close stops it.
//
//   - GET /cgi-bin/token hands out a new token each time and ends the former one 5 minutes later.
//   - POST /cgi-bin/stable_token hands out another, which does not affect the first: the same with what remains of its life, and a new one in
//     its last 5 minutes, which the former one still lives to its end.
//   - GET /cgi-bin/ticket/getticket?type=jsapi (or wx_card) hands out the tickets, a new one each time.
//   - Every other path below /cgi-bin/ is an API that needs one of the tokens.
//
// The shapes are those of https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Get_access_token.html, of the page on
// stable_token, and of replies that people report.
func NewWeChat(opts ...Option) *Fake { return start(&weChat, opts) }

var weChat = vendor{
	name: "wechat", key: "wx0123456789abcdef", secret: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
	credentials: func(r *http.Request, body []byte) (key, secret string) {
		if r.URL.Path == stableToken {
			return fields(body, "appid", "secret")
		}
		return r.URL.Query().Get("appid"), r.URL.Query().Get("secret")
	},
	answer:   answerWeChat,
	refuse:   weChatRefusal,
	echoCode: func(*http.Request) string { return "40002" },
	token: func(value string, seconds int) http.HandlerFunc {
		return reply(`{"access_token":"%s","expires_in":%d}`, value, seconds)
	},
	refusals: map[string]http.HandlerFunc{
		SystemBusy.Name:     weChatRefusal("-1", "system error"),
		BadCredentials.Name: weChatRefusal("40125", "invalid appsecret"),
		BadCorpID.Name:      weChatRefusal("40013", "invalid appid"),
		MissingKey.Name:     weChatRefusal("41002", "appid missing"),
		MissingSecret.Name:  weChatRefusal("41004", "appsecret missing"),
		WantGet.Name:        weChatRefusal("43001", "require GET method"),
		NoSuchAPI.Name:      Reply("", 404, "text/html", "<html><head><title>404 Not Found</title></head></html>").Handler,
		AppThrottled.Name:   weChatRefusal("45011", "api minute-quota reach limit, must slower, retry next minute"),
		NoPermission.Name:   weChatRefusal("48001", "api unauthorized"),
		IPNotInWhiteList.Name: func(w http.ResponseWriter, r *http.Request) {
			ip, _, _ := net.SplitHostPort(r.RemoteAddr)
			weChatRefusal("40164", "invalid ip "+ip+" ipv6 ::ffff:"+ip+", not in whitelist")(w, r)
		},
		TokenMissing.Name: weChatRefusal("41001", "access_token missing"),
		TokenRejected.Name: weChatRefusal("40001", "invalid credential, access_token is invalid or not latest, could get access_token by "+
			"getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"),
		TokenExpired.Name: weChatRefusal("42001", "access_token expired"),
	},
}

const stableToken = "/cgi-bin/stable_token"

// weChatRefusal names the request at the end of the message, as WeChat does.
func weChatRefusal(code, message string) http.HandlerFunc {
	return errCode(code, message+" rid: 655d878c-2e41a3f4-65f9b9ba")
}

func answerWeChat(f *Fake, q *request) (outcome string, answer http.HandlerFunc) {
	token := q.URL.Query().Get("access_token")
	switch path := q.URL.Path; {
	case path == "/cgi-bin/token":
		return giveWeChat(f, q, "token", q.URL.Query().Get("grant_type"), renewal{ends: 5 * time.Minute})
	case path == stableToken && q.Method != http.MethodPost:
		return "code 43002", weChatRefusal("43002", "require POST method")
	case path == stableToken:
		var in struct {
			GrantType string `json:"grant_type"`
		}
		_ = json.Unmarshal(q.body, &in)
		return giveWeChat(f, q, "stable", in.GrantType, renewal{keeps: 5 * time.Minute})
	case path == "/cgi-bin/ticket/getticket":
		_, app := f.check(token, q.now)
		return f.ticket(q, token, subject{"ticket " + q.URL.Query().Get("type"), app.key}, renewal{})
	case strings.HasPrefix(path, "/cgi-bin/"):
		return f.use(q, token, "", reply(`{"errcode":0,"errmsg":"ok"}`))
	}
	return f.refuse(NoSuchAPI)
}

func giveWeChat(f *Fake, q *request, kind, grantType string, rule renewal) (outcome string, answer http.HandlerFunc) {
	switch {
	case grantType != "client_credential":
		return "code 40002", weChatRefusal("40002", "invalid grant_type")
	case q.key == "":
		return f.refuse(MissingKey)
	case q.secret == "":
		return f.refuse(MissingSecret)
	case f.secrets[q.key] == nil:
		return f.refuse(BadCorpID)
	case !f.knows(q.key, q.secret):
		return f.refuse(BadCredentials)
	}
	value, seconds := f.give(subject{kind, q.key}, rule, q.now, func() string { return "99_" + random(133) })
	return "token", f.vendor.token(value, seconds)
}
