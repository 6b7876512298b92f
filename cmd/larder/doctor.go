package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/internal/tokens"
	"github.com/larder-cache/larder/store"
)

func newDoctorCmd(a *app) *cobra.Command {
	var askVendors bool
	cmd := &cobra.Command{
		Use:        "doctor",
		SuggestFor: []string{"check", "status", "verify"},
		Short:      "Examine the configuration, the database, the tables, the rows and the tokens",
		Long: `Examine the configuration, the database, the tables and the account's rights on them, the rows and the tokens. Each finding is
ok, a warning (it works, for now or mostly) or a problem, and says what to do. Nothing is changed, and of a large table a sample is read.

Exit status: 0 no problems, warnings perhaps; 1 problems; 3 the database could not be reached, and what does not need it was examined.

With -o json each finding is one line: {"check","status","message","remedy"}; status is ok, warning or problem.`,
		Example: "  larder doctor\n  larder doctor --check-tokens\n  larder doctor -o json | jq -r 'select(.status != \"ok\") | .message'",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), askVendors) },
	}
	cmd.Flags().BoolVar(&askVendors, "check-tokens", false, "ask the vendors of the tokens too, once each, and store nothing")
	return cmd
}

func (a *app) doctor(ctx context.Context, askVendors bool) error {
	p := doctor.Patient{Hint: a.hint}
	p.Config, p.ConfigErr = a.load()
	if p.ConfigErr == nil {
		p.Store, p.StoreErr = a.openForDoctor(p.Config)
	}
	if p.Store != nil {
		defer func() { _ = p.Store.Close() }() // it has only been read
		if askVendors && p.Config.TokensErr == nil {
			set, err := tokens.New(p.Store, p.Config.Tokens, fetcher.WithLogger(a.logger()))
			if err != nil {
				return usageError{err}
			}
			defer func() { _ = set.Close(ctx) }() // nothing was fetched to be stored
			p.Vendors = set
		}
	}
	findings := a.newFindings()
	var failed error
	sum := doctor.Examine(ctx, p, func(f doctor.Finding) {
		if err := findings.tell(f); err != nil && failed == nil {
			failed = err
		}
	})
	if failed == nil && !a.json() {
		failed = a.println("\n" + findings.sum(sum))
	}
	switch {
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case !sum.Connected:
		return errCouldNot
	case sum.Problems > 0:
		return errNo
	}
	return nil
}

// openForDoctor returns the configured store, or says why there is none to look at.
func (a *app) openForDoctor(cfg *config.Config) (*store.Store, error) {
	if missingFile(cfg.Database.Value) {
		return nil, missingDatabase(cfg)
	}
	s, err := store.Open(cfg.Database.Value, store.WithPrefix(cfg.Prefix.Value), store.WithTable(cfg.Table.Value), store.WithLockTable(cfg.LockTable.Value))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Database.Source, err)
	}
	return s, nil
}

// findings draws what the doctor finds, as it comes.
type findings struct {
	app    *app
	output term.Output
}

func (a *app) newFindings() findings { return findings{app: a, output: a.output()} }

var statusStyle = map[doctor.Status]term.Style{doctor.OK: term.Good, doctor.Warning: term.Warning, doctor.Problem: term.Bad}

// The widths of the columns before the message.
const (
	statusWidth = len("problem")
	checkWidth  = len("max_allowed_packet")
	findingGap  = 2
	messageAt   = statusWidth + findingGap + checkWidth + findingGap
)

// tell draws a finding: on a terminal the message in lines below each other, elsewhere in one. A remedy is never broken, so that it can be copied.
func (f findings) tell(found doctor.Finding) error {
	if f.app.json() {
		return f.app.printJSON(found)
	}
	var text strings.Builder
	pad := func(s string, width int) string { return strings.Repeat(" ", max(0, width-len(s))+findingGap) }
	text.WriteString(f.output.Paint(string(found.Status), statusStyle[found.Status]) + pad(string(found.Status), statusWidth))
	check, at := found.Check, f.messageAt()
	if f.output.Terminal {
		check = f.output.Fit(check, f.output.Width-statusWidth-findingGap)
	}
	text.WriteString(f.output.Paint(check, term.Strong))
	if at == messageAt {
		text.WriteString(pad(check, checkWidth))
	} else {
		text.WriteString("\n" + strings.Repeat(" ", at))
	}
	text.WriteString(strings.Join(f.lines(found.Message), "\n"+strings.Repeat(" ", at)))
	if found.Remedy != "" {
		arrow := "→ "
		if !f.output.Unicode {
			arrow = "-> "
		}
		at := min(at, statusWidth+findingGap)
		for i, line := range f.remedyLines(oneLineOf(found.Remedy), f.output.Width-at-term.Width(arrow)) {
			if i > 0 {
				arrow = strings.Repeat(" ", term.Width(arrow))
			}
			text.WriteString("\n" + strings.Repeat(" ", at) + f.output.Paint(arrow+line, remedyStyle(found.Status)))
		}
	}
	return f.app.println(text.String())
}

func remedyStyle(s doctor.Status) term.Style {
	if s == doctor.OK {
		return term.Faint // advice
	}
	return term.Normal
}

// lines breaks a message at blanks to what a terminal has room for beside the names, or, if that is too little, below them.
func (f findings) lines(message string) []string {
	return f.output.Wrap(oneLineOf(message), f.output.Width-f.messageAt())
}

// messageAt is the column at which messages begin.
func (f findings) messageAt() int {
	const leastMessage = 30
	if f.output.Terminal && f.output.Width-messageAt < leastMessage {
		return findingGap
	}
	return messageAt
}

// sqlStatement is a remedy that a database's client takes on several lines.
var sqlStatement = regexp.MustCompile(`^(ALTER|CREATE|SET|DROP|DELETE|UPDATE|RENAME|GRANT) .*;$`)

// shellCommand is a remedy that a shell takes on several lines if their ends say so. One with quotes may have blanks that are not to be broken at.
var shellCommand = regexp.MustCompile("^(larder|sqlite3|php|chmod|sudo) [^'\"`\\\\]*$")

// remedyLines breaks a remedy to the lines of a terminal so that what is copied from there still works. What it is about, behind four blanks and a
// comment sign, gets lines of its own.
func (f findings) remedyLines(remedy string, width int) []string {
	if !f.output.Terminal || term.Width(remedy) <= width {
		return []string{remedy}
	}
	command, comment := remedy, []string(nil)
	for _, sign := range []string{"# ", "-- "} {
		if before, after, found := strings.Cut(remedy, "    "+sign); found {
			command = before
			for _, line := range f.output.Wrap(after, width-len(sign)) {
				comment = append(comment, sign+line)
			}
			break
		}
	}
	lines := []string{command}
	switch {
	case term.Width(command) <= width:
	case sqlStatement.MatchString(command):
		lines = f.output.Wrap(command, width)
	case shellCommand.MatchString(command):
		const goOn = " \\"
		lines = f.output.Wrap(command, width-len(goOn))
		for i := range lines[:len(lines)-1] {
			lines[i] += goOn
		}
	case comment == nil: // prose
		lines = f.output.Wrap(command, width)
	}
	return append(lines, comment...)
}

// oneLineOf makes one line, fit for a terminal, of a text that an error may have on several.
func oneLineOf(text string) string {
	return term.Safe(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, text))
}

func (f findings) sum(s doctor.Summary) string {
	text := fmt.Sprintf("%s, %s, %d ok", countText(int64(s.Problems), "problem"), countText(int64(s.Warnings), "warning"), s.OK)
	if s.LeftOut > 0 {
		text += fmt.Sprintf("; %s could not be made: what they look at cannot be reached", countText(int64(s.LeftOut), "check"))
	}
	return text
}
