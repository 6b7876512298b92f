package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Help is read by those who want to paste: every command shows how it is called, and what it shows is called so.
func TestHelp_EveryCommandHasExamplesOfItself(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		groups := cmd.HasAvailableSubCommands() && cmd.Name() != "migrate"
		switch {
		case cmd.Hidden || strings.HasPrefix(cmd.CommandPath(), "larder completion"):
			return
		case !groups && cmd.Example == "":
			t.Errorf("%s has no example", cmd.CommandPath())
		case !groups && !strings.Contains(cmd.Example, cmd.CommandPath()):
			t.Errorf("the examples of %s do not call it: %s", cmd.CommandPath(), cmd.Example)
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q is not indented by two", cmd.CommandPath(), line)
			}
			checkCalls(t, cmd.Root(), line)
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	root := newRootCmd(&app{})
	visit(root)
}

// checkCalls finds larder's commands in a line for a shell, and whether they exist with the flags that they are given.
func checkCalls(t *testing.T, root *cobra.Command, line string) {
	words := strings.Fields(strings.NewReplacer("$(", " ", ")", " ", ";", " ; ", "|", " | ", "&&", " ; ", "{", " ", "}", " ", `"`, " ").Replace(line))
	for i, word := range words {
		if word != "larder" {
			continue
		}
		var args []string
		for _, w := range words[i+1:] {
			if w == ";" || w == "|" || w == ">" || w == "#" || w == "--" {
				break
			}
			args = append(args, w)
		}
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == root && len(rest) > 0 {
			t.Errorf("there is no command as in %q: %v", line, err)
			continue
		}
		for _, arg := range rest {
			name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if strings.HasPrefix(arg, "--") && cmd.Flag(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				t.Errorf("%s has no flag %s, which its example has: %q", cmd.CommandPath(), arg, line)
			}
		}
	}
}
