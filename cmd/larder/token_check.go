package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/doctor"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/internal/tokens"
)

func newTokenCheckCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check NAME",
		Short: "Ask the vendor for a token once, store nothing, and say what is wrong",
		Long: `Ask the vendor for a token once, store nothing, and say in plain words what is wrong, if anything is: the credentials,
the white list of addresses, a permission, the quota, too many requests, the network.

Exit status: 0 the vendor gave a token; 1 it refused; 3 it could not be asked, or is busy. Of WeChat's cgi-bin/token and of the tickets
of DingTalk and WeChat nothing is asked, also with 3, because a new one ends the one in use, or may: larder token refresh stores the
new one, and says what is wrong. A ticket of WeCom is asked for with its token, which is fetched and stored if there is none.

With -o json: {"name","source","ok","trouble","code","status","message","advice","expires_in"}; trouble is credential,
address, permission, quota, throttle, network, outage, config, protocol or unknown.`,
		Example: "  larder token check dingding_access_token",
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withToken(cmd.Context(), args[0], a.checkToken)
		},
	}
}

// A checkView is the outcome of a check, as -o json prints it.
type checkView struct {
	Name      string `json:"name"`
	Source    string `json:"source"`
	OK        bool   `json:"ok"`
	Trouble   string `json:"trouble,omitempty"`
	Code      string `json:"code,omitempty"`    // the vendor's
	Status    int    `json:"status,omitempty"`  // HTTP
	Message   string `json:"message,omitempty"` // the vendor's words, or larder's
	Advice    string `json:"advice,omitempty"`
	ExpiresIn int64  `json:"expires_in,omitempty"` // seconds, by the vendor
}

func (a *app) checkToken(ctx context.Context, t tokens.Token) error {
	token, err := t.Check(ctx)
	if errors.Is(err, fetcher.ErrUnsafeCheck) {
		return fmt.Errorf("%s is not asked for %s, because a new one may end the one in use: %s stores the new one, and says what is wrong",
			t.Config.Source, printable(t.Config.Key), refreshCommand(t.Config.Key))
	}
	var refusal *fetcher.SourceError
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	v := checkView{Name: t.Config.Key, Source: t.Config.Source, OK: err == nil, ExpiresIn: int64(token.ExpiresIn / time.Second)}
	if refusal != nil {
		v.Trouble, v.Code, v.Status, v.Message, v.Advice = trouble(refusal), refusal.Code, refusal.Status, refusal.Message, refusal.Advice
	}
	if err := a.printCheck(v); err != nil {
		return err
	}
	switch {
	case refusal == nil:
		return nil
	case refusal.Retryable():
		return errCouldNot
	}
	return errNo
}

// refreshCommand is what to paste to have a new token stored whatever was remembered of failures.
func refreshCommand(name string) string { return "larder token refresh " + doctor.ShellQuote(name) }

// trouble is what somebody has to see to: the reason, or else what the class says.
func trouble(e *fetcher.SourceError) string {
	switch {
	case e.Reason != "":
		return string(e.Reason)
	case e.Class == fetcher.ClassTransient:
		return "outage"
	}
	return string(e.Class)
}

// plainly says what each trouble is.
var plainly = map[string]string{
	"credential": "The app key or the secret is wrong.",
	"address":    "The vendor does not take requests from this server's address: it is not in the app's white list.",
	"permission": "The app does not have the permission for this.",
	"quota":      "The number of calls that the vendor allows is used up.",
	"throttle":   "The vendor was asked too often. This passes by itself.",
	"network":    "The vendor could not be reached.",
	"outage":     "The vendor is busy or broken. This passes by itself.",
	"config":     "The vendor does not take the request as it is: something in the settings is wrong.",
	"protocol":   "What came back is not what the vendor documents: something else may have answered.",
	"unknown":    "The vendor refused, with a code that larder does not know.",
}

func (a *app) printCheck(v checkView) error {
	if a.json() {
		return a.printJSON(v)
	}
	if v.OK {
		return a.println(fmt.Sprintf("%s: all is well. %s gave a token that lives for %s.", v.Name, v.Source, duration.Text(time.Duration(v.ExpiresIn)*time.Second)))
	}
	text := fmt.Sprintf("%s: %s\n  %s: %s", v.Name, plainly[v.Trouble], v.Source, v.Message)
	if v.Code != "" {
		text += fmt.Sprintf(" (code %s, HTTP %d)", v.Code, v.Status)
	}
	if v.Advice != "" {
		text += "\n  To do: " + v.Advice + "."
	}
	return a.println(text)
}
