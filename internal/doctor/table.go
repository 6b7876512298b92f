package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/misspelt"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
)

const migrate = "larder migrate"

func checkTables(ctx context.Context, e *exam) ([]Finding, error) {
	db := e.Store.DB()
	m, err := migrations.New(db.DB, migrations.Engine(db.DriverName()), migrations.WithTable(e.Config.Table.Value), migrations.WithLockTable(e.Config.LockTable.Value))
	if err != nil {
		return nil, err
	}
	e.migrator = m
	if e.status, err = m.Status(ctx); err != nil {
		return nil, err
	}
	var found []Finding
	missing := false
	for i, t := range e.status.Tables {
		switch t.State {
		case migrations.Missing:
			missing = true
			found = append(found, e.missing(ctx, i, t.Name))
		case migrations.Foreign:
			found = append(found, e.foreign(t)...)
		default:
			found = append(found, ok("%s is there", t.Name))
		}
	}
	if !missing {
		e.ready = theTables
	}
	return found, nil
}

// missing finds why a table, the first or the second, is not to be seen. What cannot be found out does not change that it is not.
func (e *exam) missing(ctx context.Context, i int, name string) Finding {
	if rights, err := e.Store.Rights(ctx); err == nil && rights[i].Grant != "" && slices.Contains(rights[i].Denied, "SELECT") {
		return problem(rights[i].Grant+"    -- by an administrator; if it says that there is no such table: larder migrate",
			"there is no table %s, or this account has no right on it, and may not know", name)
	}
	setting, variable, flag := e.Config.Table, "LARDER_TABLE", "--table"
	if name == e.Config.LockTable.Value {
		setting, variable, flag = e.Config.LockTable, "LARDER_LOCK_TABLE", "--lock-table"
	}
	tables, _ := e.Store.Tables(ctx)
	others := Meant(e.Config, tables, name)
	if len(others) == 0 {
		return problem(migrate, "there is no table %s", name)
	}
	remedy := fmt.Sprintf("%s=%s    # ", variable, others[0])
	switch setting.Source {
	case flag:
		remedy = fmt.Sprintf("%s %s    # ", flag, others[0])
	case "default":
	default:
		remedy += "or correct " + setting.Source + "; "
	}
	if len(others) > namedRows {
		others = append(others[:namedRows:namedRows], "...")
	}
	return problem(remedy+"if a new table is meant: "+migrate, "there is no table %s (from %s); tables of that shape: %s", name, setting.Source, strings.Join(others, ", "))
}

// orText joins words: "a, b or c".
func orText(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// before ends the name that a table is given which larder cannot use.
const before = "_before"

// Meant returns those tables of a database, the one that is spelt most like it first, that may be meant by the configured name of the cache or the lock
// table if no table has that: those of the same columns, but for one that was put aside as doctor advises.
func Meant(c *config.Config, tables store.Tables, name string) []string {
	others := tables.Cache
	if name == c.LockTable.Value {
		others = tables.Locks
	}
	if slices.Contains(others, name) {
		return nil
	}
	others = slices.DeleteFunc(slices.Clone(others), func(other string) bool {
		return strings.HasSuffix(other, before) || strings.EqualFold(other, c.Table.Value) || strings.EqualFold(other, c.LockTable.Value)
	})
	if nearest := misspelt.Among(name, others); nearest != "" {
		others = append([]string{nearest}, slices.DeleteFunc(others, func(other string) bool { return other == nearest })...)
	}
	return others
}

// checkRights asks the server, which knows what roles and wildcards come to. On SQLite the rights are those of the file, which checkWritable looks at.
func checkRights(ctx context.Context, e *exam) ([]Finding, error) {
	if !e.isMySQL() {
		return none()
	}
	rights, err := e.Store.Rights(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	var may []string
	for i, t := range rights {
		switch {
		case e.status.Tables[i].State == migrations.Missing:
		case t.Denied == nil:
			may = append(may, t.Table)
		default:
			found = append(found, problem(t.Grant+"    -- by an administrator", "this account may not %s on %s", orText(t.Denied), t.Table))
		}
		if slices.Contains(t.Denied, "SELECT") {
			e.ready = min(e.ready, aConnection) // the other checks would all say so again
		}
	}
	if may != nil {
		found = append(found, ok("this account may SELECT, INSERT, UPDATE and DELETE on %s", strings.Join(may, " and ")))
	}
	if e.toMigrate() {
		grant, err := e.migrator.Denied(ctx)
		if err != nil {
			return found, err
		}
		if grant != "" {
			found = append(found, warning(grant+"    -- by an administrator; or larder migrate with an account that may: --database",
				"this account may not CREATE a table: larder migrate, which has something to do, wants that, ALTER and INDEX"))
		}
	}
	return found, nil
}

// toMigrate tells whether larder migrate would make or change a table, and not merely record that it has seen it.
func (e *exam) toMigrate() bool {
	return slices.ContainsFunc(e.status.Tables, func(t migrations.TableStatus) bool {
		return t.State == migrations.Missing || slices.ContainsFunc(t.Differences, func(d migrations.Difference) bool { return d.Outcome == migrations.Cured })
	})
}

// foreign finds what a table is refused for, but for what checks of their own look at.
func (e *exam) foreign(t migrations.TableStatus) []Finding {
	var found []Finding
	for _, d := range t.Differences {
		if d.Outcome == migrations.Refused && d.Aspect == "" {
			move := fmt.Sprintf("ALTER TABLE %s RENAME TO %s;    -- then larder migrate", e.quoted(t.Name), e.quoted(t.Name+before))
			if e.isMySQL() { // whose ALTER TABLE does not take a view
				move = fmt.Sprintf("RENAME TABLE %s TO %s;    -- then larder migrate", e.quoted(t.Name), e.quoted(t.Name+before))
			}
			found = append(found, problem(move, "%s is not a table that Laravel makes: %s", t.Name, d.Text))
		}
	}
	if found == nil {
		found = []Finding{ok("%s is there", t.Name)}
	}
	return found
}

func (e *exam) quoted(name string) string {
	if e.isMySQL() {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// differences returns what is different in one aspect, by table.
func (e *exam) differences(aspect migrations.Aspect) (found []struct {
	table string
	migrations.Difference
}) {
	for _, t := range e.status.Tables {
		for _, d := range t.Differences {
			if d.Aspect == aspect {
				found = append(found, struct {
					table string
					migrations.Difference
				}{t.Name, d})
			}
		}
	}
	return found
}

func checkEra(_ context.Context, e *exam) ([]Finding, error) {
	var found []Finding
	for _, t := range e.status.Tables {
		made := "made by " + t.Era
		switch {
		case t.State == migrations.Created:
			made = "made by larder, as " + strings.Replace(t.Era, " or later", "", 1) + " and later do"
		case t.Era == "":
			made = "of a shape that no one Laravel makes"
		case t.State == migrations.Adopted:
			made = "of the shape that " + t.Era + " makes, adopted by larder"
		}
		found = append(found, ok("%s: %s", t.Name, made))
	}
	return found, nil
}

func checkEngine(_ context.Context, e *exam) ([]Finding, error) {
	if !e.isMySQL() {
		return none()
	}
	var found []Finding
	for _, d := range e.differences(migrations.AspectEngine) {
		found = append(found, problem(fmt.Sprintf("ALTER TABLE `%s` ENGINE=InnoDB;", d.table), "%s: %s", d.table, d.Text))
	}
	if found == nil {
		found = []Finding{ok("InnoDB")}
	}
	return found, nil
}

// checkCollation advises a binary collation and does not warn of Laravel's own, which larder and Laravel get along with.
func checkCollation(_ context.Context, e *exam) ([]Finding, error) {
	if !e.isMySQL() {
		return none()
	}
	var found []Finding
	told := map[string]bool{}
	for _, d := range e.differences(migrations.AspectCharset) {
		if told[d.table] {
			continue // its other columns are the same
		}
		told[d.table] = true
		found = append(found, warning(e.toUTF8(d.table), "%s: %s", d.table, d.Text))
	}
	for _, t := range e.status.Tables {
		switch {
		case told[t.Name] || t.Collation == "":
		case strings.HasSuffix(t.Collation, "_bin"):
			found = append(found, ok("%s: %s, which tells Foo from foo", t.Name, t.Collation))
		default:
			found = append(found, Finding{
				Status: OK, Message: fmt.Sprintf("%s: %s, for which Foo and foo are one row: there is room for one of them", t.Name, t.Collation),
				Remedy: e.modifyString(t.Name, "key", e.keyLength(t.Name), "utf8mb4_bin") +
					"    -- optional: keys that differ only in case or accents get a row each. It copies the table, and who writes waits meanwhile",
			})
		}
	}
	return found, nil
}

func (e *exam) modifyString(table, column string, length int, collation string) string {
	return fmt.Sprintf("ALTER TABLE `%s` MODIFY `%s` varchar(%d) CHARACTER SET utf8mb4 COLLATE %s NOT NULL;", table, column, length, collation)
}

func (e *exam) keyLength(table string) int {
	for _, d := range e.differences(migrations.AspectKey) {
		if d.table == table && shortColumn(d.Difference) == "key" {
			return 191 // why people chose it may still hold
		}
	}
	return 255
}

// shortColumn is which column is shorter than Laravel's: a Laravel that makes short keys makes short owners too.
func shortColumn(d migrations.Difference) string {
	column, _, _ := strings.Cut(d.Text, " ")
	return column
}

// toUTF8 names the columns: CONVERT TO CHARACTER SET would make a wider type of mediumtext.
func (e *exam) toUTF8(table string) string {
	const utf8 = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL"
	column := "`value` mediumtext"
	if table == e.Config.LockTable.Value {
		column = "`owner` varchar(255)"
	}
	return fmt.Sprintf("ALTER TABLE `%s` MODIFY `key` varchar(%d) %s, MODIFY %s %s;", table, e.keyLength(table), utf8, column, utf8)
}

func checkKeyColumn(_ context.Context, e *exam) ([]Finding, error) {
	var found []Finding
	for _, d := range e.differences(migrations.AspectKey) {
		collation := "utf8mb4_unicode_ci"
		for _, t := range e.status.Tables {
			if t.Name == d.table && strings.HasPrefix(t.Collation, "utf8mb4_") {
				collation = t.Collation
			}
		}
		found = append(found, Finding{
			Status: OK, Message: d.table + ": " + d.Text,
			Remedy: e.modifyString(d.table, shortColumn(d.Difference), 255, collation) + "    -- optional; a table of an old row format refuses it",
		})
	}
	return found, nil
}

func checkValueColumn(_ context.Context, e *exam) ([]Finding, error) {
	if !e.isMySQL() {
		return none()
	}
	found := []Finding{}
	for _, d := range e.differences(migrations.AspectValue) {
		switch d.Outcome {
		case migrations.Cured:
			found = append(found, warning(migrate, "%s: %s", d.table, d.Text))
		case migrations.Kept:
			found = append(found, ok("%s: %s", d.table, d.Text))
		default:
			found = append(found, problem(fmt.Sprintf("ALTER TABLE `%s` MODIFY `value` mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL;", d.table), "%s: %s", d.table, d.Text))
		}
	}
	if len(found) == 0 {
		found = append(found, ok("MEDIUMTEXT"))
	}
	return found, nil
}

// An INT column ends at intEnds; "forever" leaves it ten years before.
var (
	intEnds     = time.Unix(math.MaxInt32, 0)
	foreverEnds = intEnds.Add(-store.ForeverTTL)
)

func day(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func checkExpirationColumn(_ context.Context, e *exam) ([]Finding, error) {
	if !e.isMySQL() {
		return none()
	}
	var found []Finding
	for _, d := range e.differences(migrations.AspectExpiration) {
		text := d.table + ": expiration is INT, want BIGINT: "
		switch {
		case d.Outcome == migrations.Refused:
			found = append(found, problem(fmt.Sprintf("ALTER TABLE `%s` MODIFY `expiration` bigint NOT NULL;", d.table), "%s: %s", d.table, d.Text))
		case d.table == e.Config.LockTable.Value: // no lock is held for ten years
			found = append(found, warning(migrate, "%sno lock can be held beyond %s", text, day(intEnds)))
		case e.Now().Before(foreverEnds):
			found = append(found, warning(migrate, "%sfrom %s on, PHP cannot store anything forever (ten years) in it, and nothing at all from %s on",
				text, day(foreverEnds), day(intEnds)))
		default:
			found = append(found, problem(migrate, "%ssince %s PHP cannot store anything forever (ten years) in it", text, day(foreverEnds)))
		}
	}
	if found == nil {
		found = []Finding{ok("BIGINT")}
	}
	return found, nil
}

func checkIndex(_ context.Context, e *exam) ([]Finding, error) {
	var found []Finding
	for _, d := range e.differences(migrations.AspectIndex) {
		if d.Outcome == migrations.Cured {
			found = append(found, warning(migrate, "%s: %s", d.table, d.Text))
			continue
		}
		found = append(found, warning(fmt.Sprintf("CREATE INDEX larder_%s_expiration ON %s (expiration);", d.table, e.quoted(d.table)), "%s: %s", d.table, d.Text))
	}
	if found == nil {
		found = []Finding{ok("both tables have one on expiration")}
	}
	return found, nil
}
