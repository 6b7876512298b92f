package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/duration"
	"github.com/larder-cache/larder/internal/known"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// The bounds of what is read of a table.
const (
	sampledRows = 20_000    // by their beginning, spread over the table
	wholeRows   = 2_000     // whole, to be decoded
	wholeBytes  = 16 << 20  // of these
	wholeValue  = 256 << 10 // the largest of these: decoded, a value takes many times its size
	countedLock = 50_000    // rows of the lock table
	namedRows   = 3         // in a message
	manyExpired = 100_000   // a backlog, whatever the table's size
	someExpired = 1_000     // no backlog below
	bigExpired  = 100 << 20 // bytes, a backlog however few the rows
)

// withPrefix returns the patient's store as one of another prefix has it.
func (e *exam) withPrefix(prefix string) (*store.Store, error) {
	return store.New(e.Store.DB(), store.WithPrefix(prefix), store.WithTable(e.Config.Table.Value), store.WithLockTable(e.Config.LockTable.Value))
}

// tableStats looks at a sample of the whole table, once.
func (e *exam) tableStats(ctx context.Context) (*store.Stats, error) {
	if e.stats != nil || e.statsErr != nil {
		return e.stats, e.statsErr
	}
	whole, err := e.withPrefix("")
	if err != nil {
		return nil, err
	}
	o := store.StatsOptions{Biggest: 1, SampleAbove: sampledRows}
	for _, p := range candidates(e.Config) {
		o.Beginnings = append(o.Beginnings, p.Value)
	}
	e.stats, e.statsErr = whole.Stats(ctx, o) // an error too: what has taken too long is not waited for again
	return e.stats, e.statsErr
}

// A populated prefix is one and how many rows begin with it and with no longer one of those that are looked for.
type populated struct {
	config.LaravelPrefix
	rows int64
}

// populations tells how many rows the configured prefix has, and which others have some, those with the most first.
func (e *exam) populations(ctx context.Context, stats *store.Stats) (own populated, others []populated, err error) {
	for i, p := range candidates(e.Config) {
		found := populated{p, stats.Beginnings[i].Rows}
		switch {
		case i == 0:
			own = found
		case found.rows > 0:
			others = append(others, found)
		}
	}
	slices.SortStableFunc(others, func(a, b populated) int { return cmp.Compare(b.rows, a.rows) })
	if own.rows == 0 && stats.Sampled { // a few of many may not have been among the sample
		for _, err := range e.Store.List(ctx, store.ListOptions{State: store.All, Limit: 1}) {
			if err != nil {
				return own, others, err
			}
			own.rows = 1
		}
	}
	return own, others, nil
}

// checkPrefix holds the prefixes that rows have against the one that is configured.
func checkPrefix(ctx context.Context, e *exam) ([]Finding, error) {
	found, err := e.rowsPrefix(ctx)
	if err == nil && config.Nameless(e.Config.Prefix.Value) {
		found = append(found, Finding{
			Status: OK, Message: fmt.Sprintf("%q is the prefix of every Laravel whose APP_NAME has no letter that it spells in ASCII: two of them on one database share their rows and locks",
				e.Config.Prefix.Value),
			Remedy: "CACHE_PREFIX=myshop_cache_    # if there are two: a name of each one's own, which PHP and larder read; the rows that are there are not found under it",
		})
	}
	return found, err
}

func (e *exam) rowsPrefix(ctx context.Context) ([]Finding, error) {
	stats, err := e.tableStats(ctx)
	if err != nil {
		return nil, err
	}
	own, others, err := e.populations(ctx, stats)
	if err != nil {
		return nil, err
	}
	about := ""
	if stats.Sampled {
		about = "about "
	}
	var found []string
	for _, p := range others {
		found = append(found, fmt.Sprintf("%s (%s%s; %s)", p.Value, about, humanize.Comma(p.rows), p.Version))
	}
	rows := strings.Join(found, ", ")
	switch {
	case len(others) > 0 && others[0].rows > own.rows:
		remedy := "CACHE_PREFIX=" + others[0].Value + `    # or LARDER_PREFIX, if that is what this prints: php artisan tinker --execute="echo Cache::getPrefix();"`
		if own.rows == 0 {
			return one(problem(remedy, "rows have %s, you have configured %q (from %s), which no row has", rows, own.Value, e.Config.Prefix.Source))
		}
		return one(warning(remedy, "rows have %s, you have configured %q (%s%s, from %s)", rows, own.Value, about, rowsText(own.rows), e.Config.Prefix.Source))
	case len(others) > 0:
		return one(ok("%q has %s%s; besides there are rows of %s", own.Value, about, rowsText(own.rows), rows))
	case own.rows > 0:
		return one(ok("%q has %s%s", own.Value, about, rowsText(own.rows)))
	}
	if stats.Rows == 0 {
		return one(ok("%q; the table has no rows yet", own.Value))
	}
	name, remedy := "keys of no common beginning", "larder list --all-prefixes --limit 20"
	if len(stats.Keys.Largest) > 0 && stats.Keys.Largest[0].Name != "" {
		most := stats.Keys.Largest[0].Name
		name = most + "…"
		if known.MaskKey(most) == most {
			remedy += "    # if they are this application's: CACHE_PREFIX=" + ShellQuote(most)
		}
	}
	return one(warning(remedy, "no row has the configured prefix %q (from %s), and there are %s of others, most of them %s",
		own.Value, e.Config.Prefix.Source, rowsText(stats.Rows), known.MaskKey(name)))
}

// checkBacklog counts what prune would delete. The bytes are those of a sample, in proportion.
func checkBacklog(ctx context.Context, e *exam) ([]Finding, error) {
	stats, err := e.tableStats(ctx)
	if err != nil {
		return nil, err
	}
	about := ""
	if stats.Sampled {
		about = fmt.Sprintf("; estimated from %s of them", humanize.Comma(stats.Looked))
	}
	message := fmt.Sprintf("%s of %s have expired (%s of values%s)", humanize.Comma(stats.Expired.Rows), rowsText(stats.Rows), humanize.IBytes(uint64(stats.Expired.Bytes)), about)
	if n := stats.Expired.Rows; n >= manyExpired || n >= someExpired && n*5 >= stats.Rows || stats.Expired.Bytes >= bigExpired {
		return one(warning("larder prune    # larder serve does it by itself; by cron: */10 * * * * larder prune --log-level warn",
			"%s: Laravel deletes an expired row only when it is read", message))
	}
	return one(ok("%s", message))
}

// checkValues decodes what Laravel would. Of classes it needs to know nothing.
func checkValues(ctx context.Context, e *exam) ([]Finding, error) {
	stats, err := e.tableStats(ctx)
	if err != nil {
		return nil, err
	}
	var (
		read, size     int64
		corrupt, twice rowNames
	)
	for row, err := range e.Store.Export(ctx, store.ExportOptions{MaxSize: wholeValue}) {
		if err != nil {
			return nil, err
		}
		if read == wholeRows || size > wholeBytes {
			break
		}
		read, size = read+1, size+int64(len(row.Value))
		switch {
		case !unreadable(row.Value):
		case e.isMySQL() && encodedTwice(row.Value):
			twice.add(row.Key)
		default:
			corrupt.add(row.Key)
		}
	}
	looked := fmt.Sprintf("of the prefix's live rows %s whole, of the table %s by their beginning", humanize.Comma(read), humanize.Comma(stats.Looked))
	var found []Finding
	if twice.n > 0 {
		found = append(found, problem("DB_CHARSET=utf8mb4    # in .env; before Laravel 11 it is 'charset' in config/database.php. Then larder flush --yes, for what is there stays as it is",
			"PHP wrote %s over a latin1 connection, where each character beyond ASCII is encoded twice: only a PHP of that charset can read it; %s", twice, looked))
	}
	switch {
	case corrupt.n > 0:
		key := ShellQuote(corrupt.first[0])
		if strings.HasPrefix(key, "-") {
			key = "-- " + key
		}
		found = append(found, problem(fmt.Sprintf("larder inspect %s    # says why; then larder forget %s, for Laravel fails whenever it reads it", key, key),
			"PHP cannot read %s: %s", corrupt, looked))
	case found == nil && stats.Corrupt.Rows > 0:
		found = append(found, warning("larder list --all-prefixes --state all -l | grep corrupt", "PHP cannot read about %s: %s", rowsText(stats.Corrupt.Rows), looked))
	case found == nil:
		found = append(found, ok("PHP can read all that were looked at: %s", looked))
	}
	return found, nil
}

// rowNames are the keys of rows of which the first are named.
type rowNames struct {
	first []string
	n     int
}

func (names *rowNames) add(key string) {
	if names.n++; names.n <= namedRows {
		names.first = append(names.first, key)
	}
}

func (names rowNames) String() string {
	var quoted []string
	for _, key := range names.first {
		quoted = append(quoted, fmt.Sprintf("%q", known.MaskKey(key)))
	}
	text := strings.Join(quoted, ", ")
	if names.n > namedRows {
		text += fmt.Sprintf(" and %d more", names.n-namedRows)
	}
	return text
}

// unreadable reports whether PHP's unserialize fails on a value. What is merely too deep or too big for larder is not its affair.
func unreadable(value []byte) bool {
	_, err := php.Decode(value)
	var syntax *php.SyntaxError
	return errors.As(err, &syntax)
}

const longLock = 24 * time.Hour

// checkLocks looks for locks that outlive a day from now, which is as long as Laravel's do that say nothing of their time, and for what expired
// ones have left.
func checkLocks(ctx context.Context, e *exam) ([]Finding, error) {
	var (
		seen, expired, held int64
		long                []store.LockEntry
		found               []Finding
	)
	for lock, err := range e.Store.AllLocks(ctx) {
		if errors.Is(err, store.ErrSameTable) {
			return none() // the configuration refuses that
		}
		if err != nil {
			return nil, err
		}
		if seen++; seen > countedLock {
			break
		}
		switch {
		case !lock.Live():
			expired++
		case lock.TTL > longLock:
			long = append(long, lock)
			held++
		default:
			held++
		}
	}
	more := ""
	if seen > countedLock {
		more = fmt.Sprintf(" (of the first %s)", humanize.Comma(countedLock))
	}
	for i, lock := range long {
		if i == namedRows {
			found = append(found, warning("larder lock list --all-prefixes", "%d more locks are held for longer than a day", len(long)-namedRows))
			break
		}
		name, flags := lock.Name, " --prefix ''"
		if bare, ours := strings.CutPrefix(lock.Name, e.Config.Prefix.Value); ours {
			name, flags = bare, ""
		}
		found = append(found, warning(fmt.Sprintf("larder lock release %s --owner %s%s    # if its holder is gone", ShellQuote(name), ShellQuote(lock.Owner), flags),
			"lock %q is held for %s more by %q", lock.Name, duration.Rough(lock.TTL), lock.Owner))
	}
	if expired >= someExpired {
		return append(found, warning("larder prune", "%s of expired locks are left%s, and %s are held", rowsText(expired), more, humanize.Comma(held))), nil
	}
	return append(found, ok("%s held, and %s of expired ones%s", humanize.Comma(held), rowsText(expired), more)), nil
}

// rowsText is a number of rows.
func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return humanize.Comma(n) + " rows"
}
