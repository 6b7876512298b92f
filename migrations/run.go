package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// A planner looks at the database and decides what to do.
type planner func(context.Context) (*work, error)

// An outcome tells how the database was before and is now.
type outcome struct{ before, now *schema }

// run brings the database to where the planner finds nothing to do. If it is there already, it is only read.
func (m *Migrator) run(ctx context.Context, plan planner) (*outcome, error) {
	l := m.newLease()
	for {
		w, err := plan(ctx)
		if err != nil {
			return nil, err
		}
		if w.empty() {
			return &outcome{w.schema, w.schema}, nil
		}
		taken, err := l.acquire(ctx)
		if err != nil {
			return nil, err
		}
		if !taken {
			continue // another run has had it meanwhile
		}
		var o *outcome
		err = l.hold(ctx, func(ctx context.Context) (err error) {
			o, err = m.carryOut(ctx, plan, l)
			return err
		})
		return o, err
	}
}

// carryOut plans and works until nothing is left to do. It plans anew after each round, because between looking and changing
// somebody else, such as Laravel's own migration, may have been there too.
func (m *Migrator) carryOut(ctx context.Context, plan planner, l *lease) (*outcome, error) {
	const rounds = 50
	o := &outcome{}
	var last error
	for range rounds {
		w, err := plan(ctx)
		if err != nil {
			return nil, err
		}
		if o.before == nil {
			o.before = w.schema
		}
		if o.now = w.schema; w.empty() {
			return o, nil
		}
		last = m.round(ctx, w, l)
		if last == nil {
			continue
		}
		// A connection lost during a statement, be it by the DSN's readTimeout in a long one, leaves the server at work. The same
		// statement then waits for that to end, and finds nothing to do.
		if !passing(last) && !errors.Is(last, mysql.ErrInvalidConn) {
			return nil, last
		}
		m.log.InfoContext(ctx, "trying again", slog.Any("error", last))
		if sleep(ctx, rand.N(200*time.Millisecond)) != nil {
			return nil, last
		}
	}
	if last == nil {
		last = errors.New("something else changes them")
	}
	return nil, fmt.Errorf("the tables are not as they should be after %d rounds: %w", rounds, last)
}

// round carries out one plan.
func (m *Migrator) round(ctx context.Context, w *work, l *lease) error {
	store, err := database.NewStoreFromQuerier(m.versions, m.queries())
	if err != nil {
		return err
	}
	filled := map[string]string{}
	for _, p := range w.steps {
		filled[p.file] = p.text
	}
	provider, err := goose.NewProvider(goose.DialectCustom, m.db.DB, stepFiles{m.engine.files, filled},
		goose.WithStore(store),
		goose.WithDisableGlobalRegistry(true), // those are the calling program's own migrations
		goose.WithAllowOutofOrder(true),       // a step that is needed again comes after later ones
		goose.WithSlog(m.log),
	)
	if err != nil {
		return err
	}
	if err := l.renew(ctx); err != nil {
		return err
	}
	if err := m.prepare(ctx, w, store); err != nil {
		return err
	}
	next := provider.UpByOne
	if !w.up {
		next = provider.Down
	}
	for range w.steps {
		if err := l.renew(ctx); err != nil {
			return err
		}
		result, err := next(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil // another run has done it: the next plan will tell
		}
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			return fmt.Errorf("%s: %w", partial.Failed.Source.Path, partial.Err)
		} else if err != nil {
			return err
		}
		m.log.DebugContext(ctx, "migration step done", slog.String("step", result.Source.Path), slog.Bool("changed", !result.Empty),
			slog.String("direction", result.Direction), slog.Duration("took", result.Duration))
	}
	return nil
}

// prepare brings the version table to the point from which goose carries on. goose would make it too, but leaves it without its
// first row for ever if it is interrupted in between.
func (m *Migrator) prepare(ctx context.Context, w *work, store database.Store) error {
	if w.createVersions {
		if err := store.CreateVersionTable(ctx, m.db); err != nil {
			return err
		}
	}
	insert := w.record
	if w.zero {
		insert = append([]int64{0}, insert...)
	}
	for _, v := range insert {
		if err := store.Insert(ctx, m.db, database.InsertRequest{Version: v}); err != nil {
			return err
		}
	}
	for _, v := range w.forget {
		if err := store.Delete(ctx, m.db, v); err != nil {
			return err
		}
	}
	return nil
}
