package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/internal/tokens"
	"github.com/larder-cache/larder/store"
)

// A tokenRowView is a configured token and its row, as -o json prints it.
type tokenRowView struct {
	Name       string       `json:"name"`
	Source     string       `json:"source"`
	State      string       `json:"state"`      // live, missing or corrupt
	Token      string       `json:"token"`      // masked, unless it is to be revealed
	Expiration int64        `json:"expiration"` // Unix seconds; 0 if missing
	TTL        int64        `json:"ttl"`        // seconds; 0 if missing
	Failure    *failureView `json:"failure,omitempty"`
}

// A failureView is why the last fetch of a token failed, as the fetchers have told each other in the table.
type failureView struct {
	Trouble       string `json:"trouble"` // as of token check
	Code          string `json:"code,omitempty"`
	Status        int    `json:"status,omitempty"` // HTTP
	Message       string `json:"message"`
	Advice        string `json:"advice,omitempty"`
	Request       string `json:"request,omitempty"`
	Ago           int64  `json:"ago"`   // seconds
	Pause         int64  `json:"pause"` // seconds for which nobody asks again
	Attempts      int    `json:"attempts"`
	OtherSettings bool   `json:"other_settings"` // the token's settings are not those that failed

	passes    bool // the same request can succeed later
	checkable bool // token check asks the vendor
}

func (a *app) listTokens(ctx context.Context, s *store.Store, set tokens.Set, reveal bool) error {
	out := a.output()
	table := term.NewTable(a.stdout, out, term.Column{Title: "NAME", Least: 12, Middle: true}, term.Column{Title: "SOURCE"},
		term.Column{Title: "STATE"}, term.Column{Title: "TOKEN"}, term.Column{Title: "EXPIRES"})
	var failures strings.Builder
	for _, t := range set {
		v, err := viewToken(ctx, s, t, reveal)
		if err != nil {
			return err
		}
		if a.json() {
			if err := a.printJSON(v); err != nil {
				return err
			}
			continue
		}
		when := term.Cell{Text: "-"}
		if ttl := time.Duration(v.TTL) * time.Second; ttl > 0 {
			when = term.Cell{Text: expires(ttl), Style: urgency(ttl)}
		}
		table.Add(term.Cell{Text: printable(v.Name)}, term.Cell{Text: v.Source}, term.Cell{Text: v.State, Style: tokenStyle[v.State]},
			term.Cell{Text: v.Token}, when)
		if v.Failure != nil {
			failures.WriteString("\n" + v.failed() + "\n")
		}
	}
	if err := table.Flush(); err != nil || failures.Len() == 0 {
		return err
	}
	_, err := fmt.Fprint(a.stdout, out.Reflow(failures.String()))
	return err
}

var tokenStyle = map[string]term.Style{"live": term.Good, "missing": term.Warning, "corrupt": term.Bad}

func viewToken(ctx context.Context, s *store.Store, t tokens.Token, reveal bool) (tokenRowView, error) {
	key := t.Config.Key
	v := tokenRowView{Name: key, Source: t.Config.Source, State: "missing"}
	items, err := s.Many(ctx, key, fetcher.StateKey(key))
	if err != nil {
		return v, err
	}
	if state, ok := items[fetcher.StateKey(key)]; ok {
		v.Failure = viewFailure(state, t.Info())
	}
	item, ok := items[key]
	if !ok {
		return v, nil
	}
	v.Expiration, v.TTL = item.Expiration, int64(item.TTL/time.Second)
	token, ok := fetcher.TokenOf(item)
	if !ok {
		v.State = "corrupt"
		return v, nil
	}
	v.State, v.Token = "live", fetcher.Mask(token.Value)
	if reveal {
		v.Token = token.Value
	}
	return v, nil
}

func viewFailure(state store.Item, info fetcher.Info) *failureView {
	f, ok := fetcher.LastFailure(state)
	if !ok {
		return nil
	}
	return &failureView{
		Trouble: trouble(f.Err), Code: f.Err.Code, Status: f.Err.Status, Message: f.Err.Message, Advice: f.Err.Advice, Request: f.Err.RequestID,
		Ago: int64(f.Ago / time.Second), Pause: int64(f.Pause / time.Second), Attempts: f.Attempts, OtherSettings: f.Fingerprint != info.Fingerprint,
		passes: f.Err.Retryable(), checkable: info.Checkable(),
	}
}

// failed says why the last fetch failed, and what becomes of it.
func (v tokenRowView) failed() string {
	f, seconds := v.Failure, func(n int64) string { return duration.Rough(time.Duration(n) * time.Second) }
	err := &fetcher.SourceError{Source: v.Source, Message: f.Message, Code: f.Code, Status: f.Status, RequestID: f.Request}
	times := ""
	if f.Attempts > 1 {
		times = fmt.Sprintf(", attempt %d in a row", f.Attempts)
	}
	text := fmt.Sprintf("%s: the last fetch failed %s ago%s: %s", printable(v.Name), seconds(f.Ago), times, oneLineOf(err.Error()))
	if f.Advice != "" {
		text += "\n  To do: " + oneLineOf(f.Advice) + "."
	}
	refresh, more := refreshCommand(v.Name), ""
	if f.checkable {
		more = fmt.Sprintf(", larder token check %s says more", doctor.ShellQuote(v.Name))
	}
	switch {
	case f.OtherSettings:
		return text + fmt.Sprintf("\n  The settings of this token were others then: the next one who asks fetches, or %s.", refresh)
	case f.Pause > 0 && f.passes:
		return text + fmt.Sprintf("\n  Nobody asks %s again for %s. It passes by itself.", v.Source, seconds(f.Pause))
	case f.Pause > 0:
		return text + fmt.Sprintf("\n  Nobody asks %s again for %s: %s does at once%s.", v.Source, seconds(f.Pause), refresh, more)
	}
	return text + fmt.Sprintf("\n  The next one who asks for the token fetches; %s does at once%s.", refresh, more)
}
