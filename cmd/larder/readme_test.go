package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/config"
	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
)

const readme, readmeChinese = "README.md", "README.zh-CN.md"

// The tour of README.md, typed into one bash in the folder of a Laravel 8 application, prints what it shows.
func TestReadme_TourPrintsWhatIsShown(t *testing.T) {
	vendor := fetchertest.NewDingTalk(fetchertest.WithApp("...", "..."))
	t.Cleanup(vendor.Close)
	s := laravelApplication(t, "DINGTALK_BASE_URL="+vendor.URL)
	session := s.session()
	for _, b := range blocks(t, readme, "console") {
		session.play(b)
	}
	if ran, err := os.ReadFile(s.dir + "/ran"); string(ran) != "report:send\n" {
		t.Errorf("larder lock run had artisan do %q, %v", ran, err)
	}
	if n := vendor.Count("token"); n != 2 { // the first get, and check
		t.Errorf("DingTalk was asked %d times, want 2", n)
	}

	// The line of cron has nothing to send by mail.
	cron := strings.TrimPrefix(strings.TrimSpace(blocks(t, readme, "")[0].text), "* * * * * ")
	if printed, status := session.run("("+strings.ReplaceAll(cron, "/srv/app", s.dir)+")", 0); status != 0 || printed != "" {
		t.Errorf("%s: exit status %d\n%s", cron, status, printed)
	}
}

// laravelApplication is a server with the folder of a Laravel 8 application, whose cache table was made before 8.51, with three rows in it.
func laravelApplication(t *testing.T, env ...string) *server {
	t.Helper()
	db := testdb.MySQL(t)
	laravel55(t, db.URL())
	laravel.OnMySQL(t, db, "laravel_cache").Run(t, `
		$cache->put('greeting', 'hello', min(315360000, 2**31 - 1 - time())); // the most that such a column holds, as larder has it for forever; Laravel's own fails from 2028 on
		$cache->put('settings', ['theme' => 'dark', 'tags' => ['a', 'b'], 'ratio' => 1.0], 600);
		$cache->put('user:7', (object) ['name' => 'Ann'], 3600);
	`)
	cfg := db.Config()
	host, port, _ := strings.Cut(cfg.Addr, ":")
	s := newServer(t, "", env...)
	s.file(".env", fmt.Sprintf("APP_NAME=Laravel\nDB_CONNECTION=mysql\nDB_HOST=%s\nDB_PORT=%s\nDB_DATABASE=%s\nDB_USERNAME=%s\nDB_PASSWORD='%s'\n",
		host, port, cfg.DBName, cfg.User, cfg.Passwd))
	if err := os.Mkdir(s.dir+"/config", 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("config/cache.php", `<?php
use Illuminate\Support\Str;
return [
    'default' => env('CACHE_DRIVER', 'file'),
    'stores' => ['database' => ['driver' => 'database', 'table' => 'cache', 'connection' => null, 'lock_connection' => null]],
    'prefix' => env('CACHE_PREFIX', Str::slug(env('APP_NAME', 'laravel'), '_').'_cache'),
];
`)
	s.file("artisan", `<?php file_put_contents('ran', $argv[1]."\n", FILE_APPEND);`)
	return s
}

func TestReadme_PathsOfTheModuleAreItsOwn(t *testing.T) {
	module, _, _ := strings.Cut(strings.TrimPrefix(readPage(t, "go.mod"), "module "), "\n")
	found := regexp.MustCompile(`go (?:get|install) ([^\s@]+)`).FindAllStringSubmatch(readPage(t, readme), -1)
	for _, m := range found {
		folder, ours := strings.CutPrefix(m[1], module)
		if info, err := os.Stat("../.." + folder); !ours || err != nil || !info.IsDir() {
			t.Errorf("%s: there is no such package", m[0])
		}
	}
	if len(found) != 2 {
		t.Errorf("%d of them, want one for the command and one for the library", len(found))
	}
}

func TestReadme_FoldersOfTheLayoutExist(t *testing.T) {
	for _, page := range []string{readme, readmeChinese} {
		folders := 0
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(readPage(t, page), -1) {
			for _, m := range inlineCode.FindAllStringSubmatch(row[1], -1) {
				before, inner, _ := strings.Cut(strings.TrimSuffix(m[1], "}"), "{")
				for name := range strings.SplitSeq(inner, ",") {
					folders++
					if info, err := os.Stat("../../" + before + name); err != nil || !info.IsDir() {
						t.Errorf("%s: there is no folder %s", page, before+name)
					}
				}
			}
		}
		if folders < 20 {
			t.Errorf("%s: %d folders, want the layout", page, folders)
		}
	}
}

func TestReadme_ConfigurationIsTaken(t *testing.T) {
	s := newServer(t, "", "DB_PASSWORD=database-password", "CORP_ID=corp", "CORP_SECRET="+secret)
	s.file("larder.yaml", blocks(t, readme, "yaml")[0].text)
	cfg, err := config.Load(config.Flags{}, s.lookupEnv, s.dir)
	if err != nil {
		t.Fatal(err)
	}
	token, ok := cfg.Token("dingding_access_token")
	if !ok || len(cfg.Tokens) != 1 || len(cfg.Notices) != 0 || !strings.Contains(cfg.Database.Value, "database-password") ||
		token.AppKey != "corp" || token.AppSecret.Reveal() != secret {
		t.Errorf("it is taken as %+v", cfg)
	}
}

// The two READMEs differ in prose alone: comments in commands and code are prose.
func TestReadme_ChineseHasTheSameBlocks(t *testing.T) {
	if d := diff.Diff(readme, []byte(withoutProse(t, readme)), readmeChinese, []byte(withoutProse(t, readmeChinese))); d != nil {
		t.Errorf("%s", d)
	}
}

// withoutProse returns a page's blocks without their comments.
func withoutProse(t *testing.T, page string) string {
	t.Helper()
	var bare strings.Builder
	for _, b := range allBlocks(t, page) {
		fmt.Fprintf(&bare, "```%s\n", b.language)
		if b.language == "go" {
			writeGo(&bare, b.text)
			continue
		}
		for line := range strings.Lines(b.text) {
			fmt.Fprintln(&bare, strings.TrimSpace(shellComment.ReplaceAllString("\n"+line, "")))
		}
	}
	return bare.String()
}

// writeGo writes the tokens of Go, a statement a line.
func writeGo(w io.Writer, text string) {
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(text)), []byte(text), nil, 0)
	for {
		_, is, literal := s.Scan()
		switch {
		case is == token.EOF:
			return
		case literal == "":
			literal = is.String()
		}
		if literal != "\n" {
			literal += " "
		}
		_, _ = io.WriteString(w, literal)
	}
}

// What both pages have beside prose and blocks: headings of the same ranks, and the same links in the same order.
func TestReadme_ChineseHasTheSameHeadingsAndLinks(t *testing.T) {
	skeleton := func(page string) string {
		var found strings.Builder
		for _, m := range regexp.MustCompile(`(?m)^(#+) |\]\(([^)]+)\)`).FindAllStringSubmatch(fence.ReplaceAllString(readPage(t, page), ""), -1) {
			if link := m[2]; link != readme && link != readmeChinese {
				fmt.Fprintln(&found, m[1]+link)
			}
		}
		return found.String()
	}
	if d := diff.Diff(readme, []byte(skeleton(readme)), readmeChinese, []byte(skeleton(readmeChinese))); d != nil {
		t.Errorf("%s", d)
	}
}
