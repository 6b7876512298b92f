package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/testdb"
)

// packaged returns a file of settings that the Debian package installs, as it is and with all of them switched on.
func packaged(t *testing.T, name string) (text, switchedOn string) {
	t.Helper()
	read, err := os.ReadFile("../../packaging/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(read), regexp.MustCompile(`(?m)^#(\S| +\w+:)`).ReplaceAllString(string(read), "$1")
}

var shownCommand = regexp.MustCompile(`(?m)^# +sudo larder (token check NAME .*)$`)

func TestPackaging_TheShownCommandFindsTheSecretsOfTheService(t *testing.T) {
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("corp", secret))
	t.Cleanup(vendor.Close)
	s := newServer(t, "sqlite:"+testdb.SQLite(t), "DINGTALK_BASE_URL="+vendor.URL)
	if r := s.larder("migrate"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	text, settings := packaged(t, "larder.yaml")
	_, secrets := packaged(t, "larder.env")
	s.file("larder.yaml", settings)
	s.file("larder.env", strings.NewReplacer("DB_PASSWORD=", "DB_PASSWORD=x", "CORP_ID=", "CORP_ID=corp", "CORP_SECRET=", "CORP_SECRET="+secret).Replace(secrets))

	shown := shownCommand.FindStringSubmatch(text)
	if shown == nil {
		t.Fatalf("no command is shown in\n%s", text)
	}
	args := strings.Fields(strings.NewReplacer("NAME", "dingding_access_token", "/etc/larder", s.dir).Replace(shown[1]))
	if r := s.larder(args...); r.code != 0 || !strings.Contains(r.stdout, "all is well") {
		t.Errorf("larder %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
}

// What people copy names Laravel's prefix in each version, for who takes another version's stores where PHP never looks.
func TestDocs_NameThePrefixOfEachVersionOfLaravel(t *testing.T) {
	example, _ := packaged(t, "larder.yaml")
	demo, err := os.ReadFile("demo.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		readme: readPage(t, readme), readmeChinese: readPage(t, readmeChinese), "packaging/larder.yaml": example, "larder demo": string(demo),
	} {
		line := regexp.MustCompile(`(?m)^.*(prefix: .*laravel_cache\b.*)$`).FindString(text)
		for _, p := range config.DefaultPrefixes()[1:] {
			versions := regexp.MustCompile(`[\d.]+`).FindAllString(p.Version, -1)
			if !strings.Contains(line, p.Value) || !strings.Contains(line, versions[len(versions)-1]) {
				t.Errorf("%s: %q does not name %q of %s", name, line, p.Value, p.Version)
			}
		}
	}
}
