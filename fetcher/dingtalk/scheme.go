package dingtalk

import (
	"net/http"
	"regexp"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// Scheme returns how DingTalk's APIs take a token. The newer host wants it in the header x-acs-dingtalk-access-token and refuses
// it anywhere else, the older one only looks at the parameter access_token. A request is for the newer host if its path has a
// version like /v1.0/, so that a proxy or a fake before both works.
func Scheme() fetcher.Scheme {
	return fetcher.Scheme{Inject: inject, Judge: judge}
}

var version = regexp.MustCompile(`/v[0-9]+\.[0-9]+/`)

func inject(req *http.Request, token string) {
	if version.MatchString(req.URL.Path) {
		req.Header.Set("x-acs-dingtalk-access-token", token)
		return
	}
	wire.SetQuery(req, "access_token", token)
}

// judge goes by the code, because the status says little: the older host answers HTTP 200 whatever happens, the newer one 400 to a
// bad token. An expired token mostly is a 40014, "invalid".
func judge(status int, _ http.Header, body []byte) fetcher.Verdict {
	o, _ := wire.ParseObject(body)
	c := code(o)
	switch c {
	case "40014", "42001", "40001", "33001", "InvalidAuthentication", "accesstoken.expired":
		return fetcher.Rejected
	case "40000": // "access_token is blank", if it is the gateway that says so
		if o.Text("errcode") == "88" {
			return fetcher.Rejected
		}
	case "41020": // the app key in the token does not fit the agent id in the request
		return fetcher.WrongApp
	case "41001", "60011", "60020", "AuthenticationFailed.MissingParameter", limit + "AccessTokenPermissionDenied", limit + "IpNotInWhiteList":
		return fetcher.Accepted // whatever the status
	}
	if status == http.StatusUnauthorized {
		return fetcher.Rejected
	}
	return fetcher.Accepted
}
