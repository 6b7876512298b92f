package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Listen opens the address for the service. Without keys, and with one that can be guessed, it must be a loopback address:
// 127.0.0.0/8, ::1 or localhost.
func Listen(ctx context.Context, address string, keys []Key) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: want host:port", address)
	}
	if len(keys) == 0 && !loopback(host) {
		return nil, fmt.Errorf("listen on %q: everybody who reaches this address could read the tokens: "+
			"set LARDER_API_KEY (or api_keys in larder.yaml), or listen on 127.0.0.1", address)
	}
	for _, k := range keys {
		if weak := k.Weak(); weak != "" && !loopback(host) {
			return nil, fmt.Errorf("listen on %q: everybody who reaches this address can try keys, and %s; or listen on 127.0.0.1", address, weak)
		}
	}
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	// What a name such as localhost means is the resolver's to say.
	if addr, ok := l.Addr().(*net.TCPAddr); len(keys) == 0 && (!ok || !addr.IP.IsLoopback()) {
		_ = l.Close()
		return nil, fmt.Errorf("listen on %q: this is %s, which is no loopback address: set LARDER_API_KEY, or listen on 127.0.0.1", address, l.Addr())
	}
	return l, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// loopbackHost reports whether a request's Host header names this machine. A name may be in any case, and end with the root's dot.
func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return loopback(strings.ToLower(strings.TrimSuffix(host, ".")))
}

// grace is how long requests may go on after the service was told to stop. It is more than a token's fetch takes.
const grace = 10 * time.Second

// Serve answers requests on the listener until ctx ends, then lets those under way finish for up to 10 seconds. It returns nil if it
// stopped because of ctx, and closes the listener in any case.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      maxTime + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(stopping)
	<-failed
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("stopped with requests unfinished after %v", grace), server.Close())
	}
	return err
}
