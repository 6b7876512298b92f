package config

import (
	"strings"

	"github.com/larder-cache/larder/internal/misspelt"
)

// suggest ends a message about an unknown name: " (did you mean ...?)" if a known one is near, else the list of the known ones.
func suggest(name string, known []string) string {
	if best := misspelt.Among(strings.ReplaceAll(name, "-", "_"), known); best != "" {
		return ` (did you mean "` + best + `"?)`
	}
	return "; want " + strings.Join(known, ", ")
}
