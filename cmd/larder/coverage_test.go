package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestScripts_UseEveryCommandFlagAndExitStatus reads the scripts and fails for a command, a flag or an exit status that none of them uses on
// one of the engines. A flag counts where it does not end in a usage error. Of the exit statuses, each command is to be seen with 0 and 2, with
// 1 if its help speaks of it, and with 3 if it needs a database.
func TestScripts_UseEveryCommandFlagAndExitStatus(t *testing.T) {
	for _, engine := range []string{"mysql", "sqlite"} {
		used := usedByScripts(t, engine)
		eachCommand(wholeTree(), func(cmd *cobra.Command) {
			path := cmd.CommandPath()
			if !cmd.Runnable() {
				return
			}
			var lacking []string
			for _, status := range statuses(cmd) {
				if !used[fmt.Sprintf("%s = %d", path, status)] {
					lacking = append(lacking, fmt.Sprintf("exit status %d", status))
				}
			}
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				global := f == cmd.Root().PersistentFlags().Lookup(f.Name)
				if !f.Hidden && !used[path+" --"+f.Name] && !(global && used["--"+f.Name]) {
					lacking = append(lacking, "--"+f.Name)
				}
			})
			if len(lacking) > 0 {
				t.Errorf("%s: no script in testdata/script uses %s of %s", engine, strings.Join(lacking, ", "), path)
			}
		})
	}
}

// wholeTree returns the commands with those that cobra adds when it runs one.
func wholeTree() *cobra.Command {
	root := newRootCmd(&app{})
	root.InitDefaultVersionFlag()
	root.InitDefaultHelpFlag()
	root.InitDefaultHelpCmd()
	return root
}

// help1 is how the help of a command speaks of exit status 1.
var help1 = regexp.MustCompile(`(?i)exit status[^.]*\b1\b|not \(1\)`)

// withoutDatabase are the commands that do not use the configured database.
var withoutDatabase = []string{"larder", "larder help", "larder demo", "larder lock", "larder token", "larder version"}

// statuses are the exit statuses that a command can end with.
func statuses(cmd *cobra.Command) []int {
	all := []int{exitDone}
	if cmd.Name() != "help" { // cobra's, which is content with everything
		all = append(all, exitUsage)
	}
	if help1.MatchString(cmd.Long+cmd.Short) && cmd.HasParent() {
		all = append(all, exitNo)
	}
	if !slices.Contains(withoutDatabase, cmd.CommandPath()) && !strings.HasPrefix(cmd.CommandPath(), "larder completion") {
		all = append(all, exitError)
	}
	return all
}

// A use of larder is a line of a script: a condition, what it is expected to end with, and the command line.
var use = regexp.MustCompile(`^(?:\[(!?\w+)\] )?(?:(!) )?(?:exec|exits (\d+)) larder(?: (.*?))?(?: &(?:\w+&)?)?$`)

// usedByScripts returns what the scripts use on an engine: "--flag", "larder command --flag" and "larder command = status".
func usedByScripts(t *testing.T, engine string) map[string]bool {
	t.Helper()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts, %v", err)
	}
	used := map[string]bool{}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		for line := range strings.Lines(commands) {
			m := use.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil || m[1] != "" && m[1] != engine || m[2] != "" {
				continue
			}
			noteUse(used, m[3], words(m[4]))
		}
	}
	return used
}

// noteUse notes one command line, as cobra understands it.
func noteUse(used map[string]bool, status string, args []string) {
	if status == "" {
		status = "0"
	}
	cmd, rest, err := wholeTree().Find(args)
	if err != nil {
		return
	}
	parsing := cmd.ParseFlags(rest)
	used[cmd.CommandPath()+" = "+status] = true
	if parsing != nil || status == "2" {
		return
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		used["--"+f.Name] = true
		used[cmd.CommandPath()+" --"+f.Name] = true
	})
}

// words splits a line as testscript does: at blanks, but for those in quotes.
func words(line string) []string {
	var (
		all    []string
		word   strings.Builder
		inside bool
		begun  bool
	)
	for _, c := range line + " " {
		switch {
		case c == '\'':
			inside, begun = !inside, true
		case c == ' ' && !inside:
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	return all
}
