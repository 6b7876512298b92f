package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
)

func TestCheckTables_MissingOnes(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		d := c.examine()
		d.wants("tables", Problem, "there is no table cache", "larder migrate")
		d.wants("tables", Problem, "there is no table cache_locks")
		if d.sum.LeftOut == 0 || !d.sum.Connected {
			t.Errorf("%+v", d.sum)
		}
	})
}

func TestCheckTables_AnOldLaravels(t *testing.T) {
	onBoth(t, func(t *testing.T, c *clinic) {
		c.exec("CREATE TABLE cache (`key` varchar(255) NOT NULL, value text NOT NULL, expiration int NOT NULL)", "CREATE UNIQUE INDEX cache_key_unique ON cache (`key`)",
			"CREATE TABLE cache_locks (`key` varchar(255) NOT NULL PRIMARY KEY, owner varchar(255) NOT NULL, expiration int NOT NULL)")
		d := c.examine()
		d.wants("index", Warning, "cache: no index on expiration", "larder migrate")
		d.wants("index", Warning, "cache_locks: no index on expiration")
		if c.engine == "sqlite" {
			d.wants("era", OK, "cache: made by Laravel 5.0 to 8.50")
			return
		}
		d.wants("era", OK, "cache: made by Laravel 5.0 to 5.5.21")
		d.wants("era", OK, "cache_locks: made by Laravel 7.10 to 12.40")
		d.wants("value column", Warning, "TEXT", "larder migrate")
		d.wants("expiration column", Warning, "from 2028-01-22 03:14:07 UTC on", "2038-01-19", "larder migrate")
		d.wants("expiration column", Warning, "cache_locks", "beyond 2038-01-19 03:14:07 UTC")
		c.now = func() time.Time { return time.Date(2028, 1, 22, 3, 14, 8, 0, time.UTC) }
		c.examine().wants("expiration column", Problem, "since 2028-01-22")
	})
}

// Schema::defaultStringLength(191) makes the owner short too; and the advice about one thing does not undo that about another.
func TestCheckTables_RemediesKeepWhatIsWell(t *testing.T) {
	c := onMySQL(t, testdb.MySQL(t))
	c.today()
	c.exec("ALTER TABLE cache MODIFY `key` varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL", "ALTER TABLE cache_locks MODIFY owner varchar(191) NOT NULL")
	d := c.examine()
	d.wants("key column", OK, "cache: key is varchar(191)", "ALTER TABLE `cache` MODIFY `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;")
	d.wants("key column", OK, "cache_locks: owner is varchar(191)", "ALTER TABLE `cache_locks` MODIFY `owner` varchar(255) ")
	d.wants("collation", OK, "cache_locks: ", "MODIFY `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL;    -- optional: ", "copies the table")
	for _, f := range d.found {
		if f.Check == "key column" || f.Check == "collation" && f.Remedy != "" {
			c.exec(f.Remedy)
		}
	}
	for _, f := range c.examine().found {
		if (f.Check == "key column" || f.Check == "collation") && f.Remedy != "" {
			t.Errorf("not cured: %+v", f)
		}
	}
}

// The remedies are what somebody pastes: they must work, and cure.
func TestCheckTables_TheirRemediesCure(t *testing.T) {
	for _, tt := range []struct {
		check, text string
		status      Status
		cache       string
	}{
		{"engine", "engine is MyISAM", Problem, "(`key` varchar(191) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, KEY e (expiration)) ENGINE=MyISAM"},
		{"collation", "character set latin1", Warning, "(`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, KEY e (expiration)) CHARSET=latin1"},
		{"collation", "one row", OK, "(`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, KEY e (expiration))"},
		{"key column", "varchar(191)", OK, "(`key` varchar(191) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, KEY e (expiration))"},
		{"value column", "value is varchar", Problem, "(`key` varchar(255) NOT NULL PRIMARY KEY, value varchar(999) NOT NULL, expiration bigint NOT NULL, KEY e (expiration))"},
		{"expiration column", "expiration is int", Problem, "(`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration int unsigned NOT NULL, KEY e (expiration))"},
		{"index", "its name is taken", Warning, "(`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, KEY cache_expiration_index (`key`))"},
		{"tables", "unknown column more", Problem, "(`key` varchar(255) NOT NULL PRIMARY KEY, value mediumtext NOT NULL, expiration bigint NOT NULL, more int, KEY e (expiration))"},
	} {
		t.Run(tt.check+" "+tt.text, func(t *testing.T) {
			c := onMySQL(t, testdb.MySQL(t))
			c.today()
			c.exec("DROP TABLE cache", "CREATE TABLE cache "+tt.cache)
			d := c.examine()
			d.wants(tt.check, tt.status, tt.text)
			for _, f := range d.found {
				if f.Check == tt.check && f.Remedy != "" && strings.Contains(f.Message, tt.text) {
					c.exec(f.Remedy)
				}
			}
			if tt.check == "tables" { // which larder migrate makes anew
				c.exec("CREATE TABLE cache LIKE cache_before", "ALTER TABLE cache DROP COLUMN more")
			}
			d = c.examine()
			for _, f := range d.found {
				if f.Check == tt.check && (f.Status != OK || strings.Contains(f.Message, tt.text)) {
					t.Errorf("not cured: %+v", f)
				}
			}
		})
	}
}
