//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/dump"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

// The tests that run larder in this process are not parallel: an import and an export set how much memory all of it may use.

// envTransfer names the variable with the number of rows that are exported and imported; 3,000 if it is empty. scripts/test-peers.sh wants 200,000.
const envTransfer = "LARDER_TEST_TRANSFER_ROWS"

func transferRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv(envTransfer)
	if text == "" {
		return 3_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", envTransfer, err)
	}
	return n
}

// A tableRow is a row as it stands in a table.
type tableRow struct {
	key, value string
	expiration int64
}

// mixedRow returns the i-th of many rows that have little in common. Their keys differ by more than a collation sees.
func mixedRow(i int, now int64) tableRow {
	prefixes := []string{"app_", "app_", "app_", "APP_", "äpp_", "other:", ""}
	keys := []string{"user:%d", "%d it's \"quoted\" \\ back", "%d\nline\ttab", "%d 100%% _wild*", "钉钉 %d", "😀%d😀", "%d trailing ", "%d\x00nul", "É%dé", "%d" + strings.Repeat("长", 200)}
	values := []string{
		`s:5:"hello";`, `i:` + strconv.Itoa(i) + `;`, `d:0.1;`, `b:1;`, `N;`, "",
		`a:2:{i:0;s:3:"foo";s:4:"list";a:1:{i:0;d:1.0E+25;}}`,
		`O:8:"stdClass":1:{s:1:"a";i:1;}`,
		"O:3:\"Foo\":2:{s:6:\"\x00*\x00bar\";s:1:\"\x00\";s:8:\"\x00Foo\x00baz\";N;}",
		`s:8:"😀😀";`, "aGVsbG8=", "no serialization at all", "\x00", "\"\\/\b\f\n\r\t\x01\x1f\x7f\u2028\uFFFD<&>", " ", "{\"key\":\"k\"}\n",
		`s:26:"` + strings.Repeat("钉", 8) + `  ";`, "0", ":;", "czozOiJmb28iOw==",
	}
	expirations := []int64{now + 86_400, now + 315_360_000, now - 5, 1, 0, 2_147_483_647, 2_147_483_648, 253_402_300_799, now + 7_000 + int64(i)}
	r := tableRow{
		key:        prefixes[i%len(prefixes)] + fmt.Sprintf(keys[i/len(prefixes)%len(keys)], i),
		value:      values[i%len(values)],
		expiration: expirations[i%len(expirations)],
	}
	if i%4999 == 17 || i == 999 {
		r.value = `s:1048576:"` + strings.Repeat("ü\"\\\n", 1<<20/5) + `x";`
	}
	return r
}

// fill puts rows into the cache table as somebody else might have.
func fill(t *testing.T, db *sql.DB, n int, row func(i int) tableRow) {
	t.Helper()
	var (
		args []any
		size int
	)
	insert := func() {
		if len(args) == 0 {
			return
		}
		if _, err := db.Exec("INSERT INTO cache VALUES (?,?,?)"+strings.Repeat(",(?,?,?)", len(args)/3-1), args...); err != nil {
			t.Fatal(err)
		}
		args, size = nil, 0
	}
	for i := range n {
		r := row(i)
		args, size = append(args, r.key, r.value, r.expiration), size+len(r.value)
		if len(args) == 3*1000 || size > 2<<20 {
			insert()
		}
	}
	insert()
}

// A sum stands for all of a cache table, by keys, values and expirations to the byte.
type sum struct {
	rows int
	hash [sha256.Size]byte
}

func checksum(t *testing.T, db *sql.DB) (s sum) {
	t.Helper()
	rows, err := db.Query("SELECT `key`, value, expiration FROM cache ORDER BY CAST(`key` AS BINARY)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	hash := sha256.New()
	for rows.Next() {
		var key, value sql.RawBytes
		var expiration int64
		if err := rows.Scan(&key, &value, &expiration); err != nil {
			t.Fatal(err)
		}
		s.rows++
		_, _ = fmt.Fprintf(hash, "%d %d %d\n%s%s", len(key), len(value), expiration, key, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	hash.Sum(s.hash[:0])
	return s
}

// count returns how many rows the cache table has.
func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT COUNT(*) FROM cache").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// migrated returns the server with its tables, and a connection to them.
func migrated(t *testing.T, database string) (*server, *sql.DB) {
	t.Helper()
	s := newServer(t, database, "LARDER_PREFIX=app_")
	if r := s.larder("migrate"); r.code != 0 {
		t.Fatalf("migrate: %+v", r)
	}
	return s, openDatabase(t, database)
}

// pipe runs two command lines as a shell does with | between them.
func pipe(t *testing.T, from, to *running) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from.cmd.Stdout, to.cmd.Stdin = write, read
	from.begin()
	to.begin()
	_, _ = read.Close(), write.Close()
	from.wantExit(0, "")
	to.wantExit(0, "")
}

func TestTransfer_FromMySQLToSQLiteToMySQLIsExact(t *testing.T) {
	t.Parallel()
	n, now := transferRows(t), time.Now().Unix()
	first, in := migrated(t, testdb.MySQL(t).URL())
	second, _ := migrated(t, "sqlite:"+testdb.SQLite(t))
	third, out := migrated(t, testdb.MySQL(t).URL())
	fill(t, in, n, func(i int) tableRow { return mixedRow(i, now) })
	want := checksum(t, in)
	began := time.Now()
	for _, step := range []struct{ from, to *server }{{first, second}, {second, third}} {
		pipe(t, step.from.prepare("export", "--state", "all", "--all-prefixes"), step.to.prepare("import", "-", "--expired", "--all-prefixes"))
	}
	t.Logf("%d rows there and back in %s", n, time.Since(began))
	if got := checksum(t, out); got != want || got.rows != n {
		t.Errorf("%d rows, sum %x, want %d rows, sum %x", got.rows, got.hash, want.rows, want.hash)
	}
	if got := checksum(t, in); got != want {
		t.Error("the export has changed the table")
	}
}

// What has a look-alike prefix is another application's, and what has expired stays behind.
func TestTransfer_TakesTheLiveRowsOfThePrefixAlone(t *testing.T) {
	t.Parallel()
	const n = 1000
	now := time.Now().Unix()
	for _, engine := range []string{"MySQL", "SQLite"} {
		t.Run(engine, func(t *testing.T) {
			first, in := migrated(t, databaseOf(t, engine))
			second, out := migrated(t, databaseOf(t, engine))
			want := 0
			fill(t, in, n, func(i int) tableRow {
				r := mixedRow(i, now)
				if engine == "SQLite" {
					r.value = "N;"
				}
				if strings.HasPrefix(r.key, "app_") && r.expiration > now+1 {
					want++
				}
				return r
			})
			pipe(t, first.prepare("export"), second.prepare("import"))
			var got int
			err := out.QueryRow("SELECT COUNT(*) FROM cache WHERE CAST(`key` AS BINARY) LIKE CAST('app~_%' AS BINARY) ESCAPE '~' AND expiration > ?", now).Scan(&got)
			if err != nil || got != want || count(t, out) != want {
				t.Errorf("%d rows of the prefix, %d of all, %v, want %d", got, count(t, out), err, want)
			}
		})
	}
}

func databaseOf(t *testing.T, engine string) string {
	if engine == "MySQL" {
		return testdb.MySQL(t).URL()
	}
	return "sqlite:" + testdb.SQLite(t)
}

// dumpOf writes a dump of n small rows, and returns its lines.
func (s *server) dumpOf(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"key":"k%06d","value":"i:%d;","expiration":2000000000,"ttl":600}`+"\n", i+1, i)
	}
	lines[0] = strings.Replace(lines[0], "}", `,"dump":1}`, 1)
	lines[n-1] = strings.Replace(lines[n-1], "}", fmt.Sprintf(`,"rows":%d}`, n), 1)
	s.file("rows.jsonl", strings.Join(lines, ""))
	return lines
}

// An import is ended in the middle, by force, which leaves it no last word, or by a signal. Then it is done again, or goes on as it has said.
func TestTransfer_ImportThatWasInterruptedIsMadeWhole(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, database string) {
		for name, end := range map[string]func(r *running) []string{
			"killed": func(r *running) []string {
				_ = r.cmd.Process.Kill()
				_ = r.cmd.Wait()
				return []string{"import", "rows.jsonl"}
			},
			"interrupted": func(r *running) []string {
				_ = r.cmd.Process.Signal(os.Interrupt)
				if r.wantExit(exitError, "interrupted: "); strings.Contains(r.stderr.String(), "nothing is stored") {
					return []string{"import", "rows.jsonl"} // it ended before it had the answer
				}
				r.wantSays(`interrupted: stored 1,000 rows, up to line 1000; go on with --from-line 1001, ` +
					`or from the database that it came from with larder export --after k001000`)
				return []string{"import", "rows.jsonl", "--from-line", "1001"}
			},
		} {
			s, db := migrated(t, database)
			if _, err := db.Exec("DELETE FROM cache"); err != nil {
				t.Fatal(err)
			}
			lines := s.dumpOf(2200)
			r := s.prepare("import")
			stdin, err := r.cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			r.begin()
			if _, err := io.WriteString(stdin, strings.Join(lines[:1500], "")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a batch is stored", func() bool { return count(t, db) == 1000 })
			again := end(r)
			if got := count(t, db); got != 1000 {
				t.Errorf("%s: %d rows, want the batch whole", name, got)
			}
			if r := s.process(again...); r.code != 0 {
				t.Errorf("%s: %+v", name, r)
			}
			interrupted := checksum(t, db)
			if r := s.process("import", "rows.jsonl"); r.code != 0 {
				t.Errorf("%s: %+v", name, r)
			}
			if whole := checksum(t, db); interrupted != whole || whole.rows != len(lines) {
				t.Errorf("%s: %d rows, want the %d as of an import without interruption", name, interrupted.rows, whole.rows)
			}
		}
	})
}

// The import at the end of a pipe fails, and the export that it names goes on from there.
func TestTransfer_PipeGoesOnAfterTheKeyThatImportNames(t *testing.T) {
	t.Parallel()
	first, in := migrated(t, testdb.MySQL(t).URL())
	second, out := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, in, 3000, func(i int) tableRow { return tableRow{fmt.Sprintf("app_Ключ '%04d", i), "i:1;", 2_000_000_000} })
	whole := first.process("export").stdout
	r := second.prepare("import")
	r.cmd.Stdin = strings.NewReader(whole[:len(whole)*2/3+20]) // the export's server fails
	r.begin()
	r.wantExit(exitUsage, "in the middle of its JSON")
	found := regexp.MustCompile(`export --after (.*)`).FindStringSubmatch(r.stderr.String())
	if found == nil {
		t.Fatalf("it does not say how it goes on: %s", r.stderr)
	}
	after, err := exec.Command("bash", "-c", "printf %s "+found[1]).Output() // as who pastes it
	if err != nil {
		t.Fatal(err)
	}
	pipe(t, first.prepare("export", "--after", string(after)), second.prepare("import"))
	if got, want := checksum(t, out), checksum(t, in); got != want {
		t.Errorf("%d rows, want %d", got.rows, want.rows)
	}
}

// Whatever is wrong with a line, what stands before it is stored, nothing after it is, and the line is named.
func TestTransfer_BadLineEndsTheImportBetweenWhatIsBeforeAndAfter(t *testing.T) {
	const at = 1101
	type badLine struct{ name, line, says, prepare string }
	bad := []badLine{
		{"cut off", `{"key":"bad","value":"i:1`, "in the middle", ""},
		{"no JSON", `bad`, "no JSON", ""},
		{"base64", `{"key":"bad","value_base64":"*","expiration":2000000000}`, "no base64", ""},
		{"missing field", `{"key":"bad","value":"i:1;"}`, `"expiration" is missing`, ""},
		{"field twice", `{"key":"bad","key":"good","value":"i:1;","expiration":2000000000}`, "comes twice", ""},
		{"key too long", `{"key":"` + strings.Repeat("k", 256) + `","value":"i:1;","expiration":2000000000}`, "255 characters", ""},
	}
	onEachEngine(t, func(t *testing.T, database string) {
		cases := bad
		if !strings.HasPrefix(database, "sqlite:") {
			long := `{"key":"bad","value":"` + strings.Repeat("v", 70_000) + `","expiration":2000000000}`
			cases = append(cases[:len(cases):len(cases)],
				badLine{"bytes", `{"key":"bad","value_base64":"/w==","expiration":2000000000}`, "want UTF-8", ""},
				badLine{"20 MB", `{"key":"bad","value":"` + strings.Repeat("v", 20<<20) + `","expiration":2000000000}`, "what a MEDIUMTEXT column holds", ""},
				badLine{"TEXT column", long, "what its column holds", "ALTER TABLE cache MODIFY value TEXT NOT NULL"},
				badLine{"key column", `{"key":"longer than it","value":"i:1;","expiration":2000000000}`, "what its column holds",
					"ALTER TABLE cache MODIFY `key` VARCHAR(16) NOT NULL"})
		}
		s, db := migrated(t, database)
		lines := s.dumpOf(1200)
		for _, c := range cases {
			if c.prepare != "" {
				if _, err := db.Exec(c.prepare); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.Exec("DELETE FROM cache"); err != nil {
				t.Fatal(err)
			}
			before, after := strings.Join(lines[:at-1], ""), strings.Join(lines[at-1:], "")
			s.file("bad.jsonl", before+c.line+"\n"+after)
			r := s.larder("import", s.dir+"/bad.jsonl")
			for _, says := range []string{"line 1101: ", c.says, "stored 1,100 rows, up to line 1100; go on with --from-line 1101"} {
				if r.code != exitUsage || !strings.Contains(r.stderr, says) || len(r.stderr) > 1000 {
					t.Errorf("%s: exit %d, %.1000s, want exit 2 and %q", c.name, r.code, r.stderr, says)
				}
			}
			var last string
			if err := db.QueryRow("SELECT MAX(`key`) FROM cache").Scan(&last); err != nil || last != "app_k001100" || count(t, db) != at-1 {
				t.Errorf("%s: %d rows up to %q, %v, want what stands before the line", c.name, count(t, db), last, err)
			}
			s.file("bad.jsonl", strings.Join(make([]string, at), "\n")+after) // mended; what is done need not be there
			if r := s.larder("import", s.dir+"/bad.jsonl", "--from-line", strconv.Itoa(at)); r.code != 0 || count(t, db) != len(lines) {
				t.Errorf("%s: %+v, %d rows", c.name, r, count(t, db))
			}
		}
	})
}

// A reader that ends too soon is no success of the export.
func TestTransfer_ExportWhoseReaderEndsSaysSo(t *testing.T) {
	t.Parallel()
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, db, 20_000, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
	r := s.prepare("export")
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.begin()
	if _, err := io.ReadFull(stdout, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = stdout.Close()
	r.wantExit(exitError, "broken pipe (the output is cut off")
	if strings.Contains(r.stderr.String(), "exported") {
		t.Errorf("it claims more than it did: %s", r.stderr)
	}
}

// A disk is a file with room for so many bytes.
type disk struct {
	*os.File
	room int
}

func (d *disk) Write(b []byte) (int, error) {
	n, err := d.File.Write(b[:min(len(b), d.room)])
	d.room -= n
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// The file of an export that failed ends with a whole line, the one of the key that is named.
func TestTransfer_FileOfAFullDiskIsCutAtAWholeLine(t *testing.T) {
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, db, 3000, func(i int) tableRow {
		return tableRow{fmt.Sprintf("app_%06d", i), `s:3:"foo";` + strings.Repeat("x", i%3000), 2_000_000_000}
	})
	st, err := store.Open(s.env[len(s.env)-1][len("LARDER_DATABASE="):], store.WithPrefix("app_"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	for _, room := range []int{0, 10, 32<<10 - 1, 40_000, 1 << 20} {
		name := fmt.Sprintf("%s/%d.jsonl", s.dir, room)
		out, err := createDump(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		out.to, out.what = &disk{out.file, room}, term.Plain
		if err := out.write(t.Context(), st, store.ExportOptions{}, func(int64) {}); err == nil {
			t.Fatal("the disk was not full")
		}
		mended := out.mend()
		_ = out.file.Close()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); int64(lines) != out.rows || len(text) > 0 && text[len(text)-1] != '\n' || len(text) > room {
			t.Errorf("%d bytes with %d lines, want %d whole ones", len(text), lines, out.rows)
		}
		if room < wholeLines != (out.rows == 0) || out.rows > 0 && !strings.Contains(mended, fmt.Sprintf("--after %06d", out.rows-1)) {
			t.Errorf("with room for %d bytes: %d rows, %s", room, out.rows, mended)
		}
		if out.rows == 0 {
			continue
		}
		s.wantError(exitUsage, []string{"import", name}, "the input has no end", "larder export --after "+out.last)
		s.want(0, "", "export", "--to", name, "--after", out.last)
		s.want(0, "stored 3,000 rows\n", "import", name)
		if text, err = os.ReadFile(name); err != nil || bytes.Count(text, []byte("\n")) != 3000 {
			t.Errorf("it goes on to %d lines, %v", bytes.Count(text, []byte("\n")), err)
		}
	}
}

// The last line of an export that was killed may be half a row, to which no other is added.
func TestTransfer_ExportGoesOnBehindWholeLinesOnly(t *testing.T) {
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, db, 3, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
	file := s.dir + "/rows.jsonl"
	s.want(0, "", "export", "--to", file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	s.file("rows.jsonl", lines[0]+lines[1][:20])
	s.wantError(exitUsage, []string{"export", "--to", file, "--after", "0"}, "in the middle of a line")
	s.file("rows.jsonl", lines[0])
	s.want(0, "", "export", "--to", file, "--after", "0")
	ttl := regexp.MustCompile(`"ttl":\d+`) // which a second may have passed for
	if got, err := os.ReadFile(file); err != nil || ttl.ReplaceAllString(string(got), "") != ttl.ReplaceAllString(string(whole), "") {
		t.Errorf("%s, %v, want %s", got, err, whole)
	}
}

// Rows that nobody touches are in an export once and as they are, whatever happens around them; the others as they were at some time.
func TestTransfer_ExportWhileOthersWrite(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, database string) {
		const n = 4000
		s, db := migrated(t, database)
		fill(t, db, n, func(i int) tableRow {
			return tableRow{fmt.Sprintf("app_still:%d", i), fmt.Sprintf(`i:%d;`, i), 2_000_000_000}
		})
		st, err := store.Open(database, store.WithPrefix("app_"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		var (
			writers sync.WaitGroup
			done    = make(chan struct{})
			began   = make(chan struct{})
		)
		writers.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("sti%s:%d", []string{"", "ll", "z"}[i%3], n+i%700)
				_, err := st.Forget(t.Context(), key)
				if err == nil && i%2 == 0 {
					err = st.Put(t.Context(), key, strings.Repeat(strconv.Itoa(i%10), 500+i%500), time.Hour)
				}
				if err != nil {
					t.Error(err)
				}
				if i == 100 {
					close(began)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		<-began
		r := s.process("export")
		close(done)
		writers.Wait()
		if r.code != 0 {
			t.Fatalf("%+v", r)
		}
		seen := map[string]bool{}
		for in := dump.NewReader(strings.NewReader(r.stdout)); ; {
			row, err := in.Next()
			if err == io.EOF {
				break
			}
			if err != nil || seen[row.Key] {
				t.Fatalf("%q, %v: no row, or one that comes twice", row.Key, err)
			}
			seen[row.Key] = true
			i, err := strconv.Atoi(row.Key[strings.Index(row.Key, ":")+1:])
			text := ""
			if quoted := strings.SplitN(string(row.Value), `"`, 2); len(quoted) == 2 {
				text = strings.TrimSuffix(quoted[1], `";`)
			}
			switch {
			case err != nil:
				t.Error(err)
			case i < n && string(row.Value) != fmt.Sprintf("i:%d;", i):
				t.Errorf("%s: %.100s", row.Key, row.Value)
			case i >= n && (len(text) < 500 || strings.Trim(text, text[:1]) != "" || string(row.Value) != fmt.Sprintf(`s:%d:"%s";`, len(text), text)):
				t.Errorf("%s: %.100s", row.Key, row.Value)
			}
		}
		for i := range n {
			if key := fmt.Sprintf("still:%d", i); !seen[key] {
				t.Fatalf("%s is missing", key)
			}
		}
	})
}

// With --extend the time that a row had left counts from the import on, however old the dump is; without, the time when it ends.
func TestTransfer_ExpirationsAreKeptOrExtended(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, db := migrated(t, database)
		s.file("old.jsonl", `{"key":"ended","value":"i:1;","expiration":1000,"ttl":600}
{"key":"had ended","value":"i:1;","expiration":1000,"ttl":-5}
{"key":"ends","value":"i:1;","expiration":4000000000,"ttl":600,"rows":3}
`)
		for _, c := range []struct {
			args []string
			want map[string]int64 // seconds from now on
		}{
			{nil, map[string]int64{"ends": 4_000_000_000}},
			{[]string{"--expired"}, map[string]int64{"ends": 4_000_000_000, "ended": 1000, "had ended": 1000}},
			{[]string{"--extend"}, map[string]int64{"ends": 600, "ended": 600}},
			{[]string{"--extend", "--expired"}, map[string]int64{"ends": 600, "ended": 600, "had ended": -5}},
		} {
			if _, err := db.Exec("DELETE FROM cache"); err != nil {
				t.Fatal(err)
			}
			if r := s.larder(append([]string{"import", s.dir + "/old.jsonl"}, c.args...)...); r.code != 0 {
				t.Fatalf("%+v", r)
			}
			got := map[string]int64{}
			now := time.Now().Unix()
			for line := range strings.Lines(s.larder("export", "--state", "all").stdout) {
				var row struct {
					Key        string
					Expiration int64
				}
				if err := json.Unmarshal([]byte(line), &row); err != nil {
					t.Fatal(err)
				}
				got[row.Key] = row.Expiration
			}
			for key, want := range c.want {
				if want < 1000 {
					want += now
				}
				if off := got[key] - want; off < -30 || off > 1 {
					t.Errorf("%v: %s ends at %d, want %d", c.args, key, got[key], want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("%v: %v, want %v", c.args, got, c.want)
			}
		}
	})
}
