// Package known tells what the well-known keys of a Laravel cache are for, and which rows hold secrets.
package known

import (
	"regexp"
	"slices"
	"strings"
)

// A Meaning is what a key is for.
type Meaning struct {
	Name string // "rate limiter", for a column
	Text string // a sentence
	// Secret tells that the value is a credential of somebody.
	Secret bool
}

const rateLimiter = "rate limiter"

// A pattern is a kind of key.
type pattern struct {
	key     *regexp.Regexp
	kind    string // of the value, "" for any
	meaning Meaning
}

// patterns are tried in this order, and hashes after them.
var patterns = []pattern{
	like(`^illuminate:cache:flexible:created:(.+)$`, "", "flexible companion", "When Cache::flexible made the value of %q, in Unix seconds; without it that value counts as stale."),
	like(`^illuminate:cache:flexible:lock:(.+)$`, "", "flexible lock", "Whoever holds it refreshes the value of %q for Cache::flexible."),
	like(`^illuminate:queue:restart$`, "", "queue restart", "When php artisan queue:restart was last called, in Unix seconds: workers that started before end."),
	like(`^illuminate:queue:paused:(.+)$`, "", "queue paused", "The queue %q is paused: php artisan queue:continue goes on."),
	like(`^illuminate:queues:paused$`, "", "queues paused", "The queues that are paused."),
	like(`^illuminate:schedule:interrupt$`, "", "schedule interrupt", "php artisan schedule:interrupt was called: running schedules end."),
	like(`^illuminate:schedule:paused$`, "", "schedule paused", "The scheduler is paused."),
	like(`^illuminate:foundation:down$`, "", "maintenance mode", "The application is down for maintenance: php artisan up ends it."),
	like(`^illuminate:foundation:exceptions:(.+)$`, "", "exception throttle", "How often this exception was reported lately, so that it is not reported too often."),
	like(`^framework/schedule-[0-9a-f]{40}\d{4}$`, "", "scheduler: one server", "The server that runs this scheduled task (onOneServer) in the minute that the last four digits say."),
	like(`^framework/schedule-[0-9a-f]{40}$`, "", "scheduler mutex", "This scheduled task runs now (withoutOverlapping). If it does not: php artisan schedule:clear-cache, or forget the key."),
	like(`^framework/command-(.+)$`, "", "command mutex", "The command %q runs now (Isolatable)."),
	like(`^laravel_unique_job:([^:]+)`, "", "unique job", "The job %q is queued or runs (ShouldBeUnique)."),
	like(`^laravel-queue-overlap:`, "", "job overlap", "A job runs that must not overlap with itself (WithoutOverlapping)."),
	like(`^spatie\.permission\.cache$`, "", "permissions", "Roles and permissions of spatie/laravel-permission: php artisan permission:cache-reset clears them."),
	like(`^laravel:pulse:restart$`, "", "pulse restart", "When php artisan pulse:restart was last called, in Unix seconds."),
	like(`^laravel:reverb:restart$`, "", "reverb restart", "When php artisan reverb:restart was last called, in Unix seconds."),
	like(`^larder:fetch:(.+)$`, "", "larder's state", "What larder's servers tell each other of the token %q: the last failure, the last rejection. It holds no token, only hashes."),
	like(`^telescope:`, "", "telescope", "A switch of Laravel Telescope."),

	token(`^dingding_access_token$`, "DingTalk token", "DingTalk's access token, as the usual recipe keeps it."),
	token(`^access_token\.(.+)$`, "DingTalk token", "DingTalk's whole reply with the access token of the app %q, of the PHP package mingyoung/dingtalk."),
	token(`^easywechat\.(?:common|kernel)\.access_token\.`, "EasyWeChat token", "An access token of WeChat or WeCom, of EasyWeChat 3 to 5."),
	token(`^(?:official_account|mini_app|open_platform|open_work|work|pay)\.[a-z_]*access_token\.([^.]+)`, "EasyWeChat token", "The access token of %q, of EasyWeChat 6. The key itself holds the secret of the app."),
	token(`^(?:official_account|work)\.jsapi_ticket\.([^.]+)`, "EasyWeChat ticket", "The JSAPI ticket of %q, of EasyWeChat 6."),

	like(`:timer$`, "", "rate limiter's end", "When the rate limiter's window ends, in Unix seconds; the key without :timer counts the attempts."),
}

// hashes are the kinds of keys that are nothing but a hash.
var hashes = []pattern{
	like(`^(?:[0-9a-f]{40}|[0-9a-f]{32})$`, "int", rateLimiter, "Attempts that a rate limiter has counted; the key with :timer says until when."),
	like(`^[0-9a-f]{64}$`, "array", "password reset", "A password that is being reset, by the hash of the e-mail address."),
	{regexp.MustCompile(`^[A-Za-z0-9]{40}$`), "string", Meaning{Name: "session", Text: "A session (SESSION_DRIVER keeps them in this cache): a serialized array inside of a serialized string."}},
}

var every = slices.Concat(patterns, hashes)

func like(key, kind, name, text string) pattern {
	return pattern{regexp.MustCompile(key), kind, Meaning{Name: name, Text: text}}
}

func token(key, name, text string) pattern {
	return pattern{regexp.MustCompile(key), "", Meaning{Name: name, Text: text, Secret: true}}
}

// Key tells what a key, without prefix, is for whose value is of that type (as php.TypeName tells it), and whether that is known. It knows Laravel
// 5.5 to 13, and packages that keep things in its cache.
func Key(key, typeName string) (Meaning, bool) {
	for _, p := range every {
		if p.kind != "" && p.kind != typeName {
			continue
		}
		found := p.key.FindStringSubmatch(key)
		if found == nil {
			continue
		}
		m := p.meaning
		if strings.Contains(m.Text, "%q") {
			m.Text = strings.ReplaceAll(m.Text, "%q", found[1])
		}
		return m, true
	}
	if SecretName(key) {
		return Meaning{Name: "secret", Text: "A credential, by its name.", Secret: true}, true
	}
	return Meaning{}, false
}

// Kind names what a row is whose key is a hash, so that the key's beginning tells nothing: "rate limiter", both its count and its end, "session" or
// "password reset". Of other keys it is "".
func Kind(key, typeName string) string {
	hash := strings.TrimSuffix(key, ":timer")
	if n := len(hash); n != 32 && n != 40 && n != 64 { // which spares most of a million keys the expressions
		return ""
	}
	for _, p := range hashes {
		if p.kind == typeName && p.key.MatchString(hash) && (hash == key || p.meaning.Name == rateLimiter) {
			return p.meaning.Name
		}
	}
	return ""
}

// IsSession tells whether that is a session.
func (m Meaning) IsSession() bool { return m.Name == "session" }

// secretName finds what people call credentials, as a part of a name: authToken, jsapi_ticket, app-secret. It rather finds too much.
var secretName = regexp.MustCompile(`(?i)token|secret|passw(or)?d|(jsapi|verify|component|js|card)[._-]?ticket|api[._-]?key|private[._-]?key|credential|bearer|\bjwt\b`)

// SecretName reports whether a name, of a key or of a part of a value, is one of a credential.
func SecretName(name string) bool { return secretName.MatchString(name) }

// secretText finds credentials by their own form: JSON web tokens, and the keys of services that mark theirs.
var secretText = regexp.MustCompile(`^(eyJ[\w-]+\.[\w-]+\.[\w-]*|sk[-_](live|test|proj|ant)?[\w-]{16,}|gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[A-Z0-9]{16}|(?i:bearer) .{8,}|-----BEGIN [A-Z ]*PRIVATE KEY-----)`)

// SecretText reports whether a text is a credential by its form.
func SecretText(text string) bool { return secretText.MatchString(text) }

// secretInKey is EasyWeChat 6's key, which holds the secret of the app: official_account.access_token.APPID.SECRET.0.
var secretInKey = regexp.MustCompile(`^(.*(?:official_account|mini_app|open_platform|open_work|work)\.[a-z_]*access_token\.[^.]+\.)([^.]+)(.*)$`)

// MaskKey hides the secret that a key holds, if it is one of those.
func MaskKey(key string) string {
	if !strings.Contains(key, "access_token.") {
		return key // the expression takes long to find that out: half the time of a list of a million rows
	}
	if m := secretInKey.FindStringSubmatch(key); m != nil {
		return m[1] + Mask(m[2]) + m[3]
	}
	return key
}

// Mask returns what may be shown of a secret: its first 4 characters, or none if it is so short that they would give it away.
func Mask(secret string) string {
	characters := []rune(strings.ToValidUTF8(secret, "\uFFFD"))
	if len(characters) < 16 {
		return "…"
	}
	return string(characters[:4]) + "…"
}
