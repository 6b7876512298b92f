package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// A Dialect is how a vendor writes its replies to a request for a token. All vendors answer with a JSON object, which holds either
// the token and its life or a code; the names differ, and what the codes mean.
type Dialect struct {
	Vendor string // as people call it

	Token string // the field with the token
	Life  string // the field with its life in seconds

	// DefaultLife is the life of a token whose reply states none, or one that is longer than LongestLife.
	DefaultLife, LongestLife time.Duration

	// Refusal finds what the reply says against the request. Its code is "" if it says nothing.
	Refusal func(Object) Refusal

	// Judge tells what a code means, and whether it is known.
	Judge func(code string) (Meaning, bool)

	// Page is what a web page means that comes instead of a reply, with a status that does not explain it.
	Page Meaning

	// Status judges a refusal whose code is unknown or missing before the rules do that hold for everybody. May be nil.
	Status func(status int) (Meaning, bool)
}

// A Refusal is a vendor's no, in its own words.
type Refusal struct{ Code, Message, RequestID string }

// A Meaning is what a refusal means for the one who asked.
type Meaning struct {
	Class      fetcher.Class
	Reason     fetcher.Reason
	Advice     string
	RetryAfter time.Duration
}

// Advice that fits every vendor.
const (
	CheckURL  = "check the base URL and which API is configured"
	CheckWay  = "check the base URL, and that no proxy on the way changes the request"
	AskLess   = "ask less often: look for other programs that fetch this app's token"
	TryAgain  = "try again in a moment; if it stays, ask the vendor"
	proxyAuth = "give the proxy its user and password, or go around it with NO_PROXY"
)

// Parse returns the token in a reply, or why there is none. The token is one that Check accepts.
func (d *Dialect) Parse(reply Reply) (fetcher.Token, *fetcher.SourceError) {
	o, ok := ParseObject(reply.Body)
	if !ok {
		return fetcher.Token{}, d.noObject(reply)
	}
	refusal := d.Refusal(o)
	if failure := d.refused(reply, refusal); failure != nil {
		failure.Message, failure.Code, failure.RequestID = o.redact(failure.Message), o.redact(failure.Code), o.redact(failure.RequestID)
		return fetcher.Token{}, failure
	}
	t, reason := d.token(o)
	if reason != "" {
		failure := Fail(reply, Meaning{Class: fetcher.ClassProtocol, Advice: CheckWay}, reason)
		failure.RequestID = o.redact(cmp.Or(refusal.RequestID, failure.RequestID))
		return fetcher.Token{}, failure
	}
	return t, nil
}

// refused returns the error that the reply reports, nil if it reports none.
func (d *Dialect) refused(reply Reply, refusal Refusal) *fetcher.SourceError {
	m, known := d.Judge(refusal.Code)
	if !known || refusal.Code == "" {
		if refusal.Code == "" && reply.Status/100 == 2 {
			return nil
		}
		m = d.byStatus(reply.Status)
	}
	failure := Fail(reply, m, cmp.Or(refusal.Message, "refused without a message"))
	failure.Code, failure.RequestID = refusal.Code, cmp.Or(refusal.RequestID, failure.RequestID)
	return failure
}

// token returns the reply's token, or why it cannot be used.
func (d *Dialect) token(o Object) (t fetcher.Token, reason string) {
	if json.Unmarshal(o.raw(d.Token), &t.Value) != nil {
		return fetcher.Token{}, "the reply has no token that is a string"
	}
	switch strings.ToLower(t.Value) {
	case "null", "undefined", "nil", "none", "nan", "true", "false": // what programs print that had no token
		return fetcher.Token{}, fmt.Sprintf("the token is the word %q", t.Value)
	}
	life, ok := d.life(o.Text(d.Life))
	if !ok {
		return fetcher.Token{}, fmt.Sprintf("the token's life is %.20q, want a number of seconds above 0", o.redact(o.Text(d.Life)))
	}
	t.ExpiresIn = life
	if err := t.Check(); err != nil {
		return fetcher.Token{}, err.Error()
	}
	return t, ""
}

// life returns the life that a reply states, and false if it states one that no token can have. It may be a number or a text, but in
// either a JSON number: strconv alone takes 0x1p4, 1_000 and infinity too.
func (d *Dialect) life(stated string) (time.Duration, bool) {
	if stated == "" {
		return d.DefaultLife, d.DefaultLife > 0
	}
	if !strings.ContainsRune("-0123456789", rune(stated[0])) || !json.Valid([]byte(stated)) {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(stated, 64) // of 1e999 it returns infinity, and an error
	switch {
	case seconds > d.LongestLife.Seconds():
		return d.DefaultLife, d.DefaultLife > 0
	case err != nil, seconds <= 0:
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// noObject judges a reply that is no JSON object. Its text is not repeated: it can be a whole page.
func (d *Dialect) noObject(reply Reply) *fetcher.SourceError {
	m := d.byStatus(reply.Status)
	var message string
	switch {
	case len(reply.Body) == 0:
		message = "the reply is empty"
	case reply.Body[0] == '<' || strings.HasPrefix(reply.ContentType, "text/html"):
		message = "the reply is a web page, of " + d.Vendor + "'s firewall or of a proxy on the way"
		if m.Class == fetcher.ClassUnknown {
			m = d.Page
		}
	case reply.Body[0] == '{':
		message = "the reply is broken JSON, or cut off"
	default:
		message = fmt.Sprintf("the reply is no JSON object (content type %.40q)", reply.ContentType)
	}
	if m.Class == fetcher.ClassUnknown || m.Class == "" {
		m = Meaning{Class: fetcher.ClassProtocol, Advice: CheckWay}
	}
	return Fail(reply, m, message)
}

// byStatus judges a reply whose code is unknown or missing.
func (d *Dialect) byStatus(status int) Meaning {
	if d.Status != nil {
		if m, ok := d.Status(status); ok {
			return m
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return Meaning{Class: fetcher.ClassThrottle, Advice: AskLess, RetryAfter: time.Minute}
	case status >= 500:
		return Meaning{Class: fetcher.ClassTransient}
	case status == http.StatusNotFound:
		return Meaning{Class: fetcher.ClassConfig, Advice: CheckURL}
	case status == http.StatusProxyAuthRequired:
		return Meaning{Class: fetcher.ClassConfig, Advice: proxyAuth}
	}
	return Meaning{Class: fetcher.ClassUnknown}
}

// Fail returns the error for a reply that means m.
func Fail(reply Reply, m Meaning, message string) *fetcher.SourceError {
	retryAfter := cmp.Or(reply.RetryAfter, m.RetryAfter)
	if m.Class == fetcher.ClassThrottle {
		retryAfter = max(retryAfter, time.Second) // no vendor's limit is over sooner
	}
	return &fetcher.SourceError{
		Class: m.Class, Reason: m.Reason, Status: reply.Status, Message: message, Advice: m.Advice, RetryAfter: retryAfter,
		// Feishu's and DingTalk's, which they ask for
		RequestID: cmp.Or(reply.Header.Get("X-Tt-Logid"), reply.Header.Get("X-Acs-Request-Id"), reply.Header.Get("X-Request-Id")),
	}
}

// An Object is a reply's JSON object. Its fields may have any type, and any case: some of the vendors' gateways write them
// otherwise than the APIs behind them.
type Object map[string]json.RawMessage

// ParseObject returns the object that body is, and whether it is one. A web page never is.
func ParseObject(body []byte) (Object, bool) {
	var o Object
	err := json.Unmarshal(body, &o)
	return o, err == nil && o != nil // null is no error
}

func (o Object) raw(name string) json.RawMessage {
	if raw, ok := o[name]; ok {
		return raw
	}
	for key, raw := range o {
		if strings.EqualFold(key, name) {
			return raw
		}
	}
	return nil
}

// Text returns a field that is a JSON string as its text, another as JSON writes it, "" for null or nothing, and "(object)" for an
// object or a list, which may hold anything and is not shown.
func (o Object) Text(name string) string {
	raw := o.raw(name)
	if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') {
		return object
	}
	var s string
	if json.Unmarshal(raw, &s) == nil { // null leaves s empty
		return strings.TrimSpace(s)
	}
	return string(raw)
}

const object = "(object)"

// Words returns a field that is a message, and "" for an object or a list.
func (o Object) Words(name string) string {
	if s := o.Text(name); s != object {
		return s
	}
	return ""
}

// Code returns a field that is a code, "" if it is one of those that mean success.
func (o Object) Code(name string) string {
	if code := o.Text(name); code != "0" {
		return code
	}
	return ""
}

// redact takes the reply's tokens out of a text that the vendor wrote, whatever they are called.
func (o Object) redact(s string) string {
	for name := range o {
		lower := strings.ToLower(name)
		if !strings.Contains(lower, "token") && !strings.Contains(lower, "ticket") {
			continue
		}
		if token := o.Text(name); len(token) >= 16 { // shorter ones are none, and may be part of ordinary words
			s = Redact(s, token)
		}
	}
	return s
}

// ErrCode finds what WeCom and WeChat say against a request: an errcode other than 0, with HTTP 200. WeChat names the request at the end
// of the message, as "rid: …".
func ErrCode(o Object) Refusal {
	r := Refusal{Code: o.Code("errcode"), Message: o.Words("errmsg")}
	if at := strings.LastIndex(r.Message, "rid: "); at >= 0 {
		r.RequestID = r.Message[at+len("rid: "):]
		r.Message = strings.TrimSpace(r.Message[:at])
	}
	return r
}
