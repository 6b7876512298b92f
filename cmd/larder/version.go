package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are set by make build; a build by go install or go build tells them by itself, as far as it knows them.
var version, commit = "", ""

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit it was built from, and Go's version",
		Long: `Print the version, the commit it was built from, and Go's version.

With -o json: {"version","commit","go","platform"}; commit is empty if the build does not know it.`,
		Example: "  larder version\n  larder version -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := versionView{
				Version: buildVersion(), Commit: buildCommit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			}
			if a.json() {
				return a.printJSON(v)
			}
			from := ""
			if v.Commit != "" {
				from = "commit " + v.Commit + ", "
			}
			return a.println(fmt.Sprintf("larder %s (%s%s, %s)", v.Version, from, v.Go, v.Platform))
		},
	}
}

type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// buildCommit returns the commit, with a sign if more than that was built, or "".
func buildCommit() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + modified
}
