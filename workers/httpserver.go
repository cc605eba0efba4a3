package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// An HTTPServer serves HTTP as a part of a [Program]. Run is to be called once.
type HTTPServer struct {
	// Server is what serves: its Addr, Handler and time limits. With a TLSConfig, in
	// which there are certificates, it serves HTTPS. It is required.
	Server *http.Server

	// Listener is where requests come from; nil means TCP at Server.Addr.
	Listener net.Listener

	// DrainTimeout is how long requests may go on when Run is stopping, before their
	// connections are closed; 0 means 25 s.
	DrainTimeout time.Duration
}

// Run listens and serves until ctx ends. Then it takes no new requests, waits for those
// that have begun, and returns nil, or an error if they took longer than DrainTimeout.
// An address that is taken is an error at once.
func (s *HTTPServer) Run(ctx context.Context) error {
	if s.Server == nil {
		return errors.New("workers: HTTPServer.Server is missing")
	}
	if err := notNegative("HTTPServer", "DrainTimeout", s.DrainTimeout); err != nil {
		return err
	}
	l := s.Listener
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(s.Server.Addr, ":http")); err != nil {
			return fmt.Errorf("workers: HTTP server: %w", err)
		}
	}
	served := make(chan error, 1)
	go func() { served <- s.serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("workers: HTTP server: %w", err)
	case <-ctx.Done():
	}
	timeout := cmp.Or(s.DrainTimeout, defaultDrain)
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	err := s.Server.Shutdown(draining)
	if err != nil {
		s.Server.Close()
		err = fmt.Errorf("workers: HTTP server: requests were cut off after the drain timeout of %v: %w", timeout, err)
	}
	<-served
	return err
}

func (s *HTTPServer) serve(l net.Listener) error {
	if s.Server.TLSConfig != nil {
		return s.Server.ServeTLS(l, "", "")
	}
	return s.Server.Serve(l)
}
