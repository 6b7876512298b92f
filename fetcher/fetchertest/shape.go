package fetchertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const requestID = "30EE8654-7C2F-7B5A-9F3C-0A6F1D2B4C5E"

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// quote writes text as a JSON string without escaping &, < and >, as the vendors do.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // strings always encode
	return strings.TrimSpace(b.String())
}

// reply answers with HTTP 200 and a body that format and args make.
func reply(format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, fmt.Sprintf(format, args...))
	}
}

// errCode answers as the older Chinese APIs do: HTTP 200 and a code that is a number.
func errCode(code, message string) http.HandlerFunc {
	return reply(`{"errcode":%s,"errmsg":%s}`, code, quote(message))
}

// fields returns the named fields of a body that is a JSON object, each "" that is not there.
func fields(body []byte, key, secret string) (string, string) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	k, _ := in[key].(string)
	s, _ := in[secret].(string)
	return k, s
}
