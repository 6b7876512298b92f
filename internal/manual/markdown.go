package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Markdown returns the page about all commands below root.
func Markdown(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The commands of %s\n\nWritten by `make docs` from what the commands say of themselves; a test compares the two.\n", root.Name())
	for _, cmd := range commands(root) {
		fmt.Fprintf(&b, "\n## %s\n\n", cmd.CommandPath())
		fmt.Fprintf(&b, "%s.\n\n```\n%s\n```\n", strings.TrimSuffix(cmd.Short, "."), cmd.UseLine())
		if len(cmd.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso: `%s`\n", strings.Join(cmd.Aliases, "`, `"))
		}
		if cmd.Long != "" {
			fmt.Fprintf(&b, "\n```text\n%s\n```\n", description(cmd))
		}
		if flags := ownFlags(cmd); len(flags) > 0 {
			b.WriteString("\n| flag | |\n|---|---|\n")
			for _, f := range flags {
				name, usage := term(f)
				fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", `\|`))
			}
		}
		if cmd.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindent(cmd.Example))
		}
	}
	return b.String()
}

// unindent takes away the two blanks by which the help indents an example.
func unindent(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimRight(text, "\n"), "  "), "\n  ", "\n")
}
