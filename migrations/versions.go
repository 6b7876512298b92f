package migrations

import (
	"fmt"

	"github.com/pressly/goose/v3/database/dialect"
)

// versionQueries is the SQL of the version table. It is goose's own but for the table itself, and for the quotes around its
// name, which may hold a $.
type versionQueries struct{ *engine }

var _ dialect.QuerierExtender = versionQueries{}

func (m *Migrator) queries() versionQueries { return versionQueries{m.engine} }

func (q versionQueries) CreateTable(table string) string { return fmt.Sprintf(q.createVersions, table) }
func (q versionQueries) TableExists(table string) string { return fmt.Sprintf(q.versionsExist, table) }

func (q versionQueries) InsertVersion(table string) string {
	return "INSERT INTO " + q.quoted(table) + " (version_id, is_applied) VALUES (?, ?)"
}

func (q versionQueries) DeleteVersion(table string) string {
	return "DELETE FROM " + q.quoted(table) + " WHERE version_id = ?"
}

func (q versionQueries) GetMigrationByVersion(table string) string {
	return "SELECT tstamp, is_applied FROM " + q.quoted(table) + " WHERE version_id = ? ORDER BY tstamp DESC LIMIT 1"
}

func (q versionQueries) ListMigrations(table string) string {
	return "SELECT version_id, is_applied FROM " + q.quoted(table) + " ORDER BY id DESC"
}

func (q versionQueries) GetLatestVersion(table string) string {
	return "SELECT MAX(version_id) FROM " + q.quoted(table)
}

// versions lists the recorded versions, for looking before goose is involved.
func (q versionQueries) versions(table string) string {
	return "SELECT version_id FROM " + q.quoted(table) + " ORDER BY version_id"
}

func (q versionQueries) quoted(name string) string { return q.quote + name + q.quote }
