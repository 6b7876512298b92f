package store_test

import (
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/larder-cache/larder/store"
)

// A model is what the two tables hold according to the package's documentation: two maps and plain rules. It knows no SQL, no PHP and no
// prefixes; the keys and names that its methods take are row keys.
type model struct {
	engine engine
	now    int64
	rows   map[string]modelRow // by the engine's class of the row key
	locks  map[string]modelLock
}

type modelRow struct {
	key        string
	value      sample
	expiration int64
}

type modelLock struct {
	key, owner string
	expiration int64
}

// An engine is what the model has to know of the table behind the store.
type engine struct {
	class   func(rowKey string) string // the same for row keys that share a row
	base64  bool                       // values with a NUL byte are stored in base64
	refuses bool                       // values that are not UTF-8 are refused
}

// A sample is a value, with what a store should make of it.
type sample struct {
	value  any    // what is stored, and what is read into an any
	text   string // PHP's serialization
	kind   string // as List names it
	number any    // what Increment counts from: an int64, or its error; ErrCorrupt is every reader's
}

func integer(n int64) sample {
	return sample{n, "i:" + big.NewInt(n).String() + ";", "int", n}
}

// errLimit stands for any LimitError.
var errLimit = errors.New("a LimitError")

func newModel(e engine) *model {
	return &model{engine: e, rows: map[string]modelRow{}, locks: map[string]modelLock{}}
}

// column is what the value's column holds.
func (m *model) column(v sample) string {
	if m.engine.base64 && strings.Contains(v.text, "\x00") {
		return base64.StdEncoding.EncodeToString([]byte(v.text))
	}
	return v.text
}

func checkKey(key string) error {
	if !utf8.ValidString(key) || utf8.RuneCountInString(key) > 255 {
		return errLimit
	}
	return nil
}

func (m *model) check(key string, v sample) error {
	if m.engine.refuses && !utf8.ValidString(v.text) {
		return errLimit
	}
	return checkKey(key)
}

// seconds rounds up.
func seconds(ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return int64((ttl + time.Second - 1) / time.Second)
}

// row returns the row of this very key, live or expired.
func (m *model) row(key string) (modelRow, bool) {
	r, ok := m.rows[m.engine.class(key)]
	return r, ok && r.key == key
}

func (m *model) live(key string) (modelRow, bool) {
	r, ok := m.row(key)
	return r, ok && r.expiration > m.now
}

// read is what all the reading methods begin with.
func (m *model) read(key string) (modelRow, error) {
	r, ok := m.live(key)
	switch {
	case !ok:
		return modelRow{}, store.ErrNotFound
	case r.value.number == store.ErrCorrupt:
		return r, store.ErrCorrupt
	}
	return r, nil
}

func (m *model) set(key string, v sample, expiration int64) {
	m.rows[m.engine.class(key)] = modelRow{key, v, expiration}
}

// remove deletes the row of this very key.
func (m *model) remove(key string) bool {
	_, ok := m.row(key)
	if ok {
		delete(m.rows, m.engine.class(key))
	}
	return ok
}

func (m *model) put(prefix, key string, v sample, ttl time.Duration) error {
	if err := m.check(prefix+key, v); err != nil {
		return err
	}
	if ttl <= 0 {
		m.forget(prefix, key)
	} else {
		m.set(prefix+key, v, m.now+seconds(ttl))
	}
	return nil
}

func (m *model) add(key string, v sample, ttl time.Duration) (bool, error) {
	if err := m.check(key, v); err != nil {
		return false, err
	}
	r, taken := m.rows[m.engine.class(key)]
	switch {
	case ttl <= 0:
		return false, nil
	case taken && r.expiration > m.now && r.key != key:
		return false, store.ErrLookalikeKey
	case taken && r.expiration > m.now:
		return false, nil
	}
	m.set(key, v, m.now+seconds(ttl))
	return true, nil
}

// increment adds a number of any size.
func (m *model) increment(key string, by *big.Int) (int64, error) {
	r, err := m.read(key)
	if err != nil {
		return 0, err
	}
	if err, not := r.value.number.(error); not {
		return 0, err
	}
	sum := new(big.Int).Add(big.NewInt(r.value.number.(int64)), by)
	if !sum.IsInt64() {
		return 0, store.ErrOverflow
	}
	m.set(key, integer(sum.Int64()), r.expiration)
	return sum.Int64(), nil
}

func (m *model) incrementOrAdd(key string, by int64, ttl time.Duration) (int64, error) {
	if ttl <= 0 {
		return 0, errLimit
	}
	n, err := m.increment(key, big.NewInt(by))
	if errors.Is(err, store.ErrNotFound) {
		_, err = m.add(key, integer(by), ttl)
		n = by
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (m *model) touch(prefix, key string, ttl time.Duration) bool {
	if ttl <= 0 {
		return m.forget(prefix, key)
	}
	r, ok := m.live(prefix + key)
	if ok {
		m.set(r.key, r.value, m.now+seconds(ttl))
	}
	return ok
}

func (m *model) forget(prefix, key string) bool {
	row, companion := m.remove(prefix+key), m.remove(prefix+"illuminate:cache:flexible:created:"+key)
	return row || companion
}

func (m *model) pull(prefix, key string) (modelRow, error) {
	r, err := m.read(prefix + key)
	if err == nil {
		m.forget(prefix, key)
	}
	return r, err
}

// remember returns the value that is there, or else stores and returns v.
func (m *model) remember(prefix, key string, v sample, ttl time.Duration, locked bool) (sample, error) {
	if err := checkKey(prefix + key); err != nil {
		return sample{}, err
	}
	if r, err := m.read(prefix + key); err == nil && r.value.kind != "null" {
		return r.value, nil
	}
	if locked && checkKey(prefix+store.RememberLockName(key)) != nil {
		return sample{}, errLimit
	}
	if m.put(prefix, key, v, ttl) != nil {
		return v, store.ErrNotStored
	}
	return v, nil
}

// selected returns the rows that begin with the prefix.
func (m *model) selected(prefix string, want func(modelRow) bool) []modelRow {
	var rows []modelRow
	for _, r := range m.rows {
		if strings.HasPrefix(r.key, prefix) && want(r) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (m *model) isLive(r modelRow) bool    { return r.expiration > m.now }
func (m *model) isExpired(r modelRow) bool { return r.expiration <= m.now }
func (m *model) isAny(modelRow) bool       { return true }

func (m *model) flush(prefix string) int64 {
	rows := m.selected(prefix, m.isAny)
	for _, r := range rows {
		m.remove(r.key)
	}
	return int64(len(rows))
}

// prune deletes what has expired.
func (m *model) prune() (rows, locks int64) {
	for _, r := range m.selected("", m.isExpired) {
		m.remove(r.key)
		rows++
	}
	for class, l := range m.locks {
		if l.expiration <= m.now {
			delete(m.locks, class)
			locks++
		}
	}
	return rows, locks
}

// lock returns the lock of this very name, live or expired.
func (m *model) lock(name string) (modelLock, bool) {
	l, ok := m.locks[m.engine.class(name)]
	return l, ok && l.key == name
}

func (m *model) holds(name, owner string) bool {
	l, ok := m.lock(name)
	return ok && l.owner == owner && l.expiration > m.now
}

func (m *model) hold(name, owner string, ttl time.Duration) {
	if ttl <= 0 {
		ttl = store.DefaultLockTTL
	}
	m.locks[m.engine.class(name)] = modelLock{name, owner, m.now + seconds(ttl)}
}

func (m *model) acquire(name, owner string, ttl time.Duration) (bool, error) {
	if err := checkKey(name); err != nil {
		return false, err
	}
	l, taken := m.locks[m.engine.class(name)]
	switch {
	case taken && l.expiration > m.now && l.key != name:
		return false, store.ErrLookalikeKey
	case taken && l.expiration > m.now && l.owner != owner:
		return false, nil
	}
	m.hold(name, owner, ttl)
	return true, nil
}

func (m *model) refresh(name, owner string, ttl time.Duration) bool {
	held := m.holds(name, owner)
	if held {
		m.hold(name, owner, ttl)
	}
	return held
}

func (m *model) release(name, owner string) bool {
	l, ok := m.lock(name)
	return ok && l.owner == owner && m.forceRelease(name)
}

func (m *model) forceRelease(name string) bool {
	_, ok := m.lock(name)
	if ok {
		delete(m.locks, m.engine.class(name))
	}
	return ok
}

func (m *model) currentOwner(name string) string {
	if l, ok := m.lock(name); ok && l.expiration > m.now {
		return l.owner
	}
	return ""
}

func (m *model) putIfLocked(name, owner, key string, v sample, ttl time.Duration) (bool, error) {
	if m.check(key, v) != nil || ttl <= 0 {
		return false, errLimit
	}
	held := m.holds(name, owner)
	if held {
		m.set(key, v, m.now+seconds(ttl))
	}
	return held, nil
}

// matches is the definition of a pattern.
func matches(pattern, key string) bool {
	if pattern == "" {
		return key == ""
	}
	p, size := utf8.DecodeRuneInString(pattern)
	rest := pattern[size:]
	if p == '*' {
		for i := range key {
			if matches(rest, key[i:]) {
				return true
			}
		}
		return matches(rest, "")
	}
	_, n := utf8.DecodeRuneInString(key)
	return n > 0 && (p == '?' || pattern[:size] == key[:n]) && matches(rest, key[n:])
}
