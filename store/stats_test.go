package store

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFamily_EndsWithTheFirstSeparatorOrLaravelsOwnPrefix(t *testing.T) {
	for key, want := range map[string]string{
		"user:7:name": "user:", "app.settings": "app.", "dingding_access_token": "dingding_", "plain": "", "": "", ":": ":",
		"laravel_cache_user:7": "laravel_cache_", "my-app-cache-user:7": "my-app-cache-", "my_app_cache_x": "my_app_cache_", "a-b": "",
		"a.b_cache": "a.", "日本:x": "日本:",
	} {
		if got := family(key); got != want {
			t.Errorf("family of %q is %q, want %q", key, got, want)
		}
	}
}

func TestFamilyTally_KeepsTheLargestInBoundedMemory(t *testing.T) {
	tally := newFamilyTally(3)
	most := 0
	for i := range 100_000 {
		n := 1
		if i%20_000 == 7 {
			n = 50
		}
		for range n {
			tally.add(fmt.Sprintf("%06d:", i), Count{Rows: 1, Bytes: 10})
		}
		most = max(most, len(tally.known))
	}
	f := tally.families()
	if most > 2*3+100 {
		t.Errorf("held %d families, want at most 106", most)
	}
	if len(f.Largest) != 3 || f.Largest[0].Rows != 50 || f.Largest[2].Rows != 50 || f.Rest.Rows != 100_000-5+2*50 {
		t.Errorf("families are %+v", f)
	}
}

func TestBuckets_EndBeforeTheirTime(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		ttl  time.Duration
		want string
	}{
		{time.Second, "<1m"}, {time.Minute - 1, "<1m"}, {time.Minute, "<10m"}, {10 * time.Minute, "<1h"}, {time.Hour, "<6h"}, {6 * time.Hour, "<1d"},
		{day, "<7d"}, {7 * day, "<30d"}, {30 * day, "<1y"}, {365 * day, "longer"}, {foreverFrom, "longer"}, {foreverFrom + 1, "forever"},
		{ForeverTTL, "forever"}, {math.MaxInt64, "forever"},
	} {
		buckets := newBuckets()
		if got := buckets[bucketOf(buckets, Entry{TTL: c.ttl})].Name; got != c.want {
			t.Errorf("%s is in %q, want %q", c.ttl, got, c.want)
		}
	}
}

func TestTally_ARowCountsForItsLongestBeginning(t *testing.T) {
	tally := newTally(StatsOptions{Biggest: 1, Families: 1, Beginnings: []string{"", "app_cache", "app_cache_", "other_"}})
	for _, key := range []string{"app_cache_a", "app_cache_b", "app_cachec", "app_", "x"} {
		tally.look(&Store{dialect: sqliteDialect{}}, listed{key: key, size: 4, head: []byte("i:1;"), expiration: 2, now: 1})
	}
	tally.stats.Sampled = true
	want := []Count{{4, 16}, {2, 8}, {4, 16}, {0, 0}} // of a table of twice as many rows
	if got := tally.result(10).Beginnings; !slices.Equal(got, want) {
		t.Errorf("beginnings are %v, want %v", got, want)
	}
}

func TestTally_ARowThatIsNamedIsInNoFamily(t *testing.T) {
	tally := newTally(StatsOptions{Biggest: 1, Families: 1, Kind: func(key, typeName string) string {
		if strings.HasPrefix(key, "hash") && typeName == "int" {
			return "limiter"
		}
		return ""
	}})
	for _, key := range []string{"p_hash1", "p_hash2:x", "p_user:1"} {
		tally.look(&Store{config: config{prefix: "p_"}, dialect: sqliteDialect{}}, listed{key: key, size: 4, head: []byte("i:1;"), expiration: 2, now: 1})
	}
	tally.stats.Sampled = true
	st := tally.result(6) // of a table of twice as many rows
	if want := []Group{{"limiter", Count{4, 16}}}; !slices.Equal(st.Kinds, want) || len(st.Keys.Largest) != 1 || st.Keys.Largest[0] != (Group{"user:", Count{2, 8}}) {
		t.Errorf("kinds are %v, want %v; families are %+v", st.Kinds, want, st.Keys)
	}
}
