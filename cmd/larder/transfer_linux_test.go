package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

// Linux has a file that is a full disk.
func TestTransfer_ExportToAFullDiskSaysSo(t *testing.T) {
	t.Parallel()
	s, db := migrated(t, "sqlite:"+testdb.SQLite(t))
	for _, rows := range []int{1, 5000} { // the first time nothing is written before the end
		if _, err := db.Exec("DELETE FROM cache"); err != nil {
			t.Fatal(err)
		}
		fill(t, db, rows, func(i int) tableRow { return tableRow{fmt.Sprintf("app_%d", i), "i:1;", 2_000_000_000} })
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := s.prepare("export")
		r.cmd.Stdout = full
		r.begin()
		_ = full.Close()
		r.wantExit(exitError, "no space left on device (the output is cut off")
		if strings.Contains(r.stderr.String(), "exported") {
			t.Errorf("it claims more than it did: %s", r.stderr)
		}
	}
}
