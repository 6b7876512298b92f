package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/duration"
)

// A source says which vendor's settings a token may have in larder.yaml, beside those of every token: see commonKeys.
type source struct {
	required []string
	optional []string
	apis     []string      // the values of api, the default first; nil if there is no such setting
	life     time.Duration // how long the vendor's tokens live; 0 if that differs
	parents  []string      // of a ticket: the sources of the token that it needs, which the setting token names
}

// credentials are the settings of a source that is asked with an app's key and secret. Vendors have names of their own for them: corpid
// and corpsecret, appid and secret, app_id and app_secret, client_id and client_secret.
var credentials = []string{"app_key", "app_secret"}

// sources are the ones of this version, by name.
var sources = map[string]source{
	"dingtalk":      {required: credentials, optional: []string{"old_app_secret", "corp_id"}, apis: []string{"gettoken", "gettoken_app", "v1.0"}, life: 2 * time.Hour},
	"wecom":         {required: credentials, optional: []string{"old_app_secret"}, life: 2 * time.Hour},
	"wechat":        {required: credentials, optional: []string{"old_app_secret"}, life: 2 * time.Hour},
	"wechat_stable": {required: credentials, optional: []string{"old_app_secret"}, life: 2 * time.Hour},
	"feishu":        {required: credentials, optional: []string{"old_app_secret"}, apis: []string{"tenant", "app"}, life: 2 * time.Hour},
	"oauth2":        {required: append([]string{"token_url"}, credentials...), optional: []string{"old_app_secret", "scope", "auth", "life"}},

	"dingtalk_ticket": {required: []string{"token"}, apis: []string{"get_jsapi_ticket", "v1.0"}, life: 2 * time.Hour, parents: []string{"dingtalk"}},
	"wecom_ticket":    {required: []string{"token"}, apis: []string{"jsapi", "agent_config"}, life: 2 * time.Hour, parents: []string{"wecom"}},
	"wechat_ticket":   {required: []string{"token"}, apis: []string{"jsapi", "wx_card"}, life: 2 * time.Hour, parents: []string{"wechat", "wechat_stable"}},
}

var commonKeys = []string{"source", "base_url", "refresh_ahead", "margin", "timeout", "stale", "reject_interval", "shape"}

// shapes are the values of shape, the default first.
var shapes = []string{"string", "array"}

// authStyles are the values of auth, the default first.
var authStyles = []string{"basic", "body"}

func (s source) keys() []string {
	keys := slices.Concat(commonKeys, s.required, s.optional)
	if slices.Contains(s.required, "token_url") { // which is the whole address
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == "base_url" })
	}
	if s.apis != nil {
		keys = append(keys, "api")
	}
	return keys
}

// A field is one setting of a token in larder.yaml.
type field struct {
	keyNode, value *yaml.Node
	text           string
	ok             bool // text is valid; what is wrong is reported otherwise
}

func (f *file) readTokens(n *yaml.Node) {
	if isNull(deref(n)) {
		return // every token is commented out
	}
	f.mapping(n, "tokens", nil, func(key string, keyNode, value *yaml.Node) {
		f.taken[key] = true
		switch {
		case key == "":
			f.failf(keyNode, "tokens: the token has no key; write the key that PHP reads, such as dingding_access_token")
		case !utf8.ValidString(key) || utf8.RuneCountInString(key) > maxKey:
			f.failf(keyNode, "tokens: a key has at most %d characters", maxKey)
		default:
			f.readToken(key, keyNode, value)
		}
	})
}

func (f *file) readToken(key string, keyNode, n *yaml.Node) {
	if deref(n).Kind != yaml.MappingNode {
		f.failf(keyNode, "tokens: %s: want keys with values: source: %s, ...", quote(key), strings.Join(available(), "|"))
		return
	}
	before := f.wrong()
	fields := map[string]field{}
	f.mapping(n, key, nil, func(name string, keyNode, value *yaml.Node) {
		fields[name] = field{keyNode: keyNode, value: value}
	})
	src, ok := f.tokenSource(key, keyNode, fields["source"])
	if !ok { // what else is wrong is told in the same run
		src = anySource()
		delete(fields, "source")
	}
	f.readFields(key, keyNode, src, fields)
	t := Token{
		Key: key, Source: fields["source"].text, At: f.at(keyNode),
		AppKey: fields["app_key"].text, AppSecret: Secret(fields["app_secret"].text), Options: map[string]Secret{},
	}
	for _, name := range slices.Concat(src.required, src.optional) {
		if fd, ok := fields[name]; ok && !slices.Contains(credentials, name) {
			t.Options[name] = Secret(fd.text)
		}
	}
	t.Shape = f.oneOf("shape", fields["shape"], shapes)
	if slices.Contains(src.optional, "auth") {
		t.Options["auth"] = Secret(f.oneOf("auth", fields["auth"], authStyles))
	}
	if ok && src.apis != nil {
		t.API = f.oneOf("api", fields["api"], src.apis)
	}
	t.BaseURL = f.baseURL("base_url", fields["base_url"])
	f.baseURL("token_url", fields["token_url"]) // which is one of the options
	f.readTimes(&t, src, fields)
	if f.wrong() == before {
		f.tokens = append(f.tokens, t)
	}
}

// readFields reads the texts of a token's settings, and reports those that its source does not have and those that it lacks.
func (f *file) readFields(key string, keyNode *yaml.Node, src source, fields map[string]field) {
	known := src.keys()
	for name, fd := range fields {
		if !slices.Contains(known, name) {
			f.failf(fd.keyNode, "%s: unknown key %s%s", key, quote(name), suggest(name, known))
			continue
		}
		fd.text, fd.ok = f.text(name, fd.keyNode, fd.value, false)
		fields[name] = fd
	}
	for _, name := range src.required {
		if _, ok := fields[name]; !ok {
			f.failf(keyNode, "%s: %s is missing; write %s: ${NAME}, with NAME in the environment or in .env", key, name, name)
		}
	}
}

// readTimes reads how long a token lives, and how long all takes that has to do with it.
func (f *file) readTimes(t *Token, src source, fields map[string]field) {
	if life := f.duration("life", fields["life"], 0); life != nil && *life <= 0 {
		f.failf(fields["life"].value, "life: want more than 0")
	}
	t.Timeout = f.durationUpTo("timeout", fields["timeout"], maxTimeout)
	t.Stale = f.duration("stale", fields["stale"], 0)
	t.RejectInterval = f.durationUpTo("reject_interval", fields["reject_interval"], maxRejectInterval)
	t.RefreshAhead = f.duration("refresh_ahead", fields["refresh_ahead"], src.life)
	t.Margin = f.duration("margin", fields["margin"], src.life)
	if t.RefreshAhead != nil && t.Margin != nil && src.life > 0 && *t.RefreshAhead+*t.Margin >= src.life {
		f.failf(fields["refresh_ahead"].keyNode, "refresh_ahead: with a margin of %s this is as long as the token lives (%s); their sum must be less",
			duration.Text(*t.Margin), duration.Text(src.life))
	}
}

// maxRejectInterval is for how long the fleet remembers the last rejection.
const maxRejectInterval = 24 * time.Hour

// maxTimeout is more than any vendor needs to answer, and less than what a person waits for.
const maxTimeout = time.Minute

// oneOf returns the value of a field that must be one of known, of which the first is the default.
func (f *file) oneOf(name string, fd field, known []string) string {
	switch {
	case !fd.ok:
		return known[0]
	case !slices.Contains(known, fd.text):
		written := deref(fd.value).Value
		f.failf(fd.value, "%s: unknown %s %s%s", name, name, quote(written), suggest(written, known))
	}
	return fd.text
}

// tokenSource returns the source that a token names, or reports why there is none.
func (f *file) tokenSource(key string, keyNode *yaml.Node, fd field) (source, bool) {
	if fd.keyNode == nil {
		f.failf(keyNode, "%s: source is missing; write source: %s", key, strings.Join(available(), "|"))
		return source{}, false
	}
	name, ok := f.text("source", fd.keyNode, fd.value, false)
	if !ok {
		return source{}, false
	}
	src, ok := sources[name]
	if !ok {
		written := deref(fd.value).Value
		f.failf(fd.value, "source: unknown source %s%s", quote(written), suggest(written, available()))
	}
	return src, ok
}

// anySource has the settings of all sources. It stands in for one that is not known, of which nothing can be missing.
func anySource() source {
	all := source{apis: []string{}}
	for _, src := range sources {
		all.optional = append(all.optional, slices.Concat(src.required, src.optional)...)
	}
	slices.Sort(all.optional) // for the suggestions
	all.optional = slices.Compact(all.optional)
	return all
}

func available() []string {
	names := make([]string, 0, len(sources))
	for name := range sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// duration returns the duration of a field, nil if the field is not there or is wrong. It must be less than the token's life, unless that is 0.
func (f *file) duration(name string, fd field, life time.Duration) *time.Duration {
	if !fd.ok {
		return nil
	}
	d, err := duration.Parse(fd.text)
	switch {
	case err != nil:
		f.failf(fd.value, "%s: %s is not a duration; %v", name, quote(deref(fd.value).Value), err)
	case d < 0:
		f.failf(fd.value, "%s: %s is negative", name, duration.Text(d))
	case life > 0 && d >= life:
		f.failf(fd.value, "%s: %s is as long as the token lives (%s) or longer", name, duration.Text(d), duration.Text(life))
	default:
		return &d
	}
	return nil
}

// durationUpTo returns the duration of a field as duration does. It must be more than 0, and at most so long.
func (f *file) durationUpTo(name string, fd field, most time.Duration) *time.Duration {
	d := f.duration(name, fd, 0)
	if d != nil && (*d == 0 || *d > most) {
		f.failf(fd.value, "%s: %s is not possible; want more than 0, and %s at the most", name, duration.Text(*d), duration.Text(most))
	}
	return d
}

// baseURL returns the address in a field, "" if the field is not there or is wrong.
func (f *file) baseURL(name string, fd field) string {
	if !fd.ok {
		return ""
	}
	base, msg := checkBaseURL(fd.text)
	if msg != "" {
		f.failf(fd.value, "%s: %s", name, msg)
	}
	return base
}

// The token that the environment configures by itself.
const (
	environmentKey    = "dingding_access_token"
	environmentSource = "dingtalk"
)

// tokens are those of larder.yaml and, unless that has its key, the one of the environment. DINGTALK_BASE_URL is the address of every
// dingtalk token and ticket that has none of its own.
func (l *loader) tokens() []Token {
	var tokens []Token
	taken := false
	if l.file != nil {
		tokens, taken = slices.Clone(l.file.tokens), l.file.taken[environmentKey]
	}
	if !taken {
		if t, ok := l.environmentToken(); ok {
			tokens = append(tokens, t)
		}
	}
	if v, ok := l.env.lookup("DINGTALK_BASE_URL"); ok && v.value != "" {
		base, msg := checkBaseURL(v.value)
		if msg != "" {
			l.failf("%s: %s", v.at(), msg)
		}
		for i, t := range tokens {
			if strings.HasPrefix(t.Source, "dingtalk") && t.BaseURL == "" {
				tokens[i].BaseURL = base
			}
		}
	}
	slices.SortFunc(tokens, func(a, b Token) int { return cmp.Compare(a.Key, b.Key) })
	l.checkParents(tokens)
	for _, t := range tokens {
		if inTheClear(t.BaseURL) {
			l.noticef("token %s: its secret is sent unencrypted to %s; use https outside of tests", quote(t.Key), t.BaseURL)
		}
	}
	return tokens
}

// checkParents reports the tickets whose token is not configured or is another vendor's. A token cannot be its own parent, since no ticket's
// source is among the parents'.
func (l *loader) checkParents(tokens []Token) {
	for _, t := range tokens {
		parents := sources[t.Source].parents
		if parents == nil {
			continue
		}
		name := t.Options["token"].Reveal()
		i := slices.IndexFunc(tokens, func(o Token) bool { return o.Key == name })
		switch {
		case name == "", i < 0 && l.file != nil && l.file.taken[name]: // what is wrong is reported already
		case i < 0:
			l.failf("%s: %s: token: no token %s is configured, and a ticket is asked for with one", t.At, t.Key, quote(name))
		case !slices.Contains(parents, tokens[i].Source):
			l.failf("%s: %s: token: the source of %s is %s; this ticket needs a token of %s", t.At, t.Key, quote(name), tokens[i].Source, strings.Join(parents, " or "))
		}
	}
}

// checkKeys reports the keys that leave no room for the name of the lock under which the token is fetched, those of another token's state, and those
// that MySQL's usual collations take for another token's: the two would take the row away from each other for ever.
func (l *loader) checkKeys(c *Config) {
	folds := !strings.HasPrefix(c.Database.Value, "sqlite:")
	for i, t := range c.Tokens {
		alike := func(other Token) bool {
			return strings.EqualFold(strings.TrimRight(other.Key, " "), strings.TrimRight(t.Key, " "))
		}
		if j := slices.IndexFunc(c.Tokens[:i], alike); folds && j >= 0 {
			l.failf("%s: %s and %s (%s) differ only in case or in blanks at the end, and MySQL's usual collations make one row of the two; give one another name",
				t.At, quote(t.Key), quote(c.Tokens[j].Key), c.Tokens[j].At)
		}
		if j := slices.IndexFunc(c.Tokens, func(other Token) bool { return fetcher.StateKey(other.Key) == t.Key }); j >= 0 {
			l.failf("%s: %s: larder keeps the state of %s (%s) in the row of that key; give the token another name",
				t.At, quote(t.Key), quote(c.Tokens[j].Key), c.Tokens[j].At)
		}
		if over := utf8.RuneCountInString(c.Prefix.Value+fetcher.LockName(t.Key)) - maxKey; over > 0 {
			l.failf("%s: %s: with the prefix and what the lock's name has before it, the key is %d characters too long; shorten it", t.At, quote(t.Key), over)
		}
	}
}

// environmentToken is configured by DINGTALK_APP_KEY and DINGTALK_APP_SECRET, or else by CORP_ID and CORP_SECRET. The former win,
// because the latter's names are also in use for WeCom. A blank variable counts as not set.
func (l *loader) environmentToken() (Token, bool) {
	own, ownErr, ownSet := l.pair("DINGTALK_APP_KEY", "DINGTALK_APP_SECRET")
	corp, corpErr, corpSet := l.pair("CORP_ID", "CORP_SECRET")
	switch {
	case ownSet:
		if corpSet && (corp.AppKey != own.AppKey || corp.AppSecret != own.AppSecret) {
			l.noticef("token %q: DINGTALK_APP_KEY and DINGTALK_APP_SECRET are used; CORP_ID and CORP_SECRET differ and are ignored", environmentKey)
		}
		own.API = "gettoken_app" // the names of the parameters that an app's key and secret go by
		return own, true
	case ownErr != nil:
		l.fail(ofTokens, ownErr)
	case corpSet:
		return corp, true
	case corpErr != nil:
		l.fail(ofTokens, corpErr)
	}
	return Token{}, false
}

// pair returns the token that two variables configure; set tells that they do. The error tells that one of them is missing.
func (l *loader) pair(key, secret string) (t Token, err error, set bool) {
	k, _ := l.env.lookup(key)
	s, _ := l.env.lookup(secret)
	switch {
	case k.value == "" && s.value == "":
		return Token{}, nil, false
	case s.value == "":
		return Token{}, incomplete(k, secret), false
	case k.value == "":
		return Token{}, incomplete(s, key), false
	}
	return Token{
		Key: environmentKey, Source: environmentSource, API: sources[environmentSource].apis[0], Shape: shapes[0],
		AppKey: k.value, AppSecret: Secret(s.value), Options: map[string]Secret{}, At: together([]variable{k, s}),
	}, nil, true
}

func incomplete(have variable, missing string) error {
	return fmt.Errorf("%s: %s is not set; the two configure the token %q only together (or configure it under tokens in larder.yaml)", have.at(), missing, environmentKey)
}
