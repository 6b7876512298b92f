package record

import (
	"context"
	"maps"
	"sync"
	"time"
)

// A Counter counts what a store does, for tests and for programs that want figures without a metrics library. The zero value is ready to
// use, and safe for concurrent use. It keeps no keys.
type Counter struct {
	mu      sync.Mutex
	totals  map[pair]Total
	retries map[Cause]int64
}

type pair struct {
	name    Name
	outcome Outcome
}

// A Total is the sum over operations.
type Total struct {
	Operations int64
	Rows       int64
	Duration   time.Duration
}

func (t *Total) add(o Total) {
	t.Operations += o.Operations
	t.Rows += o.Rows
	t.Duration += o.Duration
}

// Operation counts an operation.
func (c *Counter) Operation(_ context.Context, o Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.totals == nil {
		c.totals = map[pair]Total{}
	}
	total := c.totals[pair{o.Name, o.Outcome}]
	total.add(Total{1, o.Rows, o.Duration})
	c.totals[pair{o.Name, o.Outcome}] = total
}

// Retry counts a repeat.
func (c *Counter) Retry(_ context.Context, r Retry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retries == nil {
		c.retries = map[Cause]int64{}
	}
	c.retries[r.Cause]++
}

// Total returns the sum over the operations of a name that ended with one of the outcomes, with any if none is given.
func (c *Counter) Total(name Name, outcomes ...Outcome) Total {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum Total
	if len(outcomes) > 0 {
		for _, outcome := range outcomes {
			sum.add(c.totals[pair{name, outcome}])
		}
		return sum
	}
	for p, total := range c.totals {
		if p.name == name {
			sum.add(total)
		}
	}
	return sum
}

// Operations returns how many operations there were in all.
func (c *Counter) Operations() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var n int64
	for _, total := range c.totals {
		n += total.Operations
	}
	return n
}

// Retries returns how often statements were repeated, by cause.
func (c *Counter) Retries() map[Cause]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.retries)
}

// Reset makes all figures zero.
func (c *Counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.totals, c.retries = nil, nil
}
