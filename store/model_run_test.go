package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"pgregory.net/rapid"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/storetest"
)

// These tests do random things to a store and to a model of it, and compare the answers and, after each, all of both tables. For more than
// the default 60 sequences: go test ./store -run TestModel -rapid.checks 2000

func TestModel_SQLite(t *testing.T) { runModel(t, sqliteEngine, openSQLite) }

func TestModel_MySQL(t *testing.T) { runModel(t, unicodeEngine, openMySQL) }

// Without a collation there are no look-alikes, so that the model is of nothing but bytes.
func TestModel_MySQLBinaryKeys(t *testing.T) {
	runModel(t, binaryEngine, func(tb testing.TB, opts ...store.Option) *store.Store {
		return altered(tb, openMySQL(tb, opts...), "MODIFY `key` VARBINARY(1020) NOT NULL")
	})
}

func TestModel_MySQLTableOfLaravel5(t *testing.T) {
	runModel(t, unicodeEngine, func(tb testing.TB, opts ...store.Option) *store.Store {
		return altered(tb, openMySQL(tb, opts...), "DROP PRIMARY KEY, ADD UNIQUE cache_key_unique (`key`), MODIFY expiration INT NOT NULL")
	})
}

func TestModel_MySQLPreparedStatementsAndFoundRows(t *testing.T) {
	runModel(t, unicodeEngine, func(tb testing.TB, opts ...store.Option) *store.Store {
		cfg := migrated(tb, testdb.MySQL(tb)).Config()
		cfg.ClientFoundRows, cfg.InterpolateParams, cfg.MaxAllowedPacket = true, false, 0
		return newStore(tb, cfg, opts...)
	})
}

func altered(tb testing.TB, s *store.Store, how string) *store.Store {
	tb.Helper()
	for _, table := range []string{"cache", "cache_locks"} {
		if _, err := s.DB().Exec("ALTER TABLE " + table + " " + how); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

var (
	sqliteEngine  = engine{class: func(key string) string { return key }, base64: true}
	binaryEngine  = engine{class: func(key string) string { return key }, refuses: true}
	unicodeEngine = engine{class: unicodeClass, refuses: true}
)

// unicodeClass is what utf8mb4_unicode_ci makes of the keys that this test has: it ignores case, accents, control characters and spaces at
// the end, and takes all characters beyond U+FFFF for one.
func unicodeClass(key string) string {
	key = strings.Map(func(r rune) rune {
		switch {
		case r < '\t':
			return -1
		case r > 0xFFFF:
			return '\uFFFD'
		case r == 'ó', r == 'Ó':
			return 'o'
		}
		return r
	}, strings.ToLower(key))
	return strings.TrimRight(key, " ")
}

const modelStart = 1_000_000_000

// The prefixes of the stores that share the tables: none, one, a look-alike of it, and one that goes on where it ends.
var modelPrefixes = []string{"", "app:", "App:", "app:foo"}

func boundary(prefix string, length int) string { return strings.Repeat("ó", length-len(prefix)) }

var (
	modelKeys = []string{
		"", "foo", "Foo", "FÓO", "fóo", "foo ", "foo\x01", "foox", "fo", "foofoo", "foo_", "foo%", "foo:bar", "app:foo", "💰", "🦄", "💰key", `back\slash`, "que'ry`?",
		"illuminate:cache:flexible:created:foo", "illuminate:cache:flexible:created:Foo", "illuminate:cache:flexible:created:💰",
		boundary("", 255), boundary("", 256), boundary("app:", 255), boundary("app:", 256), boundary("app:foo", 255), "not \xff UTF-8",
	}
	modelPatterns = []string{
		"", "*", "foo", "foo*", "Foo*", "f?o", "f?o*", "*o", "*o*", "?", "foo_", "foo_*", "foo%*", "💰*", "?key", "illuminate:*", `back\*`, "ó*", "app:*", "foo \x01*",
		"not \xff*",
	}
	modelNames  = []string{"job", "Job", "job ", "💰", "🦄", boundary("", 255), boundary("", 256), boundary("app:", 256)}
	modelOwners = []string{"a", "A", "b", "ó"}
	modelTTLs   = []time.Duration{
		-time.Second, 0, 1, time.Second - 1, time.Second, time.Second + 1, time.Minute, time.Minute, time.Hour, time.Hour, 400 * 24 * time.Hour, store.ForeverTTL,
	}
	modelSteps  = []int64{0, 1, 1, 2, -1, -3, 99, 1 << 62, -1 << 62, 1<<62 + 1, -1<<62 - 1, math.MaxInt64, math.MinInt64}
	modelValues = []sample{
		{nil, "N;", "null", store.ErrNotNumber},
		{true, "b:1;", "bool", store.ErrNotNumber},
		integer(0), integer(7), integer(-1), integer(999999999999999999), integer(-999999999999999999),
		integer(1e18), integer(math.MaxInt64), integer(math.MinInt64),
		{3.75, "d:3.75;", "float", int64(3)},
		{-3.75, "d:-3.75;", "float", int64(-3)},
		{1e30, "d:1.0E+30;", "float", store.ErrOverflow},
		{"", `s:0:"";`, "string", store.ErrNotNumber},
		{"bar", `s:3:"bar";`, "string", store.ErrNotNumber},
		{"7", `s:1:"7";`, "string", int64(7)},
		{" 7.9", `s:4:" 7.9";`, "string", int64(7)},
		{"i:7;", `s:4:"i:7;";`, "string", store.ErrNotNumber},
		{"9223372036854775808", `s:19:"9223372036854775808";`, "string", store.ErrOverflow},
		{"💰", `s:4:"💰";`, "string", store.ErrNotNumber},
		{"a\x00b", "s:3:\"a\x00b\";", "string", store.ErrNotNumber},
		{"\xff", "s:1:\"\xff\";", "string", store.ErrNotNumber},
		{strings.Repeat("x", 1000), `s:1000:"` + strings.Repeat("x", 1000) + `";`, "string", store.ErrNotNumber},
		{[]any{int64(1), "two", nil}, `a:3:{i:0;i:1;i:1;s:3:"two";i:2;N;}`, "array", store.ErrNotNumber},
		{[]any{}, "a:0:{}", "array", store.ErrNotNumber},
	}
	// What others may have written.
	foreignValues = []sample{
		{nil, "", "corrupt", store.ErrCorrupt},
		{nil, "rubbish", "corrupt", store.ErrCorrupt},
		{nil, "i:7", "corrupt", store.ErrCorrupt}, // cut, or with something after it: a number's size tells
		{nil, "i:7;i:8;", "corrupt", store.ErrCorrupt},
		{int64(7), "i:007;", "int", int64(7)},
		{int64(7), "i:+7;", "int", int64(7)},
		{0.0, "d:-0;", "float", int64(0)},
		integer(5),
	}
)

// A machine is a store and its model, in one state if the store is right.
type machine struct {
	ctx    context.Context
	db     *sqlx.DB
	clock  *atomic.Int64
	stores []*store.Store // by modelPrefixes
	model  *model
}

func runModel(t *testing.T, e engine, open storetest.Opener) {
	clock := new(atomic.Int64)
	now := store.WithClock(func() time.Time { return time.Unix(clock.Load(), 999_999_999) })
	m := &machine{ctx: t.Context(), clock: clock}
	m.stores = append(m.stores, open(t, now))
	m.db = m.stores[0].DB()
	for _, prefix := range modelPrefixes[1:] {
		s, err := store.New(m.db, now, store.WithPrefix(prefix))
		if err != nil {
			t.Fatal(err)
		}
		m.stores = append(m.stores, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		clock.Store(modelStart)
		m.model = newModel(e)
		m.model.now = modelStart
		for _, statement := range []string{"DELETE FROM cache", "DELETE FROM cache_locks"} {
			if _, err := m.db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": m.compareTables,

			"get": m.get, "has": m.has, "many": m.many, "pull": m.pull, "list": m.list, "stats": m.stats,
			"put": m.put, "put again": m.put, "forever": m.forever, "putMany": m.putMany, "add": m.add, "touch": m.touch, "forget": m.forget, "foreign": m.foreign,
			"increment": m.increment, "increment again": m.increment, "decrement": m.decrement, "incrementOrAdd": m.incrementOrAdd,
			"flush": m.flush, "prune": m.prune, "remember": m.remember,
			"acquire": m.acquire, "acquire again": m.acquire, "release": m.release, "refresh": m.refresh, "forceRelease": m.forceRelease,
			"currentOwner": m.currentOwner, "putIfLocked": m.putIfLocked,
			"time": m.time,
		})
	})
}

// view draws one of the stores.
func (m *machine) view(t *rapid.T) (prefix string, s *store.Store) {
	i := rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3}).Draw(t, "store")
	return modelPrefixes[i], m.stores[i]
}

// Keys at the front are drawn more often, or rows would seldom meet.
func drawKey(t *rapid.T) string {
	if rapid.Bool().Draw(t, "common") {
		return rapid.SampledFrom(modelKeys[:5]).Draw(t, "key")
	}
	return rapid.SampledFrom(modelKeys).Draw(t, "key")
}

func drawTTL(t *rapid.T) time.Duration { return rapid.SampledFrom(modelTTLs).Draw(t, "ttl") }
func drawStep(t *rapid.T) int64        { return rapid.SampledFrom(modelSteps).Draw(t, "by") }

func drawValue(t *rapid.T) sample {
	return modelValues[rapid.IntRange(0, len(modelValues)-1).Draw(t, "value")]
}

func same[T any](t *rapid.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s is %+v, want %+v", what, got, want)
	}
}

func sameError(t *rapid.T, got, want error) {
	t.Helper()
	var limit *store.LimitError
	if want == errLimit && errors.As(got, &limit) || want != errLimit && errors.Is(got, want) {
		return
	}
	t.Fatalf("error is %v, want %v", got, want)
}

func (m *machine) compareTables(t *rapid.T) {
	var rows []struct {
		Key        string
		Value      []byte
		Expiration int64
	}
	if err := m.db.Select(&rows, "SELECT * FROM cache"); err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	for _, r := range rows {
		got["row "+r.Key] = fmt.Sprint(r.Expiration, " ", string(r.Value))
	}
	for _, r := range m.model.rows {
		want["row "+r.key] = fmt.Sprint(r.expiration, " ", m.model.column(r.value))
	}
	var locks []struct {
		Key, Owner string
		Expiration int64
	}
	if err := m.db.Select(&locks, "SELECT * FROM cache_locks"); err != nil {
		t.Fatal(err)
	}
	for _, l := range locks {
		got["lock "+l.Key] = fmt.Sprint(l.Expiration, " ", l.Owner)
	}
	for _, l := range m.model.locks {
		want["lock "+l.key] = fmt.Sprint(l.expiration, " ", l.owner)
	}
	for key := range got {
		if got[key] == want[key] {
			delete(got, key)
			delete(want, key)
		}
	}
	if len(got)+len(want) > 0 {
		t.Fatalf("the tables have %q, want %q in its place", got, want)
	}
}

func (m *machine) time(t *rapid.T) {
	m.model.now += rapid.SampledFrom([]int64{1, 1, 59, 60, 3599, 3600, 401 * 86400}).Draw(t, "seconds")
	m.clock.Store(m.model.now)
}

// foreign writes a row as another program might.
func (m *machine) foreign(t *rapid.T) {
	prefix, _ := m.view(t)
	key := prefix + drawKey(t)
	if checkKey(key) != nil {
		return
	}
	v := foreignValues[rapid.IntRange(0, len(foreignValues)-1).Draw(t, "value")]
	expiration := m.model.now + rapid.SampledFrom([]int64{-1, 0, 1, 3600}).Draw(t, "expires in")
	if _, err := m.db.Exec("REPLACE INTO cache VALUES (?, ?, ?)", key, v.text, expiration); err != nil {
		t.Fatal(err)
	}
	m.model.set(key, v, expiration)
}

func (m *machine) get(t *rapid.T) {
	prefix, s := m.view(t)
	key := drawKey(t)
	row, want := m.model.read(prefix + key)
	var value any
	sameError(t, s.Get(m.ctx, key, &value), want)
	same(t, "value", value, row.value.value)

	item, err := s.Item(m.ctx, key)
	if row, live := m.model.live(prefix + key); live {
		sameError(t, err, nil)
		m.sameItem(t, item, key, row)
	} else {
		sameError(t, err, store.ErrNotFound)
	}
}

func (m *machine) sameItem(t *rapid.T, item store.Item, key string, row modelRow) {
	t.Helper()
	same(t, "item's key", item.Key, key)
	same(t, "item's text", string(item.Raw), row.value.text)
	same(t, "item's expiration", item.Expiration, row.expiration)
	same(t, "item's TTL", item.TTL, time.Duration(row.expiration-m.model.now)*time.Second)
}

func (m *machine) has(t *rapid.T) {
	prefix, s := m.view(t)
	key := drawKey(t)
	_, want := m.model.live(prefix + key)
	got, err := s.Has(m.ctx, key)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) many(t *rapid.T) {
	prefix, s := m.view(t)
	keys := rapid.SliceOfN(rapid.SampledFrom(modelKeys), 0, 12).Draw(t, "keys")
	items, err := s.Many(m.ctx, keys...)
	sameError(t, err, nil)
	want := map[string]bool{}
	for _, key := range keys {
		if row, live := m.model.live(prefix + key); live {
			want[key] = true
			m.sameItem(t, items[key], key, row)
		}
	}
	same(t, "number of items", len(items), len(want))
}

func (m *machine) pull(t *rapid.T) {
	prefix, s := m.view(t)
	key := drawKey(t)
	row, want := m.model.pull(prefix, key)
	var value any
	sameError(t, s.Pull(m.ctx, key, &value), want)
	same(t, "value", value, row.value.value)
}

func (m *machine) put(t *rapid.T) {
	prefix, s := m.view(t)
	key, v, ttl := drawKey(t), drawValue(t), drawTTL(t)
	sameError(t, s.Put(m.ctx, key, v.value, ttl), m.model.put(prefix, key, v, ttl))
}

func (m *machine) forever(t *rapid.T) {
	prefix, s := m.view(t)
	key, v := drawKey(t), drawValue(t)
	sameError(t, s.Forever(m.ctx, key, v.value), m.model.put(prefix, key, v, store.ForeverTTL))
}

func (m *machine) putMany(t *rapid.T) {
	prefix, s := m.view(t)
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(modelKeys), 0, 5, rapid.ID).Draw(t, "keys")
	ttl := drawTTL(t)
	values, samples := map[string]any{}, map[string]sample{}
	var want error
	for _, key := range keys {
		v := drawValue(t)
		values[key], samples[key] = v.value, v
		if m.model.check(prefix+key, v) != nil {
			want = errLimit
		}
	}
	if want == nil {
		slices.Sort(keys)
		for _, key := range keys {
			_ = m.model.put(prefix, key, samples[key], ttl)
		}
	}
	sameError(t, s.PutMany(m.ctx, values, ttl), want)
}

func (m *machine) add(t *rapid.T) {
	prefix, s := m.view(t)
	key, v, ttl := drawKey(t), drawValue(t), drawTTL(t)
	want, wantErr := m.model.add(prefix+key, v, ttl)
	got, err := s.Add(m.ctx, key, v.value, ttl)
	sameError(t, err, wantErr)
	same(t, "answer", got, want)
}

func (m *machine) touch(t *rapid.T) {
	prefix, s := m.view(t)
	key, ttl := drawKey(t), drawTTL(t)
	want := m.model.touch(prefix, key, ttl)
	got, err := s.Touch(m.ctx, key, ttl)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) forget(t *rapid.T) {
	prefix, s := m.view(t)
	key := drawKey(t)
	want := m.model.forget(prefix, key)
	got, err := s.Forget(m.ctx, key)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) increment(t *rapid.T) {
	prefix, s := m.view(t)
	key, by := drawKey(t), drawStep(t)
	want, wantErr := m.model.increment(prefix+key, big.NewInt(by))
	got, err := s.Increment(m.ctx, key, by)
	sameError(t, err, wantErr)
	same(t, "number", got, want)
}

func (m *machine) decrement(t *rapid.T) {
	prefix, s := m.view(t)
	key, by := drawKey(t), drawStep(t)
	want, wantErr := m.model.increment(prefix+key, new(big.Int).Neg(big.NewInt(by)))
	got, err := s.Decrement(m.ctx, key, by)
	sameError(t, err, wantErr)
	same(t, "number", got, want)
}

func (m *machine) incrementOrAdd(t *rapid.T) {
	prefix, s := m.view(t)
	key, by, ttl := drawKey(t), drawStep(t), drawTTL(t)
	want, wantErr := m.model.incrementOrAdd(prefix+key, by, ttl)
	got, err := s.IncrementOrAdd(m.ctx, key, by, ttl)
	sameError(t, err, wantErr)
	same(t, "number", got, want)
}

func (m *machine) flush(t *rapid.T) {
	prefix, s := m.view(t)
	if rapid.IntRange(0, 3).Draw(t, "1 in 4") > 0 {
		return // there would seldom be many rows
	}
	var (
		want    = int64(0)
		wantErr error
		got     int64
		err     error
	)
	if all := rapid.Bool().Draw(t, "all"); all {
		want = m.model.flush("")
		got, err = s.FlushAll(m.ctx)
	} else {
		if wantErr = store.ErrNoPrefix; prefix != "" {
			want, wantErr = m.model.flush(prefix), nil
		}
		got, err = s.Flush(m.ctx)
	}
	sameError(t, err, wantErr)
	same(t, "number of rows", got, want)
}

func (m *machine) prune(t *rapid.T) {
	prefix, s := m.view(t)
	o := store.PruneOptions{
		MaxRows:     rapid.SampledFrom([]int64{0, 0, 1, 2, 3}).Draw(t, "max rows"),
		AllPrefixes: rapid.Bool().Draw(t, "all prefixes"),
	}
	var wantErr error
	var want store.PruneResult
	scope := prefix
	if o.AllPrefixes {
		scope = ""
	}
	if o.MaxRows > 0 && prefix == "" && !o.AllPrefixes {
		wantErr = errLimit
	} else {
		want.Expired, want.ExpiredLocks = m.model.prune()
	}
	live := m.model.selected(scope, m.model.isLive)
	if wantErr == nil && o.MaxRows > 0 {
		want.Evicted = max(0, int64(len(live))-o.MaxRows)
	}
	got, err := s.Prune(m.ctx, o)
	sameError(t, err, wantErr)
	got.MissingIndex = false // as the engine has it
	same(t, "result", got, want)
	m.evict(t, live, int(want.Evicted))
}

// evict follows a bound: which of the rows that expire in the same second has to go, the documentation leaves to the table.
func (m *machine) evict(t *rapid.T, live []modelRow, n int) {
	var kept []string
	if err := m.db.Select(&kept, "SELECT `key` FROM cache"); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(live, func(a, b modelRow) int { return int(a.expiration - b.expiration) })
	gone := 0
	for _, r := range live {
		if !slices.Contains(kept, r.key) {
			gone++
			m.model.remove(r.key)
			if last := live[n-1].expiration; r.expiration > last {
				t.Fatalf("%q, which expires at %d, was evicted before one that expires at %d", r.key, r.expiration, last)
			}
		}
	}
	same(t, "number of evicted rows", gone, n)
}

func (m *machine) remember(t *rapid.T) {
	prefix, s := m.view(t)
	key, v, ttl, locked := drawKey(t), drawValue(t), drawTTL(t), rapid.Bool().Draw(t, "with lock")
	want, wantErr := m.model.remember(prefix, key, v, ttl, locked)
	var opts []store.RememberOption
	if locked {
		opts = append(opts, store.WithLock(10*time.Second, 0))
	}
	got, err := store.Remember(m.ctx, s, key, ttl, func(context.Context) (any, error) { return v.value, nil }, opts...)
	sameError(t, err, wantErr)
	same(t, "value", got, want.value)
}

func (m *machine) list(t *rapid.T) {
	prefix, s := m.view(t)
	o := store.ListOptions{
		Pattern:     rapid.SampledFrom(modelPatterns).Draw(t, "pattern"),
		State:       rapid.SampledFrom([]store.State{"", store.Live, store.Expired, store.All}).Draw(t, "state"),
		Order:       rapid.SampledFrom([]store.Order{"", store.ByKey, store.ByExpiration, store.BySize}).Draw(t, "order"),
		Limit:       rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "limit"),
		AllPrefixes: rapid.Bool().Draw(t, "all prefixes"),
	}
	var got []store.Entry
	for e, err := range s.List(m.ctx, o) {
		sameError(t, err, nil)
		got = append(got, e)
	}
	if o.AllPrefixes {
		prefix = ""
	}
	want := m.listed(prefix, o)
	for i, e := range got {
		// The head is of no fixed length, and that of a corrupt value whatever base64 makes of it.
		value := want[e.Key].Head
		if e.Type == "corrupt" || bytes.HasPrefix(value, e.Head) && len(e.Head) >= min(len(value), 200) {
			e.Head, got[i].Head = value, value
		}
		same(t, "entry", e, want[e.Key])
	}
	m.sameOrder(t, got, want, o)
}

// listed is what a List may return, by key.
func (m *machine) listed(prefix string, o store.ListOptions) map[string]store.Entry {
	state := map[store.State]func(modelRow) bool{
		"": m.model.isLive, store.Live: m.model.isLive, store.Expired: m.model.isExpired, store.All: m.model.isAny,
	}[o.State]
	want := map[string]store.Entry{}
	for _, r := range m.model.selected(prefix, state) {
		key := r.key[len(prefix):]
		if o.Pattern == "" || matches(o.Pattern, key) {
			want[key] = store.Entry{
				Key: key, Head: []byte(r.value.text), Type: r.value.kind, Size: int64(len(m.model.column(r.value))), Expiration: r.expiration,
				TTL: time.Duration(r.expiration-m.model.now) * time.Second,
			}
		}
	}
	return want
}

// sameOrder checks that no row comes twice, that none is left out, and in which order they come. By key that is the collation's.
func (m *machine) sameOrder(t *rapid.T, got []store.Entry, want map[string]store.Entry, o store.ListOptions) {
	rank := func(e store.Entry) int64 {
		switch o.Order {
		case store.ByExpiration:
			return e.Expiration
		case store.BySize:
			return -e.Size
		}
		return 0
	}
	var ranks, wantRanks []int64
	seen := map[string]bool{}
	for _, e := range got {
		ranks = append(ranks, rank(e))
		seen[e.Key] = true
	}
	for _, e := range want {
		wantRanks = append(wantRanks, rank(e))
	}
	slices.Sort(wantRanks)
	if o.Limit > 0 && o.Limit < len(wantRanks) {
		wantRanks = wantRanks[:o.Limit]
	}
	same(t, "order", ranks, wantRanks)
	same(t, "number of distinct keys", len(seen), len(got))
}

func (m *machine) stats(t *rapid.T) {
	prefix, s := m.view(t)
	got, err := s.Stats(m.ctx, store.StatsOptions{})
	sameError(t, err, nil)
	count := func(rows []modelRow) (c store.Count) {
		for _, r := range rows {
			c.Rows++
			c.Bytes += int64(len(m.model.column(r.value)))
		}
		return c
	}
	same(t, "count", got.Count, count(m.model.selected(prefix, m.model.isAny)))
	same(t, "live", got.Live, count(m.model.selected(prefix, m.model.isLive)))
	same(t, "expired", got.Expired, count(m.model.selected(prefix, m.model.isExpired)))
	same(t, "corrupt", got.Corrupt, count(m.model.selected(prefix, func(r modelRow) bool { return r.value.kind == "corrupt" })))
	same(t, "others", got.Others, count(m.model.selected("", func(r modelRow) bool { return !strings.HasPrefix(r.key, prefix) })))
}

// lock draws a lock of one of a few owners.
func (m *machine) lock(t *rapid.T) (s *store.Store, lock *store.Lock, name, owner string, ttl time.Duration) {
	prefix, s := m.view(t)
	key, owner, ttl := rapid.SampledFrom(modelNames).Draw(t, "name"), rapid.SampledFrom(modelOwners).Draw(t, "owner"), drawTTL(t)
	return s, s.RestoreLock(key, owner, ttl), prefix + key, owner, ttl
}

func (m *machine) acquire(t *rapid.T) {
	_, lock, name, owner, ttl := m.lock(t)
	want, wantErr := m.model.acquire(name, owner, ttl)
	got, err := lock.Acquire(m.ctx)
	sameError(t, err, wantErr)
	same(t, "answer", got, want)
}

func (m *machine) release(t *rapid.T) {
	_, lock, name, owner, _ := m.lock(t)
	want := m.model.release(name, owner)
	got, err := lock.Release(m.ctx)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) refresh(t *rapid.T) {
	_, lock, name, owner, ttl := m.lock(t)
	want := m.model.refresh(name, owner, ttl)
	got, err := lock.Refresh(m.ctx)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) forceRelease(t *rapid.T) {
	_, lock, name, _, _ := m.lock(t)
	want := m.model.forceRelease(name)
	got, err := lock.ForceRelease(m.ctx)
	sameError(t, err, nil)
	same(t, "answer", got, want)
}

func (m *machine) currentOwner(t *rapid.T) {
	_, lock, name, _, _ := m.lock(t)
	got, err := lock.CurrentOwner(m.ctx)
	sameError(t, err, nil)
	same(t, "owner", got, m.model.currentOwner(name))
}

func (m *machine) putIfLocked(t *rapid.T) {
	_, lock, name, owner, _ := m.lock(t)
	prefix, s := m.view(t)
	key, v, ttl := drawKey(t), drawValue(t), drawTTL(t)
	want, wantErr := m.model.putIfLocked(name, owner, prefix+key, v, ttl)
	got, err := s.PutIfLocked(m.ctx, lock, key, v.value, ttl)
	sameError(t, err, wantErr)
	same(t, "answer", got, want)
}
