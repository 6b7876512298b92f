package store

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/testdb"
)

// Keys that a collation of the server takes for one must count as one: all strings of one and two ASCII characters, of three letters, and of one
// Chinese character are compared by each. Collations that ignore no accents, or that tell trailing spaces, equate less than those that are asked.
func TestFold_EquatesWhateverSomeCollationEquates(t *testing.T) {
	db := testdb.MySQL(t).Open(t)
	db.SetMaxOpenConns(1) // for the variable
	execute(t, db, "SET SESSION group_concat_max_len=1000000")
	execute(t, db, "CREATE TABLE k (k VARCHAR(6) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
	insertKeys(t, db, foldSamples())
	collations := selectAll(t, db, "SELECT collation_name FROM information_schema.collations WHERE character_set_name='utf8mb4'"+
		" AND collation_name NOT LIKE '%\\_bin' AND collation_name NOT LIKE '%\\_nopad\\_%' AND collation_name NOT LIKE '%\\_as\\_%'")
	if len(collations) < 20 {
		t.Fatalf("the server has only the collations %q", collations)
	}
	for _, collation := range collations {
		for _, group := range selectAll(t, db, "SELECT GROUP_CONCAT(HEX(k)) FROM k GROUP BY k COLLATE "+collation+" HAVING COUNT(*)>1") {
			first := ""
			for i, text := range strings.Split(group, ",") {
				key, err := hex.DecodeString(text)
				if err != nil {
					t.Fatal(err)
				}
				folded, ok := fold(nil, string(key))
				if i == 0 {
					first = string(folded)
				}
				if !ok || string(folded) != first {
					t.Fatalf("%s equates %q with a key that is folded to %q, but %q is what it is folded to", collation, key, first, folded)
				}
			}
		}
	}
}

// hungarian are the letters of that language that are written as several, and doubled as in ccs, which is cscs.
var hungarian = []string{"cs", "dz", "dzs", "gy", "ly", "ny", "sz", "ty", "zs"}

// The collation utf8mb4_hu_0900_ai_ci, which MySQL has since 8.0 and MariaDB has not, equates them.
func TestFold_HungarianLettersThatAreDoubled(t *testing.T) {
	for _, letter := range hungarian {
		short, ok := fold(nil, "key:"+strings.ToUpper(letter[:1])+letter+":1")
		long, also := fold(nil, "key:"+letter+letter+":1")
		if !ok || !also || string(short) != string(long) {
			t.Errorf("%s%s is folded to %q, and %s%s to %q", letter[:1], letter, short, letter, letter, long)
		}
	}
}

// Keys that differ in what no collation equates have counters of their own, or a write of one would make all be read anew.
func TestFold_TellsMostKeysApart(t *testing.T) {
	seen := map[string]bool{}
	for n := range 1000 {
		for _, format := range []string{"user:%d", "posts.%d.comments", "session-%x"} {
			folded, _ := fold(nil, fmt.Sprintf(format, n*7919))
			seen[string(folded)] = true
		}
	}
	if len(seen) < 2700 {
		t.Errorf("3000 keys are folded to %d", len(seen))
	}
}

func foldSamples() (keys []string) {
	for a := range rune(0x80) {
		keys = append(keys, string(a))
		for b := range rune(0x80) {
			keys = append(keys, string([]rune{a, b}))
		}
	}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			for c := 'a'; c <= 'z'; c++ {
				keys = append(keys, string([]rune{a, b, c}))
			}
		}
	}
	for _, letter := range hungarian {
		keys = append(keys, letter[:1]+letter, letter+letter)
	}
	for r := '\u4E00'; r <= '\u9FFF'; r++ {
		keys = append(keys, string(r))
	}
	return keys
}

func insertKeys(t *testing.T, db *sql.DB, keys []string) {
	t.Helper()
	var rows []string
	for i, key := range keys {
		rows = append(rows, fmt.Sprintf("(x'%x')", key))
		if len(rows) == 5000 || i == len(keys)-1 {
			execute(t, db, "INSERT INTO k VALUES "+strings.Join(rows, ","))
			rows = nil
		}
	}
}

func execute(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func selectAll(t *testing.T, db *sql.DB, statement string) (column []string) {
	t.Helper()
	rows, err := db.Query(statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		column = append(column, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return column
}

// Kana of two kinds, letters with and without accents, and all emoji are each one to some collation.
func TestFold_TellsOfASCIIAndChineseAlone(t *testing.T) {
	for key, want := range map[string]bool{
		"key": true, "\u4E00": true, "\u9FFF": true, "é": false, "あ": false, "ア": false, "、": false, "\u4DFF": false, "\uA000": false, "한": false, "😀": false,
	} {
		if _, ok := fold(nil, "a"+key); ok != want {
			t.Errorf("%q: %v, want %v", key, ok, want)
		}
	}
}
