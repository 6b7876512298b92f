package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/larder-cache/larder/internal/testdb"
)

// The corrections are of cobra's text: a later cobra may have another, or be right by itself.
func TestCompletion_ScriptsOfZshAndFishAreCorrected(t *testing.T) {
	root := newRootCmd(&app{})
	for shell, c := range map[string]struct {
		generate    func(*cobra.Command, *strings.Builder) error
		corrections []correction
	}{
		"zsh":  {func(root *cobra.Command, w *strings.Builder) error { return root.GenZshCompletion(w) }, zshCorrections},
		"fish": {func(root *cobra.Command, w *strings.Builder) error { return root.GenFishCompletion(w, true) }, fishCorrections},
	} {
		var theirs strings.Builder
		if err := c.generate(root, &theirs); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, "")
		for _, args := range [][]string{{"completion", shell}, {"completion", shell, "--no-descriptions"}} {
			ours := s.larder(args...).stdout
			for _, correction := range c.corrections {
				if n := strings.Count(theirs.String(), correction.from); n != 1 {
					t.Errorf("%s: cobra has %q %d times, want once", shell, correction.from, n)
				}
				if !strings.Contains(ours, correction.to) {
					t.Errorf("larder %s: not corrected to %q", strings.Join(args, " "), correction.to)
				}
			}
		}
	}
}

// bashCompletion is where the package bash-completion has the functions that the script for bash calls.
const bashCompletion = "/usr/share/bash-completion/bash_completion"

// Bash splits words at colons, which are in nearly every key of a Laravel. The words are given as bash itself gives them when TAB is pressed.
func TestCompletion_BashCompletesKeysOfEveryKind(t *testing.T) {
	if _, err := os.Stat(bashCompletion); err != nil {
		t.Skipf("bash-completion is not installed, without which there is no completion in bash: scripts/test-deps.sh installs it (%v)", err)
	}
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "LARDER_PREFIX=app_", "LC_ALL=C.UTF-8")
	s.larder("migrate")
	for _, key := range []string{"user:7", "user:8:name", "用户:张三", "with space", "it's", `jobs:App\Jobs\Send`} {
		s.want(0, "", "put", key, "v")
	}
	script := s.larder("completion", "bash").stdout
	s.file("larder.bash", script)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, s.dir+"/larder"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{ // what stands for the last of the words in the end
		{"larder get user : 7", "7"},
		{"larder get user : 8", "8:name"},
		{"larder get user :", "7 8:name"},
		{"larder get user", "user:7 user:8:name"},
		{"larder get 用", "用户:张三"},
		{"larder get wi", `with\ space`},
		{"larder get it", `it\'s`},
		{"larder get jobs : A", `App\\Jobs\\Send`},
		{"larder --database sqlite : larder.db get no", ""},
	} {
		cmd := exec.Command("bash", "--norc", "--noprofile", "-c", `
. `+bashCompletion+`; . ./larder.bash
COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_TYPE=9 COMP_KEY=9
COMP_LINE=${1// : /:}; COMP_LINE=${COMP_LINE/% :/:}; COMP_POINT=${#COMP_LINE}
compopt() { :; } # which works while bash completes, and not in a script
__start_larder 2>/dev/null
for word in "${COMPREPLY[@]}"; do echo "${word%%  (*}"; done | sed 's/ *$//'`, "-", c.words)
		cmd.Dir, cmd.Env = s.dir, append(s.env, "PATH="+s.dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), " "); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.words, got, err, c.want)
		}
	}
}
