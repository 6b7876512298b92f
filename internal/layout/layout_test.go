package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/larder-cache/larder/"
	root   = "../.."
)

// mayImport says which of the module's packages a room may import. "/..." stands for those below as well.
var mayImport = map[string][]string{
	"store/php":                   {},
	"store/record":                {},
	"store":                       {"store/php", "store/record"},
	"store/storetest":             {"store", "store/php"},
	"migrations":                  {},
	"fetcher":                     {"store"},
	"fetcher/internal/wire":       {"fetcher"},
	"fetcher/dingtalk":            {"fetcher", "fetcher/internal/wire"},
	"fetcher/feishu":              {"fetcher", "fetcher/internal/wire"},
	"fetcher/oauth2":              {"fetcher", "fetcher/internal/wire"},
	"fetcher/wechat":              {"fetcher", "fetcher/internal/wire"},
	"fetcher/wecom":               {"fetcher", "fetcher/internal/wire"},
	"fetcher/fetchertest":         {},
	"fetcher/internal/sourcetest": {"fetcher", "fetcher/fetchertest", "internal/leak"},
	"internal/...":                {"store/...", "migrations/...", "fetcher/...", "internal/..."},
	"cmd/...":                     {"store/...", "migrations/...", "fetcher/...", "internal/..."},
}

// mustNotKnow says what a room has nothing to do with: packages that it must not import itself, and those that nothing it imports may import
// either, because a program that wants the room alone would have to link them.
var mustNotKnow = []struct {
	room          string
	itself, inAll []string
}{
	{room: "store", itself: []string{"log/slog", "os/exec"}, inAll: []string{"net/http", "github.com/pressly/goose/...", "github.com/spf13/...", "go.yaml.in/..."}},
	{room: "store/php", inAll: []string{"database/...", "net/...", "os/exec"}},
	{room: "store/record", inAll: []string{"database/...", "net/...", "github.com/prometheus/..."}},
	{room: "fetcher/...", itself: []string{"database/...", "github.com/jmoiron/...", "github.com/go-sql-driver/...", "modernc.org/..."},
		inAll: []string{"github.com/pressly/goose/...", "github.com/spf13/...", "github.com/prometheus/..."}},
	{room: "migrations", itself: []string{"net/http"}, inAll: []string{"github.com/spf13/...", "github.com/prometheus/..."}},
}

// A room is one package of the module.
type room struct {
	ImportPath    string
	Dir           string
	GoFiles       []string
	Imports, Deps []string
}

func (r room) name() string { return strings.TrimPrefix(r.ImportPath, module) }

func rooms(t *testing.T) []room {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []room
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var r room
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) < len(mayImport) {
		t.Fatalf("go list finds %d packages", len(all))
	}
	return all
}

// covers reports whether a pattern, which may end with "/...", stands for the package.
func covers(pattern, name string) bool {
	below, all := strings.CutSuffix(pattern, "/...")
	return name == below || all && strings.HasPrefix(name, below+"/")
}

func TestLayout_ImportsRunOneWay(t *testing.T) {
	for _, r := range rooms(t) {
		var allowed []string
		known := false
		for pattern, packages := range mayImport {
			if covers(pattern, r.name()) {
				known, allowed = true, packages
			}
		}
		if !known {
			t.Errorf("%s is a new room: say in mayImport what it may import", r.name())
		}
		for _, imported := range r.Imports {
			name, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, name) }) {
				t.Errorf("%s imports %s, and may import %q alone", r.name(), name, allowed)
			}
		}
	}
}

func TestLayout_RoomsKnowNothingOfWhatIsNotTheirs(t *testing.T) {
	for _, r := range rooms(t) {
		for _, rule := range mustNotKnow {
			if !covers(rule.room, r.name()) {
				continue
			}
			for _, forbidden := range slices.Concat(rule.itself, rule.inAll) {
				if i := slices.IndexFunc(r.Imports, func(name string) bool { return covers(forbidden, name) }); i >= 0 {
					t.Errorf("%s imports %s", r.name(), r.Imports[i])
				}
			}
			for _, forbidden := range rule.inAll {
				if i := slices.IndexFunc(r.Deps, func(name string) bool { return covers(forbidden, name) }); i >= 0 {
					t.Errorf("%s needs %s, by what it imports", r.name(), r.Deps[i])
				}
			}
		}
	}
}

// Statements may stand with the engines, which give the reasons, in what migrates, and in what tests are made of; doctor shows them to people, to
// paste, and runs none. Beside these query.go has the clauses that it puts around the engines' texts.
var (
	hasStatements = []string{"store/mysql.go", "store/sqlite.go", "migrations/*.go", "store/storetest/*.go", "internal/doctor/*.go",
		"internal/testdb/*.go", "internal/laravel/*.go", "internal/workers/*.go"}
	hasClauses = append([]string{"store/query.go"}, hasStatements...)
)

var (
	statement = regexp.MustCompile(`^\s*(SELECT|INSERT|REPLACE|UPDATE|DELETE FROM|CREATE (TABLE|INDEX)|ALTER TABLE|DROP|TRUNCATE|SHOW|SET|PRAGMA) `)
	clause    = regexp.MustCompile(`\b(WHERE|ORDER BY|GROUP BY|LIMIT|VALUES|FROM|ON CONFLICT|ON DUPLICATE KEY)\b|^ ?(AND|OR|NOT) |\b(AND|OR|NOT) ?$`)
)

func TestLayout_SQLStandsWithItsReasons(t *testing.T) {
	found := map[string]bool{}
	for _, r := range rooms(t) {
		for _, file := range r.GoFiles {
			name := path.Join(r.name(), file)
			for text, at := range literals(t, filepath.Join(r.Dir, file)) {
				switch {
				case statement.MatchString(text):
					found[name] = true
					if !among(hasStatements, name) {
						t.Errorf("%s:%d has a statement: %.60q", name, at.Line, text)
					}
				case r.name() == "store" && clause.MatchString(text) && !among(hasClauses, name):
					t.Errorf("%s:%d has a part of a statement: %.60q", name, at.Line, text)
				}
			}
		}
	}
	if !found["store/mysql.go"] || !found["store/sqlite.go"] {
		t.Errorf("statements were found in %v only: are they not looked for any more?", found)
	}
}

func among(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name) // the patterns are well formed
		return ok
	})
}

// literals returns the texts of a file's string literals, and where they stand.
func literals(t *testing.T, file string) map[string]token.Position {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]token.Position{}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			texts[text] = files.Position(lit.Pos())
		}
		return true
	})
	return texts
}

// The README's table is the map: what is in no row of it, nobody finds.
func TestLayout_TheREADMENamesEveryRoom(t *testing.T) {
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(string(text), -1) {
			for _, folder := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
				named = append(named, unfolded(folder[1])...)
			}
		}
		for _, r := range rooms(t) {
			if !slices.Contains(named, r.name()) && !strings.HasPrefix(r.name(), "fetcher/internal/") {
				t.Errorf("%s does not name %s", file, r.name())
			}
		}
		for _, folder := range named {
			if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
				t.Errorf("%s names %s, which does not exist", file, folder)
			}
		}
	}
}

// unfolded returns the folders that "a/{b,c}" stands for.
func unfolded(folder string) []string {
	before, rest, some := strings.Cut(folder, "{")
	if !some {
		return []string{folder}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var all []string
	for name := range strings.SplitSeq(inside, ",") {
		all = append(all, before+name+after)
	}
	return all
}
