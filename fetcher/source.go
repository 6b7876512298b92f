package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
}

// A Token is a vendor's access token. Printing and logging it, with any verb, shows it masked, and JSON leaves it out: who needs
// the token reads Value.
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
