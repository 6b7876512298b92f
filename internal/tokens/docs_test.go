package tokens

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/internal/config"
)

// The times in docs/tokens.md are those that the sources have.
func TestDocs_TimesOfSourcesAreTheirOwn(t *testing.T) {
	page, err := os.ReadFile("../../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\| (\\d+[ms]) \\| (\\d+m) \\| (\\d+m )?\\|$").FindAllStringSubmatch(string(page), -1) {
		want := [...]time.Duration{timeIn(t, row[2]), timeIn(t, row[3]), timeIn(t, row[4])}
		for name := range strings.SplitSeq(strings.ReplaceAll(row[1], "`", ""), ", ") {
			checked++
			c := config.Token{Source: name, AppKey: "app", Options: map[string]config.Secret{"token_url": "https://login.example.com/token"}}
			switch name {
			case "wecom_ticket", "wechat_ticket":
				c.API = "jsapi"
			}
			source, err := newSource(c, "secret", new(fetcher.Fetcher))
			if err != nil {
				t.Fatal(err)
			}
			if info := source.Info(); want != [...]time.Duration{info.Margin, info.RefreshAhead, info.MaxRefreshAhead} {
				t.Errorf("%s has %v ahead, %v at most, margin %v; docs/tokens.md says %s", name, info.RefreshAhead, info.MaxRefreshAhead, info.Margin, row[0])
			}
		}
	}
	if checked != 9 {
		t.Errorf("docs/tokens.md has the times of %d sources, want 9", checked)
	}
}

func timeIn(t *testing.T, text string) time.Duration {
	t.Helper()
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
