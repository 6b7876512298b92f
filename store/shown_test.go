package store

import (
	"strings"
	"testing"
)

func TestShown_CutsLongKeysBetweenCharactersAndTellsTheirLength(t *testing.T) {
	letters, chinese := strings.Repeat("k", maxShown), strings.Repeat("钥", maxShown)
	for key, want := range map[string]string{
		"":                   `""`,
		"a\nb":               `"a\nb"`,
		letters:              `"` + letters + `"`,
		letters + "l":        `"` + letters + `"… (65 bytes)`,
		chinese:              `"` + chinese + `"`,
		chinese + "匙":        `"` + chinese + `"… (195 bytes)`,
		"\xff" + letters:     `"\xff` + letters[1:] + `"… (65 bytes)`,
		letters[1:] + "\xe9": `"` + letters[1:] + `\xe9"`,
	} {
		if got := shown(key); got != want {
			t.Errorf("%d bytes are shown as %s, want %s", len(key), got, want)
		}
	}
}
