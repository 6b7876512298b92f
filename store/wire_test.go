package store_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// A wire is the network between the driver and the server. It counts round trips, as changes from sending to receiving, and can
// lose an answer.
type wire struct {
	turns      atomic.Int32
	statements atomic.Int32 // packets of text statements that were sent
	lose       atomic.Bool
	loseTo     atomic.Pointer[string]
	oneIn      atomic.Int32 // 0: none
	silent     atomic.Bool
}

func newWire() *wire { return &wire{} }

func (w *wire) trips() int32 { return w.turns.Load() }

// loseNextAnswer breaks the connection after the next statement was sent and executed.
func (w *wire) loseNextAnswer() { w.lose.Store(true) }

// loseNextAnswerTo is loseNextAnswer for the next statement that begins so.
func (w *wire) loseNextAnswerTo(beginning string) { w.loseTo.Store(&beginning) }

// loseOneAnswerIn breaks the connection after a statement was sent and executed, once in n times.
func (w *wire) loseOneAnswerIn(n int32) { w.oneIn.Store(n) }

// fallSilent lets no more answers through on the connections that have been made, as a firewall does that has forgotten them. New ones work.
func (w *wire) fallSilent() { w.silent.Store(true) }

func (w *wire) loses() bool {
	n := w.oneIn.Load()
	return w.lose.CompareAndSwap(true, false) || n > 0 && rand.Int32N(n) == 0
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: conn, wire: w, closed: make(chan struct{}), late: w.silent.Load()}, nil
}

type wireConn struct {
	net.Conn
	wire    *wire
	sending atomic.Bool
	closed  chan struct{}
	closing sync.Once
	late    bool // made after the others have fallen silent
}

func (c *wireConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// comQuery is the command byte of a text statement, behind the packet's header of four bytes.
const comQuery = 3

func (c *wireConn) Write(b []byte) (int, error) {
	c.sending.Store(true)
	if len(b) > 4 && b[3] == 0 && b[4] == comQuery {
		c.wire.statements.Add(1)
		if to := c.wire.loseTo.Load(); to != nil && bytes.HasPrefix(b[5:], []byte(*to)) && c.wire.loseTo.CompareAndSwap(to, nil) {
			c.wire.loseNextAnswer()
		}
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.wire.silent.Load() && !c.late {
		<-c.closed
		return 0, net.ErrClosed
	}
	if c.sending.CompareAndSwap(true, false) {
		c.wire.turns.Add(1)
		if c.wire.loses() {
			_ = c.Close()
			return 0, errors.New("connection lost by the test")
		}
	}
	return n, err
}
