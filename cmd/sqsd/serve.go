package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/sqsserver"
)

const (
	// readTimeout is how long a request may take to arrive. On one machine that
	// is a matter of milliseconds.
	readTimeout = 5 * time.Second

	// drainTimeout is how long requests in progress may take after a signal. It
	// is longer than readTimeout, so no client can make the program wait for it.
	drainTimeout = 10 * time.Second
)

func (c *config) options(e *engine.Engine) *sqsserver.Options {
	return &sqsserver.Options{Engine: e, Region: c.region, Account: c.account}
}

// serve listens, creates the queues and serves until ctx ends.
func (c *config) serve(ctx context.Context, stdout, stderr io.Writer) error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	remote := !isLoopback(l.Addr().(*net.TCPAddr).AddrPort().Addr())
	if remote {
		fmt.Fprintf(stderr, "sqsd: warning: all who reach %s may use it\n", c.addr)
	}
	server := sqsserver.New(c.options(engine.New(&engine.Options{Lenient: c.lenient})))
	name := "donors"
	if c.queues != "" {
		names, err := createQueues(ctx, server, c.queues)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		if len(names) > 0 {
			name = names[0]
		}
	}
	base := "http://" + reachable(l.Addr().(*net.TCPAddr)).String()
	fmt.Fprintf(stdout, "sqsd: listening on %s, in memory\nBUS_URL=%s/%s/%s\n", base, base, c.account, name)
	return serve(ctx, l, &guard{next: server, hosts: c.hosts, addresses: remote, cors: c.cors}, server.Drain)
}

// reachable returns the address under which this machine's programs reach one
// that is listened on: for all of its addresses, loopback's.
func reachable(a *net.TCPAddr) netip.AddrPort {
	ip := a.AddrPort().Addr().Unmap()
	if ip.IsUnspecified() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(ip, uint16(a.Port))
}

// serve serves until ctx ends, and then drains: it calls drain and waits for the
// requests in progress.
func serve(ctx context.Context, l net.Listener, handler http.Handler, drain func()) error {
	// One deadline is for the arrival of a whole request, header and body, and
	// costs no more than one for the header does. When the request is there,
	// net/http lifts it, so it is none for polls that wait. Answers have no
	// deadline: it would be one more for every request, and a client that does
	// not read what it asked for holds nobody up but itself.
	h := &http.Server{
		Handler:        handler,
		ReadTimeout:    readTimeout,
		IdleTimeout:    -1, // none, instead of ReadTimeout: SDKs keep connections
		MaxHeaderBytes: 64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain()
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := h.Shutdown(drainCtx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests still in progress after %v: %w", drainTimeout, err), h.Close())
	}
	<-failed
	return err
}
