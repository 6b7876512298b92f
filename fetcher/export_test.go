package fetcher

// WithClock replaces the two clocks: nanoseconds since 1970, and since some moment.
func WithClock(read func() (wall, mono int64)) Option {
	return func(c *config) error {
		c.clock = func() instant {
			wall, mono := read()
			return instant{wall, mono}
		}
		return nil
	}
}

// WithoutJitter makes the time ahead what was asked for.
func WithoutJitter(f *Fetcher) *Fetcher {
	f.spread = 1
	return f
}
