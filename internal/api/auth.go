package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Role says what a key is good for.
type Role string

// The roles. RoleAdmin includes all others, RoleWrite includes RoleRead; neither RoleRead nor RoleWrite has to do with tokens, but for their list. No
// route of this version asks for RoleWrite.
const (
	RoleRead   Role = "read"
	RoleWrite  Role = "write"
	RoleTokens Role = "tokens"
	RoleAdmin  Role = "admin"
)

// A Key opens the service to those who present it.
type Key struct {
	Secret string `json:"-"`
	Roles  []Role
	Source string // where it is configured, for messages
}

// String says where the key is configured.
func (k Key) String() string { return "the API key of " + k.Source }

// Format prints the key as String does, whatever the verb: logs and errors show no secret.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue returns what String does.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// The least that a key has which nobody finds by trying: 16 characters, of which 6 are different.
const (
	leastCharacters = 16
	leastDifferent  = 6
)

// Weak returns what is wrong with a key that can be guessed, and what to do, "" if nothing is. It tells nothing of the key but that.
func (k Key) Weak() string {
	different := map[rune]bool{}
	for _, r := range k.Secret {
		different[r] = true
	}
	if utf8.RuneCountInString(k.Secret) >= leastCharacters && len(different) >= leastDifferent {
		return ""
	}
	return fmt.Sprintf("%v can be guessed: want %d characters or more, at random, as openssl rand -hex 32 prints them", k, leastCharacters)
}

// A digestedKey is compared in a time that says nothing about the key, not even its length.
type digestedKey struct {
	digest [sha256.Size]byte
	roles  []Role
}

func digestKeys(keys []Key) []digestedKey {
	digested := make([]digestedKey, 0, len(keys))
	for _, k := range keys {
		digested = append(digested, digestedKey{sha256.Sum256([]byte(k.Secret)), k.Roles})
	}
	return digested
}

// authorize returns the problem with the request's key, if it needs one: any of the roles will do, and none are needed for nil.
func (s *service) authorize(r *http.Request, allowed []Role) error {
	if allowed == nil || len(s.keys) == 0 {
		return nil
	}
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || presented == "" {
		return problem{Status: http.StatusUnauthorized, Title: "Key missing", Detail: "send the header Authorization: Bearer KEY"}
	}
	digest := sha256.Sum256([]byte(strings.TrimSpace(presented)))
	var found *digestedKey
	for i := range s.keys {
		if subtle.ConstantTimeCompare(s.keys[i].digest[:], digest[:]) == 1 {
			found = &s.keys[i]
		}
	}
	if found == nil {
		return problem{Status: http.StatusUnauthorized, Title: "Key unknown", Detail: "this key is not one of the service's"}
	}
	for _, role := range found.roles {
		if role == RoleAdmin || slices.Contains(allowed, role) || role == RoleWrite && slices.Contains(allowed, RoleRead) {
			return nil
		}
	}
	return problem{Status: http.StatusForbidden, Title: "Role missing", Detail: "this key is not allowed to do that: it needs the role " + joinRoles(allowed)}
}

func joinRoles(roles []Role) string {
	names := make([]string, 0, len(roles))
	for _, r := range roles {
		names = append(names, string(r))
	}
	return strings.Join(names, " or ")
}
