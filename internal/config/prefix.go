package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/dotenv"
)

// A formula is how a config/cache.php makes the prefix when CACHE_PREFIX is not set: the slug of APP_NAME and a suffix.
type formula struct {
	separator, suffix string
	appName           string // what stands for an APP_NAME that is not set
	literal           bool   // the prefix is the suffix alone
	fixed             bool   // whatever CACHE_PREFIX says
	source            string // where the formula was found
	guess             string // which Laravel's it is taken to be, if that is not certain
}

// The formulas of Laravel's own config/cache.php. The versions are those of the laravel/laravel skeleton; laravel/framework supplies
// a config/cache.php to applications without one since 11, where the hyphens came with 13.0.
var (
	since50   = formula{literal: true, suffix: "laravel"}                      // to 5.5.21
	since5522 = formula{separator: "_", suffix: "_cache", appName: "laravel"}  // to 9.0.0
	since901  = formula{separator: "_", suffix: "_cache_", appName: "laravel"} // to 12.0
	since121  = formula{separator: "-", suffix: "-cache-", appName: "laravel"} // 12.1.0 and later
)

// laravelPrefixes returns what the four formulas make of APP_NAME.
func (l *loader) laravelPrefixes() []LaravelPrefix {
	v, _ := l.env.laravel("APP_NAME")
	return prefixesOf(v)
}

// DefaultPrefixes are what Laravel's own configurations make of an application without a name, oldest first.
func DefaultPrefixes() []LaravelPrefix { return prefixesOf(dotenv.Value{}) }

func prefixesOf(appName dotenv.Value) []LaravelPrefix {
	var prefixes []LaravelPrefix
	for _, f := range []struct {
		formula
		version string
	}{{since50, "Laravel 5.0 to 5.5.21"}, {since5522, "Laravel 5.5.22 to 9.0.0"}, {since901, "Laravel 9.0.1 to 12.0"}, {since121, "Laravel 12.1 or later"}} {
		name, ok := "", true
		if !f.literal {
			name, ok = slug(appName.Or(f.appName), f.separator)
		}
		if ok {
			prefixes = append(prefixes, LaravelPrefix{name + f.suffix, f.version})
		}
	}
	return prefixes
}

// Nameless reports whether a prefix is the one that Laravel makes of every APP_NAME in which it finds nothing to spell in ASCII, such as one in Chinese.
// Applications on one database that all have it share their rows.
func Nameless(prefix string) bool {
	for _, f := range []formula{since5522, since901, since121} {
		if prefix == f.suffix {
			return true
		}
	}
	return false
}

// artisan ends the errors about prefixes that larder cannot find out.
const artisan = `php artisan tinker --execute="echo Cache::getPrefix();" prints it`

// laravelPrefix returns CACHE_PREFIX, of which null, (empty) and a blank one are the empty prefix; or else, if there are Laravel settings,
// the prefix that Laravel derives from APP_NAME.
func (l *loader) laravelPrefix() (Setting, bool) {
	if v, at := l.env.laravel("CACHE_PREFIX"); v.Kind != dotenv.Absent {
		if f, err := l.findFormula(); err == nil && f.fixed && f.suffix != v.String() {
			l.noticef("%s is not read by this application: its config/cache.php says %s, and so does larder; set --prefix for another", at.at(), quote(f.suffix))
			return Setting{f.suffix, f.source}, true
		}
		s := Setting{v.String(), at.at()}
		if msg := checkPrefix(s.Value); msg != "" {
			l.failf("%s: %s", s.Source, msg)
		}
		return s, true
	}
	if !l.hasLaravel() {
		return Setting{}, false
	}
	f, err := l.findFormula()
	if err != nil {
		l.errs = append(l.errs, err)
		return Setting{}, true
	}
	s := Setting{f.suffix, f.source}
	if !f.literal {
		v, at := l.env.laravel("APP_NAME")
		s.Source = "APP_NAME, which is not set"
		if v.Kind != dotenv.Absent {
			s.Source = at.at()
		}
		name, ok := slug(v.Or(f.appName), f.separator)
		if !ok {
			l.failf("%s: cannot tell how Laravel spells this name in the cache prefix; set CACHE_PREFIX or --prefix to the prefix (%s)", s.Source, artisan)
		}
		s.Value = name + f.suffix
	}
	if msg := checkPrefix(s.Value); msg != "" {
		l.failf("%s: %s", s.Source, msg)
	}
	if f.guess != "" {
		l.noticef("the cache prefix is taken to be %s, from %s, as in %s; set CACHE_PREFIX or --prefix to be sure", quote(s.Value), s.Source, f.guess)
	}
	return s, true
}

// findFormula looks for the application's formula: in config/cache.php; else by the version in composer.lock; else by the variable that chooses
// the store, which is CACHE_DRIVER until Laravel 10 and CACHE_STORE since 11; else it is the newest. An error says that there is a
// config/cache.php with a prefix of its own making.
func (l *loader) findFormula() (formula, error) {
	path := filepath.Join(l.env.root, "config", "cache.php")
	if src, err := os.ReadFile(path); err == nil {
		f, ok := cacheConfigFormula(string(src))
		if !ok {
			return f, fmt.Errorf("%s: cannot tell the cache prefix from this file; set CACHE_PREFIX or --prefix to it (%s)", path, artisan)
		}
		f.source = "config/cache.php"
		return f, nil
	}
	major, minor, version, ok := frameworkVersion(filepath.Join(l.env.root, "composer.lock"))
	older, at := l.env.laravel("CACHE_DRIVER")
	newer, _ := l.env.laravel("CACHE_STORE")
	var f formula
	switch {
	case !ok && older.Kind != dotenv.Absent && newer.Kind == dotenv.Absent:
		f = since901
		f.guess = fmt.Sprintf("Laravel 9 and 10, for there is %s (and neither config/cache.php nor composer.lock)", at.at())
		return f, nil
	case !ok || major >= 13:
		f = since121
	case major >= 9:
		f = since901
	case major > 5 || minor >= 5:
		f = since5522
	default:
		f = since50
	}
	f.guess = "the newest Laravel (there is neither config/cache.php nor composer.lock)"
	if ok {
		f.source, f.guess = "composer.lock", fmt.Sprintf("laravel/framework %s of composer.lock", version)
	}
	return f, nil
}

var versionNumber = regexp.MustCompile(`^v?(\d+)\.(\d+)`)

// frameworkVersion returns the version of laravel/framework in a composer.lock.
func frameworkVersion(path string) (major, minor int, version string, ok bool) {
	var lock struct {
		Packages []struct{ Name, Version string }
	}
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &lock) != nil {
		return 0, 0, "", false
	}
	for _, p := range lock.Packages {
		if m := versionNumber.FindStringSubmatch(p.Version); m != nil && p.Name == "laravel/framework" {
			major, _ = strconv.Atoi(m[1])
			minor, _ = strconv.Atoi(m[2])
			return major, minor, m[0], true
		}
	}
	return 0, 0, "", false
}

var (
	slugExpr = regexp.MustCompile(`^env\('CACHE_PREFIX',(?:\\?(?:\w+\\)*Str::slug|str_slug)\((?:\(string\))?env\('APP_NAME'(?:,'([^'\\]*)')?,?\)(?:,'([-_])')?,?\)\.'([^'\\]*)',?\)$`)
	textExpr = regexp.MustCompile(`^(?:env\('CACHE_PREFIX',)?'([^'\\]*)'(?:,?\))?$`)
)

// cacheConfigFormula reads the formula from the text of a config/cache.php. It reports false if it does not recognize the prefix, or
// if a store has one of its own.
func cacheConfigFormula(src string) (formula, bool) {
	expr, ok := phpEntry(src, "'prefix'")
	if !ok {
		return formula{}, false
	}
	if m := slugExpr.FindStringSubmatch(expr); m != nil {
		f := formula{appName: m[1], separator: m[2], suffix: m[3]}
		if f.separator == "" {
			f.separator = "-"
		}
		return f, true
	}
	switch m := textExpr.FindStringSubmatch(expr); {
	case m != nil:
		return formula{literal: true, suffix: m[1], fixed: !strings.HasPrefix(expr, "env(")}, true
	case expr == "env('CACHE_PREFIX')", expr == "env('CACHE_PREFIX',null)", expr == "null":
		return formula{literal: true}, true
	}
	return formula{}, false
}

var (
	phpText    = regexp.MustCompile(`^'([^'\\]*)'$`)
	phpEnvText = regexp.MustCompile(`^env\('(\w+)'(?:,(?:'([^'\\]*)'|null))?,?\)$`)
)

// A written setting is what a config/cache.php says of its database store: a text, or a variable with a default.
type written struct {
	text     string
	variable string // "" if the file has the text alone
}

// databaseStore returns a setting of the store "database" in the application's config/cache.php, and false if the file does not have it
// or has something that cannot be told without running PHP.
func databaseStore(root, key string) (written, bool) {
	src, err := os.ReadFile(filepath.Join(root, "config", "cache.php"))
	if err != nil {
		return written{}, false
	}
	store, ok := phpEntry(string(src), "'database'")
	if !ok {
		return written{}, false
	}
	expr, ok := phpEntry("["+strings.TrimPrefix(store, "["), "'"+key+"'")
	if !ok {
		return written{}, false
	}
	if m := phpText.FindStringSubmatch(expr); m != nil {
		return written{text: m[1]}, true
	}
	if m := phpEnvText.FindStringSubmatch(expr); m != nil {
		return written{text: m[2], variable: m[1]}, true
	}
	return written{}, expr == "null"
}

var phpToken = regexp.MustCompile(`(?s)//[^\r\n]*|#[^\r\n]*|/\*.*?\*/|\s+|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w+|.`)

// phpEntry returns the expression of an entry of the array that a PHP file returns, without white space and comments, and with plain
// strings in single quotes. It reports false if there is no such entry, or more than one at any depth.
func phpEntry(src, key string) (expr string, ok bool) {
	var tokens []string
	for _, t := range phpToken.FindAllString(src, -1) {
		switch {
		case strings.TrimSpace(t) == "", strings.HasPrefix(t, "//"), t[0] == '#', strings.HasPrefix(t, "/*"):
		case len(t) > 1 && t[0] == '"' && !strings.ContainsAny(t, `'\$`):
			tokens = append(tokens, "'"+t[1:len(t)-1]+"'")
		default:
			tokens = append(tokens, t)
		}
	}
	start := -1
	for i, t := range tokens {
		if t == key && i+2 < len(tokens) && tokens[i+1] == "=" && tokens[i+2] == ">" {
			if start >= 0 {
				return "", false
			}
			start = i + 3
		}
	}
	if start < 0 {
		return "", false
	}
	depth := 0
	for i, t := range tokens[start:] {
		switch t {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth < 0 || depth == 0 && t == "," {
			return strings.Join(tokens[start:start+i], ""), true
		}
	}
	return "", false
}
