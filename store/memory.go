package store

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/larder-cache/larder/store/record"
)

type memoryConfig struct {
	size   int
	maxAge time.Duration
}

// WithMemory makes the store keep what Get and Item read in this process's memory, for hot keys: up to about size bytes, keys and
// bookkeeping included, each value for at most maxAge. Get, Item, Has and a hit of [Remember] are answered from there without a round trip.
// What is used seldom makes room for what is used often. Defaults to no memory.
//
// What a store with a memory promises:
//
//   - What this Store writes it reads from then on: when a method that writes has returned, no Get that begins afterwards returns what was
//     there before, also when other goroutines were reading the key meanwhile.
//   - What others write (another Store of this process, PHP, a statement by hand) is seen at most maxAge later, and so are deletions. So is a
//     write of this Store's that returned [ErrOutcomeUnknown] and is applied after that. A second is a good maxAge for most: a key that is read
//     ten thousand times a second is then asked for once.
//   - No value outlives its row. Its time is what the server said, counted from before the statement was sent, on the monotonic clock (or
//     the one of [WithClock]), less the second that the server rounds down by, so that the last second of a row's life is always read from
//     the table. [Item.TTL] goes on counting down.
//   - What it returns is the caller's own, to be changed at will.
//
// Missing keys are not kept, because the next moment somebody may store them and expect to be found. Many, Pull, Memo, Flexible, the looks that
// Remember takes before it makes a value, locks and lists always ask the database.
//
// MySQL's collations take different keys for one, so that a write of "Foo" is one of "foo" too. There, only keys of ASCII characters and
// Chinese ones (U+4E00 to U+9FFF) are kept, and writing any other key makes the whole memory be read anew.
func WithMemory(size int, maxAge time.Duration) Option {
	return func(c *config) error {
		if size <= 0 {
			return &LimitError{What: "memory size", Limit: "more than 0 bytes", Got: fmt.Sprint(size)}
		}
		if maxAge <= 0 {
			return &LimitError{What: "memory max age", Limit: "more than 0", Got: maxAge.String()}
		}
		c.memory = memoryConfig{size, maxAge}
		return nil
	}
}

// stripes is how many counters of writes there are. A write makes the memory forget about one key in as many besides its own: at 1,000 writes
// a second each of them is read anew every 16 s for that. They take 128 KiB.
const stripes = 1 << 14

// A memory holds values that were read. The nil memory holds none.
//
// It counts the writes of this store. A reader notes the count before it asks the database, and what it brings home counts as long as the count is
// the same. So a write has nothing to look for and nobody to wait for: a value that was read before the write ended, whenever it arrives, is never
// used after it. To count the writes of each key would take memory without bound, so keys share the counters, by a hash; and
// keys that the database may take for one share one for certain.
type memory struct {
	values  *otter.Cache[string, *remembered] // by key without prefix
	maxAge  time.Duration
	clock   func() time.Time // nil: the monotonic one
	made    time.Time
	equates bool // the database may take different keys for one
	seed    maphash.Seed
	all     atomic.Uint64 // writes of all keys, or of ones that cannot be told
	written [stripes]atomic.Uint64
}

// A moment is when the database was asked: the time, and how many writes of the key had ended.
type moment struct {
	at      time.Duration
	all     uint64
	stripe  *atomic.Uint64 // nil if the key cannot be told from others
	written uint64
}

// remembered is a value that was read. Its bytes are strings so that nobody can change them.
type remembered struct {
	moment
	raw        string
	text       string // the value, a part of raw, if it is a PHP string
	isText     bool
	expiration int64
	ttl        time.Duration // of the row, at the moment
	good       time.Duration // how long it may be used, from the moment
}

// perValue is about what the bookkeeping of one value takes, in bytes.
const perValue = 256

func newMemory(c config, d dialect) (*memory, error) {
	if c.memory.size == 0 {
		return nil, nil
	}
	// There is no expiry in otter: it would tell the time by the wall clock, once more for each hit, and run a goroutine.
	values, err := otter.New(&otter.Options[string, *remembered]{
		MaximumWeight: uint64(c.memory.size),
		Weigher:       func(key string, r *remembered) uint32 { return uint32(perValue + len(key) + len(r.raw)) },
	})
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return &memory{
		values: values, maxAge: c.memory.maxAge, clock: c.clock, made: time.Now(),
		equates: d.equatesKeys(), seed: maphash.MakeSeed(),
	}, nil
}

// now is the time since the memory was made, or since 1970 by the injected clock.
func (m *memory) now() time.Duration {
	if m.clock != nil {
		return time.Duration(m.clock().UnixNano())
	}
	return time.Since(m.made)
}

// live returns what is remembered of key, nil if that must not be used any more.
func (m *memory) live(key string) *remembered {
	if m == nil {
		return nil
	}
	r, ok := m.values.GetIfPresent(key)
	if !ok || m.outdated(&r.moment) {
		return nil
	}
	if age := m.now() - r.at; age < 0 || age >= r.good { // an injected clock may go back
		return nil
	}
	return r
}

// ask notes the moment before the database is asked for key.
func (m *memory) ask(key string) moment {
	asked := moment{at: m.now(), all: m.all.Load(), stripe: m.stripe(key)}
	if asked.stripe != nil {
		asked.written = asked.stripe.Load()
	}
	return asked
}

// outdated tells whether a write of the key has ended since.
func (m *memory) outdated(asked *moment) bool {
	return asked.stripe == nil || asked.stripe.Load() != asked.written || m.all.Load() != asked.all
}

// keep remembers what the database answered, unless it is outdated or about to be.
func (m *memory) keep(asked moment, item Item) {
	good := min(item.TTL-time.Second, m.maxAge)
	if good <= 0 {
		return
	}
	r := &remembered{moment: asked, raw: string(item.Raw), expiration: item.Expiration, ttl: item.TTL, good: good}
	if err := item.Decode(&r.text); err == nil {
		r.isText = true
		if end := len(r.raw) - len(`";`); strings.HasSuffix(r.raw[:end], r.text) {
			r.text = r.raw[end-len(r.text) : end] // which it mostly is: then it is held once
		}
	}
	m.values.Compute(strings.Clone(item.Key), func(was *remembered, found bool) (*remembered, otter.ComputeOp) {
		switch {
		case m.outdated(&asked):
			return was, otter.CancelOp
		case found && was.at > asked.at && !m.outdated(&was.moment):
			return was, otter.CancelOp // a reader that asked later was faster
		}
		return r, otter.WriteOp
	})
}

// wrote is called when a write of key has ended, before its caller is told.
func (m *memory) wrote(key string) {
	if m == nil {
		return
	}
	if stripe := m.stripe(key); stripe != nil {
		stripe.Add(1)
		m.values.Invalidate(key) // it is dead already: this frees its room
	} else {
		m.all.Add(1)
	}
}

// forgot is wrote for a key and its companion.
func (m *memory) forgot(key string) {
	if m != nil {
		m.wrote(key)
		m.wrote(companionPrefix + key)
	}
}

func (m *memory) wroteMany(values map[string]any) {
	if m == nil {
		return
	}
	for key := range values {
		m.wrote(key)
	}
}

func (m *memory) wroteAll() {
	if m != nil {
		m.all.Add(1)
		m.values.InvalidateAll()
	}
}

func (m *memory) close() {
	if m != nil {
		m.wroteAll()
		m.values.StopAllGoroutines()
	}
}

// stripe returns the counter of the writes of key, nil if the database may equate key with any other.
func (m *memory) stripe(key string) *atomic.Uint64 {
	if !m.equates {
		return &m.written[maphash.String(m.seed, key)%stripes]
	}
	var folded [maxRowKey]byte
	short, ok := fold(folded[:0], key)
	if !ok {
		return nil
	}
	return &m.written[maphash.Bytes(m.seed, short)%stripes]
}

// fold appends to dst what all keys have in common that some collation of MySQL or MariaDB takes for key, and reports whether there is such a
// thing. That it also is what other keys have in common does no harm.
//
// Of ASCII, all collations but the binary ones equate upper and lower case; some ignore control characters, or spaces at the end; those for
// Latin, Lithuanian and some more equate i, j and y, or u, v and w, and c with ch. MySQL's Hungarian one equates ccs with cscs, and so on for all
// of its double letters, so that of a run of their parts no more is left than which they are. A Chinese character is equal to itself alone. Any
// other may be equal to, or be ignored among, whatever else.
func fold(dst []byte, key string) ([]byte, bool) {
	run := byte(0)
	end := func() {
		if run != 0 {
			dst, run = append(dst, 0, run), 0 // no character is left as 0
		}
	}
	for _, r := range key {
		switch {
		case r >= 0x4E00 && r <= 0x9FFF:
			end()
			dst = append(dst, byte(r>>8), byte(r))
		case r > 0x7F:
			return nil, false
		case r <= ' ' || r == 0x7F:
		default:
			left := folded[r]
			if left == "" {
				continue
			}
			if part := strings.IndexByte(doubled, left[0]); part >= 0 {
				run |= 1 << (part % 8)
				continue
			}
			end()
			dst = append(dst, left...)
		}
	}
	end()
	return dst, true
}

// doubled are the parts of the Hungarian letters that are doubled by doubling their first part: cs, dz, dzs, gy, ly, ny, sz, ty and zs. Eight at
// most are told apart.
const doubled = "csdzgilnt"

// mayBeEqual reports whether some collation may take the two keys for one.
func mayBeEqual(a, b string) bool {
	var short, other [maxRowKey]byte
	foldedA, ok := fold(short[:0], a)
	foldedB, also := fold(other[:0], b)
	return !ok || !also || bytes.Equal(foldedA, foldedB)
}

// folded is what is left of each ASCII character.
var folded = func() (table [0x80]string) {
	for r := range table {
		table[r] = strings.ToLower(string(rune(r)))
	}
	for _, group := range []string{"ijy", "uvw"} {
		for _, r := range group + strings.ToUpper(group) {
			table[r] = group[:1]
		}
	}
	table['h'], table['H'] = "", ""
	return table
}()

// itemToRemember is item, and remembers it.
func (s *Store) itemToRemember(ctx context.Context, key string) (Item, error) {
	if s.memory == nil {
		return s.item(ctx, key)
	}
	asked := s.memory.ask(key)
	item, err := s.item(ctx, key)
	if err == nil {
		s.memory.keep(asked, item)
	}
	return item, err
}

// getRemembered is Get of a value that is remembered.
func (s *Store) getRemembered(ctx context.Context, r *remembered, key string, dst any) error {
	if s.recorder == nil && r.toText(dst) {
		return nil
	}
	op := s.begin(record.Get, key)
	err := r.decode(dst)
	op.end(ctx, record.MemoryHit, 1, err)
	if err != nil {
		return fmt.Errorf("get %s: %w", shown(key), err)
	}
	return nil
}

// toText stores a text in dst if both are one, which is what most hits are about.
func (r *remembered) toText(dst any) bool {
	p, ok := dst.(*string)
	if ok = ok && r.isText && p != nil; ok {
		*p = r.text
	}
	return ok
}

func (r *remembered) decode(dst any) error {
	if r.toText(dst) {
		return nil
	}
	return Item{Raw: []byte(r.raw)}.Decode(dst)
}

// item returns what is remembered of key as an item whose bytes are the caller's.
func (m *memory) item(key string, r *remembered) Item {
	ttl := r.ttl - (m.now() - r.at)
	return Item{Key: key, Raw: []byte(r.raw), Expiration: r.expiration, TTL: max(ttl, 1)}
}
