package laravel_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/migrations"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const prefix = "laravel_cache_"

// A shared cache has Laravel on one side and larder on the other.
type shared struct {
	app   *laravel.App
	store *store.Store
}

// onEachEngine runs a test for each release of Laravel, with the tables on MariaDB and in a SQLite file, made by that release's own
// migration and adopted by larder.
func onEachEngine(t *testing.T, test func(t *testing.T, s shared)) {
	for _, release := range laravel.Releases() {
		t.Run(release.String()+"/MySQL", func(t *testing.T) {
			db := testdb.MySQL(t)
			app := release.OnMySQL(t, db, prefix)
			app.Run(t, "$migration->up();")
			test(t, adopt(t, app, db.URL(), migrations.MySQL))
		})
		t.Run(release.String()+"/SQLite", func(t *testing.T) {
			path := filepath.Join(release.TempDir(t), "larder.db")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			app := release.OnSQLite(path, prefix)
			app.Run(t, "$migration->up();")
			test(t, adopt(t, app, "sqlite:"+path, migrations.SQLite))
		})
	}
}

// storeNULsAlike tells whether both sides store a value with NUL bytes alike. On SQLite larder does it as Laravel does since 11.38, in base64;
// before that Laravel stored it as it is and did not understand base64.
func (s shared) storeNULsAlike(t *testing.T) bool {
	return s.store.DB().DriverName() == "mysql" || s.app.Release.Since(t, 11, 38)
}

func adopt(t *testing.T, app *laravel.App, address string, engine migrations.Engine) shared {
	t.Helper()
	s, err := store.Open(address, store.WithPrefix(prefix))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := migrations.New(s.DB().DB, engine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return shared{app, s}
}

func quote(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }

// phpValues are PHP expressions, one for each thing that a PHP application may leave in the cache.
var phpValues = []string{
	"null", "true", "false",
	"0", "1", "-1", "PHP_INT_MAX", "PHP_INT_MIN",
	"0.0", "-0.0", "1.0", "0.1", "-7.25", "1e15", "1e16", "1e17", "1.2345678901234567e17", "1e25", "1e100", "0.0001", "0.00001", "1.5e-7",
	"PHP_FLOAT_MAX", "PHP_FLOAT_MIN", "PHP_FLOAT_EPSILON", "5e-324", "INF", "-INF", "NAN",
	"''", "'bar'", `"it's \"quoted\" \\\\ and {braces};"`, `"line\nbreak\ttab\r\n"`, "'日本語 héllo 😀'", `"\0nul\0"`, `'s:3:"bar";'`, "'0'", "'123'", "str_repeat('x', 70000)",
	"[]", "[1, 2, 3]", "['a' => 1, 'b' => 2]", "[5 => 'five', 3 => 'three']", "[-1 => 'minus', 0 => 'zero']", "['5' => 'int key', '05' => 'string key']",
	"['' => 'empty key']", "[[], [[]], [[[1]]]]", "['nested' => ['list' => [1, 2.5, null, true, 'x'], 'map' => ['k' => 'v']]]", "[true, null, 1.0, 'two']",
	"[1 => 'not', 2 => 'a list']", `["ke\0y" => "va\0lue"]`,
	"(object) []", "(object) ['a' => 1, 'b' => [2]]", "new ArrayObject(['x' => 1])", "new DateTimeImmutable('2024-01-02 03:04:05.678901 UTC')",
	"Illuminate\\Support\\Carbon::parse('2024-01-02 03:04:05.678901', 'UTC')", "collect([1, 'two', ['three' => 3]])",
	"new SplObjectStorage", "(function () { $a = [1]; $a[1] = &$a[0]; return $a; })()", "(function () { $o = new stdClass; return [$o, $o]; })()",
	"(function () { $o = new stdClass; $o->self = $o; return $o; })()", "new Illuminate\\Support\\Fluent(['name' => 'x'])",
	"Suit::Hearts", "[Suit::Hearts, Suit::Spades, Suit::Hearts]", "new Point(1, 2)", "new Magic", "new Child", "new Sleeper", "new OldStyle", "[new OldStyle, new Point(1, 2)]",
}

const phpClasses = `
enum Suit: string { case Hearts = 'H'; case Spades = 'S'; }
class Point { public $tag = 'p'; protected $x; private $y; function __construct($x, $y) { $this->x = $x; $this->y = $y; } }
class Child extends Point { private $y = 'own'; protected $more = [1]; function __construct() { parent::__construct(1.5, null); } }
class Sleeper { public $kept = 1; public $dropped = 2; function __sleep() { return ['kept']; } }
class OldStyle implements Serializable {
    function serialize() { return "raw {bytes};\\0"; }
    function unserialize($data) {}
}
class Magic { function __serialize(): array { return ['a' => 1, 5 => 'five']; } function __unserialize(array $data): void {} }
`

// Each row that Laravel wrote is read: live, with the exact bytes, decoded, and encoded again to the same bytes; and where JSON can
// say the value, larder's JSON is json_encode's.
func TestLarderReadsWhatLaravelWrote(t *testing.T) {
	if len(phpValues) < 60 {
		t.Fatalf("%d values, want at least 60", len(phpValues))
	}
	onEachEngine(t, func(t *testing.T, s shared) {
		var script strings.Builder
		script.WriteString(phpClasses + "$answers = [];\n")
		for i, v := range phpValues {
			fmt.Fprintf(&script, "$v = %s; $cache->put('v%d', $v, 600);\n", v, i)
			script.WriteString("$json = is_object($v) ? false : json_encode($v, JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);\n")
			script.WriteString("$answers[] = ['raw' => base64_encode(serialize($v)), 'json' => $json === false || str_contains(serialize($v), 'O:') || str_contains(serialize($v), 'E:') || str_contains(serialize($v), 'R:') ? null : $json];\n")
		}
		script.WriteString("answer($answers);")
		var written []struct {
			Raw  string
			JSON *string
		}
		s.app.Ask(t, &written, script.String())

		compared := 0
		for i, w := range written {
			item, err := s.store.Item(t.Context(), fmt.Sprint("v", i))
			if err != nil {
				t.Errorf("%s: %v", phpValues[i], err)
				continue
			}
			want, _ := base64.StdEncoding.DecodeString(w.Raw)
			if string(item.Raw) != string(want) {
				t.Errorf("%s: read %q, Laravel wrote %q", phpValues[i], item.Raw, want)
			}
			if item.TTL < 590*time.Second || item.TTL > 600*time.Second {
				t.Errorf("%s: ttl is %s", phpValues[i], item.TTL)
			}
			value, err := php.Decode(item.Raw)
			if err != nil {
				t.Errorf("%s: decode: %v", phpValues[i], err)
				continue
			}
			if again, err := php.Encode(value); err != nil || string(again) != string(want) {
				t.Errorf("%s: encoded again as %q, %v, want %q", phpValues[i], again, err, want)
			}
			if w.JSON != nil {
				compared++
				if text, err := php.JSON(value); err != nil || string(text) != *w.JSON {
					t.Errorf("%s: JSON is %s, %v, json_encode's is %s", phpValues[i], text, err, *w.JSON)
				}
			}
		}
		if len(written) != len(phpValues) || compared < 40 {
			t.Errorf("compared %d values and %d JSON texts", len(written), compared)
		}
	})
}

type goValue struct {
	value any
	want  string
}

// goValues are what a Go program may store, and what PHP's var_export must show of it.
var goValues = []goValue{
	{nil, "NULL"}, {true, "true"}, {false, "false"},
	{0, "0"}, {-7, "-7"}, {int64(9223372036854775807), "9223372036854775807"}, {uint8(200), "200"},
	{0.5, "0.5"}, {1.0, "1.0"}, {1e17, "1.0E+17"}, {1e-5, "1.0E-5"}, {123456789012345678.0, "1.2345678901234568E+17"},
	{"", "''"}, {"bar", "'bar'"}, {"it's", `'it\'s'`}, {"日本 😀", "'日本 😀'"}, {"123", "'123'"}, {"a\x00b", `'a' . "\0" . 'b'`}, {[]byte("bytes"), "'bytes'"},
	{[]int{1, 2}, "array (\n  0 => 1,\n  1 => 2,\n)"},
	{[]any{}, "array (\n)"},
	{map[string]any{"b": 1, "a": nil}, "array (\n  'a' => NULL,\n  'b' => 1,\n)"},
	{map[string]int{"5": 1}, "array (\n  5 => 1,\n)"},
	{map[int]string{3: "x"}, "array (\n  3 => 'x',\n)"},
	{struct {
		Name string `php:"name"`
		Age  int    `php:"age"`
	}{"Ann", 7}, "array (\n  'name' => 'Ann',\n  'age' => 7,\n)"},
	{strings.Repeat("x", 3) + "\n", "'xxx\n'"},
}

func TestLaravelReadsWhatLarderWrote(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		values := goValues
		if !s.storeNULsAlike(t) {
			values = slices.DeleteFunc(slices.Clone(values), func(v goValue) bool { text, _ := v.value.(string); return text == "a\x00b" })
		}
		for i, v := range values {
			if err := s.store.Put(t.Context(), fmt.Sprint("v", i), v.value, 10*time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		var read []string
		s.app.Ask(t, &read, fmt.Sprintf(`
			$read = [];
			for ($i = 0; $i < %d; $i++) { $read[] = var_export($cache->get("v$i"), true); }
			answer($read);`, len(values)))
		for i, v := range values {
			if read[i] != v.want {
				t.Errorf("%#v: Laravel reads %s, want %s", v.value, read[i], v.want)
			}
		}
	})
}

// A row that larder writes is, byte for byte, the row that Laravel writes for the same value.
func TestBothWriteTheSameRow(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		ctx := t.Context()
		for i, c := range []struct {
			value any
			php   string
		}{
			{"bar", "'bar'"}, {7, "7"}, {0.1, "0.1"}, {true, "true"}, {nil, "null"}, {[]any{1, "x", 2.0}, "[1, 'x', 2.0]"},
			{"\x00", `"\0"`}, {map[string]any{"a": []any{}}, "['a' => []]"}, {"😀", "'😀'"},
		} {
			if err := s.store.Put(ctx, fmt.Sprint("ours", i), c.value, time.Hour); err != nil {
				t.Fatal(err)
			}
			var rows []struct {
				Key, Value string
				Expiration int64
			}
			s.app.Ask(t, &rows, fmt.Sprintf(`
				$cache->put('theirs%d', %s, 3600);
				answer(array_map(fn ($row) => ['Key' => $row->key, 'Value' => base64_encode($row->value), 'Expiration' => (int) $row->expiration],
					$conn->select("select * from cache where %s in ('%sours%d', '%stheirs%d') order by %s")));`,
				i, c.php, column, prefix, i, prefix, i, column))
			if len(rows) != 2 {
				t.Fatalf("%s: %d rows, want 2", c.php, len(rows))
			}
			ours, theirs := rows[0], rows[1]
			if ours.Value != theirs.Value && (s.storeNULsAlike(t) || !strings.Contains(c.php, `\0`)) {
				t.Errorf("%s: larder writes %s, Laravel %s (base64)", c.php, ours.Value, theirs.Value)
			}
			if d := theirs.Expiration - ours.Expiration; d < 0 || d > 5 {
				t.Errorf("%s: expirations are %d s apart", c.php, d)
			}
		}
	})
}

// column is the key column's name in quotes that MySQL and, for its sake, SQLite take.
const column = "`key`"

func TestLocksExcludeEachOther(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		ctx := context.Background()

		// Laravel holds it.
		var owner string
		s.app.Ask(t, &owner, `$lock = $cache->lock('job', 60); answer($lock->get() ? $lock->owner() : '');`)
		if owner == "" {
			t.Fatal("Laravel did not get a free lock")
		}
		ours := s.store.Lock("job", time.Minute)
		if held, err := ours.Acquire(ctx); err != nil || held {
			t.Fatalf("larder acquires Laravel's lock: %v, %v", held, err)
		}
		if current, err := ours.CurrentOwner(ctx); err != nil || current != owner {
			t.Fatalf("current owner is %q, %v, want %q", current, err, owner)
		}
		if released, err := ours.Release(ctx); err != nil || released {
			t.Fatalf("larder releases Laravel's lock as its own: %v, %v", released, err)
		}
		if released, err := s.store.RestoreLock("job", owner, 0).Release(ctx); err != nil || !released {
			t.Fatalf("the restored owner does not release: %v, %v", released, err)
		}

		// larder holds it.
		if held, err := ours.Acquire(ctx); err != nil || !held {
			t.Fatalf("larder does not get a free lock: %v, %v", held, err)
		}
		var got bool
		s.app.Ask(t, &got, `answer($cache->lock('job', 60)->get());`)
		if got {
			t.Fatal("Laravel acquires larder's lock")
		}
		s.app.Ask(t, &got, `answer($cache->lock('job', 60)->release());`)
		if got {
			t.Fatal("Laravel releases larder's lock as its own")
		}
		s.app.Ask(t, &got, `answer($cache->restoreLock('job', `+quote(ours.Owner())+`)->release());`)
		if !got {
			t.Fatal("Laravel does not release the lock of larder's owner")
		}
		s.app.Ask(t, &got, `answer($cache->lock('job', 60)->get());`)
		if !got {
			t.Fatal("Laravel does not get the lock that was released")
		}

		// An expired lock of either is the other's to take.
		if released, err := ours.ForceRelease(ctx); err != nil || !released {
			t.Fatalf("force release: %v, %v", released, err)
		}
		s.app.Ask(t, &got, `answer($cache->lock('job', 1)->get());`)
		if err := ours.Block(ctx, 10*time.Second); err != nil {
			t.Fatalf("larder does not take over Laravel's expired lock: %v", err)
		}
	})
}

func TestCountersAddsAndForgetsAreShared(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		ctx := t.Context()
		var answers []any
		if _, err := s.store.IncrementOrAdd(ctx, "hits", 5, time.Minute); err != nil {
			t.Fatal(err)
		}
		s.app.Ask(t, &answers, `answer([$cache->increment('hits', 2), $cache->decrement('hits', 10), $cache->add('hits', 1, 60), $cache->add('theirs', 'x', 60)]);`)
		if fmt.Sprint(answers) != "[7 -3 false true]" {
			t.Errorf("Laravel answers %v", answers)
		}
		if n, err := s.store.Increment(ctx, "hits", 1); err != nil || n != -2 {
			t.Errorf("larder counts on to %d, %v, want -2", n, err)
		}
		if added, err := s.store.Add(ctx, "theirs", "y", time.Minute); err != nil || added {
			t.Errorf("larder adds over Laravel's row: %v, %v", added, err)
		}
		if _, err := s.store.Forget(ctx, "theirs"); err != nil {
			t.Fatal(err)
		}
		s.app.Ask(t, &answers, `answer([$cache->has('theirs'), $cache->pull('hits'), $cache->get('hits')]);`)
		if fmt.Sprint(answers) != "[false -2 <nil>]" {
			t.Errorf("Laravel answers %v", answers)
		}
	})
}

// larder's expired rows are expired for Laravel.
func TestExpiryIsShared(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		ctx := t.Context()
		if err := s.store.Put(ctx, "soon", "x", time.Second); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Forever(ctx, "forever", "x"); err != nil {
			t.Fatal(err)
		}
		var answers []any
		s.app.Ask(t, &answers, `sleep(1); usleep(100000); answer([$cache->get('soon'), $cache->get('forever')]);`)
		if fmt.Sprint(answers) != "[<nil> x]" {
			t.Errorf("Laravel answers %v", answers)
		}
	})
}

// What flexible stores is two rows. The forget of either side deletes both; Laravel's since 11.24, which is when the second has this name.
func TestForgetDeletesFlexiblesTwoRows(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		if !s.app.Release.Since(t, 11, 24) {
			t.Logf("Laravel %s has no flexible", s.app.Release.Version(t))
			return
		}
		ctx := t.Context()
		const companion = "illuminate:cache:flexible:created:report"
		flexible := `$cache->flexible('report', [60, 120], fn () => 'made'); answer([$cache->get('report'), $conn->table('cache')->count()]);`
		for who, forget := range map[string]func(){
			"larder": func() {
				if forgotten, err := s.store.Forget(ctx, "report"); err != nil || !forgotten {
					t.Errorf("larder forgets nothing: %v, %v", forgotten, err)
				}
			},
			"Laravel": func() { s.app.Run(t, `$cache->forget('report');`) },
		} {
			var answers []any
			s.app.Ask(t, &answers, flexible)
			if fmt.Sprint(answers) != "[made 2]" {
				t.Fatalf("flexible leaves %v, want its value and 2 rows", answers)
			}
			if live, err := s.store.Has(ctx, companion); err != nil || !live {
				t.Fatalf("no companion: %v, %v", live, err)
			}
			forget()
			var rows int
			if err := s.store.DB().Get(&rows, "SELECT COUNT(*) FROM cache"); err != nil || rows != 0 {
				t.Errorf("%s's forget leaves %d rows, %v", who, rows, err)
			}
		}
	})
}

// A row's expiration and a lock's are moved by either side; Laravel's since 13.0 and 13.16.
func TestTouchAndRefreshAreShared(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s shared) {
		if !s.app.Release.Since(t, 13, 16) {
			t.Logf("Laravel %s has no refresh of locks", s.app.Release.Version(t))
			return
		}
		ctx := t.Context()
		if err := s.store.Put(ctx, "row", "x", time.Minute); err != nil {
			t.Fatal(err)
		}
		lock := s.store.Lock("job", time.Minute)
		if held, err := lock.Acquire(ctx); err != nil || !held {
			t.Fatalf("acquire: %v, %v", held, err)
		}
		var answers []any
		s.app.Ask(t, &answers, `answer([$cache->touch('row', 3600), $cache->restoreLock('job', `+quote(lock.Owner())+`)->refresh(3600), $cache->lock('job')->refresh(3600)]);`)
		if fmt.Sprint(answers) != "[true true false]" {
			t.Errorf("Laravel answers %v", answers)
		}
		if item, err := s.store.Item(ctx, "row"); err != nil || item.TTL < 3590*time.Second {
			t.Errorf("the row that Laravel touched has %s left, %v", item.TTL, err)
		}
		var left int
		s.app.Ask(t, &left, `answer($conn->table('cache_locks')->value('expiration') - time());`)
		if left < 3590 {
			t.Errorf("the lock that Laravel refreshed has %d s left", left)
		}
		if held, err := lock.Refresh(ctx); err != nil || !held {
			t.Errorf("larder does not refresh its lock after Laravel did: %v, %v", held, err)
		}
	})
}
