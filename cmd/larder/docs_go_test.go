package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	gcimporter "go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

// goPackages are what the Go of the pages imports.
var goPackages = []string{
	"context", "net/http", "os", "time",
	"github.com/larder-cache/larder/fetcher", "github.com/larder-cache/larder/fetcher/dingtalk", "github.com/larder-cache/larder/store",
}

// goAround stands before the Go of a page: one function, in which the blocks follow each other.
const goAround = `package page
import ("%s")
func _(ctx context.Context, db *store.Store, corpID, corpSecret string) {
`

// TestDocs_GoCompiles checks the types of the pages' Go. A variable that is not used is fine there.
func TestDocs_GoCompiles(t *testing.T) {
	files := token.NewFileSet()
	compiled := gcimporter.ForCompiler(files, "gc", exportData(t))
	for _, page := range []string{readme, readmeChinese, tokensPage} {
		var src strings.Builder
		fmt.Fprintf(&src, goAround, strings.Join(goPackages, `"; "`))
		for _, b := range blocks(t, page, "go") {
			if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
				t.Errorf("%s:%d: gofmt: %v\n%s", page, b.line, err, diff.Diff(page, []byte(b.text), "gofmt", formatted))
			}
			fmt.Fprintf(&src, "//line %s:%d\n%s", page, b.line, b.text)
		}
		src.WriteString("}\n")
		file, err := parser.ParseFile(files, page, src.String(), 0)
		if err != nil {
			t.Error(err)
			continue
		}
		check := types.Config{Importer: compiled, Error: func(err error) {
			if wrong := (types.Error{}); !errors.As(err, &wrong) || !wrong.Soft {
				t.Error(err)
			}
		}}
		_, _ = check.Check("page", files, []*ast.File{file}, nil) // has told Error
	}
}

// exportData returns a function that opens what the compiler has left of a package: that of this test's own build, as it is there already.
func exportData(t *testing.T) func(path string) (io.ReadCloser, error) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	if build, ok := debug.ReadBuildInfo(); ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, goPackages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -export: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
}
