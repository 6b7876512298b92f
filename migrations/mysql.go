package migrations

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
)

var mysqlEngine = &engine{
	files: filesOf(MySQL),
	steps: []step{
		{"00001_create_cache.sql", cacheTable, create},
		{"00002_create_cache_locks.sql", lockTable, create},
		{"00003_widen_cache_value.sql", cacheTable, widenValue},
		{"00004_widen_cache_expiration.sql", cacheTable, widenExpiration},
		{"00005_widen_cache_locks_expiration.sql", lockTable, widenExpiration},
		{"00006_index_cache_expiration.sql", cacheTable, addIndex},
		{"00007_index_cache_locks_expiration.sql", lockTable, addIndex},
	},
	inspect:     inspectMySQL,
	compareType: compareTypeMySQL,
	era:         eraMySQL,

	quote: "`",
	// goose's own columns, so that its command line can read the table. IF NOT EXISTS and the unique version make every
	// write to it harmless when it comes twice.
	createVersions: "CREATE TABLE IF NOT EXISTS `%s` (" +
		"id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, version_id BIGINT NOT NULL UNIQUE, is_applied BOOLEAN NOT NULL, " +
		"tstamp DATETIME NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB",
	versionsExist: "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '%s')",

	createLock: "CREATE TABLE IF NOT EXISTS `%s` (" +
		"id TINYINT NOT NULL PRIMARY KEY, owner VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, " +
		"expiration BIGINT NOT NULL) ENGINE=InnoDB",
	lookAtLock: "SELECT owner, expiration - UNIX_TIMESTAMP() FROM `%s` WHERE id = 1",
	// owner is assigned before expiration, and both by the old expiration: MySQL evaluates from left to right with what it
	// has assigned already, other servers with the old row, and this is right either way. Who has it is read afterwards,
	// because the count of affected rows depends on the connection's clientFoundRows.
	takeLock: "INSERT INTO `%s` (id, owner, expiration) VALUES (1, ?, UNIX_TIMESTAMP() + ?) ON DUPLICATE KEY UPDATE " +
		"owner = IF(expiration <= UNIX_TIMESTAMP(), VALUES(owner), owner), " +
		"expiration = IF(expiration <= UNIX_TIMESTAMP(), VALUES(expiration), expiration)",
	renewLock: "UPDATE `%s` SET expiration = UNIX_TIMESTAMP() + ? WHERE id = 1 AND owner = ?",
	// The row stays: a DELETE would make those who wait deadlock with each other.
	releaseLock:  "UPDATE `%s` SET expiration = 0 WHERE id = 1 AND owner = ?",
	noTable:      func(err error) bool { return mysqlNumber(err) == 1146 },
	renewsInside: true,
}

func mysqlNumber(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// The names in information_schema compare without case on MariaDB, though tables named in different case are different ones on
// most servers. Hence the second comparison, except on servers that do fold the names of tables (lower_case_table_names).
// Every column has an alias, because MySQL 8 answers with upper-case names.
const (
	mysqlTable = "SELECT table_name AS name, table_type AS kind, COALESCE(engine, '') AS engine, " +
		"COALESCE(table_collation, '') AS collation, COALESCE(create_options, '') AS options, COALESCE(table_comment, '') AS comment " +
		"FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ? " +
		"AND (@@lower_case_table_names > 0 OR CAST(table_name AS BINARY) = CAST(? AS BINARY))"
	mysqlColumns = "SELECT column_name AS name, data_type AS type, column_type AS full_type, " +
		"COALESCE(character_maximum_length, 0) AS chars, is_nullable = 'YES' AS nullable, column_default AS def, extra AS extra, " +
		"COALESCE(character_set_name, '') AS charset, COALESCE(collation_name, '') AS collation, column_comment AS comment " +
		"FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? " +
		"AND CAST(table_name AS BINARY) = CAST(? AS BINARY) ORDER BY ordinal_position"
	// A functional index has no column name.
	mysqlIndexes = "SELECT index_name AS name, non_unique = 0 AS is_unique, index_type AS type, " +
		"LOWER(COALESCE(CONCAT(column_name, COALESCE(CONCAT('(', sub_part, ')'), '')), '(expression)')) AS col " +
		"FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? " +
		"AND CAST(table_name AS BINARY) = CAST(? AS BINARY) ORDER BY index_name, seq_in_index"
)

func inspectMySQL(ctx context.Context, db *sqlx.DB, name, indexName string) (*table, error) {
	t := &table{name: name, indexName: indexName}
	var info struct{ Name, Kind, Engine, Collation, Options, Comment string }
	err := db.GetContext(ctx, &info, mysqlTable, name, name)
	if errors.Is(err, sql.ErrNoRows) {
		t.missing = true
		return t, nil
	} else if err != nil {
		return nil, err
	}
	t.comment = info.Comment
	if info.Kind != "BASE TABLE" {
		t.options = []Difference{refused("it is a %s, want a table", strings.ToLower(info.Kind))}
		return t, nil
	}
	if info.Engine != "InnoDB" {
		t.options = append(t.options, refused("engine is %s, want InnoDB, which locks single rows (ALTER TABLE `%s` ENGINE=InnoDB)", info.Engine, name).about(AspectEngine))
	}
	if strings.Contains(info.Options, "partitioned") {
		t.options = append(t.options, refused("it is partitioned, want a plain table (ALTER TABLE `%s` REMOVE PARTITIONING)", name))
	}
	if err := db.SelectContext(ctx, &t.columns, mysqlColumns, info.Name, info.Name); err != nil {
		return nil, err
	}
	if len(t.columns) == 0 { // dropped since the query before
		t.missing = true
		return t, nil
	}
	var parts []struct {
		Name   string
		Unique bool `db:"is_unique"`
		Type   string
		Col    string
	}
	if err := db.SelectContext(ctx, &parts, mysqlIndexes, info.Name, info.Name); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if n := len(t.indexes); n == 0 || t.indexes[n-1].name != p.Name {
			t.indexes = append(t.indexes, index{
				name:    p.Name,
				primary: p.Name == "PRIMARY",
				unique:  p.Unique,
				partial: p.Type != "BTREE" && !p.Unique,
			})
		}
		i := &t.indexes[len(t.indexes)-1]
		i.columns = append(i.columns, p.Col)
		if strings.EqualFold(i.name, indexName) {
			t.indexNameTaken = i.String()
		}
	}
	for i, c := range t.columns {
		if c.Default != nil && *c.Default == "NULL" { // MariaDB's word for a nullable column without a default
			t.columns[i].Default = nil
		}
	}
	return t, nil
}

func compareTypeMySQL(c column) []Difference {
	switch c.Name = strings.ToLower(c.Name); c.Name {
	case "key", "owner":
		return compareString(c)
	case "value":
		switch c.Type {
		case "mediumtext":
		case "text":
			return append(compareText(c), cured(widenValue, "value is TEXT, which holds 65,535 bytes, want MEDIUMTEXT").about(AspectValue))
		case "longtext":
			return append(compareText(c), kept("value is LONGTEXT, which holds more than MEDIUMTEXT").about(AspectValue))
		default:
			return []Difference{refused("column value is %s, want TEXT or MEDIUMTEXT", c.FullType).about(AspectValue)}
		}
		return compareText(c)
	default:
		unsigned := strings.Contains(c.FullType, "unsigned") // a difference of two unsigned numbers below zero is an error
		switch {
		case c.Type == "bigint" && !unsigned:
		case c.Type == "int" && !unsigned:
			return []Difference{cured(widenExpiration, "expiration is INT, which ends at 2038-01-19, want BIGINT").about(AspectExpiration)}
		default:
			return []Difference{refused("column expiration is %s, want INT or BIGINT", c.FullType).about(AspectExpiration)}
		}
	}
	return nil
}

// compareString accepts what Schema::defaultStringLength(191) leaves. Widening it would gain keys of 192 to 255 characters, and
// fail on the row formats for which people chose 191.
func compareString(c column) []Difference {
	const short, full = 191, 255
	if c.Type != "varchar" || c.Chars < short {
		return []Difference{refused("column %s is %s, want varchar(%d)", c.Name, c.FullType, full)}
	}
	if c.Chars < full {
		return append(compareText(c), kept("%s is %s, want varchar(%d): it holds no more than %d characters", c.Name, c.FullType, full, c.Chars).about(AspectKey))
	}
	return compareText(c)
}

func compareText(c column) []Difference {
	switch {
	case c.Charset != "utf8mb4":
		return []Difference{kept("%s has the character set %s, want utf8mb4: it cannot hold emoji, among others", c.Name, c.Charset).about(AspectCharset)}
	case c.Collation != "utf8mb4_unicode_ci":
		return []Difference{kept("%s has the collation %s, want utf8mb4_unicode_ci: it calls other keys equal", c.Name, c.Collation).about(AspectCollation)}
	}
	return nil
}

// eraMySQL tells which Laravel makes such a table. An index by another name does not hide it.
func eraMySQL(t *table) string {
	value, _ := t.column("value")
	expiration, _ := t.column("expiration")
	type shape struct {
		primary, indexed bool
		value            string
		expiration       string
	}
	s := shape{t.primaryKey(), t.indexed(), value.Type, expiration.Type}
	if t.kind == lockTable {
		return map[shape]string{
			{true, false, "", "int"}:   "Laravel 7.10 to 12.40",
			{true, true, "", "int"}:    "Laravel 12.41 to 12.54",
			{true, true, "", "bigint"}: "Laravel 12.55 or later",
		}[s]
	}
	return map[shape]string{
		{false, false, "text", "int"}:        "Laravel 5.0 to 5.5.21",
		{false, false, "mediumtext", "int"}:  "Laravel 5.5.22 to 8.50",
		{true, false, "mediumtext", "int"}:   "Laravel 8.51 to 12.40",
		{true, true, "mediumtext", "int"}:    "Laravel 12.41 to 12.54",
		{true, true, "mediumtext", "bigint"}: "Laravel 12.55 or later",
	}[s]
}
