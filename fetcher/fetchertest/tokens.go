package fetchertest

import (
	"crypto/rand"
	"encoding/base64"
	"math"
	"net/http"
	"time"
)

// A subject is what a vendor has one token for: an app, and which of the app's tokens and tickets.
type subject struct{ kind, key string }

// A token is one that the fake gave, or a ticket.
type token struct {
	value   string
	expires time.Time
	revoked bool
}

func (t *token) lives(now time.Time) bool { return !t.revoked && t.expires.After(now) }

// A renewal is what a vendor does when it is asked again.
type renewal struct {
	// renews starts the life of the living token anew.
	renews bool
	// keeps gives the living token again until less than this is left of its life. 0 gives a new one each time.
	keeps time.Duration
	// ends is how much longer a former token lives at most. 0 lets it live on.
	ends time.Duration
}

// give returns the subject's token and its life, and makes one with mint if need be. The fake is locked.
func (f *Fake) give(s subject, rule renewal, now time.Time, mint func() string) (value string, seconds int) {
	given := f.tokens[s]
	if n := len(given); n > 0 && given[n-1].lives(now) {
		last := given[n-1]
		switch {
		case rule.renews:
			last.expires = now.Add(f.life)
			return last.value, ceil(f.life)
		case rule.keeps > 0 && last.expires.Sub(now) >= rule.keeps:
			return last.value, ceil(last.expires.Sub(now))
		case rule.ends > 0 && last.expires.After(now.Add(rule.ends)):
			last.expires = now.Add(rule.ends)
		}
	}
	t := &token{value: mint(), expires: now.Add(f.life)}
	f.tokens[s] = append(given, t)
	return t.value, ceil(f.life)
}

func ceil(life time.Duration) int { return int(math.Ceil(life.Seconds())) }

// A standing is what the fake thinks of a token that was sent to it.
type standing int

const (
	good standing = iota
	missing
	unknown // or revoked, or ended by a newer one
	expired
)

// check returns what a token that was sent is worth, and whose it is. The fake is locked.
func (f *Fake) check(value string, now time.Time) (standing, subject) {
	if value == "" {
		return missing, subject{}
	}
	for s, given := range f.tokens {
		for _, t := range given {
			switch {
			case t.value != value:
			case t.revoked || f.distrusted[value]:
				return unknown, s
			case !t.expires.After(now):
				return expired, s
			default:
				return good, s
			}
		}
	}
	return unknown, subject{}
}

// refused returns the failure for a token that is not good.
func refused(s standing) Failure {
	return map[standing]Failure{missing: TokenMissing, unknown: TokenRejected, expired: TokenExpired}[s]
}

// use answers a request to one of the vendor's other APIs, about an app if one is named, with success if the token is good for it.
func (f *Fake) use(q *request, token, about string, success http.HandlerFunc) (outcome string, answer http.HandlerFunc) {
	standing, of := f.check(token, q.now)
	switch {
	case standing != good:
		return f.refuse(refused(standing))
	case about != "" && about != of.key:
		return f.refuse(WrongApp)
	}
	return "ok", success
}

// Revoke ends a token before its time. Who asks for one then gets another.
func (f *Fake) Revoke(value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, given := range f.tokens {
		for _, t := range given {
			t.revoked = t.revoked || t.value == value
		}
	}
}

// Distrust makes the vendor's other APIs refuse a token, while those who ask for one still get it, if it is due: as happens when the token
// is not of the app that the request is about, and to no avail for a program that asks again and again.
func (f *Fake) Distrust(value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.distrusted[value] = true
}

// random returns n characters of a token, as base64 for URLs.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}
