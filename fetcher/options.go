package fetcher

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// An Option changes a fetcher's defaults. Its value is checked by New.
type Option func(*config) error

type config struct {
	margin       time.Duration
	refreshAhead time.Duration
	timeout      time.Duration
	storeTimeout time.Duration
	lockTTL      time.Duration // 0: derived from timeout
	wait         time.Duration // 0: derived from timeout and lockTTL
	stale        time.Duration
	rejectEvery  time.Duration
	shape        Shape
	observer     Observer
	logger       *slog.Logger
	clock        func() instant // nil: the machine's
}

func newConfig(info Info, opts []Option) (config, error) {
	c := config{
		margin:       info.Margin,
		refreshAhead: info.RefreshAhead,
		timeout:      1500 * time.Millisecond,
		storeTimeout: 2 * time.Second,
		rejectEvery:  10 * time.Second,
		shape:        ShapeString,
	}
	if info.Renewal == NewOldDies {
		c.rejectEvery = time.Minute
	}
	for _, o := range opts {
		if err := o(&c); err != nil {
			return config{}, err
		}
	}
	if c.lockTTL == 0 {
		c.lockTTL = c.timeout + 5*time.Second
	}
	if c.lockTTL <= c.timeout {
		return config{}, fmt.Errorf("lock TTL %v: want more than the timeout, %v, or the lock ends during the fetch",
			c.lockTTL, c.timeout)
	}
	if c.wait == 0 {
		c.wait = c.lockTTL + c.timeout + time.Second // a lock's end is rounded up to whole seconds
	}
	return c, nil
}

// WithMargin sets how much sooner than the vendor's expiry the row expires, so that nobody reads a token that ends on its way
// to the vendor. At most half of a token's life is taken off, so a token that lives shorter than the margin still has a row.
// Defaults to the source's own, which is 200 s for DingTalk: 7200 s become 7000.
func WithMargin(margin time.Duration) Option {
	return func(c *config) error {
		if margin < 0 {
			return fmt.Errorf("margin %v: want 0 or more", margin)
		}
		c.margin = margin
		return nil
	}
}

// WithRefreshAhead sets how long before the row expires the next token is fetched, behind the callers' backs and while the old one is
// still handed out. Each process takes up to a fifth more or less, so that they do not come at once; at most half of a row's life, if that is
// known or documented; and at most the source's [Info.MaxRefreshAhead]. Zero fetches on expiry only. Defaults to the source's own, which is 10
// minutes for DingTalk.
func WithRefreshAhead(ahead time.Duration) Option {
	return func(c *config) error {
		if ahead < 0 {
			return fmt.Errorf("refresh ahead %v: want 0 or more", ahead)
		}
		c.refreshAhead = min(ahead, maxLife) // which is longer than any row lives, and can be multiplied
		return nil
	}
}

// WithTimeout bounds one request to the vendor, from connecting to the reply's last byte. Defaults to 1.5 s.
func WithTimeout(timeout time.Duration) Option {
	return func(c *config) error {
		if timeout <= 0 {
			return fmt.Errorf("timeout %v: want more than 0", timeout)
		}
		c.timeout = timeout
		return nil
	}
}

// WithStoreTimeout bounds each statement sent to the database; one that takes longer counts as the database's failure. Defaults to 2 s.
func WithStoreTimeout(timeout time.Duration) Option {
	return func(c *config) error {
		if timeout <= 0 {
			return fmt.Errorf("store timeout %v: want more than 0", timeout)
		}
		c.storeTimeout = timeout
		return nil
	}
}

// WithLockTTL sets how long the lock outlives a process that died while it fetched; the others wait for that long. It must be
// more than the timeout. Locks count whole seconds, so it is rounded up. Defaults to the timeout plus 5 s.
func WithLockTTL(ttl time.Duration) Option {
	return func(c *config) error {
		if ttl <= 0 {
			return fmt.Errorf("lock TTL %v: want more than 0", ttl)
		}
		c.lockTTL = ttl
		return nil
	}
}

// WithWait sets how long to wait for another process that holds the lock, before [store.ErrLockTimeout]. A caller's context may
// end sooner. Defaults to the lock's TTL plus the timeout plus 1 s, so that a holder that died is outlived.
func WithWait(wait time.Duration) Option {
	return func(c *config) error {
		if wait <= 0 {
			return fmt.Errorf("wait %v: want more than 0", wait)
		}
		c.wait = wait
		return nil
	}
}

// WithStale lets a token be handed out for grace after its row has expired, if no other can be had. It comes together with an error that is
// [ErrStale], and its origin is [FromStale]. Defaults to 0: an expired token is never handed out.
func WithStale(grace time.Duration) Option {
	return func(c *config) error {
		if grace < 0 {
			return fmt.Errorf("stale %v: want 0 or more", grace)
		}
		c.stale = grace
		return nil
	}
}

// WithRejectInterval sets how often the fleet asks the vendor because of rejections at the most: whoever says that tokens are rejected cannot use
// up the quota. Sooner than that, [Fetcher.Reject] returns [ErrRejectedTooOften]. Whole seconds, rounded up, and at most a day, which is for how
// long the fleet remembers. Defaults to 10 s,
// and to a minute where a new token ends the former one ([NewOldDies]): each rejection gets another token there, so that nothing else tells a
// caller who is wrong from one who is right, and WeChat gives 2000 a day.
func WithRejectInterval(every time.Duration) Option {
	return func(c *config) error {
		if every <= 0 || every > stateLife {
			return fmt.Errorf("reject interval %v: want more than 0 and at most %v", every, stateLife)
		}
		c.rejectEvery = every
		return nil
	}
}

// A Shape is how the row's value looks to PHP.
type Shape int

const (
	// ShapeString is the bare token, as the Laravel recipe writes it.
	ShapeString Shape = iota
	// ShapeArray is ['access_token' => string, 'expires_in' => int], as EasyWeChat 4 and 5 and other PHP SDKs write it; expires_in is the row's
	// life in seconds when it was written.
	ShapeArray
)

// WithShape sets what rows are written as. Both are read, whatever is written. Defaults to [ShapeString].
func WithShape(shape Shape) Option {
	return func(c *config) error {
		if shape != ShapeString && shape != ShapeArray {
			return fmt.Errorf("shape %d: want ShapeString or ShapeArray", shape)
		}
		c.shape = shape
		return nil
	}
}

// WithObserver sets who is told of what happens. Defaults to nobody.
func WithObserver(o Observer) Option {
	return func(c *config) error {
		if o == nil {
			return errors.New("observer: want one, got nil")
		}
		c.observer = o
		return nil
	}
}

// WithLogger sets where what happens is logged: what somebody should look at as a warning, the rest as info or debug. A fetch that fails as the one
// before it is a warning once an hour. Nothing of it is a secret; of tokens the first 4 characters are shown. Defaults to nowhere.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("logger: want one, got nil")
		}
		c.logger = l
		return nil
	}
}
