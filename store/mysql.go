package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"
)

// mysqlDialect speaks to MySQL 8 and 9, MariaDB 10.6 and later, Galera clusters and TiDB.
//
// Three rules shape its statements:
//
//   - The key column's collation is usually utf8mb4_unicode_ci, for which "Foo", "foo ", "fóo" and "foo" are one key. Rows are found
//     through the index by that comparison and then checked byte for byte in UTF-8, whatever the column's character set: COLLATE
//     utf8mb4_bin would still equate "foo" with "foo ".
//   - What happened is told by LAST_INSERT_ID(code), which travels in the same packet as the row count, so that "held", "held by
//     a look-alike" and "unchanged because it was the same second" are told apart without a second round trip, whether or not
//     the connection counts found rows (clientFoundRows). The argument must read a column: TiDB folds a constant at plan time.
//   - Assignments must give the same answer from left to right (MySQL, MariaDB) and from the old row (TiDB's UPDATE).
//
// VALUES(column) is deprecated in MySQL and draws a warning, but the row alias that replaces it is a syntax error on MariaDB
// and TiDB.
type mysqlDialect struct{}

// The columns' bytes in UTF-8, which is what the parameters come in. CONVERT does nothing on a utf8mb4 column; on a latin1 one, which a
// Laravel of another charset may have made, "é" is another byte.
const (
	keyBytes      = "CAST(CONVERT(`key` USING utf8mb4) AS BINARY)"
	valueBytes    = "IF(" + valueAsIs + ",CAST(`value` AS BINARY),CAST(CONVERT(`value` USING utf8mb4) AS BINARY))"
	ownerBytes    = "CAST(CONVERT(owner USING utf8mb4) AS BINARY)"
	newKeyBytes   = "CAST(CONVERT(VALUES(`key`) USING utf8mb4) AS BINARY)"
	newOwnerBytes = "CAST(CONVERT(VALUES(owner) USING utf8mb4) AS BINARY)"

	// valueAsIs tells a value column of which nothing is to be converted. In one of bytes, a BLOB, CONVERT would make "?" of each that is not
	// UTF-8; on a text of 16 MB it took 0.3 s for each part (MariaDB 10.11). TiDB has no CHARSET().
	valueAsIs = "(COLLATION(`value`)='binary' OR LEFT(COLLATION(`value`),4)='utf8')"
)

// A large value is put together in a variable of the connection and written from there, complete, by one statement. The driver would have an
// argument of 16 MB in memory five times to interpolate it. A result of CONCAT that exceeds max_allowed_packet is NULL.
const (
	mysqlFirstPart   = "SET @larder_value=?"
	mysqlNextPart    = "SET @larder_value=CONCAT(@larder_value,?)"
	mysqlPartsSize   = "SELECT LENGTH(@larder_value)"
	mysqlImportParts = "(?,@larder_value,?)"
)

const mysqlNow = "UNIX_TIMESTAMP()" // constant within a statement: its start

// mysqlGet returns look-alikes too: the caller compares the key. The difference of the two times is the caller's as well: the server would
// refuse one that leaves 64 bits.
const mysqlGet = "SELECT `key`,`value`,expiration,{now} FROM `{cache}` WHERE `key`=?"

const mysqlHas = "SELECT `key`,expiration,{now} FROM `{cache}` WHERE `key`=?"

const mysqlMany = "SELECT `key`,`value`,expiration,{now} FROM `{cache}` WHERE `key` IN "

// mysqlAbout and mysqlPiece read a large value in parts: of bytes, because to find a character the server would count all those before it. CRC32 is
// for tables of an engine that has no snapshots. Size and parts of a value that exceeds max_allowed_packet are NULL.
const (
	mysqlAbout = "SELECT `key`,LENGTH(" + valueBytes + "),CRC32(" + valueBytes + "),expiration,{now} FROM `{cache}` WHERE `key`=?"
	mysqlPiece = "SELECT SUBSTRING(" + valueBytes + ",?,?) FROM `{cache}` WHERE `key`=?"
)

// mysqlPut rewrites the key too: over a look-alike's row it takes the row over, spelling included, as Laravel's upsert does.
// An identical row in the same second affects 0 rows, which Laravel takes for a failure and which is success.
const (
	mysqlPut     = "INSERT INTO `{cache}` (`key`,`value`,expiration) VALUES "
	mysqlPutRow  = "(?,?,{now}+?)"
	mysqlPutTail = " ON DUPLICATE KEY UPDATE `key`=VALUES(`key`),`value`=VALUES(`value`),expiration=VALUES(expiration)"
)

// mysqlExpiresClamped, in place of mysqlExpires, serves INT columns, which end on 2038-01-19 and hold no "forever" from 2028-01-22 on.
const (
	mysqlExpires        = "{now}+?"
	mysqlExpiresClamped = "LEAST({now}+?,2147483647)"
)

// mysqlAdd stores over an expired row and leaves a live one alone, in one atomic statement. It never is INSERT IGNORE, which
// cuts long keys and replaces invalid text. The key is rewritten too, or taking over an expired look-alike would store the
// value under the other spelling. Expiration comes last, because the assignments before it test it.
// The code is 1 for a live row of this key and 2 for a live look-alike; no code means stored.
const mysqlAdd = "INSERT INTO `{cache}` (`key`,`value`,expiration) VALUES (?,?,{now}+?)" +
	" ON DUPLICATE KEY UPDATE" +
	" `value`=IF(expiration<={now},VALUES(`value`),`value`)," +
	" `key`=IF(expiration<={now},VALUES(`key`),`key`)," +
	" expiration=IF(expiration<={now},VALUES(expiration)," +
	"IF(LAST_INSERT_ID(IF(" + keyBytes + "=" + newKeyBytes + ",1,2))>0,expiration,expiration))"

// mysqlTouch answers a code when the row is live, also in the second in which the expiration does not change.
const mysqlTouch = "UPDATE `{cache}` SET expiration=IF(LAST_INSERT_ID(IF(expiration>0,1,2))>0,{now}+?,0)" +
	" WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY) AND expiration>{now}"

const mysqlForget = "DELETE FROM `{cache}` WHERE `key` IN (?,?) AND " + keyBytes + " IN (CAST(? AS BINARY),CAST(? AS BINARY))"

// mysqlTake deletes exactly the row that was read, so that of many pullers one gets the value.
const mysqlTake = "DELETE FROM `{cache}` WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY)" +
	" AND " + valueBytes + "=CAST(? AS BINARY) AND expiration=?"

// The codes of mysqlIncrement lie where no result of it can: it serves integers of up to 18 digits and steps of up to 2^62.
const (
	codeExpired   = -9223372036854775807
	codeLookalike = -9223372036854775806
	codeNotPlain  = -9223372036854775805

	maxFastStep = 1 << 62
)

// mysqlIncrement adds to a live integer in one statement: 2.1 times as fast as Laravel's SELECT ... FOR UPDATE transaction
// (MariaDB 10.11, MySQL 9.7). The new value travels back as LAST_INSERT_ID, which is unsigned: without the outer CAST a
// negative result would be stored as 2^64 minus it.
// LENGTH comes first because matching a 5 MiB value against a pattern costs tens of milliseconds; REGEXP guards the CAST, which
// fails on other text in strict mode; RIGHT, because "$" matches before a final newline; the last comparison leaves only what PHP
// itself writes ("i:5;", not "I:5;", "i:007;", "i:-0;"). Everything else is left to the slower path, which knows PHP's numbers.
var mysqlIncrement = fmt.Sprintf("UPDATE `{cache}` SET `value`=IF("+
	"expiration>{now} AND "+keyBytes+"=CAST(? AS BINARY)"+
	" AND LENGTH(`value`)<=22 AND `value` REGEXP '^i:-?[0-9]{1,18};$' AND RIGHT(`value`,1)=';'"+
	" AND "+valueBytes+"=CAST(CONCAT('i:',CAST(SUBSTR(`value`,3,LENGTH(`value`)-3) AS SIGNED),';') AS BINARY),"+
	"CONCAT('i:',CAST(LAST_INSERT_ID(CAST(SUBSTR(`value`,3,LENGTH(`value`)-3) AS SIGNED)+?) AS SIGNED),';'),"+
	"IF(LAST_INSERT_ID(IF(expiration<={now},%d,IF("+keyBytes+"<>CAST(? AS BINARY),%d,%d)))<>0,`value`,`value`))"+
	" WHERE `key`=?", int64(codeExpired), int64(codeLookalike), int64(codeNotPlain))

// mysqlReplace is the compare-and-swap of the slower increment.
const mysqlReplace = "UPDATE `{cache}` SET `value`=? WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY)" +
	" AND " + valueBytes + "=CAST(? AS BINARY) AND expiration>{now}"

// mysqlAcquire takes a lock that is new, expired or already this owner's. Owners compare byte for byte: the column's own
// comparison would give "a1"'s lock to "A1". Codes: 1 taken over after expiry, 2 already this owner's, 3 another's,
// 4 a live look-alike's; no code means a new row. The expiration comes last, because the assignments before it test it.
const mysqlAcquire = "INSERT INTO `{locks}` (`key`,owner,expiration) VALUES (?,?,{now}+?)" +
	" ON DUPLICATE KEY UPDATE" +
	" owner=IF(LAST_INSERT_ID(IF(expiration<={now},1," +
	"IF(" + keyBytes + "<>" + newKeyBytes + ",4," +
	"IF(" + ownerBytes + "=" + newOwnerBytes + ",2,3))))<3,VALUES(owner),owner)," +
	" `key`=IF(expiration<={now},VALUES(`key`),`key`)," +
	" expiration=IF(expiration<={now} OR (" + ownerBytes + "=" + newOwnerBytes + " AND " + keyBytes + "=" + newKeyBytes + ")," +
	"VALUES(expiration),expiration)"

const mysqlRefresh = "UPDATE `{locks}` SET expiration=IF(LAST_INSERT_ID(IF(expiration>0,1,2))>0,{now}+?,0)" +
	" WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY) AND " + ownerBytes + "=CAST(? AS BINARY) AND expiration>{now}"

// mysqlRelease deletes the row, as Laravel does. Expiring it instead would spare MySQL deadlocks between acquirers of a hot
// lock (30 to 40 a second with 16 of them, each repeated and harmless), but Laravel before 13.8 takes an expired row's owner
// for the current one.
const mysqlRelease = "DELETE FROM `{locks}` WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY) AND " + ownerBytes + "=CAST(? AS BINARY)"

const mysqlForceRelease = "DELETE FROM `{locks}` WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY)"

const mysqlCurrentOwner = "SELECT `key`,owner,expiration,{now} FROM `{locks}` WHERE `key`=? AND expiration>{now}"

// mysqlPutIfLocked writes only while the lock is still the owner's: it selects its one row from the lock's. FOR UPDATE keeps the
// lock row from being taken over between that test and the write. Code 1 means written over a row, also over an identical one.
const mysqlPutIfLocked = "INSERT INTO `{cache}` (`key`,`value`,expiration)" +
	" SELECT ?,?,{now}+? FROM `{locks}` WHERE `key`=? AND " + keyBytes + "=CAST(? AS BINARY)" +
	" AND " + ownerBytes + "=CAST(? AS BINARY) AND expiration>{now} FOR UPDATE" +
	" ON DUPLICATE KEY UPDATE `value`=VALUES(`value`),`key`=VALUES(`key`)," +
	"expiration=IF(LAST_INSERT_ID(IF(VALUES(expiration)>0,1,2))>0,VALUES(expiration),VALUES(expiration))"

// mysqlList reads the head of the value only: enough to tell its type and class.
const mysqlList = "SELECT `key`,LENGTH(`value`),LEFT(`value`,300),expiration,{now} FROM `{cache}`"

// mysqlLocks reads every column: a lock's row is small, and its owner is what an operator looks for.
const mysqlLocks = "SELECT `key`,0,owner,expiration,{now} FROM `{locks}`"

// Pruning reads the keys of a batch first and deletes them by primary key afterwards, in two statements without a transaction. With 16
// writers on the table, a DELETE over the range of expirations deadlocked with them and stalled them for up to 1.1 s, also with a LIMIT, on
// MySQL 9.7 and MariaDB 10.11; this form did neither, and half as many writes again got through. SKIP LOCKED was no better and erratic.
const (
	// Over the index on expiration this reads no row itself, and no value over the primary key.
	mysqlExpirations     = "SELECT `key`,0,'',expiration,{now} FROM `{cache}`"
	mysqlSizes           = "SELECT `key`,LENGTH(`value`),'',expiration,{now} FROM `{cache}`"
	mysqlLockExpirations = "SELECT `key`,0,'',expiration,{now} FROM `{locks}`"

	// The lower end of the next batch is where the last one ended: the index still holds what was deleted until the server purges it,
	// and a scan from its beginning would pass all of that again (100,000 rows while a transaction kept the server from purging: 2.1 s
	// instead of 2.9 s, MariaDB 10.11).
	mysqlFromExpiration = "expiration>=?"

	// "+0" keeps the DELETE on the primary key: where few rows are expired, MariaDB would else choose the index on expiration and lock the
	// range. The test is the one thing that keeps a row alive which was written, or taken over by a look-alike key, since its key was read.
	mysqlStillExpired = "expiration+0<={now}"

	// mysqlUnchanged is that test for a live row: the key byte for byte, because a look-alike may have taken the row over with the same
	// expiration.
	mysqlUnchanged = "(" + keyBytes + "=CAST(? AS BINARY) AND expiration+0=?)"

	// mysqlIndexed leaves the comparison of the names to the server, which knows whether it tells Cache from cache.
	mysqlIndexed = "SELECT COALESCE(MAX(table_name='{cache}'),0),COALESCE(MAX(table_name='{locks}'),0) FROM information_schema.statistics" +
		" WHERE table_schema=DATABASE() AND table_name IN ('{cache}','{locks}') AND column_name='expiration' AND seq_in_index=1"

	// mysqlSample chooses by a hash of the key, which has nothing to do with the order of the keys or their age. The values of the other rows
	// are not touched.
	mysqlSample = "CRC32(`key`)%?=0"
)

func (mysqlDialect) now() string { return mysqlNow }

// snapshot is that of the first statement. It is not declared to be READ ONLY, which TiDB refuses.
func (mysqlDialect) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead}
}

func (mysqlDialect) statements(r *strings.Replacer) statements {
	return statements{
		expires: r.Replace(mysqlExpires), expiresClamped: r.Replace(mysqlExpiresClamped),
		get: r.Replace(mysqlGet), has: r.Replace(mysqlHas), many: r.Replace(mysqlMany),
		about: r.Replace(mysqlAbout), piece: r.Replace(mysqlPiece),
		put: r.Replace(mysqlPut), putRow: r.Replace(mysqlPutRow), putTail: mysqlPutTail,
		add:          r.Replace(mysqlAdd),
		touch:        r.Replace(mysqlTouch),
		forget:       r.Replace(mysqlForget),
		take:         r.Replace(mysqlTake),
		increment:    r.Replace(mysqlIncrement),
		replace:      r.Replace(mysqlReplace),
		acquire:      r.Replace(mysqlAcquire),
		refresh:      r.Replace(mysqlRefresh),
		release:      r.Replace(mysqlRelease),
		forceRelease: r.Replace(mysqlForceRelease),
		currentOwner: r.Replace(mysqlCurrentOwner),
		putIfLocked:  r.Replace(mysqlPutIfLocked),
		list:         r.Replace(mysqlList),
		isLive:       r.Replace("expiration>{now}"),
		isExpired:    r.Replace("expiration<={now}"),
		// The cursor is compared, and the rows are ordered, by the column's own collation: any other order would walk the
		// whole index, and TiDB would lose rows.
		afterKey:   "`key`>?",
		byKey:      "`key`",
		byExpiry:   "expiration,`key`",
		byIndex:    "expiration", // which is all that the index is sure to have, so that nothing is sorted
		bySize:     "LENGTH(`value`) DESC,`key`",
		keys:       r.Replace("SELECT `key` FROM `{cache}`"),
		keysOf:     "SELECT * FROM (%s) AS p%d", // without it LIMIT would be the union's
		deleteKeys: r.Replace("DELETE FROM `{cache}` WHERE `key` IN "),
		keyIsNot:   "`key` NOT IN ", // by the column's collation, which has one row for a key and its look-alikes

		expirations:     r.Replace(mysqlExpirations),
		sizes:           r.Replace(mysqlSizes),
		lockExpirations: r.Replace(mysqlLockExpirations),
		deleteLocks:     r.Replace("DELETE FROM `{locks}` WHERE `key` IN "),
		fromExpiration:  mysqlFromExpiration,
		stillExpired:    r.Replace(mysqlStillExpired),
		unchanged:       mysqlUnchanged,
		indexed:         r.Replace(mysqlIndexed),
		locks:           r.Replace(mysqlLocks),
		lockKeys:        r.Replace("SELECT `key` FROM `{locks}`"),
		count:           r.Replace("SELECT COUNT(*) FROM `{cache}`"),
		countLocks:      r.Replace("SELECT COUNT(*) FROM `{locks}`"),
		importRow:       "(?,?,?)",
		firstPart:       mysqlFirstPart,
		nextPart:        mysqlNextPart,
		partsSize:       mysqlPartsSize,
		importParts:     mysqlImportParts,
		keyIn:           "`key` IN ",
		clock:           r.Replace("SELECT {now}"),
		sample:          mysqlSample,
		exactClock:      mysqlExactClock,
		shapes:          mysqlShapes,
	}
}

func (mysqlDialect) added(a answer) outcome {
	switch a.id {
	case 0:
		return applied
	case 1:
		return held
	}
	return lookalike
}

func (mysqlDialect) locked(a answer) outcome {
	switch a.id {
	case 0, 1, 2:
		return applied
	case 3:
		return held
	}
	return lookalike
}

func (mysqlDialect) extended(a answer) bool    { return a.id != 0 }
func (mysqlDialect) fencedWrite(a answer) bool { return a.affected > 0 || a.id != 0 }

func (mysqlDialect) incremented(ctx context.Context, on *sql.Conn, text, rowKey string, by int64) (int64, outcome, error) {
	if by == 0 || by > maxFastStep || by < -maxFastStep {
		return 0, notPlain, nil // a step of 0 changes no row, which would look like a missing one
	}
	res, err := on.ExecContext(ctx, text, rowKey, by, rowKey, rowKey)
	if err != nil {
		return 0, applied, err
	}
	a, err := answerOf(res)
	if err != nil {
		return 0, applied, err
	}
	switch {
	case a.id == codeNotPlain:
		return 0, notPlain, nil
	case a.id == codeExpired, a.id == codeLookalike, a.affected == 0:
		return 0, missing, nil
	}
	return a.id, applied, nil
}

// maxMediumText is what Laravel's MEDIUMTEXT column holds, in bytes.
const maxMediumText = 1<<24 - 1

func (mysqlDialect) toColumn(serialized string) (string, error) {
	if len(serialized) > maxMediumText {
		return "", &LimitError{
			What: "value", Limit: fmt.Sprintf("at most %d bytes serialized, what a MEDIUMTEXT column holds", maxMediumText),
			Got: fmt.Sprintf("%d bytes", len(serialized)), Remedy: "split it over several keys",
		}
	}
	if !utf8.ValidString(serialized) {
		return "", checkText("value", serialized)
	}
	return serialized, nil
}

func (mysqlDialect) fromColumn(stored []byte) []byte   { return stored }
func (mysqlDialect) headFromColumn(head []byte) []byte { return head }

// withPrefix is a union of ranges, because no single one is right: LIKE 'p%' over the index loses keys that go on with an emoji
// (utf8mb4_unicode_ci) or a control character (utf8mb4_bin), and a plain range loses one or the other end in one collation
// or another. The ends are the characters that sort first and last in any of them; LEFT then makes it exact.
//
// The ranges are those of the prefix's beginning up to its last ASCII digit or punctuation: some collations sort a letter together with
// the next one (Czech "ch" comes after every "c", Thai vowels after the consonant that follows), so that keys which begin with a letter
// are not all next to each other. A prefix without such a character is looked for in all of the index.
func (mysqlDialect) withPrefix(prefix string) (string, []any) {
	if prefix == "" {
		return "", nil
	}
	exact, args := "LEFT("+keyBytes+",?)=CAST(? AS BINARY)", []any{len(prefix), prefix}
	head := prefix[:1+strings.LastIndexFunc(prefix, neverJoined)]
	if head == "" {
		return exact, args
	}
	end := func(s string) string { return head + strings.Repeat(s, 8) }
	return "(`key`>=? OR `key`>=? OR `key`>=?) AND (`key`<=? OR `key`<=? OR `key`<=?) AND " + exact,
		append([]any{head, end("\t"), end("\x00"), end("\uFFFD"), end("\uFFFF"), end("\U0010FFFF")}, args...)
}

// neverJoined reports whether no collation sorts the character together with the one after it.
func neverJoined(r rune) bool { return r > ' ' && r < 0x7F && !unicode.IsLetter(r) }

// withPrefixAnywhere serves utf8mb3 and latin1 columns, which hold no character that LIKE would lose and cannot be compared
// with those of withPrefix.
func (mysqlDialect) withPrefixAnywhere(prefix string) (string, []any) {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(prefix)
	return "`key` LIKE ? AND LEFT(" + keyBytes + ",?)=CAST(? AS BINARY)", []any{escaped + "%", len(prefix), prefix}
}

func (mysqlDialect) equatesKeys() bool { return true }

// What a server tells of itself. SHOW leaves out what a server does not have, where a SELECT of it would fail.
const (
	mysqlVariables = "SHOW VARIABLES WHERE Variable_name IN ('version','version_comment','sql_mode','max_allowed_packet','tx_isolation'," +
		"'transaction_isolation','read_only','super_read_only','innodb_read_only','wsrep_on','group_replication_group_name'," +
		"'group_replication_single_primary_mode')"
	mysqlGlobals = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('sql_mode')"
	mysqlStatus  = "SHOW STATUS WHERE Variable_name IN ('Ssl_cipher','Ssl_version','wsrep_cluster_status','wsrep_cluster_size','wsrep_ready')"

	// mysqlClient is the client's address as the server sees it.
	mysqlClient = "SELECT SUBSTRING_INDEX(USER(),'@',-1)"

	mysqlExactClock = "SELECT UNIX_TIMESTAMP(NOW(6))"

	// mysqlShapes leaves out views, in which nobody keeps a cache. MySQL spells the catalogue's columns in capitals.
	mysqlShapes = "SELECT c.table_name AS `name`,MAX(c.column_name='value') AS `value`,MAX(c.column_name='owner') AS `owner`" +
		" FROM information_schema.columns c JOIN information_schema.tables t ON t.table_schema=c.table_schema AND t.table_name=c.table_name" +
		" WHERE c.table_schema=DATABASE() AND t.table_type='BASE TABLE' AND c.column_name IN ('key','value','owner','expiration')" +
		" GROUP BY c.table_name HAVING SUM(c.column_name IN ('key','expiration'))=2 ORDER BY c.table_name"
)

// mysqlProbes are the statements whose preparation tells whether the account has a right on the columns that a store uses, given in {columns} as a
// list, in {values} as one of question marks, in {assignments} each with one. A server checks rights when it prepares a statement, and does no more:
// no table is locked, no trigger runs, nothing is logged or replicated, and a server that is read-only prepares it all the same. To read the grants
// instead one would have to know what roles, wildcards and rights on columns come to. Should something execute them after all, they match no row.
var mysqlProbes = []struct{ right, statement string }{
	{"SELECT", "SELECT {columns} FROM `{table}` WHERE 1=0"},
	{"INSERT", "INSERT INTO `{table}` ({columns}) SELECT {values} FROM (SELECT 1 AS one) AS nothing WHERE 1=0"},
	{"UPDATE", "UPDATE `{table}` SET {assignments} WHERE 1=0"},
	{"DELETE", "DELETE FROM `{table}` WHERE 1=0"},
}

// mysqlAccount tells the account that the server has found for the user, which is what GRANT is about, and the database.
const mysqlAccount = "SELECT CURRENT_USER(),DATABASE()"

func (mysqlDialect) rights(ctx context.Context, conn *sqlx.Conn, table, lockTable string) ([]TableRights, error) {
	var account, schema string
	if err := conn.QueryRowContext(ctx, mysqlAccount).Scan(&account, &schema); err != nil {
		return nil, err
	}
	of := []TableRights{{Table: table}, {Table: lockTable}}
	for i, columns := range [][]string{{"`key`", "`value`", "expiration"}, {"`key`", "owner", "expiration"}} {
		t := &of[i]
		r := strings.NewReplacer("{table}", t.Table, "{columns}", strings.Join(columns, ","),
			"{values}", placeholders(len(columns)), "{assignments}", strings.Join(columns, "=?,")+"=?")
		for _, probe := range mysqlProbes {
			statement, err := conn.PrepareContext(ctx, r.Replace(probe.statement))
			switch mysqlNumber(err) {
			case erTableDenied, erColumnDenied, erDatabaseDenied:
				t.Denied = append(t.Denied, probe.right)
				continue
			case erNoSuchTable, erUnknownColumn:
				continue
			}
			if err != nil {
				return nil, err
			}
			_ = statement.Close() // it was never executed
		}
		if t.Denied != nil {
			t.Grant = fmt.Sprintf("GRANT %s ON `%s`.`%s` TO %s;", strings.Join(t.Denied, ", "), strings.ReplaceAll(schema, "`", "``"), t.Table, mysqlQuotedAccount(account))
		}
	}
	return of, nil
}

// mysqlQuotedAccount quotes name@host for GRANT. A name may have an "@", a host has none. A backslash may be an escape or not, by the sql_mode of who
// pastes it: twice it is at worst one too many.
func mysqlQuotedAccount(account string) string {
	at := max(0, strings.LastIndexByte(account, '@'))
	quote := strings.NewReplacer(`'`, `''`, `\`, `\\`)
	return "'" + quote.Replace(account[:at]) + "'@'" + quote.Replace(strings.TrimPrefix(account[at:], "@")) + "'"
}

// mysqlReplica asks whom the server replicates from: the second is the name that MySQL before 8.0.22 knows.
var mysqlReplica = []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"}

func (mysqlDialect) server(ctx context.Context, conn *sqlx.Conn) (Server, error) {
	variables, err := namedValues(ctx, conn, mysqlVariables)
	if err != nil {
		return Server{}, err
	}
	globals, err := namedValues(ctx, conn, mysqlGlobals)
	if err != nil {
		return Server{}, err
	}
	status, err := namedValues(ctx, conn, mysqlStatus)
	if err != nil {
		return Server{}, err
	}
	var client string
	if err := conn.GetContext(ctx, &client, mysqlClient); err != nil {
		return Server{}, err
	}
	about := Server{
		Product: mysqlProduct(variables), Version: variables["version"],
		TLS:   strings.TrimSpace(status["ssl_version"] + " " + status["ssl_cipher"]),
		Local: client == "localhost" || client == "127.0.0.1" || client == "::1",

		SQLMode: variables["sql_mode"], GlobalSQLMode: globals["sql_mode"],
		Isolation: cmp.Or(variables["transaction_isolation"], variables["tx_isolation"]),

		GroupReplication: variables["group_replication_group_name"], SinglePrimary: isOn(variables["group_replication_single_primary_mode"]),
	}
	about.MaxPacket, _ = strconv.ParseInt(variables["max_allowed_packet"], 10, 64) // the server's own number
	for _, name := range []string{"innodb_read_only", "super_read_only", "read_only"} {
		if value, known := variables[name]; known && !isOff(value) { // MariaDB 12 has more words than ON for it
			about.ReadOnly = name
			break
		}
	}
	if isOn(variables["wsrep_on"]) {
		about.Galera = cmp.Or(status["wsrep_cluster_status"], "unknown")
		about.GaleraReady = isOn(status["wsrep_ready"])
		about.Nodes, _ = strconv.ParseInt(status["wsrep_cluster_size"], 10, 64)
	}
	about.Replica = replicatesFrom(ctx, conn)
	return about, nil
}

func mysqlProduct(variables map[string]string) string {
	said := strings.ToLower(variables["version"] + " " + variables["version_comment"])
	for _, product := range []string{"MariaDB", "TiDB"} {
		if strings.Contains(said, strings.ToLower(product)) {
			return product
		}
	}
	return "MySQL"
}

func isOn(value string) bool { return strings.EqualFold(value, "ON") || value == "1" }

func isOff(value string) bool { return strings.EqualFold(value, "OFF") || value == "0" }

// namedValues returns the answer to a SHOW by the names, in lower case.
func namedValues(ctx context.Context, conn *sqlx.Conn, show string) (map[string]string, error) {
	var rows []struct {
		Name  string `db:"Variable_name"`
		Value string `db:"Value"`
	}
	if err := conn.SelectContext(ctx, &rows, show); err != nil {
		return nil, err
	}
	values := make(map[string]string, len(rows))
	for _, row := range rows {
		values[strings.ToLower(row.Name)] = row.Value
	}
	return values, nil
}

// replicatesFrom returns the host and port of the server that this one replicates from, "" if there is none or if it may not be asked: the
// statements want a privilege that an application's account need not have.
func replicatesFrom(ctx context.Context, conn *sqlx.Conn) string {
	for _, show := range mysqlReplica {
		rows, err := conn.QueryxContext(ctx, show)
		if err != nil {
			continue
		}
		source := ""
		if row := map[string]any{}; rows.Next() && rows.MapScan(row) == nil {
			text := func(name string) string {
				for _, source := range []string{"Source_", "Master_"} {
					switch value := row[source+name].(type) {
					case []byte:
						return string(value)
					case string, int64, uint64:
						return fmt.Sprint(value)
					}
				}
				return ""
			}
			source = net.JoinHostPort(text("Host"), text("Port"))
		}
		_ = rows.Close() // at most one row was wanted
		return source
	}
	return ""
}
