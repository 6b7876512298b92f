package manual_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/manual"
)

func tree() *cobra.Command {
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "tool", Short: "Do things", Run: run}
	root.PersistentFlags().StringP("output", "o", "text", "how to print")
	move := &cobra.Command{Use: "move", Short: "Move", Run: run, Aliases: []string{"mv"}}
	move.PersistentFlags().Bool("dry-run", false, "only `look`")
	up := &cobra.Command{Use: "up KEY", Short: "Move up", Run: run, Example: "  tool move up 'a\\b'\n  tool up | x",
		Long: "Reads VAR_* and *.\n\n  .a table   stays\n\n.starts with a dot\nand \"quotes\"."}
	up.Flags().Int("n", 3, "how often | or \"not\"")
	move.AddCommand(up)
	root.AddCommand(move, &cobra.Command{Use: "secret", Short: "Not for you", Hidden: true, Run: run})
	return root
}

func TestMarkdown_HasEveryCommandThatIsNotHidden(t *testing.T) {
	page := manual.Markdown(tree())
	for _, want := range []string{
		"## tool\n\nDo things.\n", "| `-o, --output string` | how to print (default text) |", "## tool move\n", "Also: `mv`", "## tool move up\n",
		"```text\nReads VAR_* and *.\n\n  .a table   stays\n", "| `--n int` | how often \\| or \"not\" (default 3) |",
		"```sh\ntool move up 'a\\b'\ntool up | x\n```", "| `--dry-run look` | only look |\n| `--n int`",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") || strings.Count(page, "--output string") != 1 {
		t.Errorf("it has what is hidden, or a global flag more than once:\n%s", page)
	}
}

func TestManPages_KeepTheTextFromRoff(t *testing.T) {
	pages := manual.ManPages(tree(), "v1", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if len(pages) != 3 {
		t.Errorf("%d pages, want 3", len(pages))
	}
	page := pages["tool-move-up.1"]
	for _, want := range []string{
		`.TH "TOOL\-MOVE\-UP" 1 "2026\-01\-02" "tool v1" "User Commands"` + "\n", "tool\\-move\\-up \\- Move up\n",
		".nf\n  .a table   stays\n.fi\n", "\\&.starts with a dot\nand \"quotes\".\n", ".B \"\\-\\-n int\"\n", `tool move up 'a\eb'`, ".BR \"tool\\-move\" (1)\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}
