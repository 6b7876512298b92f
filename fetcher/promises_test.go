package fetcher_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/fetcher"
	"github.com/larder-cache/larder/store"
)

// What is remembered spares the database too: a thousand callers a second of a token that cannot be had, or in the time in which it is refreshed
// ahead in vain.
func TestScenario05_CallersOfAVendorInTroubleDoNotLoadTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassThrottle, 5*time.Minute))
		f := process(t, s, v)
		calls := func(seconds int) {
			for range seconds * 1000 {
				_, _ = f.Token(t.Context())
				time.Sleep(time.Millisecond)
			}
		}
		calls(60)
		if n := s.Reads(); n > 65 {
			t.Errorf("%d looks at the row in a minute without a token, want one a second", n)
		}
		v.Answer(nil)
		time.Sleep(5 * time.Minute)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassThrottle, 5*time.Minute))
		time.Sleep(6500 * time.Second)
		before := s.Reads()
		calls(60)
		if n := s.Reads() - before; n > 10 {
			t.Errorf("%d looks at the row in a minute of the soft window, want one in 15 s", n)
		}
		before = s.Reads()
		for range 10_000 {
			_, _ = f.Reject(t.Context(), numbered(1))
			time.Sleep(time.Millisecond)
		}
		if n := s.Reads() - before; n > 30 {
			t.Errorf("%d looks at the row for 10 s of rejections, want one a second", n)
		}
	})
}

// The vendor is asked for everybody, whoever asked first and has gone.
func TestScenario06_CallersEndDoesNotEndARefreshOrARejection(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *fetcher.Fetcher) error{
		"refresh": func(ctx context.Context, f *fetcher.Fetcher) error { _, err := f.Refresh(ctx); return err },
		"reject":  func(ctx context.Context, f *fetcher.Fetcher) error { _, err := f.Reject(ctx, numbered(1)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(fetcher.NewOldValid)
				f := process(t, s, v)
				wantToken(t, f, numbered(1))
				v.latency = time.Second
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if err := ask(ctx, f); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				time.Sleep(2 * time.Second)
				wantRow(t, s, quoted(numbered(2)))
				wantAtOnce(t, f, numbered(2))
			})
		})
	}
}

// Who holds the lock and never stores anything, such as a debugger's breakpoint, makes nobody wait longer than is said.
func TestScenario06_WaitsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		if ok, err := s.Lock(fetcher.LockName(key), 24*time.Hour).Acquire(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		begun := time.Now()
		wantError(t, f, store.ErrLockTimeout)
		if waited := time.Since(begun); waited < 9*time.Second || waited > 10*time.Second { // 6.5 s of the lock, 1.5 s of a fetch, and 1 s
			t.Errorf("without a token it waited %v, want 9 s", waited)
		}
		if n := f.Status().LockWaits; n != 1 {
			t.Errorf("%d waits for the lock are counted, want 1", n)
		}
		s.Put(key, numbered(9), 40*time.Second) // in its hard window
		begun = time.Now()
		wantToken(t, f, numbered(9))
		if waited := time.Since(begun); waited > 4*time.Second {
			t.Errorf("with a good token it waited %v, want less than 4 s", waited)
		}
	})
}

// A failure whose pause is over is no reason to hand out what is about to end.
func TestFetcher_HardWindowWaitsAgainWhenTheVendorMayBeAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassTransient, 10*time.Second))
		time.Sleep(6945 * time.Second)
		wantAtOnce(t, f, numbered(1))
		v.Answer(nil)
		v.latency = 300 * time.Millisecond
		time.Sleep(15 * time.Second)
		wantToken(t, f, numbered(2))
	})
}

// A pause ends when it ends, whoever hears of it however late.
func TestScenario08_LateProcessWaitsForTheRestOfThePause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassThrottle, 30*time.Minute))
		_, _ = process(t, s, v).Token(t.Context())
		time.Sleep(29 * time.Minute)
		v.Answer(nil)
		f := process(t, s, v)
		if _, err := f.Token(t.Context()); err == nil || f.Status().NextAttempt > 62*time.Second || f.Status().NextAttempt < 58*time.Second {
			t.Errorf("got %v, asked again in %v, want a minute", err, f.Status().NextAttempt)
		}
		time.Sleep(62 * time.Second)
		wantToken(t, f, numbered(1))
	})
}

// A vendor that asks for a day's peace gets an hour.
func TestScenario08_AThrottleIsWaitedForAtMostAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(refusal(fetcher.ClassThrottle, 24*time.Hour))
		f := process(t, s, v)
		_, _ = f.Token(t.Context())
		v.Answer(nil)
		time.Sleep(59 * time.Minute)
		if _, err := f.Token(t.Context()); err == nil {
			t.Error("asked sooner than in an hour")
		}
		time.Sleep(2 * time.Minute)
		wantToken(t, f, numbered(1))
	})
}

// Without the database too the vendor's wish to be left alone counts.
func TestScenario18_ThrottleIsWaitedForWithoutTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		s.Fail(errors.New("database is down"))
		v.Refuse(refusal(fetcher.ClassThrottle, 30*time.Minute))
		f := process(t, s, v)
		for range 29 * 60 {
			_, _ = f.Token(t.Context())
			time.Sleep(time.Second)
		}
		wantCalls(t, v, 1)
	})
}

// The vendor insists, also while the database is away.
func TestScenario13_SameTokenAgainWithoutTheDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		s.Fail(errors.New("database is down"))
		v.Answer(func(context.Context, int) (fetcher.Token, error) {
			return fetcher.Token{Value: numbered(1), ExpiresIn: 2 * time.Hour}, nil
		})
		for range 100 {
			if _, err := f.Reject(t.Context(), numbered(1)); !errors.Is(err, fetcher.ErrSameToken) {
				t.Fatalf("got %v, want that it is the same", err)
			}
		}
		wantCalls(t, v, 2)
		wantAtOnce(t, f, numbered(1))
	})
}

// The alarm of a token that the vendor insists on ends when it gives another.
func TestScenario13_AlarmEndsWithAnotherToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Answer(func(context.Context, int) (fetcher.Token, error) {
			return fetcher.Token{Value: numbered(1), ExpiresIn: 2 * time.Hour}, nil
		})
		_, _ = f.Reject(t.Context(), numbered(1))
		if got := alarms(f); !slices.Equal(got, []fetcher.AlarmKind{fetcher.AlarmSameToken}) {
			t.Fatalf("alarms %v", got)
		}
		v.Answer(nil)
		v.next()
		time.Sleep(2 * time.Minute)
		if _, err := f.Reject(t.Context(), numbered(1)); err != nil {
			t.Fatal(err)
		}
		if got := alarms(f); len(got) != 0 {
			t.Errorf("alarms %v after another token", got)
		}
	})
}

// A row that was deleted does not come back with the token that was just rejected.
func TestScenario12_RejectedTokenIsNotRestored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f, g := process(t, s, v), process(t, s, v)
		wantToken(t, f, numbered(1))
		wantToken(t, g, numbered(1))
		s.Clear()
		if token, err := f.Reject(t.Context(), numbered(1)); err != nil || token != numbered(2) {
			t.Fatalf("got %q, %v, want another", token, err)
		}
		wantRow(t, s, quoted(numbered(2)))

		time.Sleep(time.Minute)
		wantAtOnce(t, g, numbered(1)) // what g has, for it has not looked yet
		time.Sleep(time.Second)
		wantAtOnce(t, g, numbered(2))
		v.Refuse(refusal(fetcher.ClassTransient, time.Minute))
		if _, err := f.Reject(t.Context(), numbered(2)); err == nil {
			t.Fatal("another token of a vendor that is down")
		}
		s.Delete(key)
		running(t, g)
		time.Sleep(30 * time.Second)
		wantRow(t, s, "")
	})
}

// A rejection for which there was no successor is forgotten after ten minutes, by all.
func TestScenario12_RejectionWithoutSuccessorIsForgottenAfterTenMinutes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldValid)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassConfig, 0))
		if _, err := f.Reject(t.Context(), numbered(1)); err == nil {
			t.Fatal("another token of a vendor that refuses")
		}
		if st := f.Status(); st.Remaining > 0 {
			t.Errorf("a token that is not handed out has %v left", st.Remaining)
		}
		time.Sleep(9 * time.Minute)
		for _, p := range []*fetcher.Fetcher{f, process(t, s, v)} {
			if token, err := p.Token(t.Context()); err == nil {
				t.Errorf("the rejected token %s is handed out", token)
			}
		}
		time.Sleep(61 * time.Second)
		for _, p := range []*fetcher.Fetcher{f, process(t, s, v)} {
			wantToken(t, p, numbered(1))
		}
	})
}

// The vendor insists on a rejected token without having been asked because of the rejection: then it is the one for all.
func TestScenario13_TokenThatTheVendorGivesAgainLaterIsGoodForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		wantToken(t, f, numbered(1))
		v.Refuse(refusal(fetcher.ClassTransient, 5*time.Second))
		if _, err := f.Reject(t.Context(), numbered(1)); err == nil {
			t.Fatal("another token of a vendor that is down")
		}
		v.Answer(func(context.Context, int) (fetcher.Token, error) {
			return fetcher.Token{Value: numbered(1), ExpiresIn: 2 * time.Hour}, nil
		})
		time.Sleep(30 * time.Second)
		wantToken(t, f, numbered(1))
		wantToken(t, process(t, s, v), numbered(1))
		wantCalls(t, v, 3)
	})
}

// What PHP put into the row is nobody's app's, though the state is still the other app's.
func TestScenario15_RowThatPHPReplacedIsNoCollision(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v, other := newTable(), newVendor(fetcher.SameRenewed), newVendor(fetcher.SameRenewed)
		other.info.App = "another"
		wantToken(t, process(t, s, other), numbered(1))
		s.Put(key, "from-php-and-of-this-app", time.Hour)
		f := process(t, s, v)
		wantToken(t, f, "from-php-and-of-this-app")
		if got := alarms(f); len(got) != 0 {
			t.Errorf("alarms %v", got)
		}
	})
}

// A row that PHP stored forever is used for as long as the vendor's tokens live.
func TestScenario17_ForeverIsTheDocumentedLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		s.Put(key, "stored-forever-by-php", 10*365*24*time.Hour)
		f := process(t, s, v)
		result, err := f.Get(t.Context())
		if err != nil || result.Token.ExpiresIn != 2*time.Hour {
			t.Errorf("got %v, %v, want it for 2 hours", result, err)
		}
		running(t, f)
		time.Sleep(2 * time.Hour)
		wantToken(t, f, numbered(1))
	})
}

// Servers of larder that refresh ahead for each other do not work against each other, nor does PHP where tokens do not end each other.
func TestScenario20_NobodyIsAlarmedWithoutReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.NewOldDies)
		fleet := []*fetcher.Fetcher{process(t, s, v), process(t, s, v), process(t, s, v)}
		running(t, fleet...)
		time.Sleep(24 * time.Hour)
		for _, f := range fleet {
			if got := f.Status().Alarms; len(got) != 0 {
				t.Errorf("alarms %v after a day", got)
			}
		}
	})
	for name, c := range map[string]struct {
		renewal fetcher.Renewal
		every   time.Duration
	}{"the former tokens live on": {fetcher.NewOldValid, 5 * time.Minute}, "seldom": {fetcher.NewOldDies, 2*time.Hour - 20*time.Minute}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v := newTable(), newVendor(c.renewal)
				v.info.Life = 90 * time.Minute
				f := process(t, s, v)
				running(t, f)
				for i := range 4 {
					s.Put(key, "from-elsewhere-"+numbered(i), 2*time.Hour)
					time.Sleep(c.every)
				}
				if got := f.Status().Alarms; len(got) != 0 {
					t.Errorf("alarms %v", got)
				}
			})
		})
	}
}

// Nobody is woken for a failure that has the most of the time ahead to pass, and everybody once for one that does not pass.
func TestAlarm_FailingIsForHalfOfTheTimeAheadAndToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		class fetcher.Class
		early bool
	}{"what passes by itself": {fetcher.ClassTransient, false}, "what does not": {fetcher.ClassCredential, true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, v, observer := newTable(), newVendor(fetcher.SameRenewed), &notes{}
				f := process(t, s, v, fetcher.WithObserver(observer))
				running(t, f)
				time.Sleep(6300 * time.Second)
				v.Refuse(refusal(c.class, 0))
				time.Sleep(350 * time.Second) // 250 s into the time ahead of 600
				if early := len(alarms(f)) > 0; early != c.early {
					t.Errorf("alarms %v after 250 s of failures", alarms(f))
				}
				time.Sleep(90 * time.Second)
				if got := alarms(f); !slices.Equal(got, []fetcher.AlarmKind{fetcher.AlarmFailing}) {
					t.Fatalf("alarms %v after 340 s of failures", got)
				}
				since := f.Status().Alarms[0].Since
				time.Sleep(3 * time.Hour)
				if got := f.Status().Alarms; len(got) != 1 || got[0].Since != since {
					t.Errorf("alarms %v after hours, want one since %v", got, since)
				}
				told := 0
				for _, kind := range observer.kinds() {
					if kind == fetcher.EventAlarm {
						told++
					}
				}
				if told != 1 {
					t.Errorf("the alarm was told of %d times", told)
				}
			})
		})
	}
}

func TestAlarm_OfWhatSomebodySaidEndsAfterAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		observer := &notes{}
		f := process(t, newTable(), newVendor(fetcher.SameRenewed), fetcher.WithObserver(observer))
		f.ReportWrongApp(numbered(1))
		time.Sleep(59 * time.Minute)
		if got := alarms(f); len(got) != 1 {
			t.Errorf("alarms %v, want one", got)
		}
		time.Sleep(2 * time.Minute)
		if got := alarms(f); len(got) != 0 {
			t.Errorf("alarms %v after an hour", got)
		}
		f.ReportWrongApp(numbered(1))
		if n := len(observer.kinds()); n != 2 {
			t.Errorf("told %d times, want again after the hour", n)
		}
	})
}

// An error that is no SourceError may contain anything: the row that all see, PHP too, has nothing of it.
func TestScenario19_ErrorOfASourceThatIsNotKnownToBeSafeIsNotStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		v.Refuse(errors.New("GET /gettoken?appsecret=the-secret-of-the-app"))
		f := process(t, s, v)
		_, _ = f.Token(t.Context())
		state, _ := s.Row(fetcher.StateKey(key))
		if !strings.Contains(state, `s:5:"class";s:7:"unknown"`) || strings.Contains(state, "secret") {
			t.Errorf("the state is %s", state)
		}
	})
}

func TestFetcher_VendorThatIsTooSlowIsTransient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newVendor(fetcher.SameRenewed)
		v.latency = time.Minute
		f := process(t, newTable(), v)
		wantError(t, f, context.DeadlineExceeded)
		if got := f.Status().Fetches["transient"]; got != 1 {
			t.Errorf("fetches are %v", f.Status().Fetches)
		}
	})
}

func TestStatus_CountsWhatWasRestored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, v := newTable(), newVendor(fetcher.SameRenewed)
		f := process(t, s, v)
		running(t, f)
		time.Sleep(time.Minute)
		s.Clear()
		time.Sleep(time.Minute)
		if got := f.Status().Restored; got != 1 {
			t.Errorf("%d rows restored, want 1", got)
		}
	})
}

func TestFingerprint_TellsPartsApart(t *testing.T) {
	if fetcher.Fingerprint("ab", "c") == fetcher.Fingerprint("a", "bc") || fetcher.Fingerprint("ab") == fetcher.Fingerprint("ab", "") {
		t.Error("other parts have the same fingerprint")
	}
}
