package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
)

// A PanicError is what a call of [Remember] or [Flexible] panics with when the function that makes the value panicked, because that function
// runs in a goroutine of its own. In a refresh behind the caller's back it is the error of the refresh.
type PanicError struct {
	Value any    // what the function panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var (
	errGoexit = errors.New("the function that makes the value has ended its goroutine (runtime.Goexit)")
	errOwnKey = errors.New("the function that makes the value asks for the key that it is to make, and would wait for itself")
)

// Wait waits until nothing runs any more that Remember and Flexible started for this store: values being made whose callers have gone, and
// refreshes. It returns ctx.Err() if the context ends first. A program that wants to leave nothing half done calls it before Close.
func (s *Store) Wait(ctx context.Context) error {
	for {
		f := s.flights.any()
		if f == nil {
			return nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A flight is one run of a function for all who want its result. Its context has the values of the first caller's and is not canceled with it.
type flight struct {
	done     chan struct{}
	value    any // these are written before done is closed
	err      error
	panicked *PanicError
}

type flightKind int

const (
	remembering flightKind = iota
	populating             // Flexible, and the caller waits
	refreshing             // Flexible, and it does not
)

// A flightKey also is the key of the value that marks a flight's context.
type flightKey struct {
	store *Store
	kind  flightKind
	key   string
	of    reflect.Type // callers who want the key as different types do not share a flight
}

// A flightGroup has a store's flights that are under way. The zero value has none.
type flightGroup struct {
	mu      sync.Mutex
	running map[flightKey]*flight
}

// start has the runner run fn, unless a flight of the key is under way. It returns the flight, and whether it is a new one.
func (g *flightGroup) start(ctx context.Context, k flightKey, runner func(func()), fn func(context.Context) (any, error)) (*flight, bool) {
	g.mu.Lock()
	if f, ok := g.running[k]; ok {
		g.mu.Unlock()
		return f, false
	}
	f := &flight{done: make(chan struct{})}
	if g.running == nil {
		g.running = map[flightKey]*flight{}
	}
	g.running[k] = f
	g.mu.Unlock()

	ctx = context.WithValue(context.WithoutCancel(ctx), k, true)
	runner(func() {
		defer func() { // also when fn ends the goroutine
			g.mu.Lock()
			delete(g.running, k)
			g.mu.Unlock()
			close(f.done)
		}()
		f.run(func() (any, error) { return fn(ctx) })
	})
	return f, true
}

// run runs fn and keeps what becomes of it. It does not return if fn ends the goroutine.
func (f *flight) run(fn func() (any, error)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			f.panicked = &PanicError{Value: v, Stack: debug.Stack()}
		} else {
			f.err = errGoexit
		}
	}()
	f.value, f.err = fn()
	returned = true
}

// any returns one of the flights, nil if there is none.
func (g *flightGroup) any() *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.running {
		return f
	}
	return nil
}

func inGoroutine(f func()) { go f() }

// fly runs fn, or joins the flight of the same key, and waits for the result as long as ctx allows.
func fly[T any](ctx context.Context, s *Store, kind flightKind, key string, fn func(context.Context) (T, error)) (T, error) {
	var none T
	k := flightKey{s, kind, key, reflect.TypeFor[T]()}
	if ctx.Value(k) != nil {
		return none, errOwnKey
	}
	f, _ := s.flights.start(ctx, k, inGoroutine, func(ctx context.Context) (any, error) { return fn(ctx) })
	select {
	case <-f.done:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if f.panicked != nil {
		panic(f.panicked)
	}
	value, _ := f.value.(T) // not ok: T is an interface and the value nil
	return value, f.err
}
