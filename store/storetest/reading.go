package storetest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
	"github.com/larder-cache/larder/store/php"
)

var reading = []testCase{
	{"S1 get of no row is not found", func(t *testing.T, h *harness) {
		h.wantMissing("foo")
	}},
	{"S2 I11 get of an expired row is not found and deletes nothing", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"bar";`, 1)
		h.wantMissing("foo")
		h.wantRow("prefixfoo", `s:3:"bar";`, 1)
	}},
	{"S3 get of a live row decodes it", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `s:3:"bar";`, start+1)
		h.wantString("foo", "bar")
	}},
	{"I19 opening a store neither connects nor creates anything", func(t *testing.T, _ *harness) {
		folder := filepath.Join(t.TempDir(), "not there")
		for _, address := range []string{"sqlite:" + filepath.Join(folder, "larder.db"), "mysql://user:password@127.0.0.1:1/database"} {
			s, err := store.Open(address)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Get(t.Context(), "foo", new(any)); err == nil || errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: error is %v, want that there is no database", address, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder was created, or %v", err)
		}
	}},
	{"R2 get of what is missing leaves the destination, and so a default in it", func(t *testing.T, h *harness) {
		h.insert("prefixold", `s:3:"bar";`, start)
		for _, key := range []string{"old", "never"} {
			got := "default"
			h.wantErr(h.store.Get(h.ctx, key, &got), store.ErrNotFound)
			if got != "default" {
				t.Errorf("%s: the destination is %q", key, got)
			}
		}
	}},
	{"R3 false is there, and so is null, but not what is missing or expired", func(t *testing.T, h *harness) {
		h.insert("prefixfalse", "b:0;", start+1)
		h.insert("prefixnull", "N;", start+1) // Laravel's has says no
		h.insert("prefixold", "b:1;", start)
		h.yes(h.store.Has(h.ctx, "false"))
		h.yes(h.store.Has(h.ctx, "null"))
		h.no(h.store.Has(h.ctx, "old"))
		h.no(h.store.Has(h.ctx, "never"))
		if len(h.rows()) != 3 {
			t.Fatal("has has deleted a row")
		}
	}},
	{"R12 an object is read with its class, for its key alone, and never made one", func(t *testing.T, h *harness) {
		h.insert("prefixobject", `O:8:"App\User":1:{s:2:"id";i:7;}`, start+1)
		h.insert("prefixplain", "i:1;", start+1)
		items, err := h.store.Many(h.ctx, "object", "plain")
		h.must(err)
		var got any
		h.must(items["object"].Decode(&got))
		object, ok := got.(*php.Object)
		if !ok || object.Class != `App\User` {
			t.Fatalf("object is %#v", got)
		}
		if id, ok := object.Get("id"); !ok || id != php.Int(7) {
			t.Errorf("id is %v", id)
		}
		h.must(items["plain"].Decode(&got))
		if got != int64(1) {
			t.Errorf("the other value is %v", got)
		}
		h.wantMismatch(h.store.Get(h.ctx, "object", new(string)), "object")
		if err := h.store.Put(h.ctx, "copy", object, time.Minute); err == nil {
			t.Error("an object was written")
		}
	}},
	{"R13 get into a type takes that type alone, and says what was there", func(t *testing.T, h *harness) {
		for key, value := range map[string]string{
			"string": `s:3:"bar";`, "int": "i:7;", "float": "d:1.5;", "bool": "b:1;", "list": "a:2:{i:0;i:1;i:1;i:2;}", "numeric": `s:3:"123";`,
		} {
			h.insert(prefix+key, value, start+1)
		}
		var (
			text   string
			number int
			float  float64
			truth  bool
			list   []int
		)
		h.must(h.store.Get(h.ctx, "string", &text))
		h.must(h.store.Get(h.ctx, "int", &number))
		h.must(h.store.Get(h.ctx, "float", &float))
		h.must(h.store.Get(h.ctx, "bool", &truth))
		h.must(h.store.Get(h.ctx, "list", &list))
		if text != "bar" || number != 7 || float != 1.5 || !truth || !slices.Equal(list, []int{1, 2}) {
			t.Errorf("got %q %d %v %v %v", text, number, float, truth, list)
		}
		h.must(h.store.Get(h.ctx, "int", &float)) // which holds it exactly
		if float != 7 {
			t.Errorf("int into float is %v", float)
		}
		// Laravel's getters take a numeric string for a number. Here nothing is converted in silence.
		h.wantMismatch(h.store.Get(h.ctx, "numeric", &number), "string")
		h.wantMismatch(h.store.Get(h.ctx, "float", &number), "float")
		h.wantMismatch(h.store.Get(h.ctx, "int", &text), "int")
		h.wantMismatch(h.store.Get(h.ctx, "string", &list), "string")
		h.wantMismatch(h.store.Get(h.ctx, "list", &truth), "list")
		if number != 7 || text != "bar" {
			t.Errorf("a mismatch has changed its destination to %d, %q", number, text)
		}
	}},
	{"E7 a row is live until its expiration and not at it", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", 10*time.Second))
		h.clock.Set(start + 9)
		h.wantString("foo", "bar")
		h.clock.Set(start + 10)
		h.wantMissing("foo")
		h.no(h.store.Has(h.ctx, "foo"))
	}},
	{"item tells the time that remains", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.clock.Add(20 * time.Second)
		item, err := h.store.Item(h.ctx, "foo")
		h.must(err)
		if item.TTL != 40*time.Second || item.Expiration != start+60 || string(item.Raw) != `s:3:"bar";` || item.Key != "foo" {
			t.Fatalf("item is %+v", item)
		}
	}},
	{"E5 a stored null is a value", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", nil, time.Minute))
		h.yes(h.store.Has(h.ctx, "foo"))
		var got any = "unset"
		h.must(h.store.Get(h.ctx, "foo", &got))
		if got != nil {
			t.Fatalf("value is %v, want nil", got)
		}
	}},
	{"E14 E15 E16 corrupt values are an error of their key alone", func(t *testing.T, h *harness) {
		for _, value := range []string{"", "x", `s:9:"bar";`, "i:7;\n", "eyJpdiI6IjEyMyIsInZhbHVlIjoieCIsIm1hYyI6InkifQ=="} {
			h.exec("DELETE FROM cache")
			h.insert("prefixbad", value, start+9)
			h.insert("prefixgood", "i:1;", start+9)
			var got any
			h.wantErr(h.store.Get(h.ctx, "bad", &got), store.ErrCorrupt)
			items, err := h.store.Many(h.ctx, "bad", "good")
			h.must(err)
			if len(items) != 2 {
				t.Fatalf("many returns %d items, want 2", len(items))
			}
			h.wantErr(bad(h.store.Increment(h.ctx, "bad", 1)), store.ErrCorrupt)
			h.wantList(store.ListOptions{}, fmt.Sprint("bad corrupt ", len(value)), "good int 4")
			st, err := h.store.Stats(h.ctx, store.StatsOptions{})
			h.must(err)
			h.wantCount("corrupt", st.Corrupt, 1, int64(len(value)))
			h.wantCount("all", st.Count, 2, int64(len(value)+4))
		}
	}},
	{"I15 I16 many returns the live rows and deletes nothing", func(t *testing.T, h *harness) {
		h.insert("prefixfirst", "i:1;", start+9)
		h.insert("prefixsecond", "i:2;", start)
		h.insert("otherthird", "i:3;", start+9)
		items, err := h.store.Many(h.ctx, "first", "second", "third", "first")
		h.must(err)
		if len(items) != 1 || string(items["first"].Raw) != "i:1;" || items["first"].TTL != 9*time.Second {
			t.Fatalf("items are %v", items)
		}
		if len(h.rows()) != 3 {
			t.Fatal("many has deleted a row")
		}
	}},
	{"I17 R1 many leaves out what is missing, so that the caller's defaults stand", func(t *testing.T, h *harness) {
		h.insert("prefix1", `s:3:"one";`, start+1)
		h.insert("prefix2", `s:3:"two";`, start)
		got := map[string]string{"1": "default", "2": "default", "3": "default"}
		items, err := h.store.Many(h.ctx, "1", "2", "3")
		h.must(err)
		for key, item := range items {
			var value string
			h.must(item.Decode(&value))
			got[key] = value
		}
		if want := map[string]string{"1": "one", "2": "default", "3": "default"}; !maps.Equal(got, want) {
			t.Fatalf("values are %v, want %v", got, want)
		}
	}},
	{"E13 many of nothing is nothing", func(t *testing.T, h *harness) {
		items, err := h.store.Many(h.ctx)
		h.must(err)
		if len(items) != 0 {
			t.Fatalf("items are %v", items)
		}
	}},
	{"E12 many and putMany of more keys than a statement takes", func(t *testing.T, h *harness) {
		values, keys := map[string]any{}, []string{}
		for i := range 2500 {
			key := fmt.Sprintf("key%d", i)
			values[key], keys = i, append(keys, key)
		}
		h.must(h.store.PutMany(h.ctx, values, time.Minute))
		items, err := h.store.Many(h.ctx, keys...)
		h.must(err)
		if len(items) != 2500 || string(items["key2499"].Raw) != "i:2499;" {
			t.Fatalf("got %d items", len(items))
		}
	}},
	{"a string in the spelling with escapes, which PHP reads and does not write, is read each time", func(t *testing.T, h *harness) {
		h.insert("prefixfoo", `S:3:"\61bc";`, start+60)
		h.wantString("foo", "abc")
		h.insert("prefixbar", `S:6:"\61bc\64ef";`, start+60)
		h.wantString("bar", "abcdef")
	}},
	{"pull gets the value once", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.insert("prefix"+companion+"foo", "i:1;", start+60)
		var got string
		h.must(h.store.Pull(h.ctx, "foo", &got))
		if got != "bar" {
			t.Fatalf("value is %q", got)
		}
		h.wantErr(h.store.Pull(h.ctx, "foo", &got), store.ErrNotFound)
		h.wantRows()
	}},
	{"pull leaves a value that does not fit", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		var n int
		if err := h.store.Pull(h.ctx, "foo", &n); err == nil {
			t.Fatal("a string was pulled into an int")
		}
		h.wantString("foo", "bar")
	}},
	{"pull takes the very value that it returns, whatever others store meanwhile", func(t *testing.T, h *harness) {
		const take = 3                              // the statement, after the read and the companion
		for _, theirs := range []string{"a", "z"} { // one that sorts before it, one that sorts after it
			h.must(h.store.Put(h.ctx, "foo", "m", time.Minute))
			s := h.before(take, func() { h.must(h.store.Put(h.ctx, "foo", theirs, time.Minute)) })
			var got string
			h.must(s.Pull(h.ctx, "foo", &got))
			if got != theirs {
				t.Fatalf("pulled %q, and %q is gone", got, theirs)
			}
			h.wantRows()
		}
		if !h.isMySQL() {
			return // there are no look-alikes
		}
		h.must(h.store.Put(h.ctx, "foo", "m", time.Minute))
		s := h.before(take, func() { h.must(h.store.Put(h.ctx, "Foo", "m", time.Minute)) })
		h.wantErr(s.Pull(h.ctx, "foo", new(string)), store.ErrNotFound)
		h.wantRow("prefixFoo", `s:1:"m";`, start+60)
	}},
	{"of many pulls one gets the value", func(t *testing.T, h *harness) {
		h.must(h.store.Put(h.ctx, "foo", "bar", time.Minute))
		h.wantWinners(1, func(s *store.Store, i int) (bool, error) {
			var got string
			err := s.Pull(h.ctx, "foo", &got)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		})
	}},
}

// wantMismatch checks that err is that a value of that PHP type does not fit.
func (h *harness) wantMismatch(err error, got string) {
	h.t.Helper()
	var mismatch *php.TypeError
	if !errors.As(err, &mismatch) || mismatch.Got != got {
		h.t.Fatalf("error is %v, want that a value of type %s does not fit", err, got)
	}
}
