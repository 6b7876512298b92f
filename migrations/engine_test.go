package migrations

import (
	"io/fs"
	"strings"
	"testing"
)

// A file without a step would be run with its placeholders in it.
func TestEngines_HaveOneStepForEachFileAndOneStatementInEach(t *testing.T) {
	for kind, e := range engines {
		names, err := fs.Glob(e.files, "*")
		if err != nil {
			t.Fatal(err)
		}
		if len(names) != len(e.steps) {
			t.Errorf("%s: %d files, %d steps", kind, len(names), len(e.steps))
		}
		for i, name := range names { // sorted
			if e.steps[i].file != name {
				t.Errorf("%s: step %d is %s, want %s", kind, i+1, e.steps[i].file, name)
			}
			text, err := fs.ReadFile(e.files, name)
			if err != nil {
				t.Fatal(err)
			}
			if s := statement(string(text), "Up"); strings.Count(s, ";") != 1 || !strings.HasSuffix(s, ";") {
				t.Errorf("%s/%s does not have one statement:\n%s", kind, name, s)
			}
			if transactions := !strings.Contains(string(text), "-- +goose NO TRANSACTION\n"); transactions != (kind == SQLite) {
				t.Errorf("%s/%s: transactions are %v", kind, name, transactions)
			}
		}
	}
}
