//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/testdb"
)

// terminalServer has migrated tables, the prefix app_ and a configured token.
func terminalServer(t *testing.T, database string) (*server, *sql.DB) {
	t.Helper()
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("corp", secret))
	t.Cleanup(vendor.Close)
	s := newServer(t, database, "LARDER_PREFIX=app_", "CORP_ID=corp", "CORP_SECRET="+secret, "DINGTALK_BASE_URL="+vendor.URL)
	if r := s.larder("migrate"); r.code != 0 {
		t.Fatalf("migrate: %+v", r)
	}
	return s, openDatabase(t, database)
}

func addRow(t *testing.T, db *sql.DB, table, key, value string, ttl time.Duration) {
	t.Helper()
	if _, err := db.Exec("INSERT INTO "+table+" VALUES (?,?,?)", key, value, time.Now().Add(ttl).Unix()); err != nil {
		t.Fatalf("row %q: %v", key, err)
	}
}

func serialized(text string) string { return fmt.Sprintf(`s:%d:"%s";`, len(text), text) }

// attacks are texts that do something to a terminal, or to who reads it.
var attacks = map[string]string{
	"csi": "\x1b[31;5mred\x1b[2J", "osc": "\x1b]0;title\x07", "c1": "\u009b31mred\u009d0;title\u009c", "bell": "\a\b\v\f\r", "nul": "a\x00b", "del": "\x7f",
	"bidi": "exe.\u202egpj\u2066x\u2069\u200f", "invisible": "a\u200bb\u200d\ufeff\u2060", "tags": "x\U000e0041", "binary": "\x9b31m\xff\xfe", "lines": "one\ntwo\r\nthree",
	"rtl": "שלום عالم", "combined": "e\u0301\u0323 a" + strings.Repeat("\u0302", 40), "emoji": "👨‍👩‍👧👍🏽🇨🇳❤\ufe0f", "wide": "用户:张伟:设置",
}

func TestTerminal_IsNeverToldAnythingByARow(t *testing.T) {
	s, db := terminalServer(t, "sqlite:"+testdb.SQLite(t))
	for name, text := range attacks {
		addRow(t, db, "cache", "app_value:"+name, serialized(text), time.Hour)
		addRow(t, db, "cache", "app_"+text, serialized(text), time.Hour)
		addRow(t, db, "cache", "app_class:"+name, fmt.Sprintf(`O:%d:"%s":1:{s:%d:"%s";i:1;}`, len(text), text, len(text), text), time.Hour)
		addRow(t, db, "cache", "app_head:"+name, "a:"+text+":{"+strings.Repeat("i:1;i:1;", 100), time.Hour)
		addRow(t, db, "cache", "app_corrupt:"+name, text, time.Hour)
		addRow(t, db, "cache", "app_array:"+name, fmt.Sprintf(`a:1:{s:%d:"%s";s:%d:"%s";}`, len(text), text, len(text), text), time.Hour)
		addRow(t, db, "cache", text+"_cache_", "i:1;", time.Hour)
		addRow(t, db, "cache_locks", "app_"+text, text, time.Hour)
	}
	addRow(t, db, "cache", "app_dingding_access_token", serialized(attacks["csi"]+attacks["c1"]), time.Hour)
	commands := [][]string{
		{"list"}, {"list", "--all-prefixes", "--state", "all", "--reveal"}, {"list", "-o", "json", "-l"}, {"stats"}, {"stats", "-o", "json"}, {"export"},
		{"doctor"}, {"doctor", "-o", "json"}, {"lock", "list"}, {"lock", "list", "-o", "json", "--all-prefixes"}, {"token", "list", "--reveal"},
		{"token", "get", "dingding_access_token"}, {"token", "list", "-o", "json"},
	}
	for name, text := range attacks {
		if !strings.Contains(text, "\x00") { // no argument has that
			commands = append(commands, []string{"inspect", text}, []string{"get", text + "?"}, []string{"inspect", text + "?"})
		}
		for _, kind := range []string{"value:", "class:", "head:", "corrupt:", "array:"} {
			key := kind + name
			commands = append(commands, []string{"inspect", key, "--full", "--reveal"}, []string{"get", key, "--raw"})
			if kind == "value:" || kind == "array:" {
				commands = append(commands, []string{"inspect", key, "-o", "json"}, []string{"get", key}, []string{"get", key, "-o", "json"}, []string{"pull", key})
			}
		}
	}
	for _, args := range commands {
		out := s.drawn(80, args...)
		if found := readScreen(out, 80).disobeys; len(found) > 0 {
			t.Errorf("larder %q has the terminal do %q:\n%q", args, found, out)
		}
	}
}

// with returns the server with another variable before its own.
func (s *server) with(variable string) *server {
	return &server{t: s.t, dir: s.dir, env: append([]string{variable}, s.env...)}
}

// drawn runs one command line in this process and returns what it prints on a terminal, as that gets it: starting some hundred processes takes longer.
func (s *server) drawn(columns uint16, args ...string) string {
	s.t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = master.Close() }()
	if err := pty.Setsize(master, &pty.Winsize{Cols: columns, Rows: 50}); err != nil {
		s.t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		var text strings.Builder
		chunk := make([]byte, 4096)
		for {
			n, err := master.Read(chunk)
			text.Write(chunk[:n])
			if err != nil {
				read <- text.String()
				return
			}
		}
	}()
	env := append(s.env[:len(s.env):len(s.env)], "TERM=xterm-256color", "LANG=C.UTF-8")
	run(s.t.Context(), args, environment{stdin: strings.NewReader(""), stdout: tty, stderr: tty, dir: s.dir, lookupEnv: (&server{env: env}).lookupEnv})
	_ = tty.Close()
	return <-read
}

func TestTerminal_NoLineIsWiderThanIt(t *testing.T) {
	s, db := terminalServer(t, "sqlite:"+testdb.SQLite(t))
	for name, text := range attacks {
		addRow(t, db, "cache", "app_"+name+":"+text, serialized(strings.Repeat(text+" ", 40)), time.Hour)
		addRow(t, db, "cache_locks", "app_"+text, "owner-"+name, time.Hour)
	}
	addRow(t, db, "cache", "app_"+strings.Repeat("用户:张伟:", 30), serialized(strings.Repeat("很长", 3000)), time.Hour)
	addRow(t, db, "cache", "app_user", `O:15:"App\Models\User":2:{s:4:"name";s:6:"张伟";s:7:"`+"\x00*\x00"+`tags";a:1:{i:0;s:9:"老客户";}}`, -time.Hour)
	addRow(t, db, "cache", "用户应用_cache_x", "i:1;", time.Hour)
	addRow(t, db, "cache_locks", "app_锁:导入:华东:"+strings.Repeat("很长", 40), "web-03:4711", 20*time.Second)
	commands := [][]string{
		{"list", "--state", "all"}, {"list", "--all-prefixes", "--limit", "3"}, {"stats"}, {"stats", "--sample-above", "3"}, {"doctor"}, {"token", "list"},
		{"lock", "list"}, {"inspect", "user"}, {"inspect", strings.Repeat("用户:张伟:", 30)}, {"inspect", "emoji:" + attacks["emoji"]}, {"--help"}, {"list", "--help"},
		{"inspect", "dingding_access_token"}, {"lock", "run", "--help"},
	}
	for _, columns := range []uint16{1, 20, 40, 80, 120} {
		for _, args := range commands {
			out := s.drawn(columns, args...)
			seen := readScreen(out, int(columns))
			if len(seen.lines) == 0 {
				t.Errorf("larder %q at %d columns shows nothing", args, columns)
			}
			if columns >= 40 && len(tooWide(seen)) > 0 {
				t.Errorf("larder %q at %d columns has wider lines: %q", args, columns, tooWide(seen))
			}
		}
	}
}

// tooWide leaves out what the terminal may break, because it can be copied from there only if larder does not: commands with quotes, and errors and
// remarks.
func tooWide(s *screen) []string {
	var lines []string
	for _, line := range s.tooWide {
		if !strings.Contains(line, "→ larder") && !strings.HasPrefix(line, "larder: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestTerminal_ColumnsStandBelowEachOther(t *testing.T) {
	s, db := terminalServer(t, "sqlite:"+testdb.SQLite(t))
	for _, key := range []string{"plain", "用户:张伟:设置", "e\u0301e\u0301e\u0301", strings.Repeat("很长", 100), "שלום", "한국어"} {
		addRow(t, db, "cache", "app_"+key, "i:7;", 90*time.Minute)
		addRow(t, db, "cache_locks", "app_"+key, "owner", 90*time.Minute)
	}
	s.file("larder.yaml", "tokens:\n  钉钉令牌: {source: dingtalk, app_key: a, app_secret: b}\n  令牌: {source: dingtalk, app_key: a, app_secret: b}\n")
	for _, columns := range []uint16{40, 80, 120} {
		for command, column := range map[string]string{"list": "  int ", "lock list": "  owner  in 1h", "token list": "  dingtalk  missing"} {
			seen := readScreen(s.drawn(columns, strings.Fields(command)...), int(columns))
			at := -1
			for _, line := range seen.lines[1:] {
				before, _, found := strings.Cut(line, column)
				if !found {
					continue
				}
				if at >= 0 && measure.StringWidth(before) != at {
					t.Errorf("larder %s at %d columns: %q stands in column %d and %d:\n%s", command, columns, column, at, measure.StringWidth(before), seen)
				}
				at = measure.StringWidth(before)
			}
			if at < 0 {
				t.Errorf("larder %s at %d columns has no %q:\n%s", command, columns, column, seen)
			}
		}
	}
}

func TestTerminal_ColourIsForThoseWhoSeeIt(t *testing.T) {
	s, db := terminalServer(t, "sqlite:"+testdb.SQLite(t))
	addRow(t, db, "cache", "app_k", "i:7;", time.Hour)
	for _, c := range []struct {
		env  string
		want bool
	}{{"", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}, {"TERM=", false}, {"CLICOLOR=0", false}, {"NO_COLOR=", true}, {"CLICOLOR_FORCE=1", true}} {
		out := s.with(c.env).drawn(80, "list")
		if got := strings.Contains(out, "\x1b"); got != c.want || !strings.Contains(out, "KEY") {
			t.Errorf("%q: coloured is %t, want %t: %q", c.env, got, c.want, out)
		}
	}
	if r := s.process("list"); r.code != 0 || strings.Contains(r.stdout+r.stderr, "\x1b") {
		t.Errorf("larder list in a pipe: %+v", r)
	}
	for _, args := range [][]string{{"stats"}, {"doctor"}, {"prune"}, {"--help"}} {
		if r := s.larder(args...); strings.Contains(r.stdout+r.stderr, "\x1b") {
			t.Errorf("larder %q where there is no terminal has escapes: %+v", args, r)
		}
	}
	if r := s.with("CLICOLOR_FORCE=1").larder("list"); !strings.Contains(r.stdout, "\x1b[") {
		t.Errorf("CLICOLOR_FORCE where there is no terminal: %+v", r)
	}
}

func TestList_LimitedSaysThatMoreFollow(t *testing.T) {
	s, db := terminalServer(t, "sqlite:"+testdb.SQLite(t))
	for i := range 5 {
		addRow(t, db, "cache", fmt.Sprintf("app_%d", i), "i:7;", time.Hour)
	}
	for limit, want := range map[string]string{"4": "larder: 4 rows, 16 B; more follow, --limit 0 lists all", "5": "larder: 5 rows, 20 B", "0": "larder: 5 rows, 20 B"} {
		seen := readScreen(s.drawn(80, "list", "--limit", limit), 80)
		if rows, _ := strconv.Atoi(strings.Fields(want)[1]); !strings.HasSuffix(seen.String(), "\n"+want+"\n") || len(seen.lines) != 1+rows+1 {
			t.Errorf("--limit %s:\n%s", limit, seen)
		}
	}
	if r := s.larder("list", "--limit", "4", "-o", "json"); strings.Count(r.stdout, "\n") != 4 {
		t.Errorf("in a pipe: %+v", r)
	}
}

// fillExpiring puts so many rows of the prefix into the table, which all expire in that many seconds.
func fillExpiring(t *testing.T, database string, db *sql.DB, n, seconds int) {
	t.Helper()
	key := "CONCAT('app_k', i)"
	if strings.HasPrefix(database, "sqlite:") {
		key = "'app_k' || i"
	}
	_, err := db.Exec(fmt.Sprintf("INSERT INTO cache SELECT %s, 's:3:\"bar\";', %d FROM %s AS n", key, time.Now().Unix()+int64(seconds), upTo(n)))
	if err != nil {
		t.Fatal(err)
	}
}

func empty(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.Exec("DELETE FROM cache"); err != nil {
		t.Fatal(err)
	}
}

// number returns the number that the pattern's group finds in a text.
func number(t *testing.T, pattern, text string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in %q", pattern, text)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// inTheMiddle is a progress line of a work that has a good part before it.
const inTheMiddle = `\r[a-z]+ing +([1-9]|[1-5]\d)% .* rows/s, [0-9ms]+ left`

func TestCtrlC_StopsBetweenBatchesAndSaysWhatIsDone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		for _, c := range []struct {
			args    []string
			seconds int
			says    string
		}{
			{[]string{"prune"}, -60, `larder: interrupted: deleted ([0-9,]+) expired rows and 0 expired locks; run it again for the rest`},
			{[]string{"flush", "--yes"}, 3600, `larder: interrupted: ([0-9,]+) rows deleted; run it again for the rest`},
		} {
			t.Run(c.args[0], func(t *testing.T) {
				s, db := terminalServer(t, database)
				empty(t, db)
				long := long
				if !strings.HasPrefix(database, "sqlite:") {
					long *= 4 // what takes time is in the server, and the race detector is not
				}
				fillExpiring(t, database, db, long, c.seconds)
				p := s.onTerminal(120, nil, nil, c.args...)
				p.until(inTheMiddle)
				p.press()
				code, by := p.end()
				seen := readScreen(p.printed(), 120).String()
				left := count(t, db)
				if done := number(t, c.says, seen); code != exitError || by > 0 || done+left != long || left == 0 {
					t.Errorf("exit %d (%v), it says %d are deleted, %d are left of %d:\n%s", code, by, done, left, long, seen)
				}
				if strings.Contains(seen, "%") || strings.Contains(seen, "^C") {
					t.Errorf("the progress is still there:\n%s", seen)
				}
				if r := s.larder(c.args...); r.code != exitDone || count(t, db) != 0 {
					t.Errorf("again: %+v, %d rows are left", r, count(t, db))
				}
			})
		}
	})
}

func TestCtrlC_EndsAnImportAfterABatch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, db := terminalServer(t, database)
		var file strings.Builder
		for i := range long {
			fmt.Fprintf(&file, `{"key":"k%d","value":"i:7;","expiration":%d,"ttl":600}`+"\n", i, time.Now().Unix()+600)
		}
		fmt.Fprintf(&file, `{"rows":%d}`+"\n", long)
		s.file("rows.jsonl", file.String())
		p := s.onTerminal(120, nil, nil, "import", "rows.jsonl")
		p.until(inTheMiddle)
		p.press()
		code, by := p.end()
		seen := readScreen(p.printed(), 120).String()
		stored := count(t, db)
		if done := number(t, `larder: interrupted: stored ([0-9,]+) rows, up to line [0-9]+; go on with --from-line`, seen); code != exitError || by > 0 || done != stored || stored == long {
			t.Errorf("exit %d (%v), it says %d are stored, and %d are:\n%s", code, by, done, stored, seen)
		}
		if r := s.process("import", "rows.jsonl"); r.code != exitDone || count(t, db) != long {
			t.Errorf("again: %+v, %d rows", r, count(t, db))
		}
	})
}

func TestCtrlC_EndsAnExportWithAWholeLineToGoOnFrom(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, db := terminalServer(t, database)
		fillExpiring(t, database, db, long, 3600)
		p := s.onTerminal(120, nil, nil, "export", "--to", "rows.jsonl")
		p.until(inTheMiddle)
		p.press()
		code, by := p.end()
		seen := readScreen(p.printed(), 120).String()
		after := regexp.MustCompile(`larder: interrupted: [0-9,]+ rows written; go on with --after (k[0-9]+)`).FindStringSubmatch(seen)
		if code != exitError || by > 0 || after == nil {
			t.Fatalf("exit %d (%v):\n%s", code, by, seen)
		}
		written := exported(t, s)
		if done := number(t, `([0-9,]+) rows written`, seen); len(written) != done || done == long {
			t.Errorf("it says %d are written, and %d are", done, len(written))
		}
		if r := s.process("export", "--to", "rows.jsonl", "--after", after[1]); r.code != exitDone {
			t.Errorf("going on: %+v", r)
		}
		if written := exported(t, s); len(written) != long {
			t.Errorf("together they are %d rows of %d", len(written), long)
		}
	})
}

// exported returns how often each key stands in the file, every line of which must be whole.
func exported(t *testing.T, s *server) map[string]int {
	t.Helper()
	text, err := os.ReadFile(s.dir + "/rows.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var row struct{ Key string }
		if err := json.Unmarshal([]byte(line), &row); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("a line is not whole: %q, %v", line, err)
		}
		if keys[row.Key]++; keys[row.Key] > 1 {
			t.Errorf("%s is there twice", row.Key)
		}
	}
	return keys
}

// A work that does not come to an end because nobody takes what it writes, or nobody gives it what it reads, or the server keeps it waiting, ends by
// the second Ctrl-C if it has not by the first.
func TestCtrlC_TheSecondEndsWhatIsStuckAtOnce(t *testing.T) {
	database := testdb.MySQL(t).URL()
	s, db := terminalServer(t, database)
	fillExpiring(t, database, db, 20_000, 3600)
	t.Run("export into a pipe that nobody reads", func(t *testing.T) {
		unread, full, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unread.Close() }()
		defer func() { _ = full.Close() }()
		p := s.onTerminal(80, nil, func(c *exec.Cmd) { c.Stdout = full }, "export")
		eventually(t, "the pipe is full", func() bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(full.Fd()), Events: unix.POLLOUT}}, 0)
			return err == nil && n == 0
		})
		if code, by := p.pressUntilItEnds(); by != syscall.SIGINT {
			t.Errorf("exit %d, %v: %q", code, by, p.printed())
		}
	})
	t.Run("flush that waits for a lock", func(t *testing.T) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec("SELECT 1 FROM cache WHERE `key` = 'app_k9999' FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		p := s.onTerminal(80, nil, nil, "flush", "--yes")
		testdb.WaitUntilBlocked(t, db)
		if code, by := p.pressUntilItEnds(); by != syscall.SIGINT {
			t.Errorf("exit %d, %v: %q", code, by, p.printed())
		}
	})
}

func TestProgress_IsSeenOnATerminalAndGoneAtTheEnd(t *testing.T) {
	database := testdb.MySQL(t).URL() // on SQLite the tests of Ctrl-C see the same
	s, db := terminalServer(t, database)
	fillExpiring(t, database, db, long, 3600)
	rows := countText(long, "row")
	for _, c := range []struct {
		args []string
		ends string
	}{
		{[]string{"export", "--to", "rows.jsonl"}, "larder: exported " + rows + "\n"},
		{[]string{"flush", "--yes"}, "deleted " + rows + " of prefix \"app_\"\n"},
		{[]string{"import", "rows.jsonl"}, "stored " + rows + "\n"},
		{[]string{"prune"}, "deleted " + countText(long, "expired row") + " and 0 expired locks\n"},
	} {
		if c.args[0] == "prune" {
			if _, err := db.Exec("UPDATE cache SET expiration = 1"); err != nil {
				t.Fatal(err)
			}
		}
		p := s.onTerminal(120, nil, nil, c.args...)
		p.until(`\r[a-z]+ing +\d+% .* of [0-9,]+ rows, [0-9,]+ rows/s, [0-9ms]+ left`)
		if code, _ := p.end(); code != exitDone {
			t.Errorf("larder %q: exit %d: %q", c.args, code, p.printed())
		}
		if seen := readScreen(p.printed(), 120).String(); seen != c.ends {
			t.Errorf("larder %q ends with %q, want %q", c.args, seen, c.ends)
		}
	}
}

func TestProgress_FollowsATerminalThatIsResized(t *testing.T) {
	database := testdb.MySQL(t).URL()
	s, db := terminalServer(t, database)
	fillExpiring(t, database, db, 2000, -60)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM cache WHERE `key` = 'app_k1' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	p := s.onTerminal(120, nil, nil, "prune")
	p.until(`pruning 0 rows`)
	testdb.WaitUntilBlocked(t, db) // in the first batch, as its keys are sorted
	if err := pty.Setsize(p.tty, &pty.Winsize{Cols: 40, Rows: 10}); err != nil {
		t.Fatal(err)
	}
	before := len(p.printed())
	_ = tx.Rollback()
	if code, _ := p.end(); code != exitDone {
		t.Errorf("exit %d: %q", code, p.printed())
	}
	after := p.printed()[before:]
	if found := readScreen(after, 40).tooWide; len(found) > 0 && !strings.HasPrefix(found[0], "deleted ") || !regexp.MustCompile(`^\r?pruning +\d+%, [0-9,]+ rows/s, [0-9ms]+ left`).MatchString(after) {
		t.Errorf("it goes on with %q", after)
	}
}

func TestProgress_IsNotSeenInAPipeNorWhereLinesCannotBeDrawnOver(t *testing.T) {
	database := "sqlite:" + testdb.SQLite(t)
	s, db := terminalServer(t, database)
	fillExpiring(t, database, db, 1000, 3600)
	for _, c := range []struct {
		args           []string
		stdout, stderr string
	}{
		{[]string{"export", "--to", "rows.jsonl"}, "", "larder: exported 1,000 rows\n"},
		{[]string{"flush", "--yes"}, "deleted 1,000 rows of prefix \"app_\"\n", ""},
		{[]string{"import", "rows.jsonl"}, "stored 1,000 rows\n", ""},
		{[]string{"prune"}, "deleted 0 expired rows and 0 expired locks\n", ""},
	} {
		if r := s.process(c.args...); r.stdout != c.stdout || r.stderr != c.stderr {
			t.Errorf("larder %q in pipes: %+v", c.args, r)
		}
	}
	for _, silent := range []struct {
		env  string
		args []string
	}{{"TERM=dumb", []string{"stats"}}, {"", []string{"stats", "--log-level", "warn"}}} {
		if out := s.with(silent.env).drawn(80, silent.args...); strings.Contains(out, "counting") {
			t.Errorf("%+v: %q", silent, out)
		}
	}
}

func TestCtrlC_BeforeAnythingIsDoneTellsNothingOfTheDatabase(t *testing.T) {
	onEachEngine(t, func(t *testing.T, database string) {
		s, _ := terminalServer(t, database)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for command, says := range map[string]string{
			"list": "", "stats": "", "export": "", "doctor": "", "get k": "", "flush": "",
			"prune":         ": deleted 0 expired rows and 0 expired locks; run it again for the rest",
			"flush --yes":   ": 0 rows deleted; run it again for the rest",
			"prune -o json": ": deleted 0 expired rows and 0 expired locks; run it again for the rest",
		} {
			var stdout, stderr strings.Builder
			code := run(ctx, strings.Fields(command), environment{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, lookupEnv: s.lookupEnv, dir: s.dir})
			if code != exitError || stderr.String() != "larder: interrupted"+says+"\n" {
				t.Errorf("larder %s: exit %d, %q", command, code, stderr.String())
			}
		}
	})
}

// It said nothing and wanted Ctrl-D twice.
func TestImport_FromATerminalSaysThatItReadsAndEndsAtTheFirstEnd(t *testing.T) {
	s := newServer(t, "sqlite:"+testdb.SQLite(t))
	s.larder("migrate")
	p := s.onTerminal(120, nil, nil, "import")
	p.until("larder: reading rows from standard input; Ctrl-D ends it")
	if _, err := p.tty.WriteString(`{"key":"k","value":"i:1;","expiration":4000000000}` + "\n\x04"); err != nil {
		t.Fatal(err)
	}
	p.until("stored 1 row")
	if code, _ := p.end(); code != 0 {
		t.Errorf("exit %d: %s", code, p.printed())
	}
}

// Lines of the log's form stood between those of larder's.
func TestMigrate_OnATerminalSaysThatItWaitsAsItSaysAllElse(t *testing.T) {
	path := testdb.SQLite(t)
	s := newServer(t, "sqlite:"+path)
	s.larder("migrate")
	db := openDatabase(t, "sqlite:"+path)
	exec := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("DROP TABLE cache_locks")
	exec("UPDATE larder_migrations_lock SET owner = 'pid 7 on elsewhere', expiration = 4000000000")
	p := s.onTerminal(120, nil, nil, "migrate")
	p.until("larder: waiting for another migration, holder pid 7 on elsewhere")
	exec("UPDATE larder_migrations_lock SET expiration = 0")
	if code, _ := p.end(); code != 0 || strings.Contains(p.printed(), "level=") {
		t.Errorf("exit %d: %s", code, p.printed())
	}
}
