package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network, for bubbles: both ends are in memory and buffer nothing.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serving runs test with a connection to a service that answers with h.
func serving(t *testing.T, h http.HandlerFunc, test func(client net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := pipes{make(chan net.Conn), make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- Serve(ctx, p, h) }()
		client, server := net.Pipe()
		p.conns <- server
		test(client)
		_ = client.Close()
		time.Sleep(time.Second) // for who writes to it still
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// took returns how long it was until the other side closed the connection, and what came.
func took(client net.Conn) (time.Duration, string) {
	begun := time.Now()
	text, _ := io.ReadAll(client)
	return time.Since(begun), string(text)
}

// Who sends a byte now and then must not hold a connection for ever.
func TestServe_EndsWhoDoesNotComeToAnEnd(t *testing.T) {
	trickle := func(client net.Conn, text string) {
		go func() {
			for {
				if _, err := io.WriteString(client, text); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
	}
	serving(t, func(http.ResponseWriter, *http.Request) { t.Error("a request without an end was answered") }, func(client net.Conn) {
		trickle(client, "X")
		if after, _ := took(client); after != 5*time.Second {
			t.Errorf("headers may take %v, want 5 s", after)
		}
	})
	serving(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }, func(client net.Conn) {
		_, _ = io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
		trickle(client, "X")
		if after, _ := took(client); after != 15*time.Second {
			t.Errorf("a body may take %v, want 15 s", after)
		}
	})
	serving(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, func(client net.Conn) {
		_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		time.Sleep(44 * time.Second) // reads nothing, as long as it may
		if n, err := client.Read(make([]byte, 1)); n != 1 {
			t.Errorf("after 44 s: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, text := took(client); len(text) >= 1<<20 {
			t.Error("an answer that is not read for 45 s is waited for")
		}
	})
	serving(t, func(http.ResponseWriter, *http.Request) {}, func(client net.Conn) {
		_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if after, _ := took(client); after != 2*time.Minute {
			t.Errorf("an idle connection stays for %v, want 2 m", after)
		}
	})
}

func TestServe_RefusesHeadersWithoutABound(t *testing.T) {
	serving(t, func(http.ResponseWriter, *http.Request) { t.Error("a request with endless headers was answered") }, func(client net.Conn) {
		go func() {
			_, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: "+strings.Repeat("x", 32<<10)+"\r\n\r\n")
		}()
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("got %v, %v, want 431", resp, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	})
}
