package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/fetcher"
)

// A tokenView is a token as it is handed out.
type tokenView struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`      // seconds, of the row; 0 or less if it is stale
	Stale       bool   `json:"stale,omitempty"` // it has expired, and no new one could be had
}

func (s *service) token(r *http.Request) (Fetcher, error) {
	name := r.PathValue("name")
	f, ok := s.Tokens[name]
	if !ok {
		return nil, problem{
			Status: http.StatusNotFound, Title: "Unknown token",
			Detail: fmt.Sprintf("no token %q is configured; GET /v1/tokens lists those that are", name),
		}
	}
	return f, nil
}

func (s *service) getToken(w http.ResponseWriter, r *http.Request) error {
	f, err := s.token(r)
	if err != nil {
		return err
	}
	return handOut(w, r, f)
}

func handOut(w http.ResponseWriter, r *http.Request, f Fetcher) error {
	result, err := f.Get(r.Context())
	stale := errors.Is(err, fetcher.ErrStale)
	if err != nil && !stale {
		return err
	}
	return answer(w, tokenView{AccessToken: result.Token.Value, ExpiresIn: int64(result.Token.ExpiresIn / time.Second), Stale: stale})
}

func (s *service) rejectToken(w http.ResponseWriter, r *http.Request) error {
	f, err := s.token(r)
	if err != nil {
		return err
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if body.AccessToken == "" {
		return problem{Status: http.StatusBadRequest, Title: "Bad body", Detail: "access_token is missing: send the token that the vendor did not accept"}
	}
	if _, err := f.Reject(r.Context(), body.AccessToken); err != nil {
		return err
	}
	return handOut(w, r, f)
}

// maxBody is the longest body that is read. A token has at most 8 KiB.
const maxBody = 64 << 10

// readJSON reads the whole body as one JSON value. Its errors do not repeat the body, which may hold a token.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	bad := func(status int, detail string) error {
		return problem{Status: status, Title: "Bad body", Detail: detail}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return bad(http.StatusUnsupportedMediaType, "send JSON, with the header Content-Type: application/json")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return bad(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit))
	case err != nil:
		return bad(http.StatusBadRequest, "the body could not be read to its end")
	case json.Unmarshal(text, into) != nil:
		return bad(http.StatusBadRequest, `want a JSON object such as {"access_token":"..."}`)
	}
	return nil
}

// A tokenState is a token in the list, without the token itself. Times are in whole seconds.
type tokenState struct {
	Name        string  `json:"name"`
	Source      string  `json:"source"`
	State       string  `json:"state"`                // live, expired, or missing if this service has none
	Token       string  `json:"token,omitempty"`      // the first 4 characters
	ExpiresIn   int64   `json:"expires_in"`           // of the row
	Age         int64   `json:"age"`                  // since this service read or fetched it
	NextRefresh int64   `json:"next_refresh"`         // until it is refreshed ahead
	LastError   string  `json:"last_error,omitempty"` // why the last fetch failed
	Alarms      []alarm `json:"alarms"`
}

type alarm struct {
	Kind  fetcher.AlarmKind `json:"kind"`
	Text  string            `json:"text"`
	Since time.Time         `json:"since"`
}

func stateOf(name string, st fetcher.Status) tokenState {
	seconds := func(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
	state := tokenState{
		Name: name, Source: st.Source, State: "missing", Token: st.Token,
		ExpiresIn: seconds(st.Remaining), Age: seconds(st.Age), NextRefresh: seconds(st.NextRefresh), Alarms: []alarm{},
	}
	switch {
	case st.Token == "":
	case st.Remaining > 0:
		state.State = "live"
	default:
		state.State = "expired"
	}
	if st.LastError != nil {
		state.LastError = st.LastError.Error()
	}
	for _, a := range st.Alarms {
		state.Alarms = append(state.Alarms, alarm(a))
	}
	return state
}

func (s *service) listTokens(w http.ResponseWriter, _ *http.Request) error {
	list := []tokenState{}
	for _, name := range slices.Sorted(maps.Keys(s.Tokens)) {
		list = append(list, stateOf(name, s.Tokens[name].Status()))
	}
	return answer(w, map[string]any{"tokens": list})
}
