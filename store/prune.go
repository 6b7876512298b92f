package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/larder-cache/larder/store/record"
)

// PruneOptions bound what a Prune leaves. The zero value deletes what has expired and nothing else.
type PruneOptions struct {
	// MaxRows and MaxBytes are how many live rows, and bytes of their stored values, the store's prefix may keep. What is beyond is deleted,
	// soonest to expire first and so forever rows last. Default to 0: no bound. A store without a prefix refuses them unless AllPrefixes is
	// set.
	MaxRows  int64
	MaxBytes int64

	// AllPrefixes makes the bounds those of the table: rows of every prefix are counted, and deleted. Defaults to false.
	AllPrefixes bool

	// Keep is keys of live rows that are not deleted for a bound, whenever they expire; they count for it. Defaults to none.
	Keep []string

	// DryRun deletes nothing and tells what a Prune would delete now. It needs no lock, and does not ask whether another pruner is at work.
	// Defaults to false.
	DryRun bool

	// Progress is called after each statement that deletes. It delays the pruner, and nobody else. Defaults to none.
	Progress func(PruneProgress)
}

// A PruneResult tells what a Prune deleted.
type PruneResult struct {
	Expired      int64 // expired rows of the cache table, whatever their prefix
	ExpiredLocks int64 // expired rows of the lock table
	Evicted      int64 // live rows, to keep the bounds
	EvictedBytes int64 // of their values, if MaxBytes or DryRun was given; estimated where a writer came in between

	// MissingIndex tells that the cache table or the lock table has no index on expiration, so that all of its rows were read to find the
	// expired ones. larder migrate adds it.
	MissingIndex bool
}

// Deleted is the number of rows that were deleted in all.
func (r PruneResult) Deleted() int64 { return r.Expired + r.ExpiredLocks + r.Evicted }

// PruneProgress tells how far a Prune is.
type PruneProgress struct {
	PruneResult       // so far
	Total       int64 // how many rows it will have deleted, about; -1 if that would take a scan of the table to tell
}

// Prune deletes the expired rows of the cache table and of the lock table, of all prefixes, because an expired row is nobody's; and then, if
// the options have bounds, live rows of the store's prefix until the bounds hold.
//
// It never deletes a row that is live when its turn comes, but for the bounds: the keys are read first, and deleted by primary key, at most 199
// in a statement, with the expiration tested again, so that a row which was written in between stays. Neither does it stall writers for
// longer than one such DELETE takes. For the bounds it deletes only rows whose key and expiration are still what they were when they were read; rows
// that are written after it began to count are not counted.
//
// One pruner works on a table in the whole fleet: it holds a row of the lock table, which it looks at every few batches, renews in time, and which ends
// by itself two minutes after a pruner died. While another one holds it, Prune returns [ErrPruning] at once, having done nothing; and a
// pruner which finds that it lost its row stops with that error. Without the index on expiration it reads the whole table once, in the
// order of the keys, and [PruneResult] says so.
//
// Whatever the error, the result tells what was deleted until then, at least: a batch of expired rows whose answer was lost is not counted. A
// bound holds exactly all the same: of a batch of live rows, Prune then looks which are left. Between
// batches Prune looks whether ctx has ended. One that is under way then may go on for up to two seconds, and is counted.
//
// Laravel has no such command for this table (10 to 13): a row goes when its key is read after its expiry, and all others stay. Its lock
// table is swept by chance, 2 in 100 acquisitions.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (PruneResult, error) {
	p := &pruner{
		store: s, options: o, total: -1,
		lock: s.withoutPrefix().Lock(pruneLock+s.table, pruneLockTTL),
	}
	if o.bounded() { // or no live row is touched
		defer s.memory.wroteAll() // also when Progress panics
	}
	var err error
	op := s.begin(record.Prune, "")
	defer func() { op.end(ctx, record.Done, p.done.Deleted(), err) }() // also when Progress panics
	if err = p.prune(ctx); err != nil {
		return p.done, fmt.Errorf("prune: %w", err)
	}
	return p.done, nil
}

const (
	// pruneLock is followed by the cache table's name. It has no prefix: the expired rows of all prefixes are one job.
	pruneLock = "larder:prune:"

	// pruneLockTTL is longer than any batch can take: half a minute until a read times out, ten seconds of repeating and the same for a
	// DELETE that waits for somebody's rows.
	pruneLockTTL = 2 * time.Minute

	// pruneLockRenew is what must be left of it for another batch.
	pruneLockRenew = 3 * pruneLockTTL / 4

	// pruneLook is how long a pruner trusts that it has the lock: a few batches. To look before each of them took a tenth of the time of a prune. Two
	// pruners that are at work for so long do no harm, they are only slower.
	pruneLook = 20 * time.Millisecond

	// prunePage is how many keys are read at a time to delete them in their order: rows that stand together in the table go together, and the
	// server reads and logs a page of it once for many of them instead of once for each. 20,000 keys are some MB here.
	prunePage = 100 * maxDelete

	// evictPage is how many rows are sorted out at a time to keep a bound. The server sorts anew for each page, so that a larger one is
	// cheaper; 10,000 keys are some MB here.
	evictPage = 50 * maxDelete
)

// withoutPrefix is the same tables seen without a prefix and without a recorder: what a Prune does with its lock is part of the Prune.
func (s *Store) withoutPrefix() *Store {
	all := &Store{config: s.config, read: s.read, write: s.write, dialect: s.dialect, sql: s.sql}
	all.prefix, all.recorder = "", nil
	return all
}

// A pruner is one run of Prune.
type pruner struct {
	store   *Store
	options PruneOptions
	lock    *Lock
	looked  time.Time // when it was seen that the lock is held
	done    PruneResult
	total   int64
}

func (o PruneOptions) bounded() bool { return o.MaxRows > 0 || o.MaxBytes > 0 }

func (p *pruner) check() error {
	for _, bound := range []struct {
		what string
		n    int64
	}{{"max rows", p.options.MaxRows}, {"max bytes", p.options.MaxBytes}} {
		if bound.n < 0 {
			return &LimitError{What: bound.what, Limit: "0 (no bound) or more", Got: fmt.Sprint(bound.n)}
		}
	}
	if p.options.bounded() && p.store.prefix == "" && !p.options.AllPrefixes {
		return &LimitError{
			What: "bound", Limit: "a store with a prefix", Got: "the empty one, to which the rows of all other applications belong too",
			Remedy: "ask for all prefixes if that is meant",
		}
	}
	return nil
}

func (p *pruner) prune(ctx context.Context) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.options.DryRun {
		return p.foresee(ctx)
	}
	switch acquired, err := p.lock.Acquire(ctx); {
	case errors.Is(err, ErrLookalikeKey), err == nil && !acquired: // a look-alike is that of a table whose name differs in case
		return ErrPruning
	case err != nil:
		p.lock.releaseIfUnknown(ctx, err)
		return err
	}
	defer func() { _, _ = p.lock.releaseDetached(ctx) }() // if it fails, the lock ends by itself

	cacheIndexed, locksIndexed, err := p.indexes(ctx)
	if err != nil {
		return err
	}
	s := p.store
	if p.options.Progress != nil && cacheIndexed {
		if p.total, err = s.count(ctx, p.expired(s.sql.count)); err != nil {
			return err
		}
	}
	for _, t := range []expiredTable{
		{s.sql.expirations, s.sql.deleteKeys, cacheIndexed, &p.done.Expired},
		{s.sql.lockExpirations, s.sql.deleteLocks, locksIndexed, &p.done.ExpiredLocks},
	} {
		find := p.byExpiration
		if !t.indexed {
			find = p.byKey
		}
		if err := find(ctx, t); err != nil {
			return err
		}
	}
	if p.options.bounded() {
		return p.evict(ctx, p.evictSoonest)
	}
	return nil
}

// expired is the selection of a table's expired rows.
func (p *pruner) expired(read string) selection {
	return selection{read: read, where: []string{p.store.sql.isExpired}}
}

// foresee counts what prune would delete.
func (p *pruner) foresee(ctx context.Context) error {
	s := p.store
	_, _, err := p.indexes(ctx)
	if err != nil {
		return err
	}
	if p.done.Expired, err = s.count(ctx, p.expired(s.sql.count)); err != nil {
		return err
	}
	if p.done.ExpiredLocks, err = s.count(ctx, p.expired(s.sql.countLocks)); err != nil || !p.options.bounded() {
		return err
	}
	return p.evict(ctx, p.foreseeSoonest)
}

// foreseeSoonest counts what evictSoonest would delete.
func (p *pruner) foreseeSoonest(ctx context.Context, over excess, live selection) error {
	s := p.store
	live.read, live.order = s.sql.sizes, s.sql.byExpiry // always the sizes, of those rows alone: who asks beforehand wants to know what it would free
	if over.bytes <= 0 {
		live.limit = over.rows
	}
	err := s.repeat(ctx, reading, func() error {
		p.done.Evicted, p.done.EvictedBytes = 0, 0
		left := over
		return s.eachListed(ctx, live, func(row listed) error {
			if left.none() {
				return errStop
			}
			left = left.less(excess{1, row.size})
			p.done.Evicted, p.done.EvictedBytes = p.done.Evicted+1, p.done.EvictedBytes+row.size
			return nil
		})
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// indexes tells of both tables whether an index begins with the expiration.
func (p *pruner) indexes(ctx context.Context) (cache, locks bool, err error) {
	s := p.store
	err = s.repeat(ctx, reading, func() error { return s.read.QueryRowContext(ctx, s.sql.indexed).Scan(&cache, &locks) })
	p.done.MissingIndex = err == nil && !(cache && locks)
	return cache, locks, err
}

// keep makes sure that the lock is held for longer than a batch can take, or tells why to stop. It looks first, because a renewal waits for the
// server's disk: at every batch it took a third of the time of a prune.
func (p *pruner) keep(ctx context.Context) error {
	if p.options.DryRun {
		return ctx.Err()
	}
	p.looked = time.Now()
	owner, left, err := p.lock.current(ctx)
	held := owner == p.lock.owner
	if err == nil && held && left < pruneLockRenew {
		held, err = p.lock.Refresh(ctx)
	}
	if err == nil && !held {
		err = fmt.Errorf("the prune lock was lost: %w", ErrPruning)
	}
	return err
}

// keepOn is keep unless that was a moment ago.
func (p *pruner) keepOn(ctx context.Context) error {
	if time.Since(p.looked) < pruneLook {
		return ctx.Err()
	}
	return p.keep(ctx)
}

// An expiredTable is one of the two tables, and where its deleted rows are counted.
type expiredTable struct {
	read    string
	remove  string
	indexed bool
	deleted *int64
}

// byExpiration deletes a table's expired rows over the index, page after page of the soonest expired, each page in the order of its keys.
func (p *pruner) byExpiration(ctx context.Context, t expiredTable) error {
	s := p.store
	expired := p.expired(t.read)
	expired.order, expired.limit = s.sql.byIndex, prunePage
	for next := expired; ; {
		if err := p.keep(ctx); err != nil {
			return err
		}
		page, err := s.page(ctx, next)
		if err != nil || len(page) == 0 {
			return err
		}
		from := page[len(page)-1].expiration
		slices.SortFunc(page, func(a, b listed) int { return strings.Compare(a.key, b.key) })
		n, err := p.deleteBatches(ctx, t, page)
		if err != nil {
			return err
		}
		if n == 0 {
			from++ // all of them were written in between; or cannot be deleted, which must not keep the others
		}
		next = expired.and(s.sql.fromExpiration, from)
	}
}

// deleteBatches deletes rows that were found expired, as many in one statement as it may name.
func (p *pruner) deleteBatches(ctx context.Context, t expiredTable, expired []listed) (deleted int64, err error) {
	for batch := range slices.Chunk(expired, maxDelete) {
		if err := p.keepOn(ctx); err != nil {
			return deleted, err
		}
		n, err := p.deleteExpired(ctx, t, batch)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// byKey does it without an index: it goes through all rows once, by key, in pages that no server needs long for.
func (p *pruner) byKey(ctx context.Context, t expiredTable) error {
	return p.walk(ctx, selection{read: t.read}, func(page []listed) error {
		expired := slices.DeleteFunc(page, func(row listed) bool { return row.expiration > row.now })
		_, err := p.deleteBatches(ctx, t, expired)
		return err
	})
}

// walk shows all rows of a selection, page after page by key, while the lock is held.
func (p *pruner) walk(ctx context.Context, rows selection, visit func([]listed) error) error {
	rows.limit = listPage
	return p.store.pages(ctx, rows, func(page []listed) error {
		if err := p.keep(ctx); err != nil {
			return err
		}
		return visit(page)
	})
}

func (p *pruner) deleteExpired(ctx context.Context, t expiredTable, batch []listed) (int64, error) {
	s := p.store
	keys := make([]any, len(batch))
	for i, row := range batch {
		keys[i] = row.key
	}
	op := s.begin(record.PruneBatch, "")
	a, err := s.execBatch(ctx, idempotent, t.remove+tuple(len(keys))+and(s.sql.stillExpired), keys...)
	op.end(ctx, record.Forgotten, a.affected, err)
	if err != nil {
		return 0, err
	}
	*t.deleted += a.affected
	p.report()
	return a.affected, nil
}

func (p *pruner) report() {
	if p.options.Progress == nil {
		return
	}
	total := p.total
	if total >= 0 {
		total = max(total, p.done.Deleted()) // rows expire meanwhile
	}
	p.options.Progress(PruneProgress{PruneResult: p.done, Total: total})
	p.looked = time.Time{} // it may have taken any time, also by a clock that the store was given
}

// An excess is what there is beyond the bounds.
type excess struct{ rows, bytes int64 }

func (e excess) none() bool { return e.rows <= 0 && e.bytes <= 0 }

func (e excess) less(gone excess) excess { return excess{e.rows - gone.rows, e.bytes - gone.bytes} }

// evict measures what is beyond the bounds, and if anything is, has the live rows that they are about deleted, or what is to be done with them.
func (p *pruner) evict(ctx context.Context, soonest func(context.Context, excess, selection) error) error {
	s := p.store
	prefix := s.prefix
	if p.options.AllPrefixes {
		prefix = ""
	}
	err := s.withPrefix(prefix, func(condition string, args []any) error {
		live := selection{read: p.sizes(), where: []string{s.sql.isLive, condition}, args: args}
		over, err := p.measure(ctx, live)
		if err != nil || over.none() {
			return err
		}
		if keep := p.options.Keep; len(keep) > 0 {
			rowKeys := make([]any, len(keep))
			for i, key := range keep {
				rowKeys[i] = s.prefix + key
			}
			live = live.and(s.sql.keyIsNot+tuple(len(keep)), rowKeys...)
		}
		return soonest(ctx, over, live)
	})
	return s.noRowsIfNotStorable(err)
}

// measure counts the live rows. Their sizes are read only where a bound asks for them: it makes the server load every value.
func (p *pruner) measure(ctx context.Context, live selection) (excess, error) {
	var rows, bytes int64
	err := p.walk(ctx, live, func(page []listed) error {
		rows += int64(len(page))
		for _, row := range page {
			bytes += row.size
		}
		return nil
	})
	var over excess
	if p.options.MaxRows > 0 {
		over.rows = rows - p.options.MaxRows
	}
	if p.options.MaxBytes > 0 {
		over.bytes = bytes - p.options.MaxBytes
	}
	if p.total >= 0 && !over.none() {
		ofBytes := float64(rows) * float64(over.bytes) / float64(max(bytes, 1))
		p.total = p.done.Deleted() + max(over.rows, int64(ofBytes))
	}
	return over, err
}

func (p *pruner) sizes() string {
	if p.options.MaxBytes > 0 {
		return p.store.sql.sizes
	}
	return p.store.sql.expirations
}

// evictSoonest deletes the rows that expire next until nothing is beyond the bounds any more.
func (p *pruner) evictSoonest(ctx context.Context, over excess, live selection) error {
	s := p.store
	live.order, live.limit = s.sql.byExpiry, evictPage
	for next := live; ; {
		if err := p.keep(ctx); err != nil {
			return err
		}
		page, err := s.page(ctx, next)
		if err != nil || len(page) == 0 {
			return err
		}
		gone, err := p.evictOf(ctx, page, over)
		if over = over.less(gone); err != nil || over.none() {
			return err
		}
		from := page[len(page)-1].expiration
		if gone.rows == 0 {
			from++ // as in byExpiration
		}
		next = live.and(s.sql.fromExpiration, from)
	}
}

// evictOf deletes as many rows of a page, from its beginning, as it takes until nothing is beyond the bounds, or all, and returns what that freed.
func (p *pruner) evictOf(ctx context.Context, page []listed, over excess) (gone excess, err error) {
	for len(page) > 0 && !over.none() {
		n := 0 // the rows that it takes, as many as go into one statement
		for left := over; n < min(len(page), maxDelete) && !left.none(); n++ {
			left = left.less(excess{1, page[n].size})
		}
		if err := p.keep(ctx); err != nil {
			return gone, err
		}
		freed, err := p.deleteUnchanged(ctx, page[:n])
		if err != nil {
			return gone, err
		}
		gone, over, page = excess{gone.rows + freed.rows, gone.bytes + freed.bytes}, over.less(freed), page[n:]
	}
	return gone, nil
}

// deleteUnchanged deletes the rows that are as they were read, and returns what that freed. Which rows were not, the server does not say:
// their share of the bytes is taken for the average one.
func (p *pruner) deleteUnchanged(ctx context.Context, batch []listed) (excess, error) {
	s := p.store
	keys, tests := make([]any, len(batch)), make([]any, 0, 2*len(batch))
	bytes := int64(0)
	for i, row := range batch {
		keys[i] = row.key
		tests = append(tests, row.key, row.expiration)
		bytes += row.size
	}
	statement, args := s.sql.deleteKeys+tuple(len(keys))+and(anyOf(len(batch), s.sql.unchanged)), append(keys, tests...)
	op := s.begin(record.PruneBatch, "")
	a, err := s.execBatch(ctx, once, statement, args...)
	gone := excess{rows: a.affected, bytes: bytes}
	if a.affected < int64(len(batch)) {
		gone.bytes = bytes * a.affected / int64(len(batch))
	}
	if errors.Is(err, ErrOutcomeUnknown) && ctx.Err() == nil {
		// Repeated, it tells only what was left for it: with that alone, as many rows again would go as the first one may have deleted.
		if _, err = s.execBatch(ctx, idempotent, statement, args...); err == nil {
			gone, err = p.missing(ctx, batch)
		}
	}
	op.end(ctx, record.Forgotten, gone.rows, err)
	if err != nil {
		return excess{}, err
	}
	p.done.Evicted += gone.rows
	p.done.EvictedBytes += gone.bytes
	p.report()
	return gone, nil
}

// missing returns what is no longer live of the rows that were read, whoever deleted them.
func (p *pruner) missing(ctx context.Context, batch []listed) (excess, error) {
	s := p.store
	keys, gone := make([]any, len(batch)), make(map[string]int64, len(batch))
	for i, row := range batch {
		keys[i], gone[row.key] = row.key, row.size
	}
	left, err := s.page(ctx, selection{read: p.sizes(), where: []string{s.sql.isLive, s.sql.keyIn + tuple(len(keys))}, args: keys})
	if err != nil {
		return excess{}, err
	}
	for _, row := range left {
		delete(gone, row.key)
	}
	sum := excess{rows: int64(len(gone))}
	for _, size := range gone {
		sum.bytes += size
	}
	return sum, nil
}
