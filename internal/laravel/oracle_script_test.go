package laravel_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larder-cache/larder/internal/laravel"
	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

// A step is one operation of a script, which Laravel and larder both perform at the time Now. Texts are bytes, because not all are UTF-8.
type step struct {
	Op      string
	Now     int64 // Unix seconds
	Key     []byte
	Keys    [][]byte // many, putMany
	Values  [][]byte // serialized
	TTL     *int64   // seconds; none is Laravel's null
	Fresh   int64    // flexible, whose stale is TTL
	By      int64    // increment, decrement
	Owner   []byte   // of a lock
	Lottery bool     // whether this acquisition of Laravel's deletes the expired locks, which it does by chance
	Advance int64    // by how much the time moves before the step

	values []any // larder's
}

func (s step) String() string {
	text := s.Op
	if s.Op != "many" && s.Op != "putMany" {
		text += fmt.Sprintf(" %q", s.Key)
	}
	for i, key := range s.Keys {
		text += fmt.Sprintf(" %q", key)
		if i < len(s.Values) {
			text += fmt.Sprintf("=%q", s.Values[i])
		}
	}
	if len(s.Keys) == 0 && len(s.Values) > 0 {
		text += fmt.Sprintf(" = %q", s.Values[0])
	}
	if s.TTL != nil {
		text += fmt.Sprintf(" for %d s", *s.TTL)
	}
	if s.Op == "flexible" {
		text += fmt.Sprintf(" fresh %d s", s.Fresh)
	}
	if s.Op == "increment" || s.Op == "decrement" {
		text += fmt.Sprintf(" by %d", s.By)
	}
	if isLockOp(s.Op) {
		text += fmt.Sprintf(" owner %q", s.Owner)
	}
	if s.Lottery {
		text += " and the lottery"
	}
	if s.Op == "poke" {
		text += fmt.Sprintf(" expiring in %d s", s.Fresh)
	}
	if s.Advance > 0 {
		return fmt.Sprintf("(%d s later) %s", s.Advance, text)
	}
	return text
}

func isLockOp(op string) bool {
	return slices.Contains([]string{"acquire", "release", "forceRelease", "refresh", "owner", "isLocked"}, op)
}

const created = "illuminate:cache:flexible:created:" // and the key: flexible's second row

// keyPool has look-alikes under utf8mb4_unicode_ci by case, accent, trailing blank, ignorable character, and as emoji.
var keyPool = []string{
	"foo", "foo", "foo", "foo", "Foo", "fóo", "foo ", "f\x00oo", "bar", "bar", "b\u00adar", "1", "01", "日本", "😀", "🎉", "", `it's "q" \%_`, "a:b",
	created + "foo", created + "FOO", created + "bar",
}

// awkwardKeys are rarer: as long as fits, longer by one, and not UTF-8.
var awkwardKeys = []string{
	strings.Repeat("k", 255-len(prefix)), strings.Repeat("k", 256-len(prefix)), strings.Repeat("é", 255-len(prefix)), strings.Repeat("é", 256-len(prefix)), "f\xffoo", "foo\xc3",
}

var (
	lockPool  = []string{"job", "job", "job", "Job", "jób", "job ", "foo", "other", "other", "🔒", "🗝"}
	ownerPool = []string{"alice", "alice", "bob", "Alice", "álice", "bob "}
)

// valuePool is drawn from evenly; null and numbers occur more often, because more depends on them.
var valuePool = []any{
	nil, nil, nil, true, false,
	0, 1, 5, 5, 5, -7, 41, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, int64(999_999_999_999_999_999), int64(-999_999_999_999_999_999),
	0.0, math.Copysign(0, -1), 1.5, 7.9, -7.9, 0.1, 1e17, 1e100, -1e100, 5e-324, math.Inf(1), math.Inf(-1), math.NaN(), 9.2233720368547758e18,
	"", "bar", "x", "héllo wörld", "日本 😀", `it's "q" \ {};:`, "line\nbreak", "a\x00b", "s:3:\"bar\";", "Zm9v",
	"7", "7.9", " 7", "7 ", "-3", "+4", "1e3", ".5", "5.", "0x1A", "9223372036854775807", "9223372036854775808", "1e30", "12abc", "١",
	"not \xff utf-8", "\x00\xfe",
	[]any{}, []any{1, "two", 3.0, nil, true}, []any{[]any{}, []any{[]any{1}}}, map[string]any{"a": 1, "b": map[string]any{"c": []any{nil}}},
	map[string]any{"5": "int", "05": "string", "-3": "int", "": "empty"}, map[int]string{7: "seven", 3: "three"}, map[string]any{"nul\x00": "\x00"},
}

// pokes are stored values that neither side writes: objects, what PHP reads without writing it, and what is no value at all.
var pokes = []string{
	`O:8:"stdClass":1:{s:1:"a";i:1;}`, `O:8:"stdClass":0:{}`, "i:+5;", "i:007;", "i:-0;", "d:1e3;", "d:.5;", "a:2:{i:0;i:1;i:1;R:2;}",
	"", "x", "i:5", "i:5;junk", `s:9:"short";`, "eyJpdiI6Im5vbmUifQ==", "b:2;", "i:5;", "N;", `s:1:"7";`,
}

// foreignKeys are rows of other applications in the same table.
var foreignKeys = []string{"foo", "other_cache_foo", "LARAVEL_CACHE_foo", "laravel_cache"}

// A feature is an operation that only newer releases have.
func features(t *testing.T, r laravel.Release) map[string]bool {
	return map[string]bool{
		"touch": r.Since(t, 13, 0), "refresh": r.Since(t, 13, 16), "isLocked": r.Since(t, 13, 8), "flexible": r.Since(t, 11, 24),
	}
}

var weights = []struct {
	op     string
	weight int
}{
	{"get", 10}, {"has", 5}, {"many", 5}, {"pull", 4}, {"put", 14}, {"forever", 4}, {"putMany", 6}, {"add", 9}, {"increment", 8}, {"decrement", 4},
	{"touch", 4}, {"forget", 5}, {"flush", 1}, {"remember", 5}, {"rememberForever", 2}, {"flexible", 8}, {"poke", 5},
	{"acquire", 10}, {"release", 4}, {"forceRelease", 1}, {"refresh", 5}, {"owner", 3}, {"isLocked", 1},
}

// A generator makes up scripts. The same seed makes the same ones.
type generator struct {
	*rand.Rand
	has  map[string]bool
	last step
}

func newGenerator(seed uint64, has map[string]bool) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0)), has: has}
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// script returns an episode of n steps, which begins with empty tables. Some begin after 2028-01-22, from when on "forever" does not fit an
// INT column.
func (g *generator) script(n int) []step {
	now := int64(1_700_000_000) + g.Int64N(1000)
	if g.IntN(5) == 0 {
		now += 200_000_000
	}
	var steps []step
	for len(steps) < n {
		switch {
		case g.IntN(20) == 0:
			steps = append(steps, g.scene()...)
		case len(steps) > 0 && g.IntN(10) == 0:
			again := g.last
			again.Advance = 0
			steps = append(steps, again)
		default:
			steps = append(steps, g.step())
		}
		g.last = steps[len(steps)-1]
	}
	return timed(steps[:n], now)
}

// timed sets the times of steps that begin now.
func timed(steps []step, now int64) []step {
	for i := range steps {
		now += steps[i].Advance
		steps[i].Now = now
	}
	return steps
}

// boundaries returns an episode in which each operation that asks whether a row is live comes a second before its expiry, at it, and a second
// after it. Chance would leave out one or the other.
func (g *generator) boundaries() []step {
	const ttl = 3
	five := step{Op: "put", Key: []byte("foo"), TTL: new(int64(ttl))}
	five.addValue(5)
	held := step{Op: "acquire", Key: []byte("job"), Owner: []byte("alice"), TTL: new(int64(ttl))}
	many := step{Op: "many", Keys: [][]byte{[]byte("foo"), []byte("bar")}}
	made := step{Op: "flexible", Key: []byte("foo"), Fresh: ttl, TTL: new(int64(2 * ttl))}
	made.addValue("made")
	var steps []step
	each := func(first, then step, after int64) {
		if has, newer := g.has[then.Op]; newer && !has {
			return
		}
		for _, then.Advance = range []int64{after - 1, after, after + 1} {
			steps = append(steps, step{Op: "forget", Key: []byte("foo")}, step{Op: "forceRelease", Key: []byte("job")}, first, then)
		}
	}
	for _, op := range []string{"get", "has", "pull", "add", "increment", "decrement", "touch", "put", "forget", "remember"} {
		then := step{Op: op, Key: []byte("foo"), By: 1, TTL: new(int64(10))}
		then.addValue("new")
		each(five, then, ttl)
	}
	each(five, many, ttl)
	each(made, made, ttl)
	each(made, made, 2*ttl)
	if g.has["flexible"] { // made in a future whose end is beyond the integers
		future := step{Op: "put", Key: []byte(created + "foo"), TTL: new(int64(100))}
		future.addValue(math.MaxInt64)
		steps = append(steps, five, future, made)
	}
	for _, op := range []string{"acquire", "release", "forceRelease", "refresh", "owner", "isLocked"} {
		for _, owner := range []string{"alice", "bob"} {
			each(held, step{Op: op, Key: []byte("job"), Owner: []byte(owner), TTL: new(int64(10))}, ttl)
		}
	}
	return timed(steps, 1_700_000_000)
}

// scene returns steps that chance brings together too rarely.
func (g *generator) scene() []step {
	key := []byte(pick(g, keyPool))
	storing := func(op string, key []byte, value any, ttl *int64) step {
		s := step{Op: op, Key: key, TTL: ttl}
		s.addValue(value)
		return s
	}
	poke := step{Op: "poke", Key: append([]byte(prefix), key...), Values: [][]byte{[]byte(pick(g, pokes))}, Fresh: 60}
	scenes := 6
	if g.has["flexible"] {
		scenes++
	}
	switch g.IntN(scenes) {
	case 6: // a companion that is no integer
		flexible := storing("flexible", key, "made", new(int64(10)))
		return []step{storing("put", key, "old", new(int64(60))), storing("put", append([]byte(created), key...), pick(g, []any{"text", 1.5, true}), new(int64(60))), flexible}
	case 0: // a stored null, and who takes it for a miss
		return []step{storing("put", key, nil, new(int64(60))), {Op: "has", Key: key}, storing("add", key, "again", nil)}
	case 1: // a companion without its value
		return []step{{Op: "forget", Key: key}, storing("put", append([]byte(created), key...), 1, new(int64(60))), {Op: "pull", Key: key}}
	case 2: // some of the values are refused
		s := step{Op: "putMany", Keys: [][]byte{key, []byte(pick(g, awkwardKeys))}, TTL: g.ttl("putMany")}
		s.addValue("stored")
		s.addValue("maybe")
		return []step{s}
	case 3: // an object
		poke.Values = [][]byte{[]byte(pokes[0])}
		return []step{poke, {Op: "get", Key: key}, {Op: "increment", Key: key, By: 1}}
	case 4: // a counter at its end
		return []step{storing("forever", key, math.MaxInt64, nil), {Op: "increment", Key: key, By: 1}, {Op: "decrement", Key: key, By: -1}}
	default:
		return []step{
			poke, {Op: "has", Key: key}, {Op: "get", Key: key}, {Op: "increment", Key: key, By: 2}, storing("add", key, 1, new(int64(3))),
			{Op: "pull", Key: key}, poke, storing("remember", key, 1, new(int64(10))),
		}
	}
}

func (g *generator) step() step {
	s := step{Op: g.op()}
	if g.IntN(4) == 0 {
		s.Advance = pick(g, []int64{1, 1, 1, 1, 2, 2, 3, 5, 9, 10, 60})
	}
	switch s.Op {
	case "putMany", "many":
		for range pick(g, []int{0, 1, 2, 2, 3, 3, 4, 5}) {
			if key := g.key(); !slices.ContainsFunc(s.Keys, func(k []byte) bool { return string(k) == string(key) }) {
				s.Keys = append(s.Keys, key)
			}
		}
	case "poke":
		s.Key, s.Values, s.Fresh = []byte(prefix+pick(g, keyPool)), [][]byte{[]byte(pick(g, pokes))}, pick(g, []int64{-1, 0, 1, 5, 60, 60, 60, 60})
		if g.IntN(3) == 0 {
			s.Key = []byte(pick(g, foreignKeys))
		}
		return s
	case "increment", "decrement":
		s.Key, s.By = g.key(), pick(g, []int64{1, 1, 1, 2, 0, -1, -5, 100, 1 << 62, math.MaxInt64, math.MinInt64})
		return s
	case "acquire", "release", "forceRelease", "refresh", "owner", "isLocked":
		s.Key, s.Owner, s.Lottery = []byte(pick(g, lockPool)), []byte(pick(g, ownerPool)), s.Op == "acquire" && g.IntN(10) == 0
		if g.IntN(30) == 0 {
			s.Key = []byte(pick(g, awkwardKeys))
		}
		if g.IntN(8) != 0 { // else it is Laravel's restoreLock
			s.TTL = new(pick(g, []int64{1, 1, 2, 3, 10, 0, -1}))
		}
		return s
	default:
		s.Key = g.key()
	}
	s.TTL = g.ttl(s.Op)
	if s.Op == "flexible" {
		s.Fresh = pick(g, []int64{0, 1, 2})
	}
	if slices.Contains([]string{"put", "forever", "putMany", "add", "remember", "rememberForever", "flexible"}, s.Op) {
		n := 1
		if s.Op == "putMany" {
			n = len(s.Keys)
		}
		for range n {
			s.addValue(pick(g, valuePool))
		}
	}
	return s
}

func (g *generator) op() string {
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	for {
		n := g.IntN(total)
		for _, w := range weights {
			if n -= w.weight; n >= 0 {
				continue
			}
			if has, newer := g.has[w.op]; newer && !has {
				break
			}
			return w.op
		}
	}
}

func (g *generator) key() []byte {
	if key, ours := strings.CutPrefix(string(g.last.Key), prefix); ours && g.last.Op == "poke" && g.IntN(4) != 0 {
		return []byte(key) // see what becomes of it
	}
	if len(g.last.Key) > 0 && !isLockOp(g.last.Op) && g.last.Op != "poke" && g.IntN(4) == 0 {
		return g.last.Key
	}
	if g.IntN(30) == 0 {
		return []byte(pick(g, awkwardKeys))
	}
	return []byte(pick(g, keyPool))
}

func (g *generator) ttl(op string) *int64 {
	switch op {
	case "flexible":
		return new(pick(g, []int64{2, 3, 5, 10}))
	case "touch":
		return new(pick(g, []int64{1, 2, 3, 10, 0, -5}))
	case "put", "putMany", "add", "remember":
		if g.IntN(6) > 0 {
			return new(pick(g, []int64{1, 1, 2, 2, 3, 3, 10, 3600, 0, -5}))
		}
	}
	return nil
}

// addValue adds a value for larder, and its serialization, from which PHP makes its own.
func (s *step) addValue(value any) {
	serialized, err := php.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%#v: %v", value, err)) // the pool is wrong
	}
	s.values, s.Values = append(s.values, value), append(s.Values, serialized)
}

// command is what the PHP side reads.
func (s step) command() json.RawMessage {
	if s.Keys == nil {
		s.Keys = [][]byte{}
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has nothing that JSON cannot say
	}
	return text
}

// rowKeys are the row keys that the step names, in its order.
func (s step) rowKeys() []string {
	if len(s.Keys) == 0 && s.Op != "many" && s.Op != "putMany" {
		return []string{prefix + string(s.Key)}
	}
	keys := make([]string, len(s.Keys))
	for i, key := range s.Keys {
		keys[i] = prefix + string(key)
	}
	return keys
}

// expiration is when rows expire that the step writes.
func (s step) expiration() int64 {
	if s.TTL == nil {
		return s.Now + int64(store.ForeverTTL.Seconds())
	}
	return s.Now + *s.TTL
}

// forgets tells whether the step is to delete its keys.
func (s step) forgets() bool {
	switch s.Op {
	case "forget", "pull":
		return true
	case "put", "putMany", "touch", "remember":
		return s.TTL != nil && *s.TTL <= 0
	}
	return false
}
