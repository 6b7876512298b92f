package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/store"
)

// listen returns the address of a server that does that with every connection, which then ends unless the test does first.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { serve(c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

// A server that takes connections and does not greet is told by its address, long before the read timeout; and nothing can have been applied, which
// Add would otherwise have to leave open.
func TestOpen_AServerThatDoesNotGreetIsNamedSoon(t *testing.T) {
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	hasty := listen(t, func(net.Conn) {})
	web := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	for _, c := range []struct{ address, says string }{
		{silent, "did not answer as a database server within 100ms"},
		{hasty, "ended it before the login, or is no database server"},
		{web, "ended it before the login, or is no database server"},
	} {
		s, err := store.Open("mysql://u:p@" + c.address + "/db?timeout=100ms")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		begun := time.Now()
		_, err = s.Add(context.Background(), "k", "v", time.Minute)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "dial tcp "+c.address) {
			t.Errorf("error is %v, want it to name %s and to say %q", err, c.address, c.says)
		}
		if errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("the outcome of what was never sent is unknown: %v", err)
		}
		if took := time.Since(begun); took > 20*time.Second { // ten repeats of the first error, and the read timeout is 30 s
			t.Errorf("it took %v", took)
		}
	}
}

// Cancelling is not waiting for the server, and of what was never sent the outcome is known.
func TestOpen_CancellingEndsAConnectThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	address := listen(t, func(c net.Conn) { cancel(); _, _ = io.Copy(io.Discard, c) })
	s, err := store.Open("mysql://u:p@" + address + "/db?timeout=1m")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	begun := time.Now()
	_, err = s.Prune(ctx, store.PruneOptions{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrOutcomeUnknown) || time.Since(begun) > 30*time.Second {
		t.Errorf("after %v: %v, want context.Canceled at once", time.Since(begun), err)
	}
}

// The next host is tried after one that took the connection and hangs.
func TestOpen_TheNextHostIsTriedAfterOneThatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	next := listen(t, func(net.Conn) { cancel() })
	s, err := store.Open("mysql://u:p@" + silent + "," + next + "/db?timeout=50ms")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	_ = s.Get(ctx, "k", new(string)) // neither is a database
	if <-ctx.Done(); !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the next host was not tried")
	}
}
