package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/larder-cache/larder/internal/misspelt"
)

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "larder",
		Short: "Look after Laravel's database cache table",
		Long: `larder keeps small things fresh in one shared place: Laravel's own database cache table.

It creates or adopts the table, reads and writes its rows exactly as Laravel does, and keeps
access tokens in it for all servers.

Without configuration it works on an embedded database, larder.db in this folder. It finds its
settings in flags, LARDER_* variables, larder.yaml, and Laravel's own .env, in this order.

Exit status: 0 yes, or done; 1 the answer is no (key missing, not added, something to migrate, a problem found);
2 the command line, the configuration or a value is wrong; 3 it could not be done (database, vendor, a row
that does not allow it).`,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}

	a.fitHelp(root)
	root.SetVersionTemplate("larder {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if negative.MatchString(err.Error()) {
			return fmt.Errorf("%w: a negative number goes behind --, as in larder increment KEY -- -5", err)
		}
		if name, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
			return fmt.Errorf("%w%s", err, meantFlag(cmd, name))
		}
		return err
	})

	flags := root.PersistentFlags()
	flags.StringVar(&a.flags.database, "database", "", "database `URL`: mysql://user:password@host:3306/db, mariadb://..., sqlite:path")
	flags.StringVar(&a.flags.prefix, "prefix", "", "what stands before every key in the table (Laravel's CACHE_PREFIX)")
	flags.StringVar(&a.flags.table, "table", "cache", "the cache `table`")
	flags.StringVar(&a.flags.lockTable, "lock-table", "cache_locks", "the lock `table`")
	flags.StringVar(&a.flags.envFile, "env-file", ".env", "Laravel's environment `file`; must exist if given")
	flags.StringVar(&a.flags.configFile, "config", "larder.yaml", "larder's own configuration `file`; must exist if given")
	flags.StringVarP(&a.flags.output, "output", "o", "text", "how to print results: text or json")
	flags.StringVar(&a.flags.logLevel, "log-level", "info", "what to log on standard error: debug, info, warn or error")

	addGrouped(root, "Rows:", newGetCmd(a), newPutCmd(a), newAddCmd(a), newHasCmd(a), newPullCmd(a), newTouchCmd(a), newForgetCmd(a),
		newIncrementCmd(a), newDecrementCmd(a), newListCmd(a), newInspectCmd(a))
	addGrouped(root, "Locks:", newLockCmd(a))
	addGrouped(root, "Tokens:", newTokenCmd(a), newServeCmd(a))
	addGrouped(root, "Deploy:", newMigrateCmd(a))
	addGrouped(root, "Look after:", newDoctorCmd(a), newStatsCmd(a), newPruneCmd(a), newFlushCmd(a), newExportCmd(a), newImportCmd(a))
	addGrouped(root, other, newDemoCmd(a), newVersionCmd(a), newDocsCmd(a))
	root.SetHelpCommandGroupID(other)
	root.SetCompletionCommandGroupID(other)
	a.completeArguments(root)
	a.adoptCobras(root)
	a.markStart(root)
	return root
}

// adoptCobras adds cobra's own commands. They would take what they do not know, a shell or a command, for a wish for help.
func (a *app) adoptCobras(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Short = "Print the script that makes a shell complete commands, keys, locks and tokens"
			cmd.Args, cmd.RunE = knownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			a.correctCompletion(cmd)
		case "help":
			cmd.Short, cmd.Long = "Show what a command does, its flags and examples", "Show what a command does, its flags and examples, as larder COMMAND --help does."
			cmd.Use, cmd.Example = "help [COMMAND]", "  larder help put\n  larder help lock run"
			cmd.Run, cmd.RunE = nil, func(cmd *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err == nil {
					err = knownCommand(about, rest)
				}
				if err != nil {
					return usageError{err}
				}
				about.InitDefaultHelpFlag()
				return about.Help()
			}
		}
	}
}

// meantFlag ends the error about a flag that a command does not have with the one that is spelt alike, if one is.
func meantFlag(cmd *cobra.Command, name string) string {
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := misspelt.Among(name, known); near != "" {
		return fmt.Sprintf(": did you mean --%s?", near)
	}
	return ""
}

// other is the group of the commands that are for nobody in particular.
const other = "Other:"

// addGrouped adds commands that help shows below one title: those that one kind of user is after.
func addGrouped(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

// negative is what the flag parser says of -5.
var negative = regexp.MustCompile(`^unknown shorthand flag: '[0-9]'`)

// flagErrors are what cobra says of flags that are missing or do not go together, which it checks when the command has started, and how larder
// says it: with the flags as they are written.
var flagErrors = []struct {
	pattern *regexp.Regexp
	says    string
	between string
}{
	{regexp.MustCompile(`^if any flags in the group \[(.*)\] are set none of the others can be`), "%s do not go together", " and "},
	{regexp.MustCompile(`^at least one of the flags in the group \[(.*)\] is required`), "%s is missing", " or "},
	{regexp.MustCompile(`^required flag\(s\) (.*) not set`), "%s is missing", " and "},
}

// flagError returns the text for an error about such flags, and whether it is one.
func flagError(err error) (text string, ok bool) {
	for _, e := range flagErrors {
		m := e.pattern.FindStringSubmatch(err.Error())
		if m == nil {
			continue
		}
		names := strings.Fields(strings.NewReplacer(`"`, "", ",", "").Replace(m[1]))
		return fmt.Sprintf(e.says, "--"+strings.Join(names, e.between+"--")), true
	}
	return "", false
}

// arguments wants one argument for each of the names.
func arguments(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", strings.Join(names[len(args):], " and "))
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q: want %s; quote what contains blanks", args[len(names)], strings.Join(names, " "))
		}
		return nil
	}
}

// knownCommand refuses a command that does not exist, and names those that are spelt alike.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if alike := nearestCommands(cmd, args[0]); len(alike) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(alike, " or "))
	}
	return err
}

// nearestCommands returns the commands that may have been meant by a name: those that begin with it or are another word for it, or else those that
// are spelt most like it.
func nearestCommands(parent *cobra.Command, name string) []string {
	var nearest []string
	least := 0
	for _, candidate := range parent.SuggestionsFor(name) {
		edits := 0
		if !otherwiseCalled(parent, candidate, name) {
			edits = misspelt.Distance(strings.ToLower(name), candidate)
		}
		if len(nearest) == 0 || edits < least {
			nearest, least = nil, edits
		}
		if edits == least && !slices.Contains(nearest, candidate) {
			nearest = append(nearest, candidate)
		}
	}
	return nearest
}

// otherwiseCalled reports whether a command's name begins with the given one, or the command knows the given one as another word for itself.
func otherwiseCalled(parent *cobra.Command, command, name string) bool {
	if strings.HasPrefix(command, strings.ToLower(name)) {
		return true
	}
	for _, c := range parent.Commands() {
		if c.Name() == command {
			return slices.ContainsFunc(c.SuggestFor, func(word string) bool { return strings.EqualFold(word, name) })
		}
	}
	return false
}

// markStart makes every command note that it runs: errors before that are about the command line.
func (a *app) markStart(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2 // edits, as cobra has it for its own errors; a parent's does not count
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.started, a.changed = true, cmd.Flags().Changed
			if err := a.checkOutput(); err != nil {
				return err
			}
			return run(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		a.markStart(child)
	}
}
