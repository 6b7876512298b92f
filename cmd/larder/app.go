package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/store"
)

// An app is what the commands share: the world, the global flags, and the way from configuration to an open store.
type app struct {
	environment
	started bool // the command line was understood
	flags   struct {
		database, prefix, table, lockTable, envFile, configFile, output, logLevel, listen string
	}
	changed func(flag string) bool
	loaded  *config.Config
	tables  store.Tables // those that there are, if one was missing
}

func (a *app) checkOutput() error {
	if a.flags.output != "text" && a.flags.output != "json" {
		return usagef("--output %q: want text or json", a.flags.output)
	}
	return nil
}

func (a *app) json() bool { return a.flags.output == "json" }

// config finds the settings, once, and prints what there is to remark on them.
func (a *app) config() (*config.Config, error) {
	known := a.loaded != nil
	cfg, err := a.load()
	if err != nil {
		return nil, usageError{err}
	}
	if !known && a.level() <= slog.LevelInfo {
		for _, notice := range cfg.Notices {
			a.sayf("%s", notice)
		}
	}
	return cfg, nil
}

// load finds the settings, once.
func (a *app) load() (*config.Config, error) {
	if a.loaded != nil {
		return a.loaded, nil
	}
	given := func(flag string, value *string) *string {
		if a.changed(flag) {
			return value
		}
		return nil
	}
	cfg, err := config.Load(config.Flags{
		Database:   given("database", &a.flags.database),
		Prefix:     given("prefix", &a.flags.prefix),
		Table:      given("table", &a.flags.table),
		LockTable:  given("lock-table", &a.flags.lockTable),
		EnvFile:    given("env-file", &a.flags.envFile),
		ConfigFile: given("config", &a.flags.configFile),
		LogLevel:   given("log-level", &a.flags.logLevel),
		Listen:     given("listen", &a.flags.listen),
	}, a.lookupEnv, a.dir)
	a.loaded = cfg
	return cfg, err
}

// withStore opens the configured store, without connecting yet, and closes it after use. A SQLite file must exist: a command that looks for
// a key in the wrong folder should not leave a database there.
func (a *app) withStore(ctx context.Context, use func(context.Context, *store.Store) error, opts ...store.Option) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if missingFile(cfg.Database.Value) {
		return missingDatabase(cfg)
	}
	return a.withStoreAt(ctx, cfg.Database.Value, use, opts...)
}

// missingDatabase says that the SQLite file does not exist.
func missingDatabase(cfg *config.Config) error {
	command := "larder migrate"
	if cfg.Database.Source == "--database" {
		command += " --database " + cfg.Database.String()
	}
	return fmt.Errorf("%s (from %s) does not exist: create it with %s, or is this the wrong folder or address?",
		cfg.Database, cfg.Database.Source, command)
}

// missingFile reports whether the database is a SQLite file that does not exist.
func missingFile(database string) bool {
	path, ok := strings.CutPrefix(database, "sqlite:")
	if !ok || path == ":memory:" {
		return false
	}
	_, err := os.Stat(strings.TrimPrefix(path, "//"))
	return errors.Is(err, fs.ErrNotExist)
}

// withStoreAt is withStore for a variation of the configured address.
func (a *app) withStoreAt(ctx context.Context, address string, use func(context.Context, *store.Store) error, opts ...store.Option) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	s, err := store.Open(address, append(opts,
		store.WithPrefix(cfg.Prefix.Value), store.WithTable(cfg.Table.Value), store.WithLockTable(cfg.LockTable.Value))...)
	if err != nil {
		return usagef("%s: %w", cfg.Database.Source, err)
	}
	defer func() { _ = s.Close() }() // nothing is left to write
	err = use(ctx, s)
	if errors.Is(err, store.ErrNoTable) {
		ctx, cancel := context.WithTimeout(ctx, maxMeaning)
		defer cancel()
		a.tables, _ = s.Tables(ctx) // for the hint, which can do without
	}
	return err
}

// level is from which level on to tell what is not a result. The settings must be loaded.
func (a *app) level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.loaded.LogLevel.Value)) // config has checked it
	return level
}

func (a *app) logger() *slog.Logger { return logTo(a.stderr, a.level()) }

func logTo(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// sayf prints lines for the person at the terminal, to standard error.
func (a *app) sayf(format string, args ...any) {
	const who = "larder: "
	out := term.Of(a.stderr, a.lookupEnv)
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		line = term.Safe(strings.TrimSuffix(line, "\n"))
		parts := []string{line}
		if room := out.Width - len(who); term.Width(line) > room && widestWord(line) <= room { // what has no room is left whole, to be copied
			parts = out.Wrap(line, room)
		}
		_, _ = fmt.Fprintf(a.stderr, "%s%s\n", who, strings.Join(parts, "\n"+strings.Repeat(" ", len(who))))
	}
}

func widestWord(text string) int {
	widest := 0
	for word := range strings.FieldsSeq(text) {
		widest = max(widest, term.Width(word))
	}
	return widest
}

// println prints a line of the result.
func (a *app) println(line string) error {
	_, err := fmt.Fprintln(a.stdout, line)
	return err
}

// printJSON prints a value as one line of JSON.
func (a *app) printJSON(value any) error {
	e := json.NewEncoder(a.safeJSON())
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// readAll returns an argument's value: all of standard input for "-", unless the context ends first.
func (a *app) readAll(ctx context.Context, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	type input struct {
		text []byte
		err  error
	}
	read := make(chan input, 1)
	go func() {
		text, err := io.ReadAll(a.stdin)
		read <- input{text, err}
	}()
	select {
	case in := <-read:
		if in.err != nil {
			return "", fmt.Errorf("read standard input: %w", in.err)
		}
		return string(in.text), nil
	case <-ctx.Done():
		return "", fmt.Errorf("read standard input: %w", ctx.Err())
	}
}

// printable makes a key fit for a line on a terminal: a key can hold anything.
func printable(key string) string {
	quoted := strconv.Quote(key)
	if inner := quoted[1 : len(quoted)-1]; inner != key && strings.ReplaceAll(strings.ReplaceAll(inner, `\"`, `"`), `\\`, `\`) != key {
		return quoted
	}
	return key
}
