package laravel_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/larder-cache/larder/store/php"
)

// A difference is one that larder makes on purpose. It excuses an answer or a row of a step only under the condition that its functions
// tell; they are asked for such answers and rows as differ, in releases and on engines where the difference exists. The table in
// docs/laravel.md has the same ids and texts.
type difference struct {
	id, what, why string

	mysql, sqlite bool   // where it exists; neither: on both
	since, until  [2]int // in which releases, until excluded; zero: all

	keep   int // whose rows the script goes on with
	answer func(o *observed) bool
	row    func(o *observed, d rowDiff) bool

	// must tells, by what Laravel did, that larder has to differ in this step, so that a larder which does as Laravel does is noticed. nil
	// where the answers and rows of a script show it anyway, or nothing would be lost.
	must func(o *observed) bool
}

// where tells on which engines and in which releases of Laravel the difference exists.
func (d difference) where() string {
	var parts []string
	if d.mysql {
		parts = append(parts, "MySQL")
	}
	if d.sqlite {
		parts = append(parts, "SQLite")
	}
	if d.since != [2]int{} {
		parts = append(parts, fmt.Sprintf("Laravel %d.%d and later", d.since[0], d.since[1]))
	}
	if d.until != [2]int{} {
		parts = append(parts, fmt.Sprintf("Laravel before %d.%d", d.until[0], d.until[1]))
	}
	if parts == nil {
		return "all"
	}
	return strings.Join(parts, ", ")
}

// An observed step is what stood in both sides' tables before it, and what each made of it.
type observed struct {
	step
	before  tables
	after   [2]tables
	answers [2]answer
	alike   func(a, b string) bool
	since   func(major, minor int) bool
	mysql   bool
}

// A rowDiff is a row key whose rows differ after a step; nil is no row.
type rowDiff struct {
	lock   bool
	key    string
	before *row
	rows   [2]*row
}

func (d rowDiff) untouchedBy(side int) bool { return sameRow(d.rows[side], d.before) }
func (d rowDiff) deletedBy(side int) bool   { return d.rows[side] == nil && d.before != nil }

func sameRow(a, b *row) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

var differences = []difference{
	{
		id: "read-keeps", keep: theirs,
		what: "Reading an expired row leaves it in the table; Laravel deletes it.",
		why:  "A read that writes fails on a replica and deadlocks with writers. Expired rows go by `Store.Prune`, also those that nobody reads again.",
		row: func(o *observed, d rowDiff) bool {
			return !d.lock && o.readsFirst() && d.deletedBy(theirs) && d.untouchedBy(ours) && d.before.expiration <= o.Now && o.reads(d.key)
		},
		must: func(o *observed) bool {
			return slices.Contains([]string{"get", "has", "many"}, o.Op) && len(o.after[theirs].cache) < len(o.before.cache)
		},
	},
	{
		id: "unchanged-is-success", mysql: true,
		what: "Storing what is stored already, touching or refreshing to the same second, and acquiring one's own lock again are successes; Laravel on MySQL answers false.",
		why:  "MySQL counts a row that stays the same as not affected, which says nothing about whether it is there.",
		answer: func(o *observed) bool {
			return o.answers[theirs].is(isNo) && o.answers[ours].is(isYes) && o.writesSame()
		},
	},
	{
		id:   "put-many-of-nothing",
		what: "`PutMany` of no values is a success; Laravel's putMany answers false, or (13) throws.",
		why:  "Nothing has failed.",
		answer: func(o *observed) bool {
			a := o.answers[theirs]
			return o.Op == "putMany" && len(o.Keys) == 0 && (a.is(isNo) || a.Fault != "") && o.answers[ours].is(isYes)
		},
	},
	{
		id:   "says-whether",
		what: "`Forget`, `Touch` with no time and `ForceRelease` tell whether there was a row; Laravel's forget always answers true, its forceRelease nothing.",
		why:  "The answer costs nothing, and a command line needs it.",
		answer: func(o *observed) bool {
			was := len(o.after[ours].cache) < len(o.before.cache)
			switch o.Op {
			case "forget", "touch":
				return o.forgets() && o.answers[theirs].is(isYes) && o.answers[ours].is(isNo) && !was
			case "forceRelease":
				return o.answers[theirs].is(none) && o.answers[ours].is(boolean(len(o.after[ours].locks) < len(o.before.locks)))
			}
			return false
		},
	},
	{
		id:   "null-is-stored",
		what: "`Has` is true for a stored null; Laravel's is false.",
		why:  "Laravel cannot tell null from a miss. `Has` tells whether there is a live row, and does not read its value.",
		answer: func(o *observed) bool {
			r, ok := o.before.cache[o.rowKey()]
			return o.Op == "has" && ok && o.live(r) && r.value == none && o.answers[theirs].is(isNo) && o.answers[ours].is(isYes)
		},
	},
	{
		id: "add-forever-is-add", keep: ours,
		what: "`Add` for `ForeverTTL` never overwrites a live row; Laravel's add without a time is a get and a put, which overwrites a null, and (since 11.17) the row of a look-alike key.",
		why:  "Add is one atomic statement, whatever its time.",
		answer: func(o *observed) bool {
			a := o.answers[ours]
			return o.addsOverLive() && (o.answers[theirs].is(isYes) || o.foreverTooLate()) && (a.is(isNo) || a.Fault == faultLookalike)
		},
		row: func(o *observed, d rowDiff) bool {
			if d.lock || !o.addsOverLive() || !o.names(d.key) || !d.untouchedBy(ours) {
				return false
			}
			r := d.rows[theirs]
			return r == nil || r.value == o.storedByLaravel(0) && r.expiration == o.expiration()
		},
	},
	{
		id: "put-many-in-order", mysql: true, keep: ours,
		what: "Of look-alike keys in one `PutMany`, the one that sorts last keeps the row; in Laravel's putMany the one that is given last.",
		why:  "A Go map has no order. Rows are written in the order of their keys, so that concurrent calls do not deadlock.",
		row: func(o *observed, d rowDiff) bool {
			if d.lock || o.Op != "putMany" || o.forgets() {
				return false
			}
			family := o.familyOf(d.key)
			if len(family) < 2 {
				return false
			}
			given := slices.Max(family) // the last index
			sorted := slices.MaxFunc(family, func(a, b int) int { return strings.Compare(string(o.Keys[a]), string(o.Keys[b])) })
			_, t, _ := o.find(o.after[theirs].cache, d.key)
			_, u, _ := o.find(o.after[ours].cache, d.key)
			return t.value == o.storedByLaravel(given) && u.value == o.storedByLaravel(sorted)
		},
	},
	{
		id: "put-respells", mysql: true, until: [2]int{10, 33}, keep: ours,
		what: "Storing over the row of a look-alike key takes the row over, spelling included; Laravel before 10.33 keeps the other key's spelling.",
		why:  "As Laravel does since. Otherwise the key that was stored would not be found, and the other one would have its value.",
		row: func(o *observed, d rowDiff) bool {
			return !d.lock && o.names(d.key) && slices.Contains([]string{"put", "forever", "putMany", "add", "remember", "rememberForever"}, o.Op) && o.respelled(d)
		},
	},
	{
		id: "lookalike-is-an-error", mysql: true,
		what: "`Add` and `Acquire` over the live row of a look-alike key return `ErrLookalikeKey`; Laravel answers false.",
		why:  "False says that the key is there or the lock is held, and neither is so: get finds nothing, and no owner of that lock will release it.",
		answer: func(o *observed) bool {
			rows := o.before.cache
			if o.Op == "acquire" {
				rows = o.before.locks
			}
			return (o.Op == "add" || o.Op == "acquire") && o.answers[ours].Fault == faultLookalike && o.answers[theirs].is(isNo) && o.lookalike(rows, true)
		},
	},
	{
		id: "lookalike-is-not-read", mysql: true, until: [2]int{11, 17}, keep: ours,
		what: "`Get`, `Has`, `Many`, `Pull` and `Remember` never return the value of a look-alike key; Laravel before 11.17 does.",
		why:  "It is another key's value. Laravel compares the key since.",
		answer: func(o *observed) bool {
			reads, lookalike, _ := o.laravelReads()
			return lookalike && o.answers[theirs].String() == reads
		},
		row: func(o *observed, d rowDiff) bool {
			if !strings.HasPrefix(o.Op, "remember") {
				return false
			}
			made := d.rows[ours] == nil || d.rows[ours].value == o.storedByLaravel(0)
			return !d.lock && o.lookalike(o.before.cache, true) && o.names(d.key) && d.untouchedBy(theirs) && made
		},
	},
	{
		id: "no-index-for-a-default", until: [2]int{10, 24},
		what: "`Many` leaves out a key that is missing; Laravel before 10.24 answers for a missing key 1 with the key that stands second in the list, and so on.",
		why:  "Laravel takes the places in the list for keys with defaults.",
		answer: func(o *observed) bool {
			reads, _, index := o.laravelReads()
			return index && o.answers[theirs].String() == reads
		},
	},
	{
		id: "forget-is-exact", mysql: true, keep: ours,
		what: "`Forget` (and `Pull`, and storing with no time) deletes no look-alike key's row; Laravel's does.",
		why:  "It is another key's row.",
		row: func(o *observed, d rowDiff) bool {
			return !d.lock && o.forgets() && d.deletedBy(theirs) && d.untouchedBy(ours) && o.names(d.key) && !o.namesExactly(d.key)
		},
	},
	{
		id: "forget-takes-companion", until: [2]int{11, 24}, keep: ours,
		what: "`Forget` also deletes the row in which `Flexible` keeps the time of a value; Laravel's does since 11.24.",
		why:  "As Laravel does since. The time of a value that is gone is of no use.",
		row: func(o *observed, d rowDiff) bool {
			return !d.lock && o.forgets() && d.deletedBy(ours) && d.untouchedBy(theirs) && o.isCompanion(d.key)
		},
	},
	{
		id: "pull-of-nothing", since: [2]int{11, 24}, keep: theirs,
		what: "`Pull` of a key without a live row deletes nothing; Laravel's forgets the key all the same, and with it the companion row of a `Flexible` value that is gone.",
		why:  "A companion without its value counts as no value, for both, and expires.",
		row: func(o *observed, d rowDiff) bool {
			r, ok := o.before.cache[o.rowKey()]
			return o.Op == "pull" && !(ok && o.live(r)) && !d.lock && d.deletedBy(theirs) && d.untouchedBy(ours) && o.isCompanion(d.key)
		},
	},
	{
		id: "increment-of-expired", keep: ours,
		what: "`Increment` and `Decrement` return `ErrNotFound` for an expired row; Laravel goes on counting on it, and it stays expired.",
		why:  "The count would be lost: the next read finds the row expired.",
		answer: func(o *observed) bool {
			_, r, ok := o.find(o.before.cache, o.rowKey())
			return o.counts() && ok && !o.live(r) && o.answers[ours].is(isNo)
		},
		row: func(o *observed, d rowDiff) bool {
			return o.countedOn(d) && !o.live(*d.before)
		},
		must: func(o *observed) bool {
			key, r, ok := o.find(o.before.cache, o.rowKey())
			return o.counts() && ok && !o.live(r) && o.after[theirs].cache[key] != r
		},
	},
	{
		id: "increment-is-exact", mysql: true, keep: ours,
		what: "`Increment` and `Decrement` count on no look-alike key's row; Laravel does.",
		why:  "It is another key's counter.",
		answer: func(o *observed) bool {
			return o.counts() && o.lookalike(o.before.cache, true) && o.answers[ours].is(isNo)
		},
		row: func(o *observed, d rowDiff) bool { return o.countedOn(d) && o.live(*d.before) && d.key != o.rowKey() },
	},
	{
		id: "increment-overflow", keep: ours,
		what:   "A result beyond 64 bits is `ErrOverflow` and leaves the row alone; Laravel makes a float of the counter.",
		why:    "A float loses the last digits, and the next increment casts it to some other integer.",
		answer: func(o *observed) bool { return o.overflows() && o.answers[ours].Fault == faultOverflow },
		row:    func(o *observed, d rowDiff) bool { return o.overflows() && o.countedOn(d) },
	},
	{
		id: "increment-of-no-integer", keep: ours,
		what: "`Increment` of a float or numeric string beyond 64 bits is `ErrOverflow`, and of NAN `ErrNotNumber`; PHP's cast makes some integer of them and counts on from that.",
		why:  "The number that the cast makes has nothing to do with the value.",
		answer: func(o *observed) bool {
			return o.isNoInteger() && (o.answers[ours].Fault == faultOverflow || o.answers[ours].is(isNo))
		},
		row: func(o *observed, d rowDiff) bool { return o.isNoInteger() && o.countedOn(d) },
	},
	{
		id:   "increment-of-object",
		what: "`Increment` of an object returns `ErrNotNumber`, as for any other value that is no number; Laravel throws.",
		why:  "PHP's cast fails before Laravel asks whether the value is a number.",
		answer: func(o *observed) bool {
			_, object := o.decoded().(*php.Object)
			return o.counts() && object && o.answers[theirs].Fault != "" && o.answers[ours].is(isNo)
		},
	},
	{
		id: "corrupt-is-an-error", keep: ours,
		what: "A stored text that is no serialized value is `ErrCorrupt` where the value is wanted; `Has` and `Add` do not look at it, and `Remember` and `Flexible` make it anew. Laravel throws, reads the empty text as false, and with PHP before 8.3 ignores what follows a value.",
		why:  "One broken row must not break what does not need it, nor be taken for a value.",
		answer: func(o *observed) bool {
			a := o.answers[ours]
			switch o.Op {
			case "has":
				return o.corrupt() && a.is(isYes)
			case "add":
				return o.corrupt() && a.is(isNo)
			case "remember", "rememberForever", "flexible":
				return o.corrupt() && (a.is(string(o.Values[0])) || a.Fault == faultRefused)
			}
			return o.corrupt() && a.Fault == faultCorrupt
		},
		row: func(o *observed, d rowDiff) bool {
			mayOurs := d.untouchedBy(ours) || strings.HasPrefix(o.Op, "remember") || o.Op == "flexible"
			mayTheirs := d.untouchedBy(theirs) || o.counts() || o.Op == "pull" || o.Op == "flexible" && d.deletedBy(theirs) && !o.live(*d.before)
			return o.corrupt() && !d.lock && o.names(d.key) && mayOurs && mayTheirs
		},
	},
	{
		id: "companion-is-an-integer", since: [2]int{11, 24}, keep: ours,
		what: "`Flexible` makes a value anew whose companion row holds something other than an integer; Laravel calculates with it, or throws.",
		why:  "It tells no time at which the value was made.",
		answer: func(o *observed) bool {
			a := o.answers[ours]
			return o.isOddCompanion() && (a.is(string(o.Values[0])) || a.Fault == faultRefused)
		},
		row: func(o *observed, d rowDiff) bool { return o.isOddCompanion() && !d.lock && o.names(d.key) },
	},
	{
		id: "forever-after-2028", mysql: true, until: [2]int{12, 55}, keep: ours,
		what: "From 2028-01-22 on, `Forever` in a table whose expiration column is INT, and whatever else stores a value for `ForeverTTL`, lasts until that column ends, on 2038-01-19; Laravel fails.",
		why:  "A table that Laravel before 12.55 made should not stop working one day.",
		answer: func(o *observed) bool {
			a := o.answers[ours]
			return o.foreverTooLate() && a.Fault == "" && o.theirsFailed()
		},
		row: func(o *observed, d rowDiff) bool {
			failed := d.untouchedBy(theirs) || d.deletedBy(theirs) && !o.live(*d.before) // by the read that comes first
			return o.foreverTooLate() && !d.lock && o.names(d.key) && failed && (d.rows[ours] == nil || d.rows[ours].expiration == math.MaxInt32)
		},
	},
	{
		id: "long-key-is-refused", keep: ours,
		what:   "A row key or lock name of more than 255 characters is refused. Laravel's put throws (before 10.33 it answers false), its add since 10.33 cuts the key and answers true, its lock is never acquired; SQLite stores any length.",
		why:    "A key that was cut is never found again, and may be another key's row. SQLite is held to the same limit, so that data can move.",
		answer: func(o *observed) bool { return o.tooLong() && o.answers[ours].Fault == faultRefused },
		row: func(o *observed, d rowDiff) bool {
			return o.tooLong() && o.answers[ours].Fault == faultRefused && d.untouchedBy(ours) && slices.ContainsFunc(o.rowKeys(), func(key string) bool {
				return key == d.key || o.companionOf(key) == d.key || o.mysql && o.alike(cut(key), d.key)
			})
		},
	},
	{
		id: "not-utf8-is-refused", keep: ours,
		what:   "A key that is not UTF-8, and on MySQL a value, is refused. Laravel's put throws (before 10.33 it may answer false), its add since 10.33 stores the text with other bytes in it or cut short; SQLite stores any bytes.",
		why:    "A value that was changed on the way is worse than none.",
		answer: func(o *observed) bool { return o.notUTF8() && o.answers[ours].Fault == faultRefused },
		row: func(o *observed, d rowDiff) bool {
			named := o.names(d.key) || slices.ContainsFunc(o.rowKeys(), func(key string) bool { return mangled(key, d.key) })
			return o.notUTF8() && o.answers[ours].Fault == faultRefused && d.untouchedBy(ours) && named && (o.Op != "putMany" || o.namesInvalid(d.key))
		},
	},
	{
		id: "put-many-is-all-or-none", keep: ours,
		what: "If one key or value is refused, `PutMany` stores and forgets none; Laravel's has done so with the others, as far as it came.",
		why:  "Everything is checked before the first row is written.",
		row: func(o *observed, d rowDiff) bool {
			return o.Op == "putMany" && o.answers[ours].Fault == faultRefused && !d.lock && d.untouchedBy(ours) && o.names(d.key)
		},
	},
	{
		id: "flush-is-ours", keep: ours,
		what: "`Flush` deletes the rows of its own prefix; Laravel's deletes the whole table. `FlushAll` does that.",
		why:  "Other applications, and their rate limits and schedules, may share the table.",
		row: func(o *observed, d rowDiff) bool {
			return o.Op == "flush" && !d.lock && d.deletedBy(theirs) && d.untouchedBy(ours) && !strings.HasPrefix(d.key, prefix)
		},
		must: func(o *observed) bool {
			others := func(key string) bool { return !strings.HasPrefix(key, prefix) }
			return o.Op == "flush" && slices.ContainsFunc(slices.Collect(maps.Keys(o.before.cache)), others)
		},
	},
	{
		id: "touch-is-exact", mysql: true, since: [2]int{13, 0}, keep: ours,
		what: "`Touch` prolongs no look-alike key's row; Laravel's does.",
		why:  "It is another key's row.",
		answer: func(o *observed) bool {
			return o.Op == "touch" && o.lookalike(o.before.cache, true) && o.answers[theirs].is(isYes) && o.answers[ours].is(isNo)
		},
		row: func(o *observed, d rowDiff) bool {
			return o.Op == "touch" && !d.lock && o.names(d.key) && d.key != o.rowKey() && d.untouchedBy(ours) && d.rows[theirs] != nil &&
				d.rows[theirs].expiration == o.expiration()
		},
	},
	{
		id: "lock-name-is-exact", mysql: true, keep: ours,
		what: "A lock's name is its bytes: a look-alike lock is not released, prolonged, taken by its owner or asked for its owner; in Laravel it is.",
		why:  "It is another lock, and whoever holds it relies on it.",
		answer: func(o *observed) bool {
			a, b := o.answers[theirs], o.answers[ours]
			differ := a.is(isYes) && b.is(isNo) || a.is(isYes) && b.Fault == faultLookalike || o.Op == "owner" && b.is(none)
			// Oracle's server finds "foo" for "foo" and a byte that is not UTF-8.
			return isLockOp(o.Op) && (o.lookalike(o.before.locks, false) || o.notUTF8()) && differ
		},
		row: func(o *observed, d rowDiff) bool {
			return isLockOp(o.Op) && d.lock && o.lookalike(o.before.locks, false) && d.key != o.rowKey() && o.alike(d.key, o.rowKey()) &&
				d.untouchedBy(ours) && (o.Op != "acquire" || o.ownerAlike())
		},
	},
	{
		id: "lock-respells", mysql: true, keep: ours,
		what: "Acquiring over the expired lock of a look-alike name takes the row over, spelling included; Laravel keeps the other name's spelling.",
		why:  "The lock that is held stands under its name.",
		row:  func(o *observed, d rowDiff) bool { return d.lock && o.Op == "acquire" && o.respelled(d) },
	},
	{
		id: "owner-is-exact", mysql: true, keep: ours,
		what: "A lock's owner is its bytes: `Alice` does not acquire, prolong or (since Laravel 13.8) release the lock of `alice`; in Laravel she does.",
		why:  "Owners are random texts of both cases, and two holders of one lock are what a lock is there to prevent.",
		answer: func(o *observed) bool {
			r, ok := o.before.locks[o.rowKey()]
			releases := o.Op != "release" || o.since(13, 8)
			return isLockOp(o.Op) && ok && releases && r.value != string(o.Owner) && o.ownerAlike() && o.answers[theirs].is(isYes) && o.answers[ours].is(isNo)
		},
		row: func(o *observed, d rowDiff) bool {
			return d.lock && d.key == o.rowKey() && d.untouchedBy(ours) && d.before != nil && d.before.value != string(o.Owner) && o.ownerAlike()
		},
		must: func(o *observed) bool {
			r, ok := o.before.locks[o.rowKey()]
			takes := o.Op == "acquire" || o.Op == "refresh"
			return takes && ok && o.live(r) && r.value != string(o.Owner) && o.ownerAlike() && o.answers[theirs].is(isYes)
		},
	},
	{
		id: "expired-lock-has-no-owner", until: [2]int{13, 8},
		what: "`CurrentOwner` of an expired lock is nobody; Laravel before 13.8 names its last owner.",
		why:  "As Laravel does since: anybody can acquire it.",
		answer: func(o *observed) bool {
			_, r, ok := o.find(o.before.locks, o.rowKey())
			return o.Op == "owner" && ok && !o.live(r) && o.answers[ours].is(none)
		},
	},
	{
		id: "no-lottery", keep: theirs,
		what: "Acquiring a lock deletes no expired locks; in Laravel two in a hundred acquisitions delete them all.",
		why:  "`Store.Prune` does, in small batches that do not deadlock.",
		row: func(o *observed, d rowDiff) bool {
			return d.lock && o.Lottery && d.deletedBy(theirs) && d.untouchedBy(ours) && d.before.expiration <= o.Now
		},
	},
	{
		id: "base64-on-sqlite", sqlite: true, until: [2]int{11, 38}, keep: theirs,
		what: "On SQLite a value with a NUL byte is stored as base64; Laravel before 11.38 stores it as it is. larder reads both.",
		why:  "As Laravel does since: SQLite's own tools cut text at a NUL byte.",
		row: func(o *observed, d rowDiff) bool {
			t, u := d.rows[theirs], d.rows[ours]
			return !d.lock && t != nil && u != nil && strings.Contains(t.value, "\x00") && t.expiration == u.expiration &&
				u.value == base64.StdEncoding.EncodeToString([]byte(t.value))
		},
	},
}

func boolean(is bool) string {
	if is {
		return isYes
	}
	return isNo
}

func (o *observed) rowKey() string { return prefix + string(o.Key) }

func (o *observed) live(r row) bool { return r.expiration > o.Now }

func (o *observed) counts() bool { return o.Op == "increment" || o.Op == "decrement" }

func (o *observed) companionOf(rowKey string) string {
	return prefix + created + strings.TrimPrefix(rowKey, prefix)
}

// names tells whether the key column takes a row key for one of the step's, or for the companion of one.
func (o *observed) names(rowKey string) bool {
	return slices.ContainsFunc(o.rowKeys(), func(key string) bool { return o.alike(key, rowKey) || o.alike(o.companionOf(key), rowKey) })
}

// namesExactly tells whether a row key is one of the step's, or the companion of one.
func (o *observed) namesExactly(rowKey string) bool {
	return slices.ContainsFunc(o.rowKeys(), func(key string) bool { return key == rowKey || o.companionOf(key) == rowKey })
}

func (o *observed) isCompanion(rowKey string) bool {
	return slices.ContainsFunc(o.rowKeys(), func(key string) bool { return o.companionOf(key) == rowKey })
}

// find returns the row that the key column takes for that of a row key.
func (o *observed) find(rows map[string]row, rowKey string) (string, row, bool) {
	if r, ok := rows[rowKey]; ok {
		return rowKey, r, true
	}
	for key, r := range rows {
		if o.alike(key, rowKey) {
			return key, r, true
		}
	}
	return "", row{}, false
}

// lookalike tells whether a key that looks like the step's has its row, a live one if that is asked for.
func (o *observed) lookalike(rows map[string]row, live bool) bool {
	key, r, ok := o.find(rows, o.rowKey())
	return ok && key != o.rowKey() && (!live || o.live(r))
}

func (o *observed) ownerAlike() bool {
	_, r, ok := o.find(o.before.locks, o.rowKey())
	return ok && o.alike(r.value, string(o.Owner))
}

// readsFirst tells whether Laravel reads the step's keys, whatever else it does.
func (o *observed) readsFirst() bool {
	switch o.Op {
	case "get", "has", "many", "pull", "remember", "rememberForever", "flexible":
		return true
	case "add":
		return o.TTL == nil || *o.TTL > 0 && o.since(10, 33)
	}
	return false
}

// reads tells whether Laravel's reading deletes a row if it is expired: that of a key that it reads, and its companion. Its flexible reads
// the companion itself.
func (o *observed) reads(rowKey string) bool {
	of, isCompanion := strings.CutPrefix(rowKey, prefix+created)
	return o.names(rowKey) || o.Op == "flexible" && isCompanion && o.names(prefix+of)
}

// writesSame tells whether some row that the step wrote is what it was before, or was written twice by the step.
func (o *observed) writesSame() bool {
	before, after := o.before.cache, o.after[theirs].cache
	switch o.Op {
	case "acquire", "refresh":
		before, after = o.before.locks, o.after[theirs].locks
	case "put", "forever", "putMany", "touch":
	default:
		return false
	}
	same := func(key string) bool {
		was, r, ok := o.find(before, key)
		now, still := after[was]
		return ok && still && now == r || len(o.familyOf(key)) > 1
	}
	if o.Op == "putMany" && o.since(11, 0) {
		return !slices.ContainsFunc(o.rowKeys(), func(key string) bool { return !same(key) })
	}
	return slices.ContainsFunc(o.rowKeys(), same)
}

// familyOf returns the indexes of the step's keys that the key column takes for a row key.
func (o *observed) familyOf(rowKey string) []int {
	var family []int
	for i, key := range o.Keys {
		if o.alike(prefix+string(key), rowKey) {
			family = append(family, i)
		}
	}
	return family
}

// storedByLaravel is the text that Laravel stores for the step's value.
func (o *observed) storedByLaravel(i int) string {
	text := string(o.Values[i])
	if !o.mysql && o.since(11, 38) && strings.Contains(text, "\x00") {
		return base64.StdEncoding.EncodeToString([]byte(text))
	}
	return text
}

// addsOverLive tells whether the step is an add without a time over what Laravel's get does not return.
func (o *observed) addsOverLive() bool {
	key, r, ok := o.find(o.before.cache, o.rowKey())
	return o.Op == "add" && o.TTL == nil && ok && o.live(r) && (r.value == none || key != o.rowKey() && o.since(11, 17))
}

// respelled tells whether both sides have the same row under two spellings, of which larder's is the step's.
func (o *observed) respelled(d rowDiff) bool {
	side, rows := theirs, [2]map[string]row{o.after[theirs].cache, o.after[ours].cache}
	if d.lock {
		rows = [2]map[string]row{o.after[theirs].locks, o.after[ours].locks}
	}
	if d.rows[ours] != nil {
		side = ours
	}
	if d.rows[1-side] != nil {
		return false
	}
	key, r, ok := o.find(rows[1-side], d.key)
	larders := d.key
	if side == theirs {
		larders = key
	}
	return ok && key != d.key && r == *d.rows[side] && slices.Contains(o.rowKeys(), larders)
}

// laravelReads is what a Laravel answers to a reading step that does not compare the key, and takes a place in a list for a key with a default;
// and whether either makes a difference.
func (o *observed) laravelReads() (text string, lookalike, index bool) {
	var values []php.Value
	for _, key := range o.rowKeys() {
		was, r, ok := o.find(o.before.cache, key)
		if !ok || !o.live(r) {
			r.value = none
		}
		lookalike = lookalike || r.value != none && was != key
		value, err := php.Decode([]byte(r.value))
		if err != nil {
			return o.answers[theirs].String(), lookalike, false // whatever PHP makes of it
		}
		place, err := strconv.Atoi(strings.TrimPrefix(key, prefix))
		if isPlace := err == nil && strconv.Itoa(place) == strings.TrimPrefix(key, prefix) && place < len(o.Keys); isPlace && r.value == none && !o.since(10, 24) {
			index, value = true, php.String(o.Keys[place])
		}
		again, err := php.Encode(value)
		if err != nil {
			return "", false, false
		}
		values = append(values, php.String(again))
	}
	if o.Op == "many" {
		list, err := php.Encode(php.NewList(values...))
		return answer{Value: list}.String(), err == nil && lookalike, index
	}
	if len(values) != 1 {
		return "", false, false
	}
	one := string(values[0].(php.String))
	switch o.Op {
	case "get", "pull", "remember", "rememberForever":
		return answer{Value: []byte(one)}.String(), lookalike, false
	case "has":
		return answer{Value: []byte(boolean(one != none))}.String(), lookalike, false
	}
	return "", false, false
}

// decoded is the live value of the step's key, nil if there is none or it is corrupt.
func (o *observed) decoded() php.Value {
	r, ok := o.before.cache[o.rowKey()]
	if !ok || !o.live(r) {
		return nil
	}
	value, err := php.Decode([]byte(r.value))
	if err != nil {
		return nil
	}
	return value
}

// corrupt tells whether a live row that the step names is no value.
func (o *observed) corrupt() bool {
	return slices.ContainsFunc(o.rowKeys(), func(key string) bool {
		for _, key := range []string{key, o.companionOf(key)} {
			r, ok := o.before.cache[key]
			if !ok || !o.live(r) || key == o.companionOf(o.rowKey()) && o.Op != "flexible" {
				continue
			}
			if _, err := php.Decode(unBase64(r.value)); err != nil {
				return true
			}
		}
		return false
	})
}

// isOddCompanion tells whether the step's flexible value has a time that is no integer.
func (o *observed) isOddCompanion() bool {
	r, ok := o.before.cache[o.companionOf(o.rowKey())]
	if o.Op != "flexible" || !ok || !o.live(r) {
		return false
	}
	value, err := php.Decode(unBase64(r.value))
	_, isInt := value.(php.Int)
	return err != nil || !isInt && r.value != none
}

func unBase64(text string) []byte {
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && !strings.ContainsAny(text, ":;") {
		return raw
	}
	return []byte(text)
}

// countedOn tells whether Laravel has counted on a row, and larder has not.
func (o *observed) countedOn(d rowDiff) bool {
	return o.counts() && !d.lock && d.before != nil && o.alike(d.key, o.rowKey()) && d.untouchedBy(ours) && d.rows[theirs] != nil &&
		d.rows[theirs].expiration == d.before.expiration && o.answers[theirs].is(d.rows[theirs].value)
}

// overflows tells whether the step adds to an integer more than 64 bits hold.
func (o *observed) overflows() bool {
	n, isInt := integer(o.decoded())
	if !isInt || !o.counts() {
		return false
	}
	sum, by := big.NewInt(n), big.NewInt(o.By)
	if o.Op == "decrement" {
		by.Neg(by)
	}
	return !sum.Add(sum, by).IsInt64()
}

// integer is what a value counts as, if it is a number within 64 bits.
func integer(value php.Value) (n int64, ok bool) {
	switch v := value.(type) {
	case php.Int:
		return int64(v), true
	case php.Float:
		return int64(v), v >= math.MinInt64 && v < math.MaxInt64
	case php.String:
		f, _, err := big.ParseFloat(strings.TrimSpace(string(v)), 10, 200, big.ToZero)
		if err != nil {
			return 0, false
		}
		i, _ := f.Int(nil)
		return i.Int64(), i.IsInt64()
	}
	return 0, false
}

// isNoInteger tells whether the step counts on a number that is none within 64 bits.
func (o *observed) isNoInteger() bool {
	value := o.decoded()
	_, within := integer(value)
	switch v := value.(type) {
	case php.Float:
		return o.counts() && !within
	case php.String:
		_, _, err := big.ParseFloat(strings.TrimSpace(string(v)), 10, 200, big.ToZero)
		return o.counts() && !within && err == nil
	}
	return false
}

// foreverTooLate tells whether the step stores a row for longer than an INT column can say.
func (o *observed) foreverTooLate() bool {
	switch o.Op {
	case "put", "forever", "putMany", "add", "remember", "rememberForever":
		return o.mysql && !o.since(12, 55) && o.TTL == nil && o.expiration() > math.MaxInt32
	}
	return false
}

// theirsFailed tells whether Laravel threw, or answered false; its remember of old does not tell.
func (o *observed) theirsFailed() bool {
	return o.answers[theirs].Fault != "" || o.answers[theirs].is(isNo)
}

func (o *observed) tooLong() bool {
	return slices.ContainsFunc(o.rowKeys(), func(key string) bool {
		return utf8.RuneCountInString(key) > 255 || o.Op == "flexible" && utf8.RuneCountInString(o.companionOf(key)) > 255
	})
}

// cut is the beginning of a key that the column holds.
func cut(key string) string { return string([]rune(key)[:min(255, utf8.RuneCountInString(key))]) }

func (o *observed) notUTF8() bool {
	for i, key := range o.rowKeys() {
		if !utf8.ValidString(key) || o.invalidValue(i) {
			return true
		}
	}
	return false
}

func (o *observed) invalidValue(i int) bool {
	return o.mysql && i < len(o.Values) && !utf8.Valid(o.Values[i])
}

// namesInvalid tells whether a row key is, or stands for, one of a putMany that is refused for its own sake.
func (o *observed) namesInvalid(rowKey string) bool {
	for i, key := range o.rowKeys() {
		if (o.alike(key, rowKey) || mangled(key, rowKey)) && (!utf8.ValidString(key) || o.invalidValue(i)) {
			return true
		}
	}
	return false
}

// mangled tells whether a row key is what servers make of a key that is not UTF-8: cut at the first such byte, or with a question mark for each.
func mangled(key, rowKey string) bool {
	if utf8.ValidString(key) {
		return false
	}
	valid := key[:strings.IndexRune(key, utf8.RuneError)]
	return rowKey == valid || rowKey == strings.ToValidUTF8(key, "?")
}
