package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A correction replaces what a completion script of cobra's does to keys that have characters of the shell's own.
type correction struct{ from, to string }

// zshCorrections: _describe takes a backslash for the mark of a colon that follows, and would complete App\Jobs\Send, as Laravel names its unique
// jobs' locks, to AppJobsSend.
var zshCorrections = []correction{{
	"            comp=${comp//:/\\\\:}\n",
	"            comp=${comp//\\\\/\\\\\\\\}\n            comp=${comp//:/\\\\:}\n",
}}

// fishCorrections: the word that is completed comes as it was typed, with its backslashes, and the words before it without the quotes that they need
// when they are put into a command again.
var fishCorrections = []correction{
	{
		"set -l lastArg (string escape -- (commandline -ct))\n",
		"set -l typed (commandline -ct)\n    set -l word (string unescape -- \"$typed\")\n    or set word \"$typed\"\n    set -l lastArg (string escape -- \"$word\")\n",
	},
	{"set -l args (commandline -opc)\n", "set -l args (string escape -- (commandline -opc))\n"},
}

// correctCompletion makes cobra's commands print scripts that do right by every key, and to where the app prints.
func (a *app) correctCompletion(completion *cobra.Command) {
	for _, shell := range completion.Commands() {
		var write, writeBare func(*cobra.Command, io.Writer) error
		var corrections []correction
		switch shell.Name() {
		case "bash":
			write = func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }
			writeBare = func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, false) }
		case "zsh":
			write, writeBare, corrections = (*cobra.Command).GenZshCompletion, (*cobra.Command).GenZshCompletionNoDesc, zshCorrections
		case "fish":
			write = func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }
			writeBare = func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, false) }
			corrections = fishCorrections
		case "powershell":
			write, writeBare = (*cobra.Command).GenPowerShellCompletionWithDesc, (*cobra.Command).GenPowerShellCompletion
		default:
			continue
		}
		shell.RunE = func(cmd *cobra.Command, _ []string) error {
			chosen := write
			if bare, err := cmd.Flags().GetBool("no-descriptions"); err == nil && bare {
				chosen = writeBare
			}
			var script bytes.Buffer
			if err := chosen(cmd.Root(), &script); err != nil {
				return err
			}
			text := script.String()
			for _, c := range corrections {
				text = strings.Replace(text, c.from, c.to, 1)
			}
			_, err := io.WriteString(a.stdout, text)
			return err
		}
	}
}
