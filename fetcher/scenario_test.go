package fetcher_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

func TestScenario01_ColdStartFetchesOnceForTheFleet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		s.delay, v.latency = 5*time.Millisecond, 300*time.Millisecond
		var wg sync.WaitGroup
		begun := time.Now()
		for range 10 {
			f := process(t, s, v)
			for range 100 {
				wg.Go(func() { wantToken(t, f, numbered(1)) })
			}
		}
		wg.Wait()
		wantCalls(t, v, 1)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the last caller waited %v", took)
		}
		if n := s.Reads(); n > 10*10 {
			t.Errorf("%d reads of the row by 10 processes, want a few each: their callers share them", n)
		}
	})
}

// What happened between a process's look at the row and its having the lock is seen under the lock.
func TestScenario01_RowIsLookedAtAgainUnderTheLock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f, g := process(t, s, v), process(t, s, v)
		s.Meanwhile(func() { wantToken(t, g, numbered(1)) })
		wantToken(t, f, numbered(1))
		wantCalls(t, v, 1)

		s.Meanwhile(func() {
			if token, err := g.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
				t.Error(token, err)
			}
		})
		if token, err := f.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
			t.Errorf("got %q, %v, want the token that the other process fetched", token, err)
		}
		wantCalls(t, v, 2)
	})
	bubble(t, func(t *testing.T) { // and so is a failure
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f, g := process(t, s, v), process(t, s, v)
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		s.Meanwhile(func() { _, _ = g.Token(t.Context()) })
		var failure *fetcher.SourceError
		if _, err := f.Token(t.Context()); !errors.As(err, &failure) || failure.Code != "4711" {
			t.Errorf("got %v, want the failure of the other process", err)
		}
		wantCalls(t, v, 1)
	})
}

func TestScenario02_SoftExpiryMakesNobodyWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.latency, s.delay = 300*time.Millisecond, 5*time.Millisecond
		var fleet []*fetcher.Fetcher
		for range 5 {
			f := process(t, s, v)
			wantToken(t, f, numbered(1))
			fleet = append(fleet, f)
		}
		for begun := time.Now(); time.Since(begun) < 4*time.Hour; time.Sleep(500 * time.Millisecond) {
			for _, f := range fleet {
				at := time.Now()
				if token, err := f.Token(t.Context()); err != nil || token == "" || time.Since(at) != 0 {
					t.Fatalf("after %v: %q, %v, waited %v", time.Since(begun), token, err, time.Since(at))
				}
			}
			if row, ttl := s.Row(key); row == "" || ttl < 9*time.Minute {
				t.Fatalf("after %v the row lives %v", time.Since(begun), ttl)
			}
		}
		wantCalls(t, v, 3) // at 0, 6400 s and 12,800 s
	})
}

func TestScenario03_HolderThatDiedIsOutlived(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		if ok, err := s.Lock(fetcher.LockName(key), 6500*time.Millisecond).Acquire(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		begun := time.Now()
		wantToken(t, process(t, s, v), numbered(1))
		wantCalls(t, v, 1)
		if took := time.Since(begun); took < 5*time.Second || took > 9*time.Second {
			t.Errorf("took %v, want the lock's 7 s", took)
		}
	})
}

func TestScenario04_StalledHolderDoesNotOverwriteTheNewerRow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		stalled := make(chan struct{})
		v.Answer(func(_ context.Context, n int) (fetcher.Token, error) {
			token := v.next()
			if n == 1 { // the process is stopped before it sees the answer, and with it its timeouts
				close(stalled)
				time.Sleep(time.Minute)
			}
			return token, nil
		})
		first, second := process(t, s, v, fetcher.WithWait(2*time.Minute)), process(t, s, v)
		got := make(chan string, 1)
		go func() {
			token, err := first.Token(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- token
		}()
		<-stalled
		wantToken(t, second, numbered(2))
		if token := <-got; token != numbered(2) {
			t.Errorf("the stalled process hands out %q, want the newer token", token)
		}
		wantRow(t, s, quoted(numbered(2)))
		wantCalls(t, v, 2)
	})
}

func TestScenario05_FailuresInTheSoftWindowAreBackedOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		var fleet []*fetcher.Fetcher
		for range 3 {
			f := process(t, s, v)
			wantToken(t, f, numbered(1))
			fleet = append(fleet, f)
		}
		time.Sleep(6390 * time.Second)
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		for range 500 {
			time.Sleep(time.Second)
			for _, f := range fleet {
				wantAtOnce(t, f, numbered(1))
			}
		}
		if n := v.Calls(); n < 8 || n > 25 { // 1, 2, 4, ... 60, 60, ...
			t.Errorf("%d fetches in 490 s of failures, want a back-off to one a minute", n)
		}
		if got := alarms(fleet[0]); !slices.Contains(got, fetcher.AlarmFailing) {
			t.Errorf("alarms %v, want failing: more than half of the window is over", got)
		}
		v.Answer(nil)
		for range 80 {
			time.Sleep(time.Second)
			for _, f := range fleet {
				if _, err := f.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, f := range fleet {
			wantAtOnce(t, f, numbered(2))
			if st := f.Status(); st.LastError != nil || len(st.Alarms) != 0 {
				t.Errorf("after the recovery: %v, %v", st.LastError, st.Alarms)
			}
		}
	})
}

func TestScenario06_PastExpiryTheErrorOrTheGraceAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		strict, graceful := process(t, s, v), process(t, s, v, fetcher.WithStale(time.Minute))
		wantToken(t, strict, numbered(1))
		wantToken(t, graceful, numbered(1))
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		time.Sleep(7001 * time.Second)
		var failure *fetcher.SourceError
		if token, err := strict.Token(t.Context()); token != "" || !errors.As(err, &failure) || failure.Class != fetcher.ClassTransient {
			t.Errorf("got %q, %v, want the vendor's failure", token, err)
		}
		result, err := graceful.Get(t.Context())
		if result.Token.Value != numbered(1) || result.Origin != fetcher.FromStale || !errors.Is(err, fetcher.ErrStale) || !errors.As(err, &failure) {
			t.Errorf("got %v, %v, want the stale token, marked", result, err)
		}
		time.Sleep(time.Minute)
		if token, err := graceful.Token(t.Context()); token != "" || errors.Is(err, fetcher.ErrStale) {
			t.Errorf("after the grace: %q, %v", token, err)
		}
	})
}

func TestScenario06_FirstCallersEndDoesNotFailTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.latency = time.Second
		f := process(t, s, v)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := f.Token(ctx); first <- err }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
		wantToken(t, f, numbered(1))
		wantCalls(t, v, 1)
	})
}

func TestScenario07_PermanentRefusalIsAskedForOnceByTheFleet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassCredential, 0))
		var fleet []*fetcher.Fetcher
		for range 5 {
			fleet = append(fleet, process(t, s, v))
		}
		for range 300 {
			var wg sync.WaitGroup
			for _, f := range fleet {
				wg.Go(func() {
					_, err := f.Token(t.Context())
					var failure *fetcher.SourceError
					if !errors.As(err, &failure) || failure.Class != fetcher.ClassCredential || failure.Code != "4711" {
						t.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
			time.Sleep(10 * time.Second)
		}
		wantCalls(t, v, 1)
		for _, f := range fleet {
			if !slices.Contains(alarms(f), fetcher.AlarmFailing) {
				t.Errorf("no alarm: %v", f.Status())
			}
		}

		// Other credentials are asked with at once, and what they bring ends it for all.
		w := newVendor(fetcher.SameRenewed)
		w.info.Fingerprint = "other credentials"
		wantToken(t, process(t, s, w), numbered(1))
		time.Sleep(2 * time.Second)
		for _, f := range fleet {
			wantToken(t, f, numbered(1))
		}
		wantCalls(t, v, 1)
	})
}

func TestScenario07_PermanentRefusalIsTriedAgainAfterAnHourAndWhenAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassConfig, 0))
		f := process(t, s, v)
		_, _ = f.Token(t.Context())
		if _, err := f.Refresh(t.Context()); err == nil {
			t.Error("refresh: no error")
		}
		wantCalls(t, v, 2)
		v.Answer(nil)
		time.Sleep(59 * time.Minute)
		if _, err := f.Token(t.Context()); err == nil {
			t.Error("asked again within the hour")
		}
		time.Sleep(2 * time.Minute)
		wantToken(t, f, numbered(1))
		wantCalls(t, v, 3)
	})
}

func TestScenario08_ThrottleIsWaitedForAsLongAsTheVendorSays(t *testing.T) {
	for _, asked := range []time.Duration{0, 30 * time.Second, 5 * time.Minute} {
		t.Run(asked.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRenewed)
				v.Answer(func(_ context.Context, n int) (fetcher.Token, error) {
					if n == 1 {
						return fetcher.Token{}, refusal(fetcher.ClassThrottle, asked)
					}
					return v.next(), nil
				})
				f, g := process(t, s, v), process(t, s, v)
				for f.Fresh(0) != nil {
					_, _ = f.Token(t.Context())
					_, _ = g.Token(t.Context())
					time.Sleep(100 * time.Millisecond)
				}
				wantCalls(t, v, 2)
				if waited := v.times[1].Sub(v.times[0]); waited < max(time.Second, asked) || waited > asked+4*time.Second {
					t.Errorf("waited %v, want at least 1 s and %v", waited, asked)
				}
			})
		})
	}
}

func TestScenario10_NoGarbageIsStoredOrHandedOut(t *testing.T) {
	for name, answer := range map[string]fetcher.Token{
		"empty": {Value: "", ExpiresIn: time.Hour}, "a blank": {Value: "a b", ExpiresIn: time.Hour}, "a line break": {Value: "ab\n", ExpiresIn: time.Hour},
		"no life": {Value: "token"}, "a negative life": {Value: "token", ExpiresIn: -time.Hour}, "10 KB": {Value: strings.Repeat("x", 10<<10), ExpiresIn: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRenewed)
				v.Answer(func(context.Context, int) (fetcher.Token, error) { return answer, nil })
				f := process(t, s, v)
				var failure *fetcher.SourceError
				for range 50 {
					if token, err := f.Token(t.Context()); token != "" || !errors.As(err, &failure) || failure.Class != fetcher.ClassProtocol {
						t.Fatalf("got %.20q, %v", token, err)
					}
					time.Sleep(time.Second / 10)
				}
				wantRow(t, s, "")
				wantCalls(t, v, 1)
			})
		})
	}
}

func TestScenario11_OddLivesMakeNoTightLoop(t *testing.T) {
	for _, c := range []struct {
		life        time.Duration
		most        int // fetches in 10 minutes
		longestLife time.Duration
	}{
		{time.Second, 600, time.Second},
		{30 * time.Second, 80, 15 * time.Second},
		{5 * time.Minute, 8, 150 * time.Second},
		{1e6 * time.Hour, 1, 30 * 24 * time.Hour},
	} {
		t.Run(c.life.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.NewOldValid)
				v.life = c.life
				f := process(t, s, v)
				for range 6000 {
					if _, err := f.Token(t.Context()); err != nil {
						t.Fatal(err)
					}
					if _, ttl := s.Row(key); ttl > c.longestLife+time.Second {
						t.Fatalf("the row lives %v", ttl)
					}
					time.Sleep(100 * time.Millisecond)
				}
				if n := v.Calls(); n > c.most {
					t.Errorf("%d fetches in 10 minutes, want at most %d", n, c.most)
				}
			})
		})
	}
}

func TestScenario12_RejectionStormFetchesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		v.latency, s.delay = 200*time.Millisecond, 3*time.Millisecond
		var fleet []*fetcher.Fetcher
		for range 4 {
			f := process(t, s, v)
			wantToken(t, f, numbered(1))
			fleet = append(fleet, f)
		}
		var wg sync.WaitGroup
		reject := func() {
			for i := range 1000 {
				wg.Go(func() {
					time.Sleep(rand.N(500 * time.Millisecond))
					if token, err := fleet[i%4].Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
						t.Errorf("got %q, %v, want the second token", token, err)
					}
				})
			}
			wg.Wait()
		}
		reject()
		wantCalls(t, v, 2)
		time.Sleep(time.Hour)
		reject() // late
		wantCalls(t, v, 2)
		wantRow(t, s, quoted(numbered(2)))
	})
}

func TestScenario12_LateReportInAnotherProcessGetsTheRowsToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		early, late := process(t, s, v), process(t, s, v)
		wantToken(t, early, numbered(1))
		wantToken(t, late, numbered(1))
		if token, err := early.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
			t.Fatal(token, err)
		}
		if token, err := late.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
			t.Errorf("late: %q, %v, want the row's", token, err)
		}
		wantCalls(t, v, 2)
	})
}

// Whose new token ends the former one never gives the same again, so that only the interval bounds what a program costs that is wrong about its
// tokens. WeChat gives 2000 a day.
func TestScenario12_RejectionsLeaveADaysQuotaWhereTheFormerTokenDies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f := process(t, s, v)
		current := numbered(1)
		wantToken(t, f, current)
		for range 24 * 60 * 12 { // a day
			if token, err := f.Reject(t.Context(), current); err == nil {
				current = token
			} else {
				var later interface{ RetryAfter() time.Duration }
				if !errors.Is(err, fetcher.ErrRejectedTooOften) || !errors.As(err, &later) || later.RetryAfter() <= 0 || later.RetryAfter() > 61*time.Second {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * time.Second)
		}
		if n := v.Calls(); n < 1000 || n > 1500 {
			t.Errorf("%d fetches in a day, want one a minute", n)
		}
	})
}

func TestScenario12_RejectionsAreBoundedAcrossProcesses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f, g := process(t, s, v), process(t, s, v)
		current := numbered(1)
		wantToken(t, f, current)
		var tooOften int
		for i := range 600 { // whoever does this rejects whatever token there is
			p := []*fetcher.Fetcher{f, g}[i%2]
			token, err := p.Reject(t.Context(), current)
			switch {
			case errors.Is(err, fetcher.ErrRejectedTooOften):
				tooOften++
			case err != nil:
				t.Fatal(err)
			default:
				current = token
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := v.Calls(); n < 5 || n > 8 || tooOften == 0 {
			t.Errorf("%d fetches in a minute, %d refused, want one in 10 s", n, tooOften)
		}
		wantToken(t, f, current) // goes on being handed out
	})
}

func TestScenario13_SameTokenAgainIsNotLoopedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Answer(func(context.Context, int) (fetcher.Token, error) {
			return fetcher.Token{Value: numbered(1), ExpiresIn: 2 * time.Hour}, nil
		})
		f, g := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		for range 50 {
			for _, p := range []*fetcher.Fetcher{f, g} {
				_, err := p.Reject(t.Context(), numbered(1))
				var failure *fetcher.SourceError
				if !errors.Is(err, fetcher.ErrSameToken) || !errors.As(err, &failure) || !strings.Contains(failure.Advice, "credential or app mismatch") {
					t.Fatalf("got %v", err)
				}
			}
			time.Sleep(time.Second)
		}
		wantCalls(t, v, 2)
		wantToken(t, f, numbered(1)) // the vendor says that it is the one
		wantToken(t, g, numbered(1))
		if !slices.Contains(alarms(f), fetcher.AlarmSameToken) {
			t.Errorf("alarms %v", alarms(f))
		}
	})
}

// By then the vendor may have ended the token, so nobody may say what it gives now.
func TestScenario13_SameTokenAgainSaysWhenTheVendorWasAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Answer(func(context.Context, int) (fetcher.Token, error) {
			return fetcher.Token{Value: numbered(1), ExpiresIn: 2 * time.Hour}, nil
		})
		f, g := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		_, asked := f.Reject(t.Context(), numbered(1))
		if asked == nil || strings.Contains(asked.Error(), "not again") {
			t.Errorf("the vendor was asked: %v", asked)
		}
		for range 2 {
			time.Sleep(20 * time.Second)
			for _, p := range []*fetcher.Fetcher{f, g} {
				_, err := p.Reject(t.Context(), numbered(1))
				var failure *fetcher.SourceError
				if !errors.As(err, &failure) || failure.RetryAfter <= 0 || failure.RetryAfter > 40*time.Second {
					t.Fatalf("got %v", err)
				}
				ago := time.Minute - failure.RetryAfter
				if want := fmt.Sprintf("(asked %v ago, not again for %v)", ago, failure.RetryAfter); !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		}
		wantCalls(t, v, 2)
	})
}

func TestScenario15_TwoAppsOfOneKeyAreNoticedAndDoNotFight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v, w := newTable(), newVendor(fetcher.NewOldDies), newVendor(fetcher.NewOldDies)
		w.info.App, w.info.Fingerprint, w.given = "another app", "its credentials", 100
		f, g := process(t, s, v), process(t, s, w)
		wantToken(t, f, numbered(1))
		wantToken(t, g, numbered(101)) // never the other app's
		running(t, f, g)
		for range 6000 / 20 {
			time.Sleep(20 * time.Second)
			wantToken(t, f, numbered(1))
			wantToken(t, g, numbered(101))
		}
		wantCalls(t, v, 1)
		wantCalls(t, w, 1)
		for _, p := range []*fetcher.Fetcher{f, g} {
			if !slices.Contains(alarms(p), fetcher.AlarmCollision) && p == f {
				t.Errorf("alarms %v, want a collision", alarms(p))
			}
		}
		time.Sleep(1100 * time.Second)
		wantError(t, f, fetcher.ErrCollision)
		wantToken(t, g, numbered(102))
		wantCalls(t, v, 1)
	})
}

// clocks are a process's two clocks, which its test can set apart.
type clocks struct {
	begun      time.Time
	wall, mono atomic.Int64 // by how much they are ahead of the bubble's time
}

func newClocks() *clocks { return &clocks{begun: time.Now()} }

func (c *clocks) option() fetcher.Option {
	return fetcher.WithClock(func() (wall, mono int64) {
		return time.Now().UnixNano() + c.wall.Load(), int64(time.Since(c.begun)) + c.mono.Load()
	})
}

func TestScenario16_ClocksThatAreSetOrStandStill(t *testing.T) {
	for name, c := range map[string]struct {
		wall, mono time.Duration // what happens to the process's clocks while no time passes for the others
		pass       time.Duration // and how much passes for all
		fetches    int
		reads      bool
	}{
		"the wall clock is set ahead by a day":     {wall: 24 * time.Hour, fetches: 1, reads: true},
		"the wall clock is set back by a day":      {wall: -24 * time.Hour, fetches: 1, reads: true},
		"set ahead, and the row is nearly over":    {wall: time.Hour, pass: 6390 * time.Second, fetches: 1, reads: true},
		"suspended for 3 h: monotonic stood still": {mono: -3 * time.Hour, pass: 3 * time.Hour, fetches: 2, reads: true},
		"suspended for 10 minutes":                 {mono: -10 * time.Minute, pass: 10 * time.Minute, fetches: 1, reads: true},
		"nothing":                                  {fetches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v, clock := newTable(), newVendor(fetcher.NewOldValid), newClocks()
				f := process(t, s, v, clock.option())
				wantToken(t, f, numbered(1))
				before := s.Reads()
				time.Sleep(c.pass)
				clock.wall.Add(int64(c.wall))
				clock.mono.Add(int64(c.mono))
				wantToken(t, f, numbered(c.fetches))
				wantCalls(t, v, c.fetches)
				if read := s.Reads() > before; read != c.reads {
					t.Errorf("read the row: %v, want %v", read, c.reads)
				}
			})
		})
	}
}

// While the row cannot be read, the clock that says less decides.
func TestScenario16_NoExpiredTokenAfterASuspendWithoutTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v, clock := newTable(), newVendor(fetcher.NewOldDies), newClocks()
		f := process(t, s, v, clock.option())
		wantToken(t, f, numbered(1))
		down := errors.New("database is down")
		s.Fail(down)
		time.Sleep(time.Hour)
		clock.mono.Add(-int64(time.Hour))
		wantToken(t, f, numbered(1)) // still good by either
		time.Sleep(time.Hour)
		clock.mono.Add(-int64(time.Hour))
		wantError(t, f, down)
	})
}

func TestScenario16_WallClockThatIsSetBackProlongsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v, clock := newTable(), newVendor(fetcher.NewOldDies), newClocks()
		f := process(t, s, v, clock.option())
		wantToken(t, f, numbered(1))
		down := errors.New("database is down")
		s.Fail(down)
		clock.wall.Add(-int64(24 * time.Hour))
		time.Sleep(6990 * time.Second)
		wantToken(t, f, numbered(1))
		time.Sleep(11 * time.Second)
		wantError(t, f, down)
	})
}

func TestScenario16_ServersThatDisagreeAboutTheTime(t *testing.T) {
	for _, skew := range []time.Duration{-2 * time.Minute, 2 * time.Minute, -24 * time.Hour} {
		bubble(t, func(t *testing.T) {
			s, v := newTable(), newVendor(fetcher.SameRenewed)
			s.skew = skew
			f, g := process(t, s, v), process(t, s, v)
			for _, p := range []*fetcher.Fetcher{f, g} {
				wantToken(t, p, numbered(1))
				if left := p.Status().Remaining; left < 6999*time.Second || left > 7000*time.Second {
					t.Errorf("skew %v: lives %v", skew, left)
				}
			}
			wantCalls(t, v, 1)
		})
	}
}

func TestScenario17_RowThatDisappearsIsWrittenAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f, g := process(t, s, v), process(t, s, v)
		running(t, f, g)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		s.Clear() // cache:clear
		time.Sleep(30 * time.Second)
		wantRow(t, s, quoted(numbered(1)))
		if _, ttl := s.Row(key); ttl > 6400*time.Second || ttl < 6360*time.Second {
			t.Errorf("the row lives %v, want no longer than before", ttl)
		}
		wantCalls(t, v, 1)
	})
}

// A reader of Laravel 9 or older who saw the row's predecessor expire deletes the row that has just been stored.
func TestScenario17_FreshRowThatAnOldReaderDeletesIsBackWithinSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		running(t, f)
		synctest.Wait()
		s.Delete(key)
		time.Sleep(2 * time.Second)
		wantRow(t, s, quoted(numbered(1)))
		wantCalls(t, v, 1)
	})
}

func TestScenario17_WhatPHPStoresIsAdopted(t *testing.T) {
	for name, value := range map[string]any{
		"a string": "php-stored-this-token",
		"an array": map[string]any{"access_token": "php-stored-this-token", "errcode": 0, "expires_in": 7200},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRenewed)
				f := process(t, s, v)
				running(t, f)
				synctest.Wait()
				s.Put(key, value, 7000*time.Second)
				time.Sleep(20 * time.Second)
				wantAtOnce(t, f, "php-stored-this-token")
				wantCalls(t, v, 1)
			})
		})
	}
}

// A row that was stored forever would be handed out for ten years.
func TestScenario17_RowThatOutlivesTheTokenEndsWithTheDocumentedLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		s.Put(key, "php-stored-this-token", store.ForeverTTL)
		f := process(t, s, v)
		running(t, f)
		wantToken(t, f, "php-stored-this-token")
		time.Sleep(2 * time.Hour)
		wantToken(t, f, numbered(1))
	})
}

func TestScenario18_OutageIsServedFromMemory(t *testing.T) {
	for name, trouble := range map[string]func(s *table){
		"down": func(s *table) { s.Fail(errors.New("database is down")) },
		"slow": func(s *table) { s.Delay(10 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.NewOldDies)
				f := process(t, s, v)
				running(t, f)
				wantToken(t, f, numbered(1))
				trouble(s)
				for range 6990 {
					time.Sleep(time.Second)
					wantAtOnce(t, f, numbered(1))
				}
				wantCalls(t, v, 1)
				s.Fail(nil)
				s.Delay(0)
				time.Sleep(16 * time.Second)
				wantToken(t, f, numbered(2))
			})
		})
	}
}

func TestScenario18_WithoutDatabaseAndTokenFetchesAreBounded(t *testing.T) {
	down := errors.New("database is down")
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.life = 30 * time.Second // dies before the next may be fetched
		s.Fail(down)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		var failed int
		for range 600 {
			time.Sleep(time.Second)
			if _, err := f.Token(t.Context()); err != nil {
				failed++
			}
		}
		if n := v.Calls(); n < 9 || n > 11 || failed == 0 {
			t.Errorf("%d fetches in 10 minutes, %d calls failed, want one a minute", n, failed)
		}
	})
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		s.Fail(down)
		for range 5 {
			wantError(t, process(t, s, v), down)
		}
		wantCalls(t, v, 0)
	})
}

// A fleet without the database must not be what keeps a vendor in trouble down, and comes back with it.
func TestScenario18_AFleetWithoutDatabaseSparesAVendorInTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const fleet = 20
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		s.Fail(errors.New("database is down"))
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		var processes []*fetcher.Fetcher
		for range fleet {
			processes = append(processes, process(t, s, v))
		}
		running(t, processes...)
		time.Sleep(10 * time.Minute)
		early := v.Calls()
		time.Sleep(50 * time.Minute)
		if late := v.Calls() - early; early < 4*fleet || early > 6*fleet || late < 8*fleet || late > 14*fleet {
			t.Errorf("%d processes asked %d times in 10 minutes and %d times in the 50 after, want about 5 and 10 each", fleet, early, late)
		}
		v.Answer(nil)
		time.Sleep(6*time.Minute + 30*time.Second)
		for _, f := range processes {
			if err := f.Fresh(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		asked := v.Calls()
		time.Sleep(time.Hour)
		wantCalls(t, v, asked) // each has its own in memory
	})
}

// The pauses that a vendor in trouble was spared by are over with it, also where tokens live for less than them.
func TestScenario18_WithoutDatabaseShortLivesAreRenewedAfterTheVendorsTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.life = 6 * time.Minute // of which the row has 3
		s.Fail(errors.New("database is down"))
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		f := process(t, s, v)
		running(t, f)
		time.Sleep(20 * time.Minute)
		v.Answer(nil)
		for f.Fresh(0) != nil {
			time.Sleep(time.Second)
		}
		for range 600 {
			time.Sleep(time.Second)
			if err := f.Fresh(0); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A wrong password is no outage: a line of cron with one would ask the vendor every minute, and look as if all were well.
func TestScenario18_WhatIsWronglyConfiguredIsNotFetchedAround(t *testing.T) {
	for _, wrong := range []error{store.ErrNoAccess, store.ErrNoTable, store.ErrLookalikeKey, &store.LimitError{What: "row key"}} {
		bubble(t, func(t *testing.T) {
			s, v := newTable(), newVendor(fetcher.SameRenewed)
			s.Fail(fmt.Errorf("get: %w", wrong))
			wantError(t, process(t, s, v), wrong)
			wantCalls(t, v, 0)
		})
	}
}

func TestScenario18_TokenOfAnOutageIsWrittenOnRecovery(t *testing.T) {
	for name, c := range map[string]struct {
		row  string
		want int
	}{"into a missing row": {"", 1}, "over a row that ends sooner": {"an-older-token-of-the-row", 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRenewed)
				s.Fail(errors.New("database is down"))
				f := process(t, s, v)
				running(t, f)
				wantToken(t, f, numbered(1))
				time.Sleep(10 * time.Minute)
				if c.row != "" {
					s.Put(key, c.row, 10*time.Minute)
				}
				s.Fail(nil)
				time.Sleep(20 * time.Second)
				wantRow(t, s, quoted(numbered(1)))
				wantCalls(t, v, c.want)
			})
		})
	}
}

func TestScenario18_TokenOfAnOutageDoesNotReplaceOneThatLivesForever(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.info.Life = 0 // not documented
		s.Fail(errors.New("database is down"))
		f := process(t, s, v)
		running(t, f)
		wantToken(t, f, numbered(1))
		s.Put(key, "the-one-that-never-ends", (math.MaxInt64/time.Second-1)*time.Second)
		s.Fail(nil)
		time.Sleep(20 * time.Second)
		wantRow(t, s, quoted("the-one-that-never-ends"))
		wantToken(t, f, "the-one-that-never-ends")
	})
}

func TestScenario18_FailoverThatLosesTheLastWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f := process(t, s, v)
		running(t, f)
		wantToken(t, f, numbered(1))
		if _, err := f.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.Clear()
		s.Put(key, numbered(1), 6000*time.Second) // the replica did not have the second one
		time.Sleep(20 * time.Second)
		wantToken(t, f, numbered(2))
		wantRow(t, s, quoted(numbered(2)))
		wantCalls(t, v, 2)
	})
}

func TestScenario18_TokenThatCannotBeStoredIsHandedOutAndStoredLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		s.putting = errors.New("the disk is full")
		f := process(t, s, v)
		running(t, f)
		wantToken(t, f, numbered(1)) // it may be the only one that works
		time.Sleep(5 * time.Minute)
		wantRow(t, s, "")
		s.mu.Lock()
		s.putting = nil
		s.mu.Unlock()
		time.Sleep(20 * time.Second)
		wantRow(t, s, quoted(numbered(1)))
		wantCalls(t, v, 1)
	})
}

// notes is an observer that keeps what it is told.
type notes struct {
	mu     sync.Mutex
	events []fetcher.Event
}

func (n *notes) Observe(e fetcher.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
}

func (n *notes) kinds() (kinds []fetcher.EventKind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestScenario19_NothingThatIsToldShowsAToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v, observer := newTable(), newVendor(fetcher.NewOldValid), &notes{}
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		f := process(t, s, v, fetcher.WithObserver(observer), fetcher.WithLogger(logger))
		wantToken(t, f, numbered(1))
		if _, err := f.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		f.ReportWrongApp(numbered(2))
		s.Put(key, numbered(3), time.Hour)
		v.Answer(func(context.Context, int) (fetcher.Token, error) { panic("with the secret token-0004-padded") })
		_, err := f.Refresh(t.Context())
		if err == nil {
			t.Error("a panic is no error")
		}
		state, _ := s.Row(fetcher.StateKey(key))
		text := fmt.Sprintf("%v %+v %v %v %s", observer.events, f.Status(), f, err, log.String()+state)
		if strings.Contains(text, "-padded") || !strings.Contains(log.String(), "toke…") {
			t.Errorf("shows a token, or none masked:\n%s", text)
		}
		for _, kind := range []fetcher.EventKind{fetcher.EventFetched, fetcher.EventRejected, fetcher.EventAlarm, fetcher.EventHandedOut} {
			if !slices.Contains(observer.kinds(), kind) {
				t.Errorf("not told of %s: %v", kind, observer.kinds())
			}
		}
	})
}

// What is mended without anybody is no warning; and a report that comes late is not even told of.
func TestScenario12_RejectionThatIsMendedIsNoWarning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		f := process(t, s, v, fetcher.WithLogger(logger))
		wantToken(t, f, numbered(1))
		late := process(t, s, v, fetcher.WithLogger(logger)) // has nothing in memory, as a command that is run
		for _, p := range []*fetcher.Fetcher{f, f, late} {
			if token, err := p.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
				t.Fatalf("got %q, %v", token, err)
			}
		}
		if n := strings.Count(log.String(), `msg="token rejected"`); n != 1 || strings.Contains(log.String(), "level=WARN") {
			t.Errorf("the rejection is told of %d times, want once and no warning:\n%s", n, log.String())
		}
	})
}

func TestScenario20_FlappingRaisesAnAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f := process(t, s, v)
		running(t, f)
		wantToken(t, f, numbered(1))
		for i := range 2 {
			if got := alarms(f); len(got) != 0 {
				t.Fatalf("alarms %v too soon", got)
			}
			time.Sleep(5 * time.Minute)
			s.Put(key, fmt.Sprintf("another-brokers-token-%d", i), 7000*time.Second)
			time.Sleep(20 * time.Second)
		}
		if !slices.Contains(alarms(f), fetcher.AlarmFlapping) {
			t.Errorf("alarms %v, want flapping", alarms(f))
		}
	})
}

// remainder is a vendor that gives the same token with what remains of its life until threshold, as WeChat's stable_token and Feishu do.
func remainder(v *vendor, threshold time.Duration) {
	var current fetcher.Token
	var ends time.Time
	v.info.Renewal = fetcher.SameRemainder
	v.Answer(func(context.Context, int) (fetcher.Token, error) {
		if left := time.Until(ends); left <= threshold {
			current = v.next()
			ends = time.Now().Add(current.ExpiresIn)
		}
		current.ExpiresIn = time.Until(ends)
		return current, nil
	})
}

func TestScenario20_SameRemainderDoesNotSpin(t *testing.T) {
	for name, c := range map[string]struct {
		declared time.Duration // MaxRefreshAhead
		most     int           // fetches in two lives
	}{"declared": {5 * time.Minute, 3}, "not declared": {0, 10}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRemainder)
				v.info.Margin, v.info.MaxRefreshAhead = 30*time.Second, c.declared
				remainder(v, 5*time.Minute)
				f, g := process(t, s, v), process(t, s, v)
				running(t, f, g)
				synctest.Wait()
				for range 4 * 3600 {
					time.Sleep(time.Second)
					for _, p := range []*fetcher.Fetcher{f, g} {
						if _, err := p.Token(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				if n := v.Calls(); n < 3 || n > c.most {
					t.Errorf("%d fetches in two lives, want at most %d", n, c.most)
				}
			})
		})
	}
}

func TestScenario20_ShutdownDuringARefreshLosesNoToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		v.latency = time.Second
		stop := running(t, process(t, s, v))
		time.Sleep(500 * time.Millisecond) // the vendor is being asked
		stop()
		wantRow(t, s, quoted(numbered(1)))
		if s.Locked() {
			t.Error("the lock is still held")
		}
	})
}
