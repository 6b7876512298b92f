package storetest

import (
	"fmt"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inventory is how many of Laravel's cases each family has: S1 to S14, and so on.
var inventory = map[string]int{"S": 14, "I": 25, "L": 13, "F": 6, "R": 13, "X": 5, "E": 19}

func TestCases_EveryIDOfLaravelsHasACaseOrAReason(t *testing.T) {
	covered, excepted := coveredIDs(t), exceptedIDs(t)
	known := map[string]bool{}
	for family, n := range inventory {
		for i := range n {
			id := fmt.Sprint(family, i+1)
			known[id] = true
			switch {
			case !covered[id] && !excepted[id]:
				t.Errorf("%s has neither a case nor, in the package comment, a reason why there is none", id)
			case covered[id] && excepted[id]:
				t.Errorf("%s has a case, and in the package comment a reason why there is none", id)
			}
		}
	}
	for _, ids := range []map[string]bool{covered, excepted} {
		for id := range ids {
			if !known[id] {
				t.Errorf("%s is none of Laravel's", id)
			}
		}
	}
}

func TestCases_HaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.name] {
			t.Errorf("there are two cases %q", c.name)
		}
		seen[c.name] = true
	}
}

var id = regexp.MustCompile(`^[A-Z][0-9]+$`)

// coveredIDs returns the ids that names of cases begin with.
func coveredIDs(t *testing.T) map[string]bool {
	t.Helper()
	covered := map[string]bool{}
	for _, c := range cases() {
		words := strings.Fields(c.name)
		ids := words[:max(0, slices.IndexFunc(words, func(word string) bool { return !id.MatchString(word) }))]
		for _, id := range ids {
			covered[id] = true
		}
		for _, word := range words[len(ids):] {
			if id.MatchString(word) {
				t.Errorf("case %q: want the ids at the beginning", c.name)
			}
		}
	}
	return covered
}

// exceptedIDs returns the ids that the package comment has a reason for.
func exceptedIDs(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "harness.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(file.Doc.Text(), "# Ids without a case")
	if !found {
		t.Fatal("the package comment has no list of ids without a case")
	}
	excepted := map[string]bool{}
	for _, item := range regexp.MustCompile(`(?m)^ +- ([A-Z0-9, ]+): .`).FindAllStringSubmatch(list, -1) {
		for id := range strings.SplitSeq(item[1], ", ") {
			excepted[id] = true
		}
	}
	if len(excepted) == 0 {
		t.Fatal("the list of ids without a case cannot be read")
	}
	return excepted
}
