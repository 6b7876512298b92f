// Package doctor examines a cache: its configuration, the database, the tables, the rows and the tokens. It only reads, and on a table of any size it
// takes seconds and little memory: of large tables it looks at a sample, and says so.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/tokens"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

// A Status says how a finding is.
type Status string

const (
	// OK is as it should be. There may be advice.
	OK Status = "ok"
	// Warning is what works, for now or mostly.
	Warning Status = "warning"
	// Problem is what does not work, or loses something.
	Problem Status = "problem"
)

// A Finding is one thing that a check has found.
type Finding struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"` // what to paste or to do; of every warning and problem, and as advice of what is ok
}

// A Patient is what is examined.
type Patient struct {
	// Config is the configuration; nil if ConfigErr says why there is none.
	Config    *config.Config
	ConfigErr error

	// Store is the configured store; nil if StoreErr says why there is none.
	Store    *store.Store
	StoreErr error

	// Vendors are the tokens whose vendors are asked, which may count there. Defaults to none.
	Vendors tokens.Set

	// Hint says what to try about an error of the connection, "" if it does not know. Defaults to no hints.
	Hint func(error) string

	// Now is this machine's clock. Defaults to time.Now.
	Now func() time.Time

	// Patience is how long one check may take. Defaults to 10 s.
	Patience time.Duration
}

// A Check looks at one thing. It finds nothing where that does not exist, such as the storage engine on SQLite.
type Check struct {
	Name  string
	needs need
	run   func(context.Context, *exam) ([]Finding, error)
}

// A need is what must be in order for a check to make sense.
type need int

const (
	nothing need = iota
	aConfiguration
	aConnection
	theTables
)

// Checks returns all checks, in the order in which they are made: what others need comes before them.
func Checks() []Check {
	return []Check{
		{"configuration", nothing, checkConfiguration},
		{"settings", aConfiguration, checkSettings},
		{"config cache", aConfiguration, checkConfigCache},
		{"connection", aConfiguration, checkConnection},
		{"encryption", aConnection, checkEncryption},
		{"writable", aConnection, checkWritable},
		{"cluster", aConnection, checkCluster},
		{"clock", aConnection, checkClock},
		{"sql_mode", aConnection, checkSQLMode},
		{"max_allowed_packet", aConnection, checkPacket},
		{"isolation level", aConnection, checkIsolation},
		{"journal mode", aConnection, checkJournal},
		{"file permissions", aConnection, checkPermissions},
		{"tables", aConnection, checkTables},
		{"rights", aConnection, checkRights},
		{"era", theTables, checkEra},
		{"engine", theTables, checkEngine},
		{"collation", theTables, checkCollation},
		{"key column", theTables, checkKeyColumn},
		{"value column", theTables, checkValueColumn},
		{"expiration column", theTables, checkExpirationColumn},
		{"index", theTables, checkIndex},
		{"prefix", theTables, checkPrefix},
		{"backlog", theTables, checkBacklog},
		{"values", theTables, checkValues},
		{"locks", theTables, checkLocks},
		{"tokens", theTables, checkTokens},
		{"vendors", aConnection, checkVendors},
	}
}

// A Summary counts what was found.
type Summary struct {
	OK, Warnings, Problems int
	LeftOut                int  // checks that could not be made, because one before them had found that they make no sense
	Connected              bool // the database was reached
}

// An exam is one patient's, with what several checks want to know.
type exam struct {
	Patient
	server   *store.Server
	migrator *migrations.Migrator
	status   *migrations.Status
	stats    *store.Stats
	statsErr error
	ready    need // what is in order so far
}

// Examine makes the checks one after the other and tells each finding as it comes. A check that fails is a finding, and does not keep the others from
// being made.
func Examine(ctx context.Context, p Patient, tell func(Finding)) Summary {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Hint == nil {
		p.Hint = func(error) string { return "" }
	}
	if p.Patience == 0 {
		p.Patience = 10 * time.Second
	}
	e := &exam{Patient: p}
	var sum Summary
	for _, check := range Checks() {
		if check.needs > e.ready {
			sum.LeftOut++
			continue
		}
		for _, f := range e.make(ctx, check) {
			switch f.Status {
			case OK:
				sum.OK++
			case Warning:
				sum.Warnings++
			case Problem:
				sum.Problems++
			}
			tell(f)
		}
	}
	sum.Connected = e.ready >= aConnection
	return sum
}

func (e *exam) make(ctx context.Context, check Check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	found, err := check.run(ctx, e)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		found = append(found, warning("larder doctor", "it takes longer than %v to find out: the database is busy, or the table large", e.Patience))
	case err != nil:
		found = append(found, warning("larder doctor", "it could not be found out: %v", err))
	}
	for i := range found {
		if found[i].Check == "" {
			found[i].Check = check.Name
		}
	}
	return found
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Message: fmt.Sprintf(format, args...)}
}

func warning(remedy, format string, args ...any) Finding {
	return Finding{Status: Warning, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

func problem(remedy, format string, args ...any) Finding {
	return Finding{Status: Problem, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// one returns a finding as a check does.
func one(f Finding) ([]Finding, error) { return []Finding{f}, nil }

// none is what a check finds where there is nothing to look at.
func none() ([]Finding, error) { return nil, nil }

// ShellQuote makes one word for a shell of a text. What cannot be seen is spelt out in a form that bash, zsh and ksh know, not every sh.
func ShellQuote(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		var b strings.Builder
		for i := range len(text) {
			switch c := text[i]; {
			case c == '\'' || c == '\\':
				b.WriteString("\\" + string(rune(c)))
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, "\\%03o", c) // of three digits, which end it
			default:
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+="
	if text != "" && strings.Trim(text, harmless) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
