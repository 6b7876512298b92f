package laravel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
)

// The prefix that larder derives from APP_NAME is the slug that this Laravel makes of it, also where that is nothing.
func TestPrefix_OfAppNameIsLaravelsSlug(t *testing.T) {
	for _, release := range Releases() {
		t.Run(release.String(), func(t *testing.T) {
			app := release.OnMySQL(t, testdb.MySQL(t), "")
			var slugs map[string]string
			app.Ask(t, &slugs, `
$slugs = [];
foreach (['新零售商城', '商城 Shop', '日本語', '!!!', 'Crème Brûlée', 'My App'] as $name) {
    $slugs[$name] = Illuminate\Support\Str::slug($name, '_');
}
answer($slugs);`)
			if len(slugs) != 6 || slugs["新零售商城"] != "" {
				t.Errorf("%q", slugs)
			}
			for name, slug := range slugs {
				dir := t.TempDir()
				for file, text := range map[string]string{
					".env":          "DB_HOST=h\nDB_DATABASE=d\nAPP_NAME='" + name + "'",
					"composer.lock": `{"packages":[{"name":"laravel/framework","version":"v10.0.0"}]}`,
				} {
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				c, err := config.Load(config.Flags{}, func(string) (string, bool) { return "", false }, dir)
				if err != nil || c.Prefix.Value != slug+"_cache_" {
					t.Errorf("%s is %q for Laravel, and larder has the prefix %q, %v", name, slug, c.Prefix.Value, err)
				} else if config.Nameless(c.Prefix.Value) != (slug == "") {
					t.Errorf("%q is or is not nameless", c.Prefix.Value)
				}
			}
		})
	}
}
