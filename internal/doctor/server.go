package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/larder-cache/larder/internal/duration"
)

func checkConnection(ctx context.Context, e *exam) ([]Finding, error) {
	err := e.StoreErr
	if err == nil {
		about, asking := e.Store.Server(ctx)
		if err = asking; err == nil {
			e.server, e.ready = &about, aConnection
			return one(ok("%s %s", about.Product, about.Version))
		}
	}
	if closed := e.closedFile(); closed != nil {
		return one(*closed)
	}
	remedy := e.Hint(err)
	switch {
	case remedy != "":
	case e.StoreErr != nil:
		remedy = "larder migrate"
	default:
		remedy = "larder doctor --database mysql://user:password@host:3306/database"
	}
	return one(problem(remedy, "%v", err))
}

// isMySQL tells whether the server is one: MySQL, MariaDB or TiDB.
func (e *exam) isMySQL() bool { return e.server.Product != "SQLite" }

func checkEncryption(_ context.Context, e *exam) ([]Finding, error) {
	switch {
	case !e.isMySQL():
		return none()
	case e.server.TLS != "":
		return one(ok("%s", e.server.TLS))
	case e.server.Local:
		return one(ok("none, and the connection does not leave this machine"))
	}
	return one(warning("add ?tls=true to the database's URL (tls=skip-verify does not check who the server is), or set MYSQL_ATTR_SSL_CA=/path/to/ca.pem",
		"none: values, tokens among them, go over the network as they are"))
}

// checkWritable looks at the server, or the file. What the account may do with the tables is another check's.
func checkWritable(ctx context.Context, e *exam) ([]Finding, error) {
	switch {
	case !e.isMySQL():
		return checkFile(ctx, e)
	case e.server.ReadOnly != "":
		source := "the primary"
		if e.server.Replica != "" {
			source = "the primary, " + e.server.Replica + ","
		}
		return one(problem(fmt.Sprintf("put %s into the database's URL, or DB_HOST; if this is the primary: SET GLOBAL %s = OFF;", source, e.server.ReadOnly),
			"the server refuses writes: %s is on", e.server.ReadOnly))
	case e.server.Replica != "":
		return one(warning("put "+e.server.Replica+" into the database's URL, or DB_HOST",
			"the server is a replica of %s: what is written here does not get there, and what is written there comes late", e.server.Replica))
	}
	return one(ok("the server takes writes and is not known to be a replica"))
}

func checkCluster(_ context.Context, e *exam) ([]Finding, error) {
	const oneNode = "let every server write to one and the same node (a list of hosts in the URL is tried in order): nodes that write the same rows roll each other back"
	s := e.server
	switch {
	case s.Galera != "" && (!s.GaleraReady || !strings.EqualFold(s.Galera, "Primary")):
		return one(problem("connect to a node of the part that has the majority; when no other node is alive: SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES';",
			"this Galera node has lost its cluster: wsrep_cluster_status is %s, wsrep_ready %v", s.Galera, s.GaleraReady))
	case s.Galera != "":
		return one(Finding{Status: OK, Message: fmt.Sprintf("a Galera cluster of %d nodes", s.Nodes), Remedy: oneNode})
	case s.GroupReplication != "" && !s.SinglePrimary:
		return one(warning(oneNode, "an InnoDB Cluster with several primaries"))
	case s.GroupReplication != "":
		return one(Finding{Status: OK, Message: "an InnoDB Cluster with one primary", Remedy: "connect by MySQL Router's port for writes, which follows the primary"})
	}
	return none()
}

// The bounds of a clock that is off. Rows expire by whole seconds; beyond the second bound locks of a usual length overlap.
const (
	clockSamples  = 8
	clockOff      = time.Second
	clockWayOff   = 10 * time.Second
	clockVerySlow = 2 * time.Second // a sample that tells nothing any more
)

// checkClock takes the sample whose answer came quickest: the server read its clock somewhere between question and answer, so that half of that
// time is the most by which the difference can be wrong.
func checkClock(ctx context.Context, e *exam) ([]Finding, error) {
	var off time.Duration
	bound := time.Duration(-1)
	for range clockSamples {
		asked := e.Now()
		server, err := e.Store.ServerTime(ctx)
		if err != nil {
			return nil, err
		}
		if half := e.Now().Sub(asked) / 2; bound < 0 || half < bound {
			off, bound = asked.Add(half).Sub(server), half
		}
		if bound > clockVerySlow {
			break
		}
	}
	bound += time.Millisecond // the resolution of the clocks
	which := "ahead of"
	if off < 0 {
		which = "behind"
	}
	shown := off
	if off.Abs() >= clockWayOff { // Rough cuts: 1m 30s less the half of a millisecond would be 1m 29s
		shown = off.Round(time.Second)
	}
	message := fmt.Sprintf("this machine's clock is %s %s the database's (± %s)", duration.Rough(shown), which, duration.Rough(bound))
	const remedy = "timedatectl set-ntp true    # here and on the database's server; then timedatectl timesync-status"
	switch wrong := off.Abs() - bound; {
	case wrong <= 0:
		return one(ok("this machine's clock and the database's agree (± %s)", duration.Rough(bound)))
	case wrong > clockWayOff:
		return one(problem(remedy, "%s: PHP here goes by this one, so that rows and locks end at other times for it", message))
	case wrong > clockOff:
		return one(warning(remedy, "%s: PHP here goes by this one, so that rows and locks end at other times for it", message))
	}
	return one(ok("%s", message))
}

func checkSQLMode(_ context.Context, e *exam) ([]Finding, error) {
	strict := func(mode string) bool {
		return strings.Contains(mode, "STRICT_TRANS_TABLES") || strings.Contains(mode, "STRICT_ALL_TABLES")
	}
	switch {
	case !e.isMySQL():
		return none()
	case !strict(e.server.SQLMode):
		return one(problem("take sql_mode out of the database's URL", "larder's connections are not strict (sql_mode %q): the server cuts what does not fit, without an error", e.server.SQLMode))
	case !strict(e.server.GlobalSQLMode):
		return one(warning("SET GLOBAL sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION';    -- and in my.cnf",
			"larder's connections are strict, the server's own sql_mode (%q) is not: for programs that do not set theirs, such as Laravel with 'strict' => false, it cuts what does not fit, without an error",
			e.server.GlobalSQLMode))
	}
	return one(ok("strict"))
}

// mediumText is what Laravel's column holds.
const mediumText = 16 << 20

func checkPacket(_ context.Context, e *exam) ([]Finding, error) {
	switch size := e.server.MaxPacket; {
	case !e.isMySQL() || size == 0:
		return none()
	case size < mediumText:
		return one(warning("SET GLOBAL max_allowed_packet = 67108864;    -- and in my.cnf; connections that are open keep theirs",
			"%s: values that are larger cannot be stored, and Laravel's column holds %s", humanize.IBytes(uint64(size)), humanize.IBytes(mediumText)))
	default:
		return one(ok("%s", humanize.IBytes(uint64(size))))
	}
}

func checkIsolation(_ context.Context, e *exam) ([]Finding, error) {
	switch level := strings.ReplaceAll(e.server.Isolation, "-", " "); {
	case !e.isMySQL() || level == "":
		return none()
	case level == "REPEATABLE READ", level == "READ COMMITTED":
		return one(ok("%s", level))
	default:
		return one(warning("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED;    -- and transaction-isolation in my.cnf, or the option in the URL",
			"%s: %s", level, map[bool]string{true: "reads lock rows, and wait for writers", false: "reads see what is rolled back afterwards"}[level == "SERIALIZABLE"]))
	}
}

func checkJournal(_ context.Context, e *exam) ([]Finding, error) {
	switch {
	case e.isMySQL() || e.server.File == "":
		return none()
	case e.server.JournalMode != "wal":
		return one(warning("sqlite3 "+ShellQuote(e.server.File)+" 'PRAGMA journal_mode=WAL;'",
			"%s: whoever writes keeps all readers waiting, and they him", e.server.JournalMode))
	}
	return one(ok("wal"))
}

func checkPermissions(_ context.Context, e *exam) ([]Finding, error) {
	if e.isMySQL() || e.server.File == "" {
		return none()
	}
	const othersRead, othersWrite = 0o004, 0o002
	var open os.FileMode
	for _, end := range []string{"", "-wal"} {
		info, err := os.Stat(e.server.File + end)
		if err != nil {
			if end == "" {
				return nil, err
			}
			continue
		}
		open |= info.Mode().Perm() & (othersRead | othersWrite)
	}
	name := ShellQuote(e.server.File)
	remedy := fmt.Sprintf("chmod o-rw %s*", name)
	switch {
	case open&othersWrite != 0:
		return one(warning(remedy, "every user of this machine can write %s", e.server.File))
	case open&othersRead != 0 && len(e.Config.Tokens) > 0:
		return one(warning(remedy, "every user of this machine can read %s, and there are access tokens in it", e.server.File))
	case open&othersRead != 0:
		return one(Finding{Status: OK, Message: "every user of this machine can read " + e.server.File, Remedy: remedy})
	}
	return one(ok("%s is closed to other users", e.server.File))
}
