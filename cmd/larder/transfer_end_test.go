//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/larder-cache/larder/internal/testdb"
)

// Wherever a dump is cut off, whoever imports it is told.
func TestTransfer_ImportSeesEachCut(t *testing.T) {
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, db, 3, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
	whole := s.larder("export").stdout
	for at := range len(whole) - 1 {
		if r := s.larderWith(whole[:at], "import"); r.code != exitUsage {
			t.Errorf("cut after %d bytes: %+v", at, r)
		}
	}
	for _, text := range []string{whole, whole[:len(whole)-1]} { // the end of the last line is no loss
		if r := s.larderWith(text, "import"); r.code != exitDone || r.stderr != "" {
			t.Errorf("whole: %+v", r)
		}
	}
	lines := strings.SplitAfter(whole, "\n")
	if r := s.larderWith(lines[0]+lines[1], "import"); r.stdout != "stored 2 rows\n" || r.stderr != "larder: the input has no end, as every export has: "+
		"if it was cut off, larder export --after 1 goes on; if it is meant so, --partial takes it\n" {
		t.Errorf("cut between two lines: %+v", r)
	}
	if r := s.larderWith(lines[0]+lines[2], "import"); r.stdout != "stored 2 rows\n" ||
		r.stderr != "larder: the input is no whole export: its end tells of 3 rows, and 2 came; if it is meant so, --partial takes it\n" {
		t.Errorf("without a line: %+v", r)
	}
	if r := s.larderWith("", "import"); r.code != exitUsage || r.stdout != "stored 0 rows\n" || !strings.Contains(r.stderr, "the input is empty") {
		t.Errorf("of an export that failed before its first row: %+v", r)
	}
	none := s.larder("export", "nothing:*").stdout
	if r := s.larderWith(none, "import"); none != "{\"dump\":1,\"rows\":0}\n" || r.code != exitDone || r.stdout != "stored 0 rows\n" {
		t.Errorf("of no rows the export is %q: %+v", none, r)
	}
}

func TestTransfer_PartialInputIsTakenWhenThatIsMeant(t *testing.T) {
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	lines := s.dumpOf(3)
	for name, text := range map[string]string{
		"filtered": lines[2], "cut off": lines[0] + lines[1], "empty": "",
	} {
		want := fmt.Sprintf(`{"stored":%d,"expired":0,"lookalikes":0,"shortened":0,"whole":false}`+"\n", strings.Count(text, "key"))
		if r := s.larderWith(text, "import", "--partial", "-o", "json"); r.code != exitDone || r.stdout != want || r.stderr != "" {
			t.Errorf("%s: %+v, want %s", name, r, want)
		}
		if r := s.larderWith(text, "import", "-o", "json"); r.code != exitUsage || r.stdout != want || !strings.Contains(r.stderr, "--partial") {
			t.Errorf("%s, and nobody says so: %+v, want %s and the way to say so", name, r, want)
		}
	}
	byHand := `{"key":"k","value":"i:1;","expiration":2000000000}`
	if r := s.larderWith(byHand, "import", "-o", "json"); r.code != exitDone || !strings.Contains(r.stdout, `"stored":1`) || r.stderr != "" {
		t.Errorf("rows that were written by hand need nothing else: %+v", r)
	}
	want := `{"stored":6,"expired":0,"lookalikes":0,"shortened":0,"whole":true}` + "\n"
	if r := s.larderWith(strings.Join(append(lines, lines...), ""), "import", "-o", "json"); r.code != exitDone || r.stdout != want || count(t, db) != 4 {
		t.Errorf("two of them joined: %+v, want %s", r, want)
	}
}

// An export that is killed can say nothing, and the shell has the import's exit status alone.
func TestTransfer_ImportSeesThatTheExportWasKilled(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, database string) {
		first, in := migrated(t, database)
		second, out := migrated(t, "sqlite:"+testdb.SQLite(t))
		fill(t, in, 20_000, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		from, to := first.prepare("export"), second.prepare("import")
		from.cmd.Stdout, to.cmd.Stdin = write, read
		from.begin()
		eventually(t, "the pipe is full", func() bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(write.Fd()), Events: unix.POLLOUT}}, 0)
			return err == nil && n == 0
		})
		_ = from.cmd.Process.Kill()
		_ = from.cmd.Wait()
		_ = write.Close()
		to.begin()
		_ = read.Close()
		to.wantExit(exitUsage, "export --after")
		if n := count(t, out); n == 0 || n == 20_000 {
			t.Errorf("%d rows are stored, want those that had arrived", n)
		}
	})
}

// The parts that an interrupted export and the next one wrote are one dump, and one that is not gone on with at its end is refused.
func TestTransfer_ExportThatGoesOnCountsWhatIsThere(t *testing.T) {
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	fill(t, db, 3, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
	lines := strings.SplitAfter(strings.Replace(s.larder("export").stdout, `,"rows":3`, "", 1), "\n")
	file := s.dir + "/rows.jsonl"
	for n := 1; n <= 3; n++ {
		s.file("rows.jsonl", strings.Join(lines[:n], ""))
		if r := s.larder("import", file); r.code != exitUsage {
			t.Errorf("interrupted after %d rows: %+v", n, r)
		}
		s.wantError(exitUsage, []string{"export", "--to", file, "--after", "x"}, "the rows between would be missing", fmt.Sprintf("--after %d", n-1))
		s.want(exitDone, "", "export", "--to", file, "--after", fmt.Sprint(n-1))
		s.want(exitDone, "stored 3 rows\n", "import", file)
	}
	fill(t, db, 1, func(int) tableRow { return tableRow{"app_3", "i:1;", 2_000_000_000} })
	s.want(exitDone, "", "export", "--to", file, "--after", "2") // and rows that came later
	s.want(exitDone, "stored 4 rows\n", "import", file)
	s.file("rows.jsonl", "my diary\n")
	s.wantError(exitUsage, []string{"export", "--to", file, "--after", "2"}, "line 1: it is no JSON")
}

// A column of type INT holds no later time than 2038-01-19, where forever ends without an error.
func TestTransfer_ImportTellsWhichRowsEndSooner(t *testing.T) {
	database := testdb.MySQL(t).URL()
	s, db := newServer(t, database, "LARDER_PREFIX=app_"), openDatabase(t, database)
	laravel55(t, database)
	s.file("rows.jsonl", `{"key":"a","value":"i:1;","expiration":2147483647}
{"key":"b","value":"i:1;","expiration":2147483648}
{"key":"c","value":"i:1;","expiration":253402300799,"rows":3}
`)
	if r := s.larder("import", s.dir+"/rows.jsonl"); r.code != exitDone || r.stdout != "stored 3 rows\n" || !strings.HasSuffix(r.stderr,
		"larder: 2 rows that would end after 2038-01-19 end then, as the expiration column is INT; larder migrate widens it\n") {
		t.Errorf("%+v", r)
	}
	s.want(exitDone, `{"stored":3,"expired":0,"lookalikes":0,"shortened":2,"whole":true}`+"\n", "import", s.dir+"/rows.jsonl", "-o", "json")
	var last int64
	if err := db.QueryRow("SELECT MAX(expiration) FROM cache").Scan(&last); err != nil || last != 2147483647 {
		t.Errorf("the last one ends at %d, %v", last, err)
	}
}
