package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/larder-cache/larder/fetcher"
)

// A Spec is what makes a vendor's source.
type Spec struct {
	Info     fetcher.Info
	Subject  string // whose token it is: "app dingabc"
	Endpoint Endpoint
	Secrets  []Secret // what no error may contain

	// Request returns the request, which the endpoint's client sends.
	Request func(context.Context) (*http.Request, error)

	// Dialect reads the reply.
	Dialect *Dialect

	// Parent has the token that the request needs, and Scheme says how the vendor takes it. Without a Parent it needs none.
	Parent fetcher.Parent
	Scheme fetcher.Scheme
}

// A Source is what the vendors' sources have in common. Printing it, with any verb, does not show the secret.
type Source struct{ spec Spec }

// NewSource returns the source that spec describes.
func NewSource(spec Spec) Source { return Source{spec} }

// TicketApp returns the [fetcher.Info]'s App of a ticket of that kind: one for each app of the parent's, if the parent tells it as a
// [*fetcher.Fetcher] does, or else "", which is not checked.
func TicketApp(kind string, parent fetcher.Parent) string {
	p, ok := parent.(interface{ Info() fetcher.Info })
	if !ok || p.Info().App == "" {
		return ""
	}
	return fetcher.Fingerprint(kind, p.Info().App)
}

// TicketFingerprint returns the [fetcher.Info]'s Fingerprint of a ticket that is asked for as parts say. It changes with the parent's, if the parent
// tells that: a refusal of the app's credentials is one of its tickets too, and ends with them.
func TicketFingerprint(parent fetcher.Parent, parts ...string) string {
	if p, ok := parent.(interface{ Info() fetcher.Info }); ok {
		parts = append(parts, p.Info().Fingerprint)
	}
	return fetcher.Fingerprint(parts...)
}

// Info describes the source.
func (s Source) Info() fetcher.Info { return s.spec.Info }

// Fetch asks the vendor once, and a second time if it was the parent's token that the vendor did not accept. Its errors are a
// [*fetcher.SourceError].
func (s Source) Fetch(ctx context.Context) (fetcher.Token, error) {
	if s.spec.Parent == nil {
		token, _, failure := s.ask(ctx, "")
		return s.seal(token, failure)
	}
	credential, err := s.spec.Parent.Token(ctx)
	if err != nil {
		return s.seal(fetcher.Token{}, orphaned(err))
	}
	token, verdict, failure := s.ask(ctx, credential)
	if failure != nil && verdict == fetcher.Rejected {
		former := credential
		if credential, err = s.spec.Parent.Reject(ctx, former); err != nil {
			return s.seal(fetcher.Token{}, orphaned(err), former)
		}
		token, verdict, failure = s.ask(ctx, credential)
		return s.seal(token, blame(failure, verdict), former, credential)
	}
	return s.seal(token, blame(failure, verdict), credential)
}

// ask sends one request, with the parent's token if there is one, and also tells what the reply says of that token.
func (s Source) ask(ctx context.Context, credential string) (fetcher.Token, fetcher.Verdict, *fetcher.SourceError) {
	req, err := s.spec.Request(ctx)
	if err != nil {
		return fetcher.Token{}, fetcher.Accepted, &fetcher.SourceError{Class: fetcher.ClassConfig, Message: err.Error()}
	}
	if s.spec.Parent != nil {
		s.spec.Scheme.Inject(req, credential)
	}
	reply, failure := Do(s.spec.Endpoint.client, req)
	if failure != nil {
		return fetcher.Token{}, fetcher.Accepted, failure
	}
	verdict := fetcher.Accepted
	if s.spec.Parent != nil {
		verdict = s.spec.Scheme.Judge(reply.Status, reply.Header, reply.Body)
	}
	token, failure := s.spec.Dialect.Parse(reply)
	return token, verdict, failure
}

// blame says what a failure means that is the fault of the parent's token, which a new one did not mend.
func blame(failure *fetcher.SourceError, verdict fetcher.Verdict) *fetcher.SourceError {
	if failure == nil {
		return nil
	}
	switch verdict {
	case fetcher.Rejected:
		failure.Class = fetcher.ClassConfig
		failure.Advice = "the vendor refuses the app's token though it was just renewed: check that it is this vendor's and this app's, " +
			"and that no other program renews it"
	case fetcher.WrongApp:
		failure.Class = fetcher.ClassConfig
		failure.Advice = "the token is another app's: check which token is configured as this one's parent"
	}
	return failure
}

// orphaned is the failure to get the parent's token. It is of the kind that the parent's failure is, and says the same but for how long the
// parent remembers that: it is remembered itself.
func orphaned(err error) *fetcher.SourceError {
	failure := &fetcher.SourceError{
		Class:   fetcher.ClassTransient,
		Message: "there is no token to ask with: " + err.Error(),
		Err:     err,
	}
	var cause *fetcher.SourceError
	if errors.As(err, &cause) {
		failure.Message = fmt.Sprintf("there is no token to ask with: %s: %s", cause.Source, cause.Message)
		failure.Class, failure.Code, failure.Status, failure.RetryAfter = cause.Class, cause.Code, cause.Status, cause.RetryAfter
		failure.Advice, failure.RequestID = cause.Advice, cause.RequestID
	}
	return failure
}

func (s Source) seal(token fetcher.Token, failure *fetcher.SourceError, tokens ...string) (fetcher.Token, error) {
	if failure == nil {
		return token, nil
	}
	secrets := tokens
	for _, secret := range s.spec.Secrets {
		secrets = append(secrets, secret())
	}
	return fetcher.Token{}, Seal(failure, s.spec.Info.Name, secrets...)
}

// String names the API, the app and the server. An app's key is no secret: the vendors' own messages show it.
func (s Source) String() string {
	return fmt.Sprintf("%s of %s at %s", s.spec.Info.Name, s.spec.Subject, s.spec.Endpoint.base)
}

// Format prints the source as String does, whatever the verb.
func (s Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String does.
func (s Source) LogValue() slog.Value { return slog.StringValue(s.String()) }
