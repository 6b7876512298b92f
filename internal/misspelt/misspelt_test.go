package misspelt

import "testing"

func TestAmong_FindsTheNearestAndNothingFar(t *testing.T) {
	known := []string{"user:7:name", "user:8:name", "settings", "dingding_access_token", "a"}
	for name, want := range map[string]string{
		"setings": "settings", "Settings": "settings", "settigns": "settings", "user:8:nam": "user:8:name", "dingding_acces_tokne": "dingding_access_token",
		"something else": "", "": "", "zz": "",
	} {
		if got := Among(name, known); got != want {
			t.Errorf("Among(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDistance_CountsASwapOnce(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"", "abc", 3}, {"abc", "xbz", 2}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
