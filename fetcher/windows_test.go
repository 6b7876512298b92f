package fetcher_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

func TestFetcher_HardWindowWaitsForOneFetch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.latency = 300 * time.Millisecond
		time.Sleep(6950 * time.Second) // nobody asked meanwhile
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantToken(t, f, numbered(2)) })
		}
		wg.Wait()
		wantCalls(t, v, 2)
	})
}

func TestFetcher_HardWindowFallsBackToTheOldToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassTransient, 10*time.Second))
		time.Sleep(6950 * time.Second)
		for range 90 {
			wantAtOnce(t, f, numbered(1)) // the vendor refuses at once here
			time.Sleep(500 * time.Millisecond)
		}
		if n := v.Calls(); n > 8 {
			t.Errorf("%d fetches in 45 s", n)
		}
	})
}

// A caller who cannot wait for long gets the old token while it is good.
func TestFetcher_HardWindowWaitsNoLongerThanTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.latency = time.Second
		time.Sleep(6950 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if token, err := f.Token(ctx); err != nil || token != numbered(1) {
			t.Errorf("got %q, %v", token, err)
		}
	})
}

func TestFetcher_RefreshAheadOfZeroFetchesOnExpiryOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v, fetcher.WithRefreshAhead(0))
		for range 699 {
			wantToken(t, f, numbered(1))
			time.Sleep(10 * time.Second)
		}
		wantCalls(t, v, 1)
		time.Sleep(11 * time.Second)
		wantToken(t, f, numbered(2))
	})
}

// A time ahead that is longer than any life is half of the life, however long it is.
func TestFetcher_ARefreshAheadBeyondAllBoundsIsHalfOfTheLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v, fetcher.WithRefreshAhead(math.MaxInt64))
		running(t, f)
		wantToken(t, f, numbered(1))
		time.Sleep(3450 * time.Second)
		wantCalls(t, v, 1)
		time.Sleep(100 * time.Second)
		wantCalls(t, v, 2)
	})
}

func TestFetcher_ProcessesRefreshAheadAtDifferentTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		var ahead []time.Duration
		for range 50 {
			f, err := fetcher.NewOn(s, key, v)
			if err != nil {
				t.Fatal(err)
			}
			wantToken(t, f, numbered(1))
			st := f.Status()
			ahead = append(ahead, (st.Remaining - st.NextRefresh).Round(time.Second))
		}
		slices.Sort(ahead)
		if first, last := ahead[0], ahead[49]; first < 480*time.Second || last > 720*time.Second || last-first < 60*time.Second {
			t.Errorf("%v to %v ahead, want 8 to 12 minutes", first, last)
		}
	})
}

func TestFetcher_WritesTheShapeThatIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		wantToken(t, process(t, s, v, fetcher.WithShape(fetcher.ShapeArray)), numbered(1))
		wantRow(t, s, `a:2:{s:12:"access_token";s:17:"token-0001-padded";s:10:"expires_in";i:7000;}`)
		wantToken(t, process(t, s, v), numbered(1))
	})
}

func TestFetcher_StateIsAnArrayThatPHPReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassThrottle, 30*time.Second))
		_, _ = process(t, s, v).Token(t.Context())
		const want = `a:7:{s:7:"version";i:1;s:3:"ttl";i:86400;s:3:"app";s:0:"";s:5:"token";s:0:"";s:4:"life";i:0;s:6:"reason";s:0:"";` +
			`s:7:"failure";a:9:{s:11:"fingerprint";s:11:"credentials";s:5:"class";s:8:"throttle";s:4:"code";s:4:"4711";s:6:"status";i:0;` +
			`s:7:"message";s:11:"no throttle";s:6:"advice";s:0:"";s:7:"request";s:0:"";s:8:"attempts";i:1;s:5:"pause";i:30;}}`
		if got, _ := s.Row(fetcher.StateKey(key)); got != want {
			t.Errorf("state is\n%s, want\n%s", got, want)
		}
	})
}

// A state row that somebody else wrote, or a later larder, is no reason to stop.
func TestFetcher_StateThatCannotBeReadSaysNothing(t *testing.T) {
	for _, value := range []any{"text", 7, nil, map[string]any{"version": 2, "failure": "x"}, map[string]any{"version": 1, "failure": "x"}} {
		bubble(t, func(t *testing.T) {
			s, v := newTable(), newVendor(fetcher.SameRenewed)
			s.Put(fetcher.StateKey(key), value, time.Hour)
			wantToken(t, process(t, s, v), numbered(1))
		})
	}
}

// Nor is one whose numbers no fetcher would write: the vendor is asked, and again after it failed, within a day and a bit.
func TestFetcher_StateWithImpossibleNumbersStopsNobodyForLong(t *testing.T) {
	for _, n := range []int{math.MinInt, -1 << 62, -1, 0, 1, 3601, 86400, 86401, 1 << 34, math.MaxInt} {
		for _, life := range []time.Duration{2 * time.Second, 24 * time.Hour, 24*time.Hour + time.Second, (math.MaxInt64/time.Second - 1) * time.Second} {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.SameRenewed)
				s.Put(fetcher.StateKey(key), map[string]any{
					"version": 1, "ttl": n, "app": "app", "token": fetcher.Fingerprint(numbered(7)), "life": n, "reason": "missing",
					"failure": map[string]any{
						"fingerprint": "credentials", "class": "transient", "code": "", "status": n, "message": "no", "advice": "", "request": "",
						"attempts": n, "pause": n,
					},
					"rejection": map[string]any{"token": fetcher.Fingerprint(numbered(7)), "same": false, "ago": n, "fetched": n},
				}, life)
				s.Put(key, numbered(7), min(life, time.Hour))
				v.Refuse(refusal(fetcher.ClassTransient, 0))
				f := process(t, s, v)
				_, err := f.Token(t.Context())
				if err != nil && strings.Contains(err.Error(), "panic") {
					t.Fatalf("numbers of %d: %v", n, err)
				}
				running(t, f)
				time.Sleep(25 * time.Hour)
				if v.Calls() == 0 {
					t.Errorf("numbers of %d in a row that lives for %v: nobody has asked the vendor in 25 h", n, life)
				}
				v.Answer(nil)
				time.Sleep(2 * time.Minute)
				wantToken(t, f, numbered(1))
			})
		}
	}
}

func TestFetcher_RefreshFetchesWhateverWasRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		f, g := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		wantToken(t, g, numbered(1))
		f.ReportWrongApp(numbered(1))
		result, err := f.Refresh(t.Context())
		if err != nil || result.Token.Value != numbered(2) || result.Origin != fetcher.FromSource || len(alarms(f)) != 0 {
			t.Errorf("got %v, %v, alarms %v", result, err, alarms(f))
		}
		wantAtOnce(t, f, numbered(2))
		for n := 2; n <= 4; n++ {
			time.Sleep(20 * time.Second)
			_, _ = g.Token(t.Context()) // looks
			time.Sleep(time.Second)
			wantAtOnce(t, g, numbered(n))
			if _, err := f.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := alarms(g); len(got) != 0 {
			t.Errorf("alarms %v: the state says why the token was replaced", got)
		}

		s.Fail(errors.New("database is down"))
		if _, err := f.Refresh(t.Context()); err == nil {
			t.Error("refreshed what cannot be stored")
		}
		wantCalls(t, v, 5)
	})
}

func TestFetcher_CheckStoresNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		if token, err := f.Check(t.Context()); err != nil || token.Value != numbered(1) || token.ExpiresIn != 7200*time.Second {
			t.Errorf("got %v, %v", token, err)
		}
		wantRow(t, s, "")
		if st := f.Status(); st.Token != "" {
			t.Errorf("in memory: %v", st)
		}
		for _, renewal := range []fetcher.Renewal{fetcher.NewOldDies, fetcher.RenewalUnknown} {
			v := newVendor(renewal)
			if _, err := process(t, s, v).Check(t.Context()); !errors.Is(err, fetcher.ErrUnsafeCheck) || v.Calls() != 0 {
				t.Errorf("%v after %d fetches, want ErrUnsafeCheck after none", err, v.Calls())
			}
		}
	})
}

// It ended the process, with the secret in its last words.
func TestFetcher_CheckOutlivesASourceThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newVendor(fetcher.SameRenewed)
		v.Answer(func(context.Context, int) (fetcher.Token, error) { panic("a secret") })
		if token, err := process(t, newTable(), v).Check(t.Context()); err == nil || token.Value != "" || strings.Contains(err.Error(), "a secret") {
			t.Errorf("got %v, %v", token, err)
		}
	})
}

// The panic was no failure to the fetcher, which asked again with every call.
func TestFetcher_SourceThatPanicsIsBackedOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Answer(func(context.Context, int) (fetcher.Token, error) { panic("a secret") })
		f := process(t, s, v)
		for range 100 {
			if _, err := f.Token(t.Context()); err == nil {
				t.Fatal("no error")
			}
			time.Sleep(10 * time.Millisecond)
		}
		wantCalls(t, v, 1)
	})
}

// The failure that callers looked at was written to. It takes the race detector to fail.
func TestFetcher_FailureThatCacheClearEndsIsNotChangedUnderItsReaders(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassThrottle, time.Minute))
		f := process(t, s, v)
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range 2000 {
					if _, err := f.Token(t.Context()); err == nil {
						t.Error("no error")
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			s.Clear()
		}
		callers.Wait()
	})
}

func TestFetcher_FreshTellsHealth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		if f.Fresh(0) == nil {
			t.Error("fresh without a token")
		}
		wantToken(t, f, numbered(1))
		if err := f.Fresh(6990 * time.Second); err != nil {
			t.Error(err)
		}
		if f.Fresh(7001*time.Second) == nil {
			t.Error("fresh for longer than it lives")
		}
	})
}

func TestFetcher_ClosedHandsOutWhatIsInMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f, cold := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		for _, p := range []*fetcher.Fetcher{f, cold} {
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantToken(t, f, numbered(1))
		wantError(t, cold, fetcher.ErrClosed)
		if err := cold.Run(t.Context()); !errors.Is(err, fetcher.ErrClosed) {
			t.Errorf("run: %v", err)
		}
	})
}

func TestFetcher_StatusCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f := process(t, s, v)
		v.Refuse(refusal(fetcher.ClassTransient, 0))
		_, _ = f.Token(t.Context())
		v.Answer(nil)
		time.Sleep(3 * time.Second)
		for range 10_001 {
			wantToken(t, f, numbered(1))
		}
		if _, err := f.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		st := f.Status()
		memory := st.HandedOut[fetcher.FromMemory] // a sample: 10,000 with a standard deviation of 390
		if memory < 7000 || memory > 13_000 || st.HandedOut[fetcher.FromSource] != 1 || st.Fetches["ok"] != 2 || st.Fetches["transient"] != 1 ||
			st.Rejections != 1 || st.Token != "toke…" || st.Origin != fetcher.FromSource || st.Remaining <= 6990*time.Second {
			t.Errorf("status is %+v", st)
		}
	})
}

// A rejected token whose successor cannot be had is not handed out, by any process that has heard of it; PHP keeps its row.
func TestFetcher_RejectedTokenWithoutSuccessorIsNotHandedOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f, g := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		down := refusal(fetcher.ClassTransient, 0)
		v.Refuse(down)
		if _, err := f.Reject(t.Context(), numbered(1)); !errors.Is(err, down) {
			t.Errorf("reject: %v", err)
		}
		wantError(t, f, down)
		var failure *fetcher.SourceError
		if token, err := g.Token(t.Context()); token != "" || !errors.As(err, &failure) {
			t.Errorf("another process hands out %q, %v", token, err)
		}
		wantRow(t, s, quoted(numbered(1)))
		v.Answer(nil)
		time.Sleep(5 * time.Second)
		wantToken(t, g, numbered(2))
		time.Sleep(2 * time.Second)
		wantToken(t, f, numbered(2))
	})
}

// Of two processes behind one address, the one that is asked may know less than the one that gave the token.
// It was handed out again and again while the database was down, because nobody could be asked for another.
func TestFetcher_RejectedTokenIsNotHandedOutWithoutTheDatabase(t *testing.T) {
	for name, renewal := range map[string]fetcher.Renewal{"a second token does harm": fetcher.NewOldDies, "the vendor is down too": fetcher.NewOldValid} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(renewal)
				f := process(t, s, v)
				wantToken(t, f, numbered(1))
				down := errors.New("database is down")
				s.Fail(down)
				v.Refuse(refusal(fetcher.ClassTransient, 0))
				time.Sleep(time.Minute)
				if token, err := f.Reject(t.Context(), numbered(1)); token != "" || !errors.Is(err, down) {
					t.Errorf("reject: %q, %v", token, err)
				}
				time.Sleep(5 * time.Second)
				if token, err := f.Token(t.Context()); err == nil {
					t.Errorf("got %q, which was rejected", token)
				}
				s.Fail(nil)
				v.Answer(nil)
				time.Sleep(5 * time.Second)
				wantToken(t, f, numbered(2))
			})
		})
	}
}

// The fleet's ten minutes were over, the vendor was not asked again for a while, and the report was forgotten at once.
func TestFetcher_TokenThatIsRejectedAgainAfterTenMinutesIsOutOfUseAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassThrottle, 30*time.Minute))
		for range 2 {
			if _, err := f.Reject(t.Context(), numbered(1)); err == nil {
				t.Fatal("reject: no error")
			}
			time.Sleep(5 * time.Second)
			if token, err := f.Token(t.Context()); err == nil {
				t.Errorf("got %q, which was rejected", token)
			}
			time.Sleep(rejectedFor)
		}
	})
}

func TestFetcher_RejectOfATokenThatOnlyTheRowKnowsReadsTheRow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		soon := fetcher.WithRejectInterval(10 * time.Second)
		behind, ahead := process(t, s, v, soon), process(t, s, v, soon)
		wantToken(t, behind, numbered(1))
		wantToken(t, ahead, numbered(1))
		if _, err := ahead.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Second)
		if token, err := behind.Reject(t.Context(), numbered(2)); err != nil || token != numbered(3) {
			t.Errorf("got %q, %v, want the third: it still had the first", token, err)
		}
	})
}

// An answer of the database that was on its way for long does not replace what was learnt meanwhile.
func TestFetcher_LateLookDoesNotReplaceTheNewerToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		s.Put(key, "php-stored-this-first", time.Hour)
		time.Sleep(20 * time.Second)
		s.mu.Lock()
		s.answered = func() {
			s.Put(key, "php-stored-this-later", 30*time.Minute)
			time.Sleep(time.Millisecond)
			if token, err := f.Reject(t.Context(), numbered(1)); err != nil || token != "php-stored-this-later" {
				t.Errorf("reject: %q, %v", token, err)
			}
		}
		s.mu.Unlock()
		wantToken(t, f, numbered(1)) // looks behind the caller's back
		time.Sleep(time.Second)
		wantAtOnce(t, f, "php-stored-this-later")
	})
}

func TestFetcher_WaiterGivesUpOnALockThatIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		if ok, _ := s.Lock(fetcher.LockName(key), time.Hour).Acquire(t.Context()); !ok {
			t.Fatal("not acquired")
		}
		wantError(t, process(t, s, v), store.ErrLockTimeout)
		wantCalls(t, v, 0)
	})
}
