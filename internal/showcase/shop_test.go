//go:build showcase

package showcase

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
)

// rows is how many rows the shop's cache has at first, and expired how many of them have expired.
const (
	rows    = 500_000
	expired = 180_000
)

// A shop is a Laravel application's cache of half a million rows, as one finds them: products, users, pages, sessions, rate limiters, another
// application's rows beside them, and keys that are not made for terminals.
type shop struct {
	tb testing.TB
	db *sql.DB
}

func newShop(tb testing.TB, db *testdb.Database) *shop { return &shop{tb, db.Open(tb)} }

func (s *shop) exec(statement string, args ...any) {
	s.tb.Helper()
	if _, err := s.db.Exec(statement, args...); err != nil {
		s.tb.Fatalf("%.100s: %v", statement, err)
	}
}

// numbered adds n rows, whose key, value and expiration are SQL expressions of a number that is called seq. It needs MariaDB's sequences.
func (s *shop) numbered(n int, key, value, expiration string) {
	s.tb.Helper()
	s.exec(fmt.Sprintf("INSERT INTO cache SELECT %s, %s, UNIX_TIMESTAMP() + %s FROM seq_1_to_%d", key, value, expiration, n))
}

// row adds one row, to live that long or to have expired as long ago.
func (s *shop) row(key, value string, ttl time.Duration) {
	s.tb.Helper()
	s.exec("INSERT INTO cache VALUES (?, ?, ?)", key, value, time.Now().Add(ttl).Unix())
}

func (s *shop) lock(name, owner string, ttl time.Duration) {
	s.tb.Helper()
	s.exec("INSERT INTO cache_locks VALUES (?, ?, ?)", name, owner, time.Now().Add(ttl).Unix())
}

func phpString(text string) string { return fmt.Sprintf(`s:%d:"%s";`, len(text), text) }

// fill makes the shop's rows.
func (s *shop) fill() {
	const (
		product = `CONCAT('a:3:{s:2:"id";i:', seq, ';s:5:"price";d:', ROUND(seq%900+0.95, 2), ';s:4:"tags";a:2:{i:0;s:3:"new";i:1;s:4:"sale";}}')`
		user    = `CONCAT('O:15:"App\\Models\\User":3:{s:2:"id";i:', seq, ';s:7:"\0*\0role";s:5:"buyer";s:28:"\0App\\Models\\User\0permissions";a:2:{i:0;s:4:"read";i:1;s:5:"write";}}')`
		page    = `CONCAT('s:', 2000+seq%6000, ':"', RPAD('<article class="product">', 2000+seq%6000, '<p>lorem ipsum dolor sit amet</p>'), '";')`
		session = `CONCAT('s:31:"a:1:{s:7:"cart_id";i:', 10000000 + seq, ';}";')`
		hits    = `'i:3;'`
	)
	s.numbered(expired, "CONCAT('shop_cache_product:', LPAD(seq, 7, '0'), ':availability')", product, "-1 - CAST(seq % 86400 AS SIGNED)")
	s.numbered(150_000, "CONCAT('shop_cache_product:', LPAD(seq, 7, '0'), ':price')", product, "(60 + seq % 86400)")
	s.numbered(70_000, "CONCAT('shop_cache_user:', seq)", user, "(3600 + seq % 604800)")
	s.numbered(8_000, "CONCAT('shop_cache_page:/products/', seq)", page, "(30 + seq % 3600)")
	s.numbered(60_000, "CONCAT('shop_cache_', LEFT(SHA1(seq), 40))", session, "(seq % 7200 + 1)")
	s.numbered(20_000, "CONCAT('shop_cache_', SHA1(seq + 1000000), ':timer')", hits, "(seq % 60 + 5)")
	s.numbered(1_500, "CONCAT('shop_cache_setting:', seq)", `'b:1;'`, "315360000")
	s.numbered(1_200, "CONCAT('blog-cache-post.', seq)", page, "3600")
	s.numbered(rows-expired-150_000-70_000-8_000-60_000-20_000-1_500-1_200, "CONCAT('shop_cache_search.', seq)", hits, "(600 + seq % 100)")

	const settings = `a:4:{s:6:"城市";s:6:"杭州";s:6:"主题";s:6:"深色";s:6:"通知";b:1;s:6:"标签";a:2:{i:0;s:9:"老客户";i:1;s:6:"批发";}}`
	s.row("shop_cache_用户:张伟:设置", settings, 2*time.Hour)
	s.row("shop_cache_用户:李娜:设置", settings, 26*time.Hour)
	s.row("shop_cache_用户:王芳:购物车", `a:0:{}`, 15*time.Minute)
	report := "date,branch,revenue\n"
	for i := 0; len(report) < 10<<10; i++ {
		report += fmt.Sprintf("2026-11-%02d,%s,%d.00\n", i%28+1, []string{"Hangzhou", "上海", "深圳"}[i%3], 1000+i)
	}
	s.row("shop_cache_report:2026-11:by-branch", phpString(report), 3*time.Hour)
	s.row("shop_cache_report:2026-11:"+strings.Repeat("very-long-name-of-a-branch-", 6)+"final", `i:7;`, 3*time.Hour)
	s.row("shop_cache_user:7:profile", `O:15:"App\Models\User":5:{s:2:"id";i:7;s:4:"name";s:6:"张伟";s:7:"`+"\x00*\x00"+`tags";a:2:{i:0;s:5:"admin";i:1;E:11:"Suit:Hearts";}`+
		`s:25:"`+"\x00App\\Models\\User\x00"+`password";s:24:"$2y$10$abcdefghijklmnopq";s:7:"manager";O:15:"App\Models\User":1:{s:2:"id";i:3;}}`, 45*time.Minute)
	s.row("shop_cache_report:\x1b[2Jevil\u202egpj.exe", phpString("\x1b]0;owned\x07 and \x1b[31mred"), time.Hour)
	s.row("shop_cache_stripe_secret_key", phpString("sk_live_0123456789abcdefghij"), time.Hour)
	s.row("shop_cache_report:broken", `a:2:{i:0;s:3:"ab`, time.Hour)
	s.row("shop_cache_report:👨‍👩‍👧:família", phpString("👍🏽 é ü ﷽"), 90*time.Second)

	s.lock("shop_cache_report:nightly", "kQ8sW2yLmA0bXcVd", 9*time.Minute)
	s.lock("shop_cache_锁:导入:华东", "web-03:4711", 50*time.Second+4*time.Minute)
	s.lock("shop_cache_framework/schedule-"+strings.Repeat("0b77a", 8), "Zr5tPq1uKj8eNw3x", 24*time.Hour)
	s.lock("blog-cache-sitemap", "u2Hd8fLs0QpWzXy6", time.Minute)
}
