package manual

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// ManPages returns the man pages of root and all commands below it, by the names of their files: larder.1, larder-get.1. The version and the
// date stand at their foot.
func ManPages(root *cobra.Command, version string, date time.Time) map[string]string {
	pages := map[string]string{}
	for _, cmd := range commands(root) {
		pages[pageName(cmd)+".1"] = manPage(cmd, version, date)
	}
	return pages
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func manPage(cmd *cobra.Command, version string, date time.Time) string {
	var b strings.Builder
	root := cmd.Root()
	fmt.Fprintf(&b, ".TH %s 1 %s %s %s\n", quote(strings.ToUpper(pageName(cmd))), quote(date.UTC().Format(time.DateOnly)),
		quote(root.Name()+" "+version), quote("User Commands"))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(pageName(cmd)), escape(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", quote(cmd.UseLine()))
	for _, alias := range cmd.Aliases {
		fmt.Fprintf(&b, ".br\n.B %s\n", quote(cmd.Parent().CommandPath()+" "+alias))
	}
	b.WriteString(".SH DESCRIPTION\n")
	text(&b, description(cmd))
	if flags := ownFlags(cmd); len(flags) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, f := range flags {
			name, usage := term(f)
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", quote(name), escape(usage))
		}
	}
	if cmd != root {
		fmt.Fprintf(&b, ".PP\nThe options of all commands are in\n.BR %s (1).\n", quote(root.Name()))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", escape(unindent(cmd.Example)))
	}
	if others := related(cmd); len(others) > 0 {
		b.WriteString(".SH SEE ALSO\n")
		for i, other := range others {
			end := ","
			if i == len(others)-1 {
				end = ""
			}
			fmt.Fprintf(&b, ".BR %s (1)%s\n", quote(pageName(other)), end)
		}
	}
	return b.String()
}

// related are the command above and those right below.
func related(cmd *cobra.Command) []*cobra.Command {
	var others []*cobra.Command
	if cmd.HasParent() {
		others = append(others, cmd.Parent())
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			others = append(others, child)
		}
	}
	return others
}

// text writes paragraphs: lines are filled, but for those of a paragraph that is indented, as tables and examples are.
func text(b *strings.Builder, whole string) {
	for paragraph := range strings.SplitSeq(whole, "\n\n") {
		if strings.HasPrefix(paragraph, " ") || strings.Contains(paragraph, "\n  ") {
			fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", escape(paragraph))
			continue
		}
		fmt.Fprintf(b, ".PP\n%s\n", escape(paragraph))
	}
}

var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`)

// escape makes text of what roff would take for a request or an escape.
func escape(plain string) string {
	lines := strings.Split(roff.Replace(plain), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// quote makes one argument of a request.
func quote(plain string) string {
	return `"` + strings.ReplaceAll(roff.Replace(plain), `"`, `""`) + `"`
}
