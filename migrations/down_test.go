package migrations_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/larder-cache/larder/migrations"
)

func (b *bench) down(opts ...migrations.DownOption) *migrations.Report {
	b.Helper()
	r, err := b.migrator().Down(b.Context(), opts...)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func TestDown_DropsWhatLarderCreatedOnlyWhenToldTo(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		tables := b.tables()
		_, err := b.migrator().Down(b.Context())
		var confirm *migrations.ConfirmError
		if !errors.As(err, &confirm) || !slices.Equal(confirm.Tables, []string{"cache", "cache_locks"}) {
			b.Errorf("error %v, want a ConfirmError for both tables", err)
		}
		wantEqual(b, "tables", b.tables(), tables)

		wantResults(b, b.down(migrations.DropTables()), migrations.TableDropped, migrations.TableDropped)
		wantEqual(b, "tables", b.tables(), []string{"larder_migrations", "larder_migrations_lock"})
		wantResults(b, b.down(), migrations.TableMissing, migrations.TableMissing)
		wantResults(b, b.up(), migrations.TableCreated, migrations.TableCreated)
		wantAppliedOnce(b)
	})
}

func TestDown_NeverDropsAnAdoptedTable(t *testing.T) {
	onBoth(t, func(b *bench) {
		eras[2].make(b) // without cache_locks
		rows := b.fill("cache", "value", eras[2])
		b.up()
		shape := b.shape("cache")
		wantResults(b, b.down(migrations.DropTables()), migrations.TableLeft, migrations.TableDropped)
		wantEqual(b, "rows", b.dump("cache", "value"), rows)
		wantEqual(b, "shape", b.shape("cache"), shape)
		wantEqual(b, "record", b.rows("SELECT version_id FROM larder_migrations"), []string{"0"})
		wantResults(b, b.up(), migrations.TableAdopted, migrations.TableCreated)
	})
}

func TestDown_NeedsNoConfirmationWhereNothingIsDropped(t *testing.T) {
	onBoth(t, func(b *bench) {
		eras[3].make(b)
		b.up()
		wantResults(b, b.down(), migrations.TableLeft, migrations.TableLeft)
		wantResults(b, b.up(), migrations.TableAdopted, migrations.TableAdopted)
	})
}

// Larder's record would still say that it created the table.
func TestDown_NeverDropsATableThatReplacedLardersOwn(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("DROP TABLE cache", "DROP TABLE cache_locks")
		eras[len(eras)-1].make(b)
		wantResults(b, b.down(migrations.DropTables()), migrations.TableLeft, migrations.TableLeft)
	})
}

func TestDown_DropsATableWhoseRecordACrashPrevented(t *testing.T) {
	onBoth(t, func(b *bench) {
		b.up()
		b.exec("DELETE FROM larder_migrations WHERE version_id <> 1")
		wantResults(b, b.down(migrations.DropTables()), migrations.TableDropped, migrations.TableDropped)
		wantResults(b, b.up(), migrations.TableCreated, migrations.TableCreated)
	})
}

func TestDown_OnAnEmptyDatabaseOnlyReads(t *testing.T) {
	onBoth(t, func(b *bench) {
		wantResults(b, b.down(), migrations.TableMissing, migrations.TableMissing)
		wantEqual(b, "tables", b.tables(), []string{})
	})
}
