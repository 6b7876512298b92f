package doctor

import (
	"context"
	"os"
	"strings"

	"github.com/larder-cache/larder/internal/duration"
)

func checkConfiguration(_ context.Context, e *exam) ([]Finding, error) {
	if e.ConfigErr != nil {
		return wrongSettings(e.ConfigErr), nil
	}
	e.ready = aConfiguration
	var files []string
	for _, name := range []string{e.Config.ConfigFile, e.Config.EnvFile} {
		if name != "" {
			files = append(files, name)
		}
	}
	if files == nil {
		files = []string{"neither larder.yaml nor .env"}
	}
	found := []Finding{ok("read: %s", strings.Join(files, ", "))}
	for _, err := range []error{e.Config.APIKeysErr, e.Config.TokensErr} {
		if err != nil {
			found = append(found, wrongSettings(err)...)
		}
	}
	for _, notice := range e.Config.Notices {
		if e.Config.CachedConfig != "" && strings.HasPrefix(notice, e.Config.CachedConfig) {
			continue // the check of the config cache knows more
		}
		message, remedy := cutRemedy(notice)
		if remedy == "" {
			remedy = "leave out the one that is not meant"
		}
		found = append(found, warning(remedy, "%s", message))
	}
	return found, nil
}

// wrongSettings are what an error of the configuration says, one a line.
func wrongSettings(err error) []Finding {
	var found []Finding
	for line := range strings.Lines(err.Error()) {
		message, remedy := cutRemedy(strings.TrimSuffix(line, "\n"))
		if remedy == "" {
			remedy = "correct that, and run larder doctor again"
		}
		found = append(found, problem(remedy, "%s", message))
	}
	return found
}

// cutRemedy separates what to do from a line of the configuration's, where it stands behind the last semicolon.
func cutRemedy(line string) (message, remedy string) {
	if i := strings.LastIndex(line, "; "); i >= 0 {
		return line[:i], line[i+len("; "):]
	}
	return line, ""
}

func checkSettings(_ context.Context, e *exam) ([]Finding, error) {
	c := e.Config
	found := []Finding{
		ok("database %s, from %s", c.Database, c.Database.Source),
		ok("prefix %q, from %s", c.Prefix.Value, c.Prefix.Source),
		ok("table %s, from %s; lock table %s, from %s", c.Table, c.Table.Source, c.LockTable, c.LockTable.Source),
		ok("listen %s, from %s; log level %s, from %s", c.Listen, c.Listen.Source, c.LogLevel, c.LogLevel.Source),
	}
	for _, key := range c.APIKeys {
		found = append(found, ok("API key with the roles %v, from %s", key.Roles, key.Source))
	}
	for _, t := range c.Tokens {
		found = append(found, ok("token %q of %s, from %s", t.Key, t.Source, t.At))
	}
	return found, nil
}

// checkConfigCache goes by the times of the files: artisan config:cache wrote what .env said then.
func checkConfigCache(_ context.Context, e *exam) ([]Finding, error) {
	const remedy = "php artisan config:cache"
	cached := e.Config.CachedConfig
	if cached == "" {
		return none()
	}
	cache, err := os.Stat(cached)
	if err != nil {
		return nil, err
	}
	// The cache lies in bootstrap/cache of the folder that the .env file is in.
	root := strings.TrimSuffix(strings.ReplaceAll(cached, string(os.PathSeparator), "/"), "bootstrap/cache/config.php")
	env, err := os.Stat(root + e.Config.EnvFile)
	if err != nil {
		env, err = os.Stat(e.Config.EnvFile)
	}
	if err == nil && env.ModTime().After(cache.ModTime()) {
		return one(problem(remedy, "%s shadows %s, which was changed %s later: PHP goes by the older settings, larder by the newer",
			cached, e.Config.EnvFile, duration.Rough(env.ModTime().Sub(cache.ModTime()))))
	}
	return one(warning(remedy, "%s shadows %s: PHP does not read that, and a change of it is seen by larder alone", cached, e.Config.EnvFile))
}
