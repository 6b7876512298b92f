//go:build unix

package doctor

import (
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/internal/testdb"
)

// A real Laravel writes over a connection of each charset.
func TestCheckValues_TellsWhatWasWrittenOverALatin1Connection(t *testing.T) {
	d := testdb.MySQL(t)
	c := onMySQL(t, d)
	c.flags.Prefix = text("app_")
	c.today()
	const written = `
$over = function ($charset, $collation) use ($capsule, $conn) {
    $capsule->addConnection(['charset' => $charset, 'collation' => $collation] + $conn->getConfig(), $charset);
    return new Illuminate\Cache\Repository(new Illuminate\Cache\DatabaseStore($capsule->getConnection($charset), 'cache', getenv('LARAVEL_PREFIX'), 'cache_locks'));
};
$over('utf8mb4', 'utf8mb4_unicode_ci')->put('right', '新零售商城 Café', 600);
$latin1 = $over('latin1', 'latin1_swedish_ci');
$latin1->put('ascii', 'plain', 600);
`
	app := laravel.OnMySQL(t, d, "app_")
	app.Run(t, written)
	c.examine().all(OK, "values")

	var read []string
	app.Ask(t, &read, written+`
$texts = ['新零售商城', 'Café €', implode('', array_map(fn ($n) => mb_chr($n), range(0x80, 0x7ff))), ['名' => ['值']]];
foreach ($texts as $i => $text) {
    $latin1->put("twice$i", $text, 600);
}
answer(array_map(fn ($i) => $latin1->get("twice$i") === $texts[$i] ? 'same' : 'other', array_keys($texts)));`)
	if strings.Join(read, " ") != "same same same same" {
		t.Errorf("Laravel reads %q", read)
	}
	c.exec("INSERT INTO cache VALUES ('app_broken', 's:9:\"Ã©\";', 4000000000)")
	found := c.examine()
	found.wants("values", Problem, `PHP wrote "twice0", "twice1", "twice2" and 1 more over a latin1 connection`, "→ DB_CHARSET=utf8mb4    # ", "larder flush --yes")
	found.wants("values", Problem, `PHP cannot read "broken": `, "larder forget broken")
}
