package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// largeText is a value that is exported in parts.
func largeText(letter string) string { return `s:5000000:"` + strings.Repeat(letter, 5_000_000) + `";` }

// exportedRows returns what an Export yields as "key value expiration ttl", with a large value's first letter for all of it if they are all the same.
func exportedRows(t *testing.T, s *store.Store, o store.ExportOptions) (rows []string, err error) {
	t.Helper()
	for r, err := range s.Export(t.Context(), o) {
		if err != nil {
			return rows, err
		}
		value := string(r.Value)
		if len(value) == len(largeText("x")) && value == largeText(value[11:12]) {
			value = "5 MB of " + value[11:12]
		}
		rows = append(rows, fmt.Sprintf("%s %.100s %d %v", r.Key, value, r.Expiration, r.TTL))
	}
	return rows, nil
}

// A large row is read in another statement than the one that has found it. What others do to it in between is seen, or it is left out.
func TestStore_ExportSeesWhatBecameOfALargeRowThatItHasFound(t *testing.T) {
	const start = 1_800_000_000
	for _, c := range []struct {
		name  string
		state store.State
		ends  int64
		do    string
		later time.Duration
		want  string // nothing: it is left out
	}{
		{"it stays", store.Live, start + 9, "", 0, "a 5 MB of x 1800000009 9s"},
		{"it is forgotten", store.Live, start + 9, "DELETE FROM cache", 0, ""},
		{"it expires", store.Live, start + 9, "", 9 * time.Second, ""},
		{"it expires, and all are wanted", store.All, start + 9, "", 9 * time.Second, "a 5 MB of x 1800000009 0s"},
		{"it is about to expire", store.Live, start + 9, "", 8 * time.Second, "a 5 MB of x 1800000009 1s"},
		{"it had expired and is renewed", store.Expired, start, "UPDATE cache SET expiration = 1800000005", 0, ""},
		{"it is touched", store.Live, start + 9, "UPDATE cache SET expiration = 1800000060", 0, "a 5 MB of x 1800000060 1m0s"},
		{"it becomes small", store.Live, start + 9, "UPDATE cache SET value = 'i:1;'", 0, "a i:1; 1800000009 9s"},
		{"it becomes empty", store.Live, start + 9, "UPDATE cache SET value = ''", 0, "a  1800000009 9s"},
		{"it is replaced", store.Live, start + 9, "UPDATE cache SET value = REPLACE(value, 'x', 'y')", 0, "a 5 MB of y 1800000009 9s"},
		{"a look-alike takes its place", store.Live, start + 9, "UPDATE cache SET `key` = 'A'", 0, ""},
	} {
		for engine, open := range map[string]func(testing.TB, ...store.Option) *store.Store{"SQLite": openSQLite, "MySQL": openMySQL} {
			t.Run(c.name+" on "+engine, func(t *testing.T) {
				var (
					now           = time.Unix(start, 0)
					asked, doneAt int
					s             *store.Store
				)
				do := func() {
					now = now.Add(c.later)
					if _, err := s.DB().Exec(c.do); c.do != "" && err != nil {
						t.Error(err)
					}
				}
				s = open(t, store.WithClock(func() time.Time {
					if asked++; asked == doneAt {
						do()
					}
					return now
				}))
				if _, err := s.DB().Exec("INSERT INTO cache VALUES ('a', ?, ?)", largeText("x"), c.ends); err != nil {
					t.Fatal(err)
				}
				if rows, err := exportedRows(t, s, store.ExportOptions{State: c.state}); err != nil || len(rows) != 1 {
					t.Fatalf("%d rows, %v, want the one", len(rows), err)
				}
				asked, doneAt = 0, asked // the clock is asked last for the statement that reads the row
				rows, err := exportedRows(t, s, store.ExportOptions{State: c.state})
				if got := strings.Join(rows, "\n"); err != nil || got != c.want || asked != doneAt {
					t.Errorf("exported %q, %v, want %q; the clock was asked %d times, want %d", got, err, c.want, asked, doneAt)
				}
			})
		}
	}
}

// A tap is a connection to the server that calls a function before a statement with the text is sent.
type tap struct {
	net.Conn
	text   string
	before func()
}

func (c *tap) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.text)) {
		c.before()
	}
	return c.Conn.Write(b)
}

// tapped returns a store on the database that calls a function before each statement with the text.
func tapped(t *testing.T, db *testdb.Database, text string, before func()) *store.Store {
	t.Helper()
	cfg := db.Config()
	cfg.InterpolateParams, cfg.MaxAllowedPacket, cfg.Logger = true, 64<<20, &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &tap{conn, text, before}, err
	}
	return newStore(t, cfg)
}

// The parts of a large value belong together whatever others do between them, also in a table whose engine has no snapshots.
func TestStore_ExportGivesNoPartsOfDifferentMoments(t *testing.T) {
	const replace = "UPDATE cache SET value = CONCAT('s:5000000:\"',REPEAT('LETTER',5000000),'\";')"
	for _, c := range []struct {
		name, engine string
		at           func(part int) bool // of five, again and again if need be
		do           string              // LETTER is y, and another one each time
		want         string              // without the times
		wantErr      string
	}{
		{"replaced", "InnoDB", func(part int) bool { return part == 2 }, replace, "a 5 MB of x", ""},
		{"forgotten", "InnoDB", func(part int) bool { return part == 2 }, "DELETE FROM cache", "a 5 MB of x", ""},
		{"replaced", "MyISAM", func(part int) bool { return part == 2 }, replace, "a 5 MB of y", ""},
		{"made shorter", "MyISAM", func(part int) bool { return part == 2 }, "UPDATE cache SET value = 'i:1;'", "a i:1;", ""},
		{"made shorter than its last part", "MyISAM", func(part int) bool { return part == 5 }, "UPDATE cache SET value = LEFT(value, 4999999)", "a " + largeText("x")[:100], ""},
		{"forgotten", "MyISAM", func(part int) bool { return part == 2 }, "DELETE FROM cache", "", ""},
		{"replaced again and again", "MyISAM", func(part int) bool { return part%5 == 2 }, replace, "", `export: row "a": its value changes while it is read`},
	} {
		t.Run(c.name+" in "+c.engine, func(t *testing.T) {
			db := migrated(t, testdb.MySQL(t))
			admin := db.Open(t)
			for _, statement := range []string{
				"ALTER TABLE cache MODIFY `key` VARCHAR(100), ENGINE = " + c.engine, // the longest key of MyISAM is 1,000 bytes
				"INSERT INTO cache VALUES ('a', CONCAT('s:5000000:\"',REPEAT('x',5000000),'\";'), 4102444800)",
			} {
				if _, err := admin.Exec(statement); err != nil {
					t.Fatal(err)
				}
			}
			part := 0
			s := tapped(t, db, "SELECT SUBSTRING(", func() {
				if part++; !c.at(part) {
					return
				}
				if _, err := admin.Exec(strings.ReplaceAll(c.do, "LETTER", string(rune('y'+part/5)))); err != nil {
					t.Error(err)
				}
			})
			rows, err := exportedRows(t, s, store.ExportOptions{})
			if (err == nil) != (c.wantErr == "") || err != nil && err.Error() != c.wantErr {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
			if got, _, _ := strings.Cut(strings.Join(rows, "\n"), " 4102444800"); got != c.want {
				t.Errorf("exported %q, want %q", got, c.want)
			}
			if part < 2 {
				t.Errorf("it was read in %d parts", part)
			}
		})
	}
}

func TestStore_ExportThatEndsBetweenPartsNamesTheRow(t *testing.T) {
	db := migrated(t, testdb.MySQL(t))
	if _, err := db.Open(t).Exec("INSERT INTO cache VALUES ('a', CONCAT('s:5000000:\"',REPEAT('x',5000000),'\";'), 4102444800)"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	part := 0
	s := tapped(t, db, "SELECT SUBSTRING(", func() {
		if part++; part == 2 {
			cancel()
		}
	})
	wantOneError(ctx, t, s, context.Canceled)
}

// What exceeds the server's max_allowed_packet has no parts, and is sent whole; or not.
func TestStore_ExportOfAValueThatExceedsThePacketNamesTheRow(t *testing.T) {
	db := migrated(t, testdb.Private(t).Database(t)) // its own server: the limit is everybody's
	admin := db.Open(t)
	if _, err := admin.Exec("INSERT INTO cache VALUES ('a', CONCAT('s:5000000:\"',REPEAT('x',5000000),'\";'), 4102444800)"); err != nil {
		t.Fatal(err)
	}
	limitPackets(t, admin, 1)
	ctx, cancel := context.WithCancel(t.Context())
	wantOneError(ctx, t, tapped(t, db, "SELECT `key`,`value`", cancel), context.Canceled)
}

// wantOneError has an Export yield no row and an error that names the row a.
func wantOneError(ctx context.Context, t *testing.T, s *store.Store, want error) {
	t.Helper()
	var got []error
	for r, err := range s.Export(ctx, store.ExportOptions{}) {
		if err == nil {
			t.Errorf("row %q with %d bytes, want none", r.Key, len(r.Value))
		}
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], want) || !strings.HasPrefix(got[0].Error(), `export: row "a": `) {
		t.Errorf("errors %v, want one that names the row, and %v", got, want)
	}
}

// SQLite keeps text in the file's encoding, and gives its parts in that.
func TestStore_ExportOfALargeValueFromAFileOfUTF16(t *testing.T) {
	s, err := store.Open("sqlite:" + filepath.Join(t.TempDir(), "utf16.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.DB().Exec("PRAGMA encoding = 'UTF-16le'"); err != nil { // before there is a table
		t.Fatal(err)
	}
	migrateSQLite(t, s.DB().DB)
	want := strings.Repeat("钉x", 1_200_000)
	if err := s.Put(t.Context(), "k", want, time.Hour); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for r, err := range s.Export(t.Context(), store.ExportOptions{}) {
		if rows++; err != nil || string(r.Value) != fmt.Sprintf("s:%d:\"%s\";", len(want), want) {
			t.Errorf("%d bytes, %v, want those of the value", len(r.Value), err)
		}
	}
	if rows != 1 {
		t.Errorf("%d rows, want 1", rows)
	}
}
