package fetcher

import (
	"fmt"
	"strings"
	"time"
)

// A Class says what kind of failure a [SourceError] is, and so who has to act. It is decided by the vendor's code and the
// HTTP status, never by the wording of a message. Its value is stable and may be used as a label.
type Class string

const (
	// ClassCredential means that the vendor does not accept the app key or secret. It stays so until somebody changes them.
	ClassCredential Class = "credential"
	// ClassConfig means that the vendor refuses for a reason that somebody must change, here or at the vendor: an address that is
	// not in the white list, a permission, a wrong URL.
	ClassConfig Class = "config"
	// ClassThrottle means that the vendor was asked too often. It passes by itself, mostly after RetryAfter.
	ClassThrottle Class = "throttle"
	// ClassTransient means that the vendor could not be reached or could not answer. It passes by itself.
	ClassTransient Class = "transient"
	// ClassProtocol means that a reply came which is not what the vendor documents: no JSON, no token, an impossible life.
	ClassProtocol Class = "protocol"
	// ClassUnknown means that the vendor refused with a code that larder does not know.
	ClassUnknown Class = "unknown"
)

// A Reason says more exactly than the class what somebody has to see to. Its value is stable and may be used as a label.
type Reason string

const (
	// ReasonAddress means that the vendor does not take requests from this server's address: it is not in the app's white list.
	ReasonAddress Reason = "address"
	// ReasonPermission means that the app may not do this.
	ReasonPermission Reason = "permission"
	// ReasonQuota means that a day's or a month's number of calls is used up, which does not pass in minutes.
	ReasonQuota Reason = "quota"
	// ReasonNetwork means that no complete reply of the vendor arrived.
	ReasonNetwork Reason = "network"
)

// A SourceError says why a source gave no token. It contains neither secrets nor tokens, whichever field is printed.
type SourceError struct {
	Source     string        // which source: its Info.Name
	Class      Class         // what kind of failure
	Reason     Reason        // what exactly, "" if the class says all
	Code       string        // the vendor's code as the vendor writes it, "" if the reply had none
	Status     int           // the HTTP status, 0 if no reply arrived
	Message    string        // what happened: the vendor's words on one line and cut to 300 characters, or larder's
	Advice     string        // what to do next, "" if nothing is known to help
	RequestID  string        // the vendor's name for the request, to quote to its support; "" if the reply had none
	RetryAfter time.Duration // how long a retry should wait, 0 if the vendor does not say
	Err        error         // a cause that is safe to print, for errors.Is; mostly nil
}

// Error returns one line: who, what, the codes, and what to do next.
func (e *SourceError) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	b.WriteString(": ")
	b.WriteString(e.Message)
	var facts []string
	if e.Code != "" {
		facts = append(facts, "code "+e.Code)
	}
	if e.Status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.RequestID != "" {
		facts = append(facts, "request "+e.RequestID)
	}
	if len(facts) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(facts, ", "))
	}
	if e.Advice != "" {
		b.WriteString(": ")
		b.WriteString(e.Advice)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *SourceError) Unwrap() error { return e.Err }

// Retryable reports whether the same request can succeed later without anybody changing anything.
func (e *SourceError) Retryable() bool { return e.Class == ClassThrottle || e.Class == ClassTransient }
