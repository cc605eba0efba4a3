//go:build strangers

package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// A way leads from a client to where the endpoint is now, as a name does whose address
// changes, and may be bad. Its zero value is good, and leads nowhere.
type way struct {
	mu      sync.Mutex // guards all below
	address string
	slow    time.Duration // for each piece of an answer
	cut     float64       // share of the pieces at which the connection ends
}

func (w *way) to(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.address = address
}

func (w *way) set(slow time.Duration, cut float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow, w.cut = slow, cut
}

// client returns a client whose requests go this way, whatever their URLs say.
func (w *way) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			w.mu.Lock()
			address := w.address
			w.mu.Unlock()
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{c, w}, nil
		},
	}}
}

type conn struct {
	net.Conn
	way *way
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.way.mu.Lock()
	slow, cut := c.way.slow, c.way.cut
	c.way.mu.Unlock()
	time.Sleep(slow)
	if err == nil && rand.Float64() < cut {
		c.Conn.Close()
		return n / 2, io.ErrUnexpectedEOF
	}
	return n, err
}
