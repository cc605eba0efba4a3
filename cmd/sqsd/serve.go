package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/sqsserver"
	"omnibus/internal/origin"
	"omnibus/view/web"
)

const (
	// readTimeout is how long a request may take to arrive. On one machine that
	// is a matter of milliseconds.
	readTimeout = 5 * time.Second

	// idleTimeout is how long a connection may wait for its next request. It is
	// longer than SDKs keep theirs, so that none is closed under a request.
	idleTimeout = 10 * time.Minute

	// spareDescriptors is how many descriptors are left for what is not a
	// client's connection.
	spareDescriptors = 32

	// drainTimeout is how long requests in progress may take after a signal. It
	// is longer than readTimeout and drainWriteTimeout, so no client can make the program wait for it.
	drainTimeout = 10 * time.Second
)

func (c *config) options(e *engine.Engine) *sqsserver.Options {
	return &sqsserver.Options{Engine: e, Region: c.region, Account: c.account, ExternalURL: c.externalURL}
}

// serve listens, creates the queues and serves until ctx ends.
func (c *config) serve(ctx context.Context, stdout, stderr io.Writer) error {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	remote := c.remote(l.Addr().(*net.TCPAddr).AddrPort().Addr(), stderr)
	c.report = func(line string) { fmt.Fprintf(stderr, "sqsd: %s: %s\n", c.data, line) }
	s, err := newService(ctx, c, !remote || c.inspect)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	address := "http://" + reachable(l.Addr().(*net.TCPAddr)).String()
	fmt.Fprintf(stdout, "sqsd: listening on %s, %s\n", address, c.kept())
	bus := "BUS_URL=" + cmp.Or(strings.TrimRight(c.externalURL, "/"), address) + "/" + c.account + "/"
	names := s.file.names()
	if len(names) == 0 {
		names = s.ownQueues()
	}
	if len(names) > 0 {
		fmt.Fprintln(stdout, bus+names[0])
	} else {
		fmt.Fprintf(stdout, "no queue is there yet; this makes one:\n%sdonors omnibus create\n", bus)
	}
	s.ui = c.newUI(s, remote)
	c.printUI(stdout, address)
	conns := newConnections(l, min(maxConns, max(descriptorLimit()-spareDescriptors, 1)))
	return errors.Join(serve(ctx, conns, c.handler(s, remote, stderr), s.drain), s.close())
}

// ownQueues returns the names of the queues in the server's own region and account, such
// as -data has brought back, dead-letter queues last.
func (s *service) ownQueues() []string {
	e := s.server.Load().Engine()
	dead := map[string]bool{}
	var names []string
	for _, name := range e.List("") {
		if q, err := e.Queue(name); err == nil {
			if a, err := q.Attributes(); err == nil && a.DeadLetter.Queue != name {
				dead[a.DeadLetter.Queue] = true
			}
		}
		if !strings.Contains(name, "/") { // else it is of another region or account
			names = append(names, name)
		}
	}
	return deadLast(names, dead)
}

// kept says where queues are.
func (c *config) kept() string {
	switch {
	case c.data == "":
		return "in memory"
	case c.sync:
		return "kept in " + c.data
	}
	return "kept in " + c.data + ", not synced"
}

// handler returns what stands before the service, from the outside in: the log, the
// counts of requests, the bound on bodies, the page of -ui, which has checks of its own, and the checks of
// who may come in.
func (c *config) handler(s *service, remote bool, stderr io.Writer) http.Handler {
	var h http.Handler = s
	if c.keys != nil {
		h = &signed{next: h, keys: c.keys, metrics: c.metrics}
	}
	h = &guard{next: h, hosts: origin.Hosts{Names: c.hosts, Addresses: remote}, cors: c.cors}
	if s.ui != nil {
		h = web.Mount(uiPath, s.ui, h)
	}
	h = &intake{next: h}
	if s.metrics != nil {
		s.metrics.next = h
		h = s.metrics
	}
	if c.log != "" {
		log, err := newLogger(c.log, stderr)
		if err != nil {
			panic(err) // check has taken it
		}
		h = &requestLog{next: h, log: log}
	}
	return h
}

// remote reports whether other machines can reach an address, and warns if all of
// them may use the endpoint.
func (c *config) remote(listening netip.Addr, stderr io.Writer) bool {
	if origin.IsLoopback(listening) {
		return false
	}
	if c.keys == nil {
		fmt.Fprintf(stderr, "sqsd: warning: all who reach %s may use it; -keys lets in only those who sign\n", c.addr)
	}
	return true
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
func serve(ctx context.Context, conns *connections, handler http.Handler, drain func()) error {
	h := &http.Server{
		Handler: handler,
		// One deadline is for the arrival of a whole request, header and body,
		// and costs no more than one for the header does. When the request is
		// there, net/http lifts it, so it is none for polls that wait.
		ReadTimeout:    readTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ConnState:      conns.changed,
		ConnContext:    sqsserver.ConnContext,
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(conns) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain()
	conns.drain()
	drainCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := h.Shutdown(drainCtx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests still in progress after %v: %w", drainTimeout, err), h.Close())
	}
	<-failed
	return err
}
