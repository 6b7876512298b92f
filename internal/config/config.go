// Package config finds larder's settings. For each one the first of these that has it counts:
//
//  1. the command line's flags;
//  2. LARDER_DATABASE, LARDER_PREFIX, LARDER_TABLE, LARDER_LOCK_TABLE, LARDER_CONFIG, LARDER_LISTEN, LARDER_API_KEY and
//     LARDER_LOG_LEVEL in the environment, or, below it, in .env;
//  3. larder.yaml;
//  4. Laravel's own settings, in the environment or, below it, in .env: DB_CONNECTION, DB_HOST, CACHE_PREFIX and so on;
//  5. the default, which is an embedded SQLite database with an empty prefix.
//
// A LARDER_ variable that is set but blank counts as not set, except LARDER_PREFIX, whose blank is the empty prefix.
//
// The .env file is read by phpdotenv's rules (see package dotenv). A variable of the real environment always takes precedence over
// the file's, also in ${NAME} and for the variables of the tokens.
//
// All that is wrong is reported at once, one error a line, each with its place. Neither errors nor notices contain a secret. A variable that only the
// API keys or the tokens refer to, and that is not set or blank, is an error of these alone: a command that does not use them goes on.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Flags are the settings given on the command line; nil means not given.
type Flags struct {
	Database, Prefix, Table, LockTable, Listen, LogLevel *string

	// EnvFile names the .env file, which must exist then; the empty string means to read none.
	// Defaults to .env.{APP_ENV} if the real environment sets APP_ENV and that file exists, else .env if it exists.
	EnvFile *string

	// ConfigFile names larder.yaml, which must exist then; the empty string means to read none.
	// Defaults to LARDER_CONFIG, else larder.yaml if it exists.
	ConfigFile *string
}

// A Config is a complete and valid configuration. It may be printed and logged: its secrets print as "[secret]".
type Config struct {
	// Database is the URL for store.Open: mysql://user:pass@host:port[,host2:port]/db?..., mariadb://... or sqlite:path.
	// Defaults to sqlite:larder.db.
	Database Setting

	// Prefix stands before every key in the table, without a separator. Defaults to "".
	Prefix Setting

	// LaravelPrefixes are the prefixes that Laravel's own configurations make of this application's name, oldest first, for those who look
	// for rows under another prefix than the configured one. Empty if the name's spelling in them is not known.
	LaravelPrefixes []LaravelPrefix

	// CachedConfig is the file in which artisan config:cache has put Laravel's settings away, if it is there and an .env file was read: Laravel
	// does not read that one then. Defaults to "".
	CachedConfig string

	// Table is the cache table's name. Defaults to "cache".
	Table Setting

	// LockTable is the lock table's name. Defaults to "cache_locks".
	LockTable Setting

	// Listen is the host:port of the HTTP service. Defaults to 127.0.0.1:8420.
	Listen Setting

	// LogLevel is debug, info, warn or error. Defaults to info.
	LogLevel Setting

	// APIKeys are the keys of the HTTP service, in the order of larder.yaml. Defaults to none.
	APIKeys []APIKey

	// APIKeysErr says which variables of the API keys are not set; APIKeys lacks those keys then. It is for those who use the keys.
	APIKeysErr error

	// Tokens are the tokens to keep fresh, sorted by key. Defaults to none.
	Tokens []Token

	// TokensErr says which variables of the tokens are not set; Tokens lacks their values then, and has the keys. It is for those who use the tokens.
	TokensErr error

	// EnvFile and ConfigFile name the files that were read. Default to "", for none.
	EnvFile, ConfigFile string

	// Notices are remarks for the user, one line each: that the embedded database is used, how the prefix was derived.
	Notices []string
}

// A LaravelPrefix is what one of Laravel's own configurations makes the cache prefix.
type LaravelPrefix struct {
	Value   string
	Version string // of the application's skeleton: "Laravel 9.0.1 to 12.0"
}

// An APIKey opens the HTTP service to those who present it.
type APIKey struct {
	Key    Secret
	Roles  []Role
	Source string // as of a [Setting]

	single bool // larder.yaml's api_key, not one of its api_keys
}

// A Role says what an API key is good for.
type Role string

// The roles. The key of LARDER_API_KEY, and of api_key in larder.yaml, has RoleAdmin.
const (
	RoleRead   Role = "read"
	RoleWrite  Role = "write"
	RoleTokens Role = "tokens"
	RoleAdmin  Role = "admin"
)

// A Token says how to keep one row filled from a vendor.
type Token struct {
	Key    string // the key, without prefix, that PHP reads
	Source string // the vendor, as larder.yaml has it: dingtalk, wecom, ...

	AppKey    string
	AppSecret Secret

	// API is which of the source's interfaces to call. Defaults to the source's first: gettoken for dingtalk.
	API string

	// BaseURL is where to call it, without a slash at its end. Defaults to "", the vendor's own address.
	BaseURL string

	// RefreshAhead is how long before the row's expiration to fetch the next token. Defaults to nil, the source's own.
	RefreshAhead *time.Duration

	// Margin is how much sooner than the vendor's expiry the row expires. Defaults to nil, the source's own.
	Margin *time.Duration

	// Timeout bounds one request to the vendor. Defaults to nil, the fetcher's own.
	Timeout *time.Duration

	// Stale is how long after its expiry a token is still handed out, marked, when no new one can be had. Defaults to nil, not at all.
	Stale *time.Duration

	// RejectInterval is how often the vendor is asked because of rejections at the most, by all servers. Defaults to nil, the fetcher's own.
	RejectInterval *time.Duration

	// Shape is what the row holds: string, or array, as some PHP SDKs read it. Defaults to string.
	Shape string

	// Options are what this source alone takes, by their names in larder.yaml. Any of them may be a secret.
	// Defaults to an empty map.
	Options map[string]Secret

	// At is where the token is configured: "larder.yaml:7", or "CORP_ID, CORP_SECRET".
	At string
}

// Token returns the token with the given key.
func (c *Config) Token(key string) (Token, bool) {
	i, ok := slices.BinarySearchFunc(c.Tokens, key, func(t Token, key string) int { return cmp.Compare(t.Key, key) })
	if !ok {
		return Token{}, false
	}
	return c.Tokens[i], true
}

// Load finds the settings. The function lookupEnv gives the real environment, as [os.LookupEnv] does; dir is the working folder, in
// which .env and larder.yaml are looked for and to which relative names of these files refer. Load opens no database and calls nobody.
//
// The error lists all that is wrong, each with the file and line, variable or flag that it is about and what to try. If no more is wrong than that
// variables of the API keys or of the tokens are not set, there is none: see [Config.APIKeysErr] and [Config.TokensErr].
func Load(flags Flags, lookupEnv func(string) (string, bool), dir string) (*Config, error) {
	if lookupEnv == nil {
		lookupEnv = func(string) (string, bool) { return "", false }
	}
	l := &loader{flags: flags, dir: dir, env: environment{real: lookupEnv}, unset: map[section][]error{}}
	if !l.loadEnvFile() || !l.loadConfigFile() {
		return nil, errors.Join(l.errs...) // without the files, further errors would mislead
	}

	c := &Config{EnvFile: l.env.name}
	if l.file != nil {
		c.ConfigFile = l.file.name
	}
	c.Database = l.setting("database", flags.Database, l.laravelDatabase, l.defaultDatabase)
	c.Prefix = l.setting("prefix", flags.Prefix, l.laravelPrefix, constant(""))
	c.LaravelPrefixes = l.laravelPrefixes()
	c.CachedConfig = l.cachedConfig()
	if c.Prefix.Source == fromDefault && c.Database.Source != fromDefault && !strings.HasPrefix(c.Database.Value, "sqlite:") {
		l.noticef("no cache prefix is configured, so keys are stored as they are: Laravel finds them only if its prefix is empty too; set LARDER_PREFIX or --prefix")
	}
	c.Table = l.setting("table", flags.Table, l.laravelTable("DB_CACHE_TABLE", "table", "cache"), constant("cache"))
	c.LockTable = l.setting("lock_table", flags.LockTable, l.laravelTable("DB_CACHE_LOCK_TABLE", "lock_table", "cache_locks"), constant("cache_locks"))
	c.Listen = l.setting("listen", flags.Listen, nil, constant("127.0.0.1:8420"))
	c.LogLevel = l.setting("log_level", flags.LogLevel, nil, constant("info"))
	if c.Table.Value != "" && strings.EqualFold(c.Table.Value, c.LockTable.Value) { // MySQL on macOS and Windows folds them
		l.failf("the cache table (%s) and the lock table (%s) are both named %q; give them two names", c.Table.Source, c.LockTable.Source, c.Table.Value)
	}
	c.APIKeys = l.apiKeys()
	c.Tokens = l.tokens()
	l.checkKeys(c)
	l.laravelNotices()
	if len(l.errs) > len(l.unset[ofAPIKeys])+len(l.unset[ofTokens]) {
		return nil, errors.Join(l.errs...)
	}
	c.APIKeysErr, c.TokensErr = errors.Join(l.unset[ofAPIKeys]...), errors.Join(l.unset[ofTokens]...)
	c.Notices = l.notices
	return c, nil
}

// A loader gathers one configuration and all that is wrong with it.
type loader struct {
	flags   Flags
	dir     string
	env     environment
	file    *file // larder.yaml; nil if there is none
	errs    []error
	unset   map[section][]error // of errs, those that matter only to who uses that section
	notices []string
}

// A section is a part of the configuration that not every command uses. The empty one is all the rest.
type section string

const (
	ofAPIKeys section = "API keys"
	ofTokens  section = "tokens"
)

// fail reports an error. One that has a section says that a variable of it is not set.
func (l *loader) fail(of section, err error) {
	l.errs = append(l.errs, err)
	if of != "" {
		l.unset[of] = append(l.unset[of], err)
	}
}

func (l *loader) failf(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

func (l *loader) noticef(format string, args ...any) {
	l.notices = append(l.notices, fmt.Sprintf(format, args...))
}

// setting finds the named one: the flag, the environment, larder.yaml, Laravel, the default. A nil laravel means that Laravel has no
// such setting. A value that fails its check is reported, and the Setting returned nevertheless.
func (l *loader) setting(name string, flag *string, laravel func() (Setting, bool), otherwise func() Setting) Setting {
	check := checks[name]
	variable := "LARDER_" + strings.ToUpper(name)
	if flag != nil {
		at := "--" + strings.ReplaceAll(name, "_", "-")
		if msg := check(*flag); msg != "" {
			l.failf("%s: %s", at, msg)
		}
		return Setting{*flag, at}
	}
	if v, ok := l.env.lookup(variable); ok && (v.value != "" || name == "prefix") {
		if msg := check(v.value); msg != "" {
			l.failf("%s: %s", v.at(), msg)
		}
		return Setting{v.value, v.at()}
	}
	if l.file != nil {
		if s, ok := l.file.settings[name]; ok {
			return s // checked with the rest of the file
		}
	}
	if laravel != nil {
		if s, ok := laravel(); ok {
			return s
		}
	}
	return otherwise()
}

// fromDefault is the Source of a default.
const fromDefault = "default"

func constant(value string) func() Setting {
	return func() Setting { return Setting{value, fromDefault} }
}

// embedded is the file of the database that is used if nothing names another.
const embedded = "larder.db"

func (l *loader) defaultDatabase() Setting {
	url := "sqlite:" + filepath.Join(l.dir, embedded)
	l.noticef("no database is configured: using the embedded one, %s; for another give --database, LARDER_DATABASE, database in larder.yaml, or Laravel's DB_ settings in .env", url)
	return Setting{url, fromDefault}
}

// apiKeys are those of larder.yaml; LARDER_API_KEY replaces its api_key and joins its api_keys.
func (l *loader) apiKeys() []APIKey {
	var keys []APIKey
	if l.file != nil {
		keys = l.file.apiKeys
	}
	v, ok := l.env.lookup("LARDER_API_KEY")
	if !ok || v.value == "" {
		return keys
	}
	if msg := checkAPIKey(v.value); msg != "" {
		l.failf("%s: %s", v.at(), msg)
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k APIKey) bool {
		return k.single || k.Key == Secret(v.value)
	})
	return append([]APIKey{{Key: Secret(v.value), Roles: []Role{RoleAdmin}, Source: v.at()}}, keys...)
}
