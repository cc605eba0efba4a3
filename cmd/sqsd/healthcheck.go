package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// healthTimeout is how long the endpoint may take to say that it runs.
const healthTimeout = 3 * time.Second

// checkHealth asks the sqsd that listens on the same -addr whether it runs. A
// container has nothing else to ask it with.
func (c *config) checkHealth(ctx context.Context) error {
	_, err := c.ask(ctx, "/health")
	return err
}

// ask returns a page of the sqsd that listens on the same -addr.
func (c *config) ask(ctx context.Context, page string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	a, err := net.ResolveTCPAddr("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(a).String()+page, nil)
	if err != nil {
		return nil, err
	}
	if err := c.sign(r); err != nil {
		return nil, err
	}
	resp, err := new(http.Transport).RoundTrip(r) // by no proxy
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", r.URL, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
