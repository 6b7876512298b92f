package fetchertest

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// NewWeCom starts a fake of WeCom (企业微信). Close stops it. Its AppKey is the organisation's id, and each of the organisation's secrets is
// an app with a token of its own; their agent ids are 1000002, 1000003 and so on.
//
//   - GET /cgi-bin/gettoken hands out the token: while it lives, the same with what remains of its life.
//   - GET /cgi-bin/get_jsapi_ticket and /cgi-bin/ticket/get?type=agent_config hand out the tickets, in the same way.
//   - Every other path below /cgi-bin/ is an API that needs the token. One that is asked about another app, as the parameter agentid,
//     answers as WeCom does to another app's token.
//
// The shapes are those of https://developer.work.weixin.qq.com/document/path/91039 and of the table of codes, …/path/90313.
func NewWeCom(opts ...Option) *Fake { return start(&weCom, opts) }

var weCom = vendor{
	name: "wecom", key: "ww0123456789abcdef", secret: "fake-corp-secret_not-for-use-0123456789abcd",
	credentials: func(r *http.Request, _ []byte) (key, secret string) {
		return r.URL.Query().Get("corpid"), r.URL.Query().Get("corpsecret")
	},
	answer:   answerWeCom,
	refuse:   weComRefusal,
	echoCode: func(*http.Request) string { return "40035" },
	token: func(value string, seconds int) http.HandlerFunc {
		return reply(`{"errcode":0,"errmsg":"ok","access_token":"%s","expires_in":%d}`, value, seconds)
	},
	refusals: map[string]http.HandlerFunc{
		SystemBusy.Name:     weComRefusal("-1", "system busy"),
		BadCredentials.Name: weComRefusal("40001", "invalid credential"),
		BadCorpID.Name:      weComRefusal("40013", "invalid corpid"),
		MissingKey.Name:     weComRefusal("41002", "corpid missing"),
		MissingSecret.Name:  weComRefusal("41004", "corpsecret missing"),
		NoSuchAPI.Name:      Reply("", 404, "text/html", "<html><head><title>404 Not Found</title></head></html>").Handler,
		AppThrottled.Name:   weComRefusal("45009", "api freq out of limit"),
		NoPermission.Name:   weComRefusal("60011", "no privilege to access/modify contact/party/agent"),
		IPNotInWhiteList.Name: func(w http.ResponseWriter, r *http.Request) {
			ip, _, _ := net.SplitHostPort(r.RemoteAddr)
			weComRefusal("60020", "not allow to access from your ip, from ip: "+ip)(w, r)
		},
		TokenMissing.Name:  weComRefusal("41001", "access_token missing"),
		TokenRejected.Name: weComRefusal("40014", "invalid access_token"),
		TokenExpired.Name:  weComRefusal("42001", "access_token expired"),
		WrongApp.Name:      weComRefusal("301002", "not allow operate another agent with this accesstoken"),
	},
}

// weComRefusal adds what WeCom adds to every message.
func weComRefusal(code, message string) http.HandlerFunc {
	return errCode(code, message+", hint: [1790000000123456789012345], from ip: 192.0.2.1, more info at https://open.work.weixin.qq.com/devtool/query?e="+code)
}

func answerWeCom(f *Fake, q *request) (outcome string, answer http.HandlerFunc) {
	rule := renewal{keeps: 1}
	token := q.URL.Query().Get("access_token")
	switch path := q.URL.Path; {
	case path == "/cgi-bin/gettoken":
		switch {
		case q.key == "":
			return f.refuse(MissingKey)
		case q.secret == "":
			return f.refuse(MissingSecret)
		case f.secrets[q.key] == nil:
			return f.refuse(BadCorpID)
		case !f.knows(q.key, q.secret):
			return f.refuse(BadCredentials)
		}
		agent := strconv.Itoa(1000002 + slices.Index(f.secrets[q.key], q.secret))
		value, seconds := f.give(subject{"token", agent}, rule, q.now, func() string { return random(214) })
		return "token", f.vendor.token(value, seconds)
	case path == "/cgi-bin/get_jsapi_ticket", path == "/cgi-bin/ticket/get" && q.URL.Query().Get("type") == "agent_config":
		of := subject{kind: "ticket"}
		if path == "/cgi-bin/ticket/get" {
			_, app := f.check(token, q.now)
			of.key = app.key
		}
		return f.ticket(q, token, of, rule)
	case strings.HasPrefix(path, "/cgi-bin/"):
		return f.use(q, token, q.URL.Query().Get("agentid"), reply(`{"errcode":0,"errmsg":"ok"}`))
	}
	return f.refuse(NoSuchAPI)
}

// ticket answers a request for a ticket in the way that WeCom and WeChat have in common.
func (f *Fake) ticket(q *request, token string, of subject, rule renewal) (outcome string, answer http.HandlerFunc) {
	if standing, _ := f.check(token, q.now); standing != good {
		return f.refuse(refused(standing))
	}
	value, seconds := f.give(of, rule, q.now, func() string { return "kgt8ON7yVITDhtdwci0qe" + random(65) })
	return "ticket", reply(`{"errcode":0,"errmsg":"ok","ticket":"%s","expires_in":%d}`, value, seconds)
}
