package config

import "testing"

// The slugs are those of Illuminate\Support\Str::slug, the same in Laravel 5.5, 6 and 8.
func TestSlug(t *testing.T) {
	for _, tt := range []struct{ name, underscore, hyphen string }{
		{"Laravel", "laravel", "laravel"},
		{"My App!", "my_app", "my-app"},
		{"My  App", "my_app", "my-app"},
		{"my-app_v2", "my_app_v2", "my-app-v2"},
		{"--Shop--", "shop", "shop"},
		{"a@b", "a_at_b", "a-at-b"},
		{"Acme & Sons, Ltd.", "acme_sons_ltd", "acme-sons-ltd"},
		{"10% off", "10_off", "10-off"},
		{"C++/C#", "cc", "cc"},
		{"dot.com", "dotcom", "dotcom"},
		{"Crème Brûlée", "creme_brulee", "creme-brulee"},
		{"Müller GmbH", "muller_gmbh", "muller-gmbh"},
		{"Straße", "strasse", "strasse"},
		{"Ærø Øst", "aero_ost", "aero-ost"},
		{"Łódź Žižkov", "lodz_zizkov", "lodz-zizkov"},
		{"İstanbul ışık", "istanbul_isik", "istanbul-isik"},
		{"Đà Nẵng", "da_nang", "da-nang"},
		{"新零售商城", "", ""},
		{"商城 Shop", "shop", "shop"},
		{"Shop（测试）", "shop", "shop"},
		{"日本語アプリ", "", ""},
		{"한국 앱", "", ""},
		{"Señor  Niño", "senor_nino", "senor-nino"},
		{"Café 中文 Ü", "cafe_u", "cafe-u"},
		{"_", "", ""},
		{"@", "at", "at"},
		{"a_-_b", "a_b", "a-b"},
		{"don’t", "dont", "dont"},
		{"wide\u3000space", "wide_space", "wide-space"},
		{"¡Hola!", "hola", "hola"},
		{"Œuvre", "oeuvre", "oeuvre"},
		{"Þór", "thor", "thor"},
		{"", "", ""},
	} {
		for separator, want := range map[string]string{"_": tt.underscore, "-": tt.hyphen} {
			if got, ok := slug(tt.name, separator); got != want || !ok {
				t.Errorf("slug(%q, %q) = %q, %v; want %q", tt.name, separator, got, ok, want)
			}
		}
	}
}

func TestSlug_IsNotSureWhereLaravelsDiffer(t *testing.T) {
	for _, name := range []string{
		"Приложение", "Εφαρμογή", "متجر", // spelled with tables that changed, and by more than one letter at a time
		"元气", "円", // CNY and JPY since Laravel 7
		"Ａｐｐ",      // wide letters: spelled before Laravel 7, dropped since
		"A – B",    // a separator since Laravel 7
		"Ĝis",      // gx before
		"©", "10£", // c and nothing; nothing and ps
		"e\u0301", // combining accents
		"a\tb", "a\nb", "\u200b",
	} {
		if got, ok := slug(name, "_"); ok {
			t.Errorf("slug(%q) = %q and is sure of it", name, got)
		}
	}
}
