// Package manual writes what the commands say of themselves: as one page of Markdown, and as man pages.
//
// Both are made from the commands alone, so that they cannot say anything else. Descriptions keep their lines and everything in
// them, which a way through Markdown (as cobra's own man pages go) would not: "LARDER_*" and "*" are no emphasis, and an indented table is a table.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands returns the command and all below it, as they are listed in the help, without what is hidden.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			all = append(all, commands(child)...)
		}
	}
	return all
}

// description is the long text, or the short one as a sentence.
func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return strings.TrimSpace(cmd.Long)
	}
	return strings.TrimSuffix(cmd.Short, ".") + "."
}

// ownFlags are the flags that the page of a command describes: for all but the root those that it does not share with every command.
func ownFlags(cmd *cobra.Command) []*pflag.Flag {
	flags := cmd.NonInheritedFlags()
	if cmd.HasParent() && cmd.Parent().HasParent() { // a flag of larder migrate is one of larder migrate down as well
		flags = pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.AddFlagSet(cmd.NonInheritedFlags())
		cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
			if cmd.Root().PersistentFlags().Lookup(f.Name) == nil {
				flags.AddFlag(f)
			}
		})
	}
	var own []*pflag.Flag
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && f.Name != "version" {
			own = append(own, f)
		}
	})
	return own
}

// term is a flag with the name of its value: "-o, --output string".
func term(f *pflag.Flag) (name, usage string) {
	value, usage := pflag.UnquoteUsage(f)
	name = "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if value != "" {
		name += " " + value
	}
	switch f.DefValue {
	case "", "0", "false", "[]":
	default:
		usage += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	return name, usage
}
