package fetcher_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher/fetchertest"
	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/internal/workers"
	"github.com/larder-cache/larder/migrations"
)

// applicationScript does what it is told to the key. "held get" is stopped between its SELECT and what it does then: it answers
// "selected" and goes on with the next line.
const applicationScript = `
$hold = false;
$conn->setEventDispatcher(new Illuminate\Events\Dispatcher);
$conn->listen(function ($query) use (&$hold) {
    if ($hold && stripos($query->sql, 'select') === 0) {
        $hold = false;
        answer('selected');
        fgets(STDIN);
    }
});
while (($line = fgets(STDIN)) !== false) {
    [$do, $value] = json_decode($line, true);
    switch ($do) {
    case 'held get': $hold = true; answer($cache->get('dingding_access_token')); break;
    case 'get': answer($cache->get('dingding_access_token')); break;
    case 'put': answer($cache->put('dingding_access_token', $value, 7000)); break;
    case 'flush': answer($cache->flush()); break;
    }
}`

// withLaravel returns a fleet that shares its database with a real Laravel 8. Until Laravel 9 a reader deletes the row that it believes has expired.
func withLaravel(t *testing.T) (f *fleet, does func(what string, value any) any) {
	t.Helper()
	db := testdb.MySQL(t)
	f = &fleet{t: t, url: db.URL()}
	f.migrate(migrations.MySQL)
	session := laravel.OnMySQL(t, db, "").Start(t, applicationScript)
	return f, func(what string, value any) (answer any) {
		t.Helper()
		session.Ask(t, &answer, []any{what, value})
		return answer
	}
}

// keeper is a process that keeps the row, once it has its token.
func (f *fleet) keeper(t *testing.T, fake *fetchertest.Fake) (p *workers.Go, token string) {
	t.Helper()
	set := f.settings(fake)
	set.Run = true
	p = workers.StartGo(t, set)
	token, err := p.Token(t)
	if err != nil {
		t.Fatal(err)
	}
	return p, token
}

// A Laravel 8 reads the row, believes that it has expired, and deletes by its key what has been stored meanwhile.
func TestScenario17_FreshRowThatARealLaravelDeletesIsBackWithinSeconds(t *testing.T) {
	f, does := withLaravel(t)
	fake, _ := newFake(t)
	if _, err := f.reader.DB().Exec("INSERT INTO cache VALUES (?, ?, ?)", key, quoted("yesterdays-token"), time.Now().Unix()-1); err != nil {
		t.Fatal(err)
	}
	if got := does("held get", nil); got != "selected" {
		t.Fatalf("Laravel answers %v", got)
	}
	p, token := f.keeper(t, fake)
	if row, _ := f.row(); row != quoted(token) {
		t.Fatalf("row is %s, want %s", row, token)
	}
	if got := does("go on", nil); got != nil {
		t.Errorf("Laravel reads %v, want nothing, and the row deleted", got)
	}
	// The process looks soon after it has stored a token, and then every 12 to 18 s: PHP may have deleted the row after the first look.
	eventually(t, "the row is back", func() bool { row, _ := f.row(); return row == quoted(token) && p.Status(t).Restored == 1 })
	if got := does("get", nil); got != token || fake.Count() != 1 {
		t.Errorf("Laravel reads %v after %d fetches, want %s after 1", got, fake.Count(), token)
	}
}

func TestScenario17_CacheClearInTheMiddleOfARefreshLosesNoToken(t *testing.T) {
	f, does := withLaravel(t)
	fake, _ := newFake(t)
	f.write(quoted("a-token-that-ends-soon"))
	if _, err := f.reader.DB().Exec("UPDATE cache SET expiration = expiration - 950"); err != nil {
		t.Fatal(err)
	}
	set := f.settings(fake)
	set.Held = true
	p := workers.StartGo(t, set)
	p.Begin(t, workers.Calls{N: 1})
	p.Fetched(t) // the next token, ahead
	if does("flush", nil) != true {
		t.Fatal("cache:clear failed")
	}
	p.GoOn(t)
	p.Outcome(t)
	eventually(t, "the new token is stored", func() bool { row, _ := f.row(); return row != "" })
	row, _ := f.row()
	if got := does("get", nil); quoted(fmt.Sprint(got)) != row || fake.Count() != 1 {
		t.Errorf("Laravel reads %v of row %s after %d fetches", got, row, fake.Count())
	}
}

func TestScenario17_WhatARealLaravelStoresIsAdopted(t *testing.T) {
	for name, value := range map[string]any{
		"a string": "php-stored-this-token",
		"an array": map[string]any{"access_token": "php-stored-this-token", "errcode": 0, "expires_in": 7200},
	} {
		t.Run(name, func(t *testing.T) {
			f, does := withLaravel(t)
			fake, _ := newFake(t)
			p, _ := f.keeper(t, fake)
			if does("put", value) != true {
				t.Fatal("Laravel stores nothing")
			}
			eventually(t, "the process hands out Laravel's token", func() bool { token, err := p.Token(t); return err == nil && token == "php-stored-this-token" })
			if token, err := start(t, 1, f.settings(fake))[0].Token(t); err != nil || token != "php-stored-this-token" {
				t.Errorf("another process: %q, %v", token, err)
			}
			if n := fake.Count(); n != 1 {
				t.Errorf("%d fetches, want 1", n)
			}
		})
	}
}
