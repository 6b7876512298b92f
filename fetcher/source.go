package fetcher

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// A Source is where a token comes from: one app's credentials at one vendor. Its methods are safe for concurrent use.
type Source interface {
	// Fetch asks the vendor once, without retrying, and ends when ctx ends. A refusal, a reply that cannot be used and a
	// failed connection are a [*SourceError], so that callers can tell them apart. No error contains a secret or a token.
	Fetch(ctx context.Context) (Token, error)

	// Info describes the source. It is constant.
	Info() Info
}

// Info describes a [Source].
type Info struct {
	// Name says in messages which source it is, for example "dingtalk gettoken". It contains no secret.
	Name string

	// Margin is how much sooner than the vendor's expiry the row should expire, unless [WithMargin] says otherwise.
	Margin time.Duration

	// Life is how long the vendor's tokens live, as documented; 0 if that is not known.
	Life time.Duration

	// RefreshAhead is how long before the row expires the next token should be fetched, unless [WithRefreshAhead] says otherwise.
	RefreshAhead time.Duration

	// MaxRefreshAhead is the longest that is of use, whatever [WithRefreshAhead] says: sooner than this before the token's end the
	// vendor gives the same token again. 0 means that there is no such bound.
	MaxRefreshAhead time.Duration

	// Renewal is what asking again does to the token that was given before.
	Renewal Renewal

	// Overlap is how long the former token still works after a new one was given, where Renewal is NewOldDies.
	Overlap time.Duration

	// App says which app at which vendor the token is of, and stays the same when the app's secret changes. Two fetchers of one key whose
	// apps differ are noticed by it. It is stored in the shared state, so it contains no secret: see [Fingerprint]. "" is not checked.
	App string

	// Fingerprint changes when the credentials do, so that a refusal that was remembered ends with the configuration that it was
	// for. No secret can be learned from it: see [Fingerprint].
	Fingerprint string
}

// Checkable reports whether [Fetcher.Check] asks the vendor: whether a token that is asked for and thrown away leaves the one in use valid.
func (i Info) Checkable() bool { return i.Renewal.harmless() }

// A Renewal is what asking a vendor again does to the token that it gave before. It decides what is safe when the shared row or its
// lock cannot be used.
type Renewal int

const (
	// RenewalUnknown is treated as NewOldDies, the most careful of all.
	RenewalUnknown Renewal = iota
	// SameRenewed gives the same token with a whole new life (DingTalk's gettoken).
	SameRenewed
	// SameRemainder gives the same token with what remains of its life, until that is nearly over (WeChat's stable_token, Feishu).
	SameRemainder
	// NewOldValid gives a new token and leaves the former ones valid for their own lives (OAuth 2.0 as a rule).
	NewOldValid
	// NewOldDies gives a new token and ends the former one, at once or after [Info.Overlap] (WeChat's cgi-bin/token). Of such a
	// token there must be one fetcher in the world.
	NewOldDies
)

// Fingerprint returns 16 hexadecimal digits that differ when any of the parts does. It is 64 bits of a SHA-256, from which a vendor's random
// secret cannot be found; do not use it on passwords that people choose.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		_, _ = io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// A Parent is a token that another source needs in order to ask for its own, as the vendors' tickets do. A [*Fetcher] is one. Of a parent that has
// [Fetcher.Info] too, a ticket has the app: tickets of two apps, or of two kinds, that share a key are noticed then.
type Parent interface {
	// Token returns a token that can be used now.
	Token(ctx context.Context) (string, error)
	// Reject says that the vendor did not accept the token, and returns another one.
	Reject(ctx context.Context, token string) (string, error)
}

// A Scheme is how a vendor's APIs take a token and how they say that they do not accept it. Each vendor's package has its own.
type Scheme struct {
	// Inject puts the token into a request, where the vendor wants it. The request may be changed.
	Inject func(req *http.Request, token string)

	// Judge says what a reply means for the token that was sent. The body may have been cut after [JudgedBytes].
	Judge func(status int, header http.Header, body []byte) Verdict
}

// JudgedBytes is how much of a reply's body a [Scheme] gets to see.
const JudgedBytes = 64 << 10

// A Verdict is what a vendor's reply says about the token that was sent.
type Verdict int

const (
	// Accepted means that the reply does not blame the token.
	Accepted Verdict = iota
	// Rejected means that the token is invalid or expired: a new one may help.
	Rejected
	// WrongApp means that the token is good but another app's. A new one does not help; somebody has mixed up rows or keys.
	WrongApp
)

// A Token is a vendor's access token. Printing and logging it, with any verb, shows it masked, and JSON leaves it out: who needs
// the token reads Value. But of a struct's unexported fields package fmt cannot call the methods, and prints what they hold: keep the
// [*Fetcher] in such a field, which shows nothing, or a func() string, and no token.
type Token struct {
	// Value is what the vendor's API wants to be sent.
	Value string `json:"-"`

	// ExpiresIn is how much longer the token may be used. As a source returns it, it counts from the moment the request was
	// sent, because nobody knows when between then and the reply the vendor began to count.
	ExpiresIn time.Duration
}

// maxTokenBytes is what web servers commonly accept as one header line, so a longer token could not be used.
const maxTokenBytes = 8 << 10

// Check returns why the token cannot be used, or nil: it must have 1 to 8192 bytes, all of them printable ASCII without
// blanks, and life left. The error does not contain the token.
func (t Token) Check() error {
	switch {
	case t.Value == "":
		return errors.New("the token is empty")
	case len(t.Value) > maxTokenBytes:
		return fmt.Errorf("the token has %d bytes, more than %d", len(t.Value), maxTokenBytes)
	case t.ExpiresIn <= 0:
		return fmt.Errorf("the token has no life left (%v)", t.ExpiresIn)
	}
	for i := range len(t.Value) {
		if c := t.Value[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("the token has the byte 0x%02x at position %d, where only printable ASCII may stand", c, i)
		}
	}
	return nil
}

// String returns the masked token and its life.
func (t Token) String() string {
	return fmt.Sprintf("%s (expires in %v)", Mask(t.Value), t.ExpiresIn.Round(time.Second))
}

// Format prints the token as String does, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue returns what String does.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Mask returns the first 4 characters of a token and "…": enough to tell two tokens apart, too little to use one. Of a
// token with fewer than 16 characters it shows none.
func Mask(token string) string {
	if len(token) < 16 {
		return "…"
	}
	return token[:4] + "…"
}
