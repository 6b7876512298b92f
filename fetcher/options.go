package fetcher

import (
	"fmt"
	"time"
)

// An Option changes a fetcher's defaults. Its value is checked by New.
type Option interface{ apply(*config) error }

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	margin       time.Duration
	refreshAhead time.Duration
	timeout      time.Duration
	lockTTL      time.Duration // 0: derived from timeout
	wait         time.Duration // 0: derived from timeout and lockTTL
}

func newConfig(info Info, opts []Option) (config, error) {
	c := config{margin: info.Margin, refreshAhead: info.RefreshAhead, timeout: 1500 * time.Millisecond}
	for _, o := range opts {
		if err := o.apply(&c); err != nil {
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
	return option(func(c *config) error {
		if margin < 0 {
			return fmt.Errorf("margin %v: want 0 or more", margin)
		}
		c.margin = margin
		return nil
	})
}

// WithRefreshAhead sets how long before the row expires the next token is fetched, while the old one is still handed out. At most half
// of a row's life is taken, which is that of the last one this process fetched, or else the one that the vendor documents. Zero fetches on expiry only. Defaults to the source's own, which is 10 minutes for DingTalk.
func WithRefreshAhead(ahead time.Duration) Option {
	return option(func(c *config) error {
		if ahead < 0 {
			return fmt.Errorf("refresh ahead %v: want 0 or more", ahead)
		}
		c.refreshAhead = ahead
		return nil
	})
}

// WithTimeout bounds one request to the vendor, from connecting to the reply's last byte. Defaults to 1.5 s.
func WithTimeout(timeout time.Duration) Option {
	return option(func(c *config) error {
		if timeout <= 0 {
			return fmt.Errorf("timeout %v: want more than 0", timeout)
		}
		c.timeout = timeout
		return nil
	})
}

// WithLockTTL sets how long the lock outlives a process that died while it fetched; the others wait for that long. It must be
// more than the timeout. Locks count whole seconds, so it is rounded up. Defaults to the timeout plus 5 s.
func WithLockTTL(ttl time.Duration) Option {
	return option(func(c *config) error {
		if ttl <= 0 {
			return fmt.Errorf("lock TTL %v: want more than 0", ttl)
		}
		c.lockTTL = ttl
		return nil
	})
}

// WithWait sets how long to wait for another process that holds the lock, before [store.ErrLockTimeout]. A caller's context may
// end sooner. Defaults to the lock's TTL plus the timeout plus 1 s, so that a holder that died is outlived.
func WithWait(wait time.Duration) Option {
	return option(func(c *config) error {
		if wait <= 0 {
			return fmt.Errorf("wait %v: want more than 0", wait)
		}
		c.wait = wait
		return nil
	})
}
