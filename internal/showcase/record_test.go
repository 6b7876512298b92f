//go:build showcase

package showcase

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/term"
	"github.com/larder-cache/larder/internal/testdb"
)

var (
	larder = flag.String("larder", "", "the program to show, by its whole path")
	docs   = flag.String("docs", "", "the folder that terminal.md and its pictures are written to")
)

// A scene is a command line, and what the page says of it.
type scene struct {
	command string
	says    string
	half    bool   // show it in its middle too
	picture string // which picture it is a part of, of the narrower terminal; "" for none
}

const rowsPicture, statsPicture = "terminal-rows.svg", "terminal-stats.svg"

// scenes are shown in this order; the first is before the table has rows.
var scenes = []scene{
	{command: "larder migrate", says: "The tables are made. Half a million rows come into them now."},
	{command: "larder list --limit 8", says: "A list fits the terminal, and says when more rows follow."},
	{command: "larder list 'report:*' --sort size", says: "Keys that are long, or that hold escape sequences, " +
		"reversed text or emoji: cut in their middle, spelt out, and aligned.", picture: rowsPicture},
	{command: "larder list '用户:*'", says: "Chinese keys.", picture: rowsPicture},
	{command: "larder list --state expired --limit 3", says: "What has expired and waits to be pruned."},
	{command: "larder inspect user:7:profile", says: "An object, as PHP names it; the password is masked.", picture: rowsPicture},
	{command: "larder inspect 用户:张伟:设置", says: "An array under a Chinese key."},
	{command: "larder inspect report:2026-11:by-branch", says: "The beginning of 10 KB."},
	{command: "larder stats", says: "What is in the table.", picture: statsPicture},
	{command: "larder prune", says: "The expired rows are deleted: in the middle, and at the end, when the progress is gone.", half: true, picture: statsPicture},
	{command: "larder doctor", says: "Is all well? Remedies can be copied although they stand on several lines."},
	{command: "larder lock list", says: "Who holds which lock."},
	{command: "larder token get dingding_access_token >/dev/null; larder token list", says: "A token is fetched, from a fake DingTalk here, and shown masked."},
	{command: "larder --help", says: "Help fits, too."},
}

const introduction = `# larder on a terminal

Recorded by ` + "`make terminal`" + `, on a MariaDB with 500,000 rows, in terminals of 80 and of 120 columns; times and numbers are another recording's next time. It
fails if a line is wider than the terminal. In a pipe the same commands print plain columns that are cut nowhere, and no progress.

There is no colour with ` + "`NO_COLOR`, `CLICOLOR=0` or `TERM=dumb`" + `, and in a pipe only with ` + "`CLICOLOR_FORCE`" + `. Blocks and ellipses are ASCII where the locale is not
UTF-8. Nothing that a row holds is obeyed by the terminal: control characters, escape sequences and characters that turn text around are spelt out. Ctrl-C stops
` + "`prune`, `flush`, `export` and `import`" + ` after the batch that they are at, and they say what is done; a second one ends them at once.

![list and inspect](` + rowsPicture + `)

![stats and prune](` + statsPicture + `)
`

//go:embed picture.py
var pictureProgram string

func TestRecord(t *testing.T) {
	folder := t.TempDir() // on the PATH, so that the command lines are a reader's
	if err := os.Symlink(*larder, filepath.Join(folder, "larder")); err != nil {
		t.Fatal(err)
	}
	server := testdb.Roomy(t)
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("corp", "corp-secret"))
	defer vendor.Close()

	page, pictures := new(strings.Builder), map[string]string{}
	page.WriteString(introduction)
	for _, width := range []int{80, 120} {
		db := server.Database(t)
		terminal := newTerminal(t, t.TempDir(), width, "PATH="+folder+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "LANG=C.UTF-8",
			"LARDER_DATABASE="+db.URL(), "LARDER_PREFIX=shop_cache_", "CORP_ID=corp", "CORP_SECRET=corp-secret", "DINGTALK_BASE_URL="+vendor.URL)
		fmt.Fprintf(page, "\n## %d columns\n", width)
		for i, s := range scenes {
			if i == 1 {
				newShop(t, db).fill()
			}
			seen := terminal.run(s.command, s.half)
			fmt.Fprintf(page, "\n%s\n", s.says)
			for _, c := range seen {
				for line := range strings.Lines(c.plain) {
					if is := term.Width(strings.TrimSuffix(line, "\n")); is > width {
						t.Errorf("a line is %d wide, of %d: %s", is, width, line)
					}
				}
				fmt.Fprintf(page, "\n```console\n%s```\n", c.plain)
				if width == 80 && s.picture != "" {
					pictures[s.picture] += c.coloured + "\n"
				}
			}
		}
	}
	if t.Failed() {
		return
	}
	if err := os.WriteFile(filepath.Join(*docs, "terminal.md"), []byte(page.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, text := range pictures {
		// Debian's own Python, which has Debian's package.
		cmd := exec.Command("/usr/bin/python3", "-c", pictureProgram, "80", filepath.Join(*docs, name))
		cmd.Stdin = strings.NewReader(strings.TrimRight(text, "\n"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("draw %s: %v\n%s", name, err, out)
		}
	}
}
