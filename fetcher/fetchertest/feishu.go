package fetchertest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// NewFeishu starts a fake of Feishu (飞书), which is one of Lark too. Close stops it.
//
//   - POST /open-apis/auth/v3/tenant_access_token/internal and …/app_access_token/internal hand out the tokens: the same one with what remains of
//     its life, and a new one in its last 30 minutes, which the former one still lives to its end.
//   - Every other path below /open-apis/ is an API that needs one of the tokens.
//
// The shapes are those of https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code and of replies that people report.
func NewFeishu(opts ...Option) *Fake { return start(&feishu, opts) }

var feishu = vendor{
	name: "feishu", key: "cli_0123456789abcdef", secret: "FakeAppSecretNotForUse0123456789",
	credentials: func(_ *http.Request, body []byte) (key, secret string) { return fields(body, "app_id", "app_secret") },
	answer:      answerFeishu,
	refuse:      func(code, message string) http.HandlerFunc { return feishuRefusal(200, code, message) },
	echoCode:    func(*http.Request) string { return "10003" },
	token: func(value string, seconds int) http.HandlerFunc {
		return reply(`{"code":0,"expire":%d,"msg":"ok","tenant_access_token":"%s"}`, seconds, value)
	},
	refusals: map[string]http.HandlerFunc{
		SystemBusy.Name:       feishuRefusal(200, "2200", "Internal Error"),
		BadCredentials.Name:   feishuRefusal(200, "10014", "app secret invalid"),
		BadCorpID.Name:        feishuRefusal(200, "10003", "invalid param"),
		MissingKey.Name:       feishuRefusal(200, "10003", "invalid param"),
		MissingSecret.Name:    feishuRefusal(200, "10003", "invalid param"),
		NoSuchAPI.Name:        Reply("", 404, "text/plain", "404 page not found").Handler,
		IPNotInWhiteList.Name: feishuRefusal(400, "99991401", "ip is denied by app setting"),
		NoPermission.Name:     feishuRefusal(400, "99991672", "Access denied. One of the following scopes is required: [contact:contact.base:readonly]."),
		AppThrottled.Name: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("x-ogw-ratelimit-limit", "100")
			w.Header().Set("x-ogw-ratelimit-reset", "23")
			feishuRefusal(400, "99991400", "request trigger frequency limit")(w, r)
		},
		TokenMissing.Name:  feishuRefusal(400, "99991661", "Missing access token for authorization. Please make a request with token attached."),
		TokenRejected.Name: feishuRefusal(400, "99991663", "Invalid access token for authorization. Please make a request with token attached."),
		TokenExpired.Name:  feishuRefusal(400, "99991663", "Invalid access token for authorization. Please make a request with token attached."),
	},
}

func feishuRefusal(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Tt-Logid", "20260917101112AB34CD56EF7890123456")
		writeJSON(w, status, fmt.Sprintf(`{"code":%s,"msg":%s}`, code, quote(message)))
	}
}

func answerFeishu(f *Fake, q *request) (outcome string, answer http.HandlerFunc) {
	const auth = "/open-apis/auth/v3/"
	switch path := q.URL.Path; {
	case path == auth+"tenant_access_token/internal" && q.Method == http.MethodPost, path == auth+"app_access_token/internal" && q.Method == http.MethodPost:
		switch {
		case q.key == "" || q.secret == "":
			return f.refuse(MissingKey)
		case f.secrets[q.key] == nil:
			return f.refuse(BadCorpID)
		case !f.knows(q.key, q.secret):
			return f.refuse(BadCredentials)
		}
		rule := renewal{keeps: 30 * time.Minute}
		tenant, seconds := f.give(subject{"tenant", q.key}, rule, q.now, func() string { return "t-g1044" + random(35) })
		if strings.HasPrefix(path, auth+"tenant") {
			return "token", f.vendor.token(tenant, seconds)
		}
		app, seconds := f.give(subject{"app", q.key}, rule, q.now, func() string { return "a-6U1Sbd" + random(34) })
		return "token", reply(`{"app_access_token":"%s","code":0,"expire":%d,"msg":"ok","tenant_access_token":"%s"}`, app, seconds, tenant)
	case strings.HasPrefix(path, "/open-apis/") && !strings.HasPrefix(path, auth):
		token, _ := strings.CutPrefix(q.Header.Get("Authorization"), "Bearer ")
		if strings.HasPrefix(token, "a-") {
			if standing, _ := f.check(token, q.now); standing != good {
				return TokenRejected.Name, feishuRefusal(400, "99991664", "Invalid app token for authorization.")
			}
		}
		return f.use(q, token, "", reply(`{"code":0,"data":{},"msg":"success"}`))
	}
	return f.refuse(NoSuchAPI)
}
