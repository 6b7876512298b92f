package dingtalk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/fetcher/internal/wire"
)

// A body has the fields of every shape that either host answers with: the older host's errcode, the gateway's sub_code before
// it, the newer host's code (in some replies Code, which encoding/json takes too), and the firewall's status. The hosts mix
// them: a wrong path on the newer one is answered in the older shape. A field may have any type.
type body struct {
	ErrCode   json.RawMessage `json:"errcode"`
	ErrMsg    json.RawMessage `json:"errmsg"`
	SubCode   json.RawMessage `json:"sub_code"`
	SubMsg    json.RawMessage `json:"sub_msg"`
	RequestID json.RawMessage `json:"request_id"`
	Token     json.RawMessage `json:"access_token"`
	ExpiresIn json.RawMessage `json:"expires_in"`

	V1Code      json.RawMessage `json:"code"`
	V1Message   json.RawMessage `json:"message"`
	V1RequestID json.RawMessage `json:"requestid"`
	V1Token     json.RawMessage `json:"accessToken"`
	V1ExpiresIn json.RawMessage `json:"expireIn"`

	FirewallStatus json.RawMessage `json:"status"`
}

// parse returns the token in a reply, or why there is none.
func (api API) parse(reply wire.Reply) (fetcher.Token, *fetcher.SourceError) {
	var b body
	if err := json.Unmarshal(reply.Body, &b); err != nil {
		return fetcher.Token{}, notJSON(reply)
	}
	token, life := b.Token, b.ExpiresIn
	if api == V1 {
		token, life = b.V1Token, b.V1ExpiresIn
	}
	if failure := b.refusal(reply); failure != nil {
		failure.Message, failure.Code, failure.RequestID = b.redact(failure.Message), b.redact(failure.Code), b.redact(failure.RequestID)
		return fetcher.Token{}, failure
	}

	wrong := func(format string, args ...any) (fetcher.Token, *fetcher.SourceError) {
		failure := fail(reply, verdict{class: fetcher.ClassProtocol}, fmt.Sprintf(format, args...))
		failure.RequestID = b.redact(b.requestID())
		return fetcher.Token{}, failure
	}
	var t fetcher.Token
	if json.Unmarshal(token, &t.Value) != nil {
		return wrong("the reply has no token that is a string")
	}
	var ok bool
	if t.ExpiresIn, ok = lifetime(life); !ok {
		return wrong("the token's life is %.20q, want a number of seconds above 0", b.redact(text(life)))
	}
	if err := t.Check(); err != nil {
		return wrong("%v", err)
	}
	return t, nil
}

// refusal returns the error that the reply reports, nil if it reports none.
func (b *body) refusal(reply wire.Reply) *fetcher.SourceError {
	code := b.code()
	v, known := byCode(code)
	switch {
	case known:
	case code == "" && reply.Status < 300:
		return nil
	default:
		v = byStatus(reply.Status)
	}
	message := cmp.Or(words(b.SubMsg), words(b.ErrMsg), words(b.V1Message), "refused without a message")
	if code == codeBlocked {
		message = "DingTalk's firewall blocks this server's address"
	}
	failure := fail(reply, v, message)
	failure.Code, failure.RequestID = code, b.requestID()
	return failure
}

// code returns the code of a refusal, "" if the reply has none.
func (b *body) code() string {
	errCode, v1Code := text(b.ErrCode), text(b.V1Code)
	switch {
	case errCode == "88": // the gateway's, for whatever the API behind it says
		return cmp.Or(text(b.SubCode), errCode)
	case errCode != "" && errCode != "0":
		return errCode
	case v1Code != "" && v1Code != "0":
		return v1Code
	case text(b.FirewallStatus) == codeBlocked:
		return codeBlocked
	}
	return ""
}

// redact takes the reply's tokens, which either API may have put there, out of a text that the vendor wrote.
func (b *body) redact(s string) string {
	for _, token := range []string{text(b.Token), text(b.V1Token)} {
		if len(token) >= 16 { // shorter ones are none, and may be part of ordinary words
			s = wire.Redact(s, token)
		}
	}
	return s
}

// words returns a message that is text. One that is an object may hold anything.
func words(raw json.RawMessage) string {
	if s := text(raw); !strings.ContainsAny(s, "{[") || len(raw) > 0 && raw[0] == '"' {
		return s
	}
	return ""
}

func (b *body) requestID() string { return cmp.Or(text(b.RequestID), text(b.V1RequestID)) }

// notJSON judges a reply that is no JSON object. Its text is not repeated: it can be a whole page.
func notJSON(reply wire.Reply) *fetcher.SourceError {
	v := byStatus(reply.Status)
	var message string
	switch {
	case len(reply.Body) == 0:
		message = "the reply is empty"
	case reply.Body[0] == '<':
		message = "the reply is a web page, of DingTalk's firewall or of a proxy on the way"
		if v.class == fetcher.ClassUnknown {
			v, _ = byCode(codeBlocked)
		}
	case reply.Body[0] == '{':
		message = "the reply is broken JSON, or cut off"
	default:
		message = fmt.Sprintf("the reply is no JSON object (content type %.40q)", reply.ContentType)
	}
	if v.class == fetcher.ClassUnknown {
		v = verdict{fetcher.ClassProtocol, checkWay, 0}
	}
	return fail(reply, v, message)
}

func fail(reply wire.Reply, v verdict, message string) *fetcher.SourceError {
	return &fetcher.SourceError{
		Class:      v.class,
		Status:     reply.Status,
		Message:    message,
		Advice:     v.advice,
		RetryAfter: cmp.Or(reply.RetryAfter, v.retryAfter),
	}
}

// The life of a DingTalk token, and the longest that is believed.
const (
	documentedLife = 7200 * time.Second
	longestLife    = 24 * time.Hour
)

// lifetime returns the life that a reply states, and false if it states one that no token can have.
func lifetime(raw json.RawMessage) (time.Duration, bool) {
	stated := text(raw)
	if stated == "" {
		return documentedLife, true
	}
	seconds, err := strconv.ParseFloat(stated, 64) // of 1e999 it returns infinity, and an error
	switch {
	case seconds > longestLife.Seconds():
		return documentedLife, true
	case err != nil, math.IsNaN(seconds), seconds <= 0:
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// text returns a JSON string's text, another value as JSON writes it, and "" for null or nothing.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil { // null leaves s empty
		return strings.TrimSpace(s)
	}
	return string(raw)
}
