package fetcher

import "time"

// An instant is a reading of both clocks, in nanoseconds.
//
// The monotonic clock measures; nobody can set it. But on Linux it stands still while the machine is suspended. The wall clock goes on then, and
// can be set to anything. What both say is so.
type instant struct {
	wall int64 // since 1970
	mono int64 // since the fetcher was made
}

func (f *Fetcher) now() instant {
	if f.config.clock != nil {
		return f.config.clock()
	}
	t := time.Now()
	return instant{wall: t.UnixNano(), mono: int64(t.Sub(f.born))}
}

// maxDrift is by how much the two clocks may disagree about the time since a reading. A machine that is merely busy reads both
// within microseconds, and a time server that slews moves both alike; what remains is a clock that was set, or a suspend.
const maxDrift = int64(time.Second)

// steadySince reports whether both clocks measure the same time since then.
func (now instant) steadySince(then instant) bool {
	drift := (now.wall - then.wall) - (now.mono - then.mono)
	return -maxDrift <= drift && drift <= maxDrift
}

// since returns the time since then, by the clock that measures more of it.
func (now instant) since(then instant) time.Duration {
	return time.Duration(max(now.mono-then.mono, now.wall-then.wall))
}

// after returns the monotonic time d later.
func (now instant) after(d time.Duration) int64 { return now.mono + int64(d) }
