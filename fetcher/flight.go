package fetcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrClosed is returned by a fetcher that was closed and would have to look at the row.
var ErrClosed = errors.New("the fetcher is closed")

// flights are what a fetcher is at, one of a name at a time. They are not the callers': a caller who leaves ends none, and each is bounded
// by its own timeouts. Unlike x/sync's singleflight they can be joined, and a source that panics fails its callers and not the process.
type flights struct {
	mu      sync.Mutex
	running map[string]*flight
	closed  bool
}

type flight struct {
	done chan struct{} // closed when the rest is there
	held *held
	err  error
}

// start runs do, or joins the run of that name.
func (g *flights) start(name string, do func() (*held, error)) *flight {
	g.mu.Lock()
	defer g.mu.Unlock()
	if fl, ok := g.running[name]; ok {
		return fl
	}
	fl := &flight{done: make(chan struct{})}
	if g.closed {
		fl.err = ErrClosed
		close(fl.done)
		return fl
	}
	if g.running == nil {
		g.running = map[string]*flight{}
	}
	g.running[name] = fl
	go func() {
		defer func() {
			if v := recover(); v != nil {
				fl.held, fl.err = nil, fmt.Errorf("panic while fetching (%T)", v) // not v itself, which may contain anything
			}
			g.mu.Lock()
			delete(g.running, name)
			g.mu.Unlock()
			close(fl.done)
		}()
		fl.held, fl.err = do()
	}()
	return fl
}

// join waits until nothing of the given name runs, or nothing at all if it is "".
func (g *flights) join(ctx context.Context, name string) error {
	for {
		g.mu.Lock()
		var fl *flight
		for n, running := range g.running {
			if name == "" || n == name {
				fl = running
				break
			}
		}
		g.mu.Unlock()
		if fl == nil {
			return nil
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *flights) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
