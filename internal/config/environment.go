package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/larder-cache/larder/internal/dotenv"
)

// An environment is the real one above a .env file.
type environment struct {
	real func(string) (string, bool)
	file dotenv.Vars
	name string // the file's, as the user would name it; "" if none was read
	root string // the file's folder, Laravel's base_path
}

// A variable is a set variable, and where.
type variable struct {
	name, value string
	file        string // "" for the real environment
	line        int
}

func (e *environment) lookup(name string) (variable, bool) {
	if value, ok := e.real(name); ok {
		return variable{name: name, value: value}, true
	}
	v, ok := e.file[name]
	return variable{name: name, value: v.Value, file: e.name, line: v.Line}, ok
}

// at names the variable and its place: "CORP_ID" or ".env:3 (CORP_ID)".
func (v variable) at() string {
	if v.file == "" {
		return v.name
	}
	return fmt.Sprintf("%s:%d (%s)", v.file, v.line, v.name)
}

// laravel returns the variable as Laravel's env() does.
func (e *environment) laravel(name string) (dotenv.Value, variable) {
	v, ok := e.lookup(name)
	return dotenv.Env(v.value, ok), v
}

// loadEnvFile reads the file that --env-file names; else .env.{APP_ENV}, which Laravel prefers if the real environment names one that
// exists; else .env. It reports whether there is no such file or the file is in order.
func (l *loader) loadEnvFile() bool {
	l.env.root = l.dir
	given := l.flags.EnvFile
	names := []string{".env"}
	switch appEnv, ok := l.env.real("APP_ENV"); {
	case given != nil && *given == "":
		return true
	case given != nil:
		names = []string{*given}
	case ok && appEnv != "":
		names = []string{".env." + appEnv, ".env"}
	}
	for _, name := range names {
		path := l.path(name)
		vars, err := dotenv.ReadFile(path, l.env.real)
		parseErr, invalid := errors.AsType[*dotenv.ParseError](err)
		switch {
		case errors.Is(err, fs.ErrNotExist) && given == nil:
			continue
		case errors.Is(err, fs.ErrNotExist):
			l.failf("--env-file: %w; name an existing file, or give --env-file= to go without", err)
		case invalid:
			parseErr.File = name
			l.failf("%w (or give --env-file= to go without the file)", parseErr)
		case err != nil:
			l.failf("cannot read Laravel's settings: %w; make the file readable to this user, or give --env-file= to go without", err)
		}
		l.env.file, l.env.name, l.env.root = vars, name, filepath.Dir(path)
		return err == nil
	}
	return true
}

// path returns the place of a file that the user named.
func (l *loader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.dir, name)
}
