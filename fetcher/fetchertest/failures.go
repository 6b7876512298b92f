package fetchertest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Failure is a way in which a vendor refuses, or in which a reply goes wrong on its way. [Code] and [Reply] make further ones, and so does
// a handler of one's own, which can read the request's body again.
type Failure struct {
	Name string // as in Call.Outcome

	// Handler answers. Where it is nil, the fake answers with what its vendor says in this case.
	Handler http.HandlerFunc

	code, message string // of Code
}

// What vendors refuse with, each in its own way. [Fake.Failures] tells which of them a vendor has.
var (
	// SystemBusy passes by itself. The Chinese vendors say to try again, at most three times.
	SystemBusy = Failure{Name: "system busy"}

	// BadCredentials is the answer to an unknown app or a wrong secret.
	BadCredentials = Failure{Name: "bad credentials"}

	// MissingKey and MissingSecret are the answers to a request that lacks a parameter, which is also what becomes of one
	// that sends them in the wrong place.
	MissingKey    = Failure{Name: "missing key"}
	MissingSecret = Failure{Name: "missing secret"}

	// IPNotInWhiteList names the caller's address.
	IPNotInWhiteList = Failure{Name: "IP not in white list"}

	// NoSuchAPI is the answer to a wrong path.
	NoSuchAPI = Failure{Name: "no such API"}

	// AppThrottled means that the app asks too often.
	AppThrottled = Failure{Name: "app throttled"}

	// NoPermission means that the app may not do this. At DingTalk it comes with the HTTP status of throttling, and does not pass.
	NoPermission = Failure{Name: "no permission"}

	// TokenMissing, TokenRejected and TokenExpired are the answers of a vendor's other APIs to a token that is not there, wrong or revoked,
	// or old. WrongApp is the answer to a token that is good but another app's.
	TokenMissing  = Failure{Name: "token missing"}
	TokenRejected = Failure{Name: "token rejected"}
	TokenExpired  = Failure{Name: "token expired"}
	WrongApp      = Failure{Name: "another app's token"}
)

// What only DingTalk refuses with. The older API answers HTTP 200 and an errcode, the newer one HTTP 4xx or 5xx and a code; where a
// refusal is known from only one of them, the other answers with the nearest that it has.
var (
	// BadCorpSecret is the answer to a wrong pair under the names corpid and corpsecret.
	BadCorpSecret = Failure{Name: "bad corpsecret"}

	// BadSecret and BadCorpID are documented for the older API.
	BadSecret = Failure{Name: "bad secret"}
	BadCorpID = Failure{Name: "bad corpid"}

	// MissingBody is the newer API's answer to a body that is not JSON.
	MissingBody = Failure{Name: "missing body"}

	// WantGet is the older API's answer to a POST.
	WantGet = Failure{Name: "want GET"}

	// Gateway is the older API's gateway before the API: the errcode says nothing, the sub_code, a string, says what is wrong.
	Gateway = Failure{Name: "gateway"}

	// APIThrottled is over after a second: all of DingTalk's customers call this API too often.
	APIThrottled = Failure{Name: "API throttled"}

	// UnknownError is the newer API's answer when it does not know what is wrong.
	UnknownError = Failure{Name: "unknown error"}

	// Blocked and BlockedPage are the firewall's answers, for 5 minutes, to an address that made more than 10,000 calls
	// within 20 seconds. Neither has an errcode: a reader that takes a missing one for 0 finds success with an empty token.
	Blocked     = Failure{Name: "blocked"}
	BlockedPage = Failure{Name: "blocked page"}
)

// What else happens to requests, whoever the vendor is.
var (
	// BadGateway is a proxy's page for a server that is down.
	BadGateway = Reply("bad gateway", 502, "text/html", "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")

	// LoginPage is the page of a network that wants people to log in first, with HTTP 200.
	LoginPage = Reply("login page", 200, "text/html", "<!DOCTYPE html><html><head><title>Welcome to our network</title></head></html>")

	// TooManyRequests has a Retry-After of 7 seconds.
	TooManyRequests = Failure{Name: "too many requests", Handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		writeJSON(w, http.StatusTooManyRequests, `{"code":"Throttling","message":"Request was denied due to flow control.","requestid":"`+requestID+`"}`)
	}}

	// EmptyToken is success with an empty token, which no vendor documents and every cache must refuse.
	EmptyToken = Failure{Name: "empty token"}

	// Truncated is a reply that ends early though its length is right.
	Truncated = Reply("truncated", 200, "application/json", `{"errcode":0,"access_token":"abcdef`)

	// TooLong is 10 MiB of JSON.
	TooLong = Failure{Name: "too long", Handler: func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, `{"errcode":0,"errmsg":"`)
		for range 10 << 10 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<10))
		}
		_, _ = io.WriteString(w, `"}`)
	}}

	// Redirect sends the client, with the secret, to another host.
	Redirect = Failure{Name: "redirect", Handler: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.invalid"+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}}

	// Echo is a refusal whose message repeats the whole request, secret included.
	Echo = Failure{Name: "echo"}

	// Hang gives no reply until the client leaves.
	Hang = Failure{Name: "hang", Handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}

	// Disconnect ends the connection instead of replying.
	Disconnect = Failure{Name: "disconnect", Handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
)

// Failures returns all failures of this package. A DingTalk has every one of them.
func Failures() []Failure {
	return []Failure{
		SystemBusy, BadCredentials, BadCorpSecret, BadSecret, BadCorpID, MissingKey, MissingSecret, MissingBody, WantGet,
		IPNotInWhiteList, NoSuchAPI, Gateway, AppThrottled, APIThrottled, NoPermission, UnknownError, Blocked, BlockedPage,
		TokenMissing, TokenRejected, TokenExpired, WrongApp,
		BadGateway, LoginPage, TooManyRequests, EmptyToken, Truncated, TooLong, Redirect, Echo, Hang, Disconnect,
	}
}

// Failures returns the failures that this vendor has.
func (f *Fake) Failures() []Failure {
	var known []Failure
	for _, failure := range Failures() {
		if f.handler(failure) != nil {
			known = append(known, failure)
		}
	}
	return known
}

// Code returns the failure that is the vendor's refusal with any of its codes, in its own shape: for example "40164" of WeChat.
func Code(code, message string) Failure {
	return Failure{Name: "code " + code, code: code, message: message}
}

// Reply returns the failure that answers with the given reply.
func Reply(name string, status int, contentType, body string) Failure {
	return Failure{Name: name, Handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}}
}

// handler returns what answers with the failure, nil if the vendor has none.
func (f *Fake) handler(failure Failure) http.HandlerFunc {
	switch {
	case failure.Handler != nil:
		return failure.Handler
	case failure.code != "":
		return f.vendor.refuse(failure.code, failure.message)
	case failure.Name == EmptyToken.Name:
		return f.vendor.token("", 7200)
	case failure.Name == Echo.Name:
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			echo := fmt.Sprintf("%s %s %s", r.URL.RequestURI(), r.Header.Get("Authorization"), body)
			f.vendor.refuse(f.vendor.echoCode(r), echo)(w, r)
		}
	}
	return f.vendor.refusals[failure.Name]
}
