package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"omnibus/internal/origin"
)

// ContentType is the type of what [Write] writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Handler answers GET with the families that collect returns, whatever the path. The
// context is the request's.
func Handler(collect func(context.Context) []Family) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics are for GET", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", ContentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			_ = Write(w, collect(r.Context())) // an error is that the client has gone
		}
	})
}

// A Server serves /metrics, and /health for probes, at an address of its own. All who
// reach the address may read. On loopback it answers only to names of this machine, so
// that no page of another site reads it by a name that points here.
type Server struct {
	listener net.Listener
	http     http.Server
}

const (
	readTimeout  = 5 * time.Second
	writeTimeout = 30 * time.Second
)

// Listen listens on an address, HOST:PORT. Without a host that is loopback; other
// machines reach it only if HOST says so, as 0.0.0.0 does. Port 0 takes a free one.
func Listen(addr string, collect func(context.Context) []Family) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: address %q: %w; want HOST:PORT, or :PORT for loopback", addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s := &Server{listener: l}
	mux := http.NewServeMux()
	mux.Handle("/metrics", Handler(collect))
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.http = http.Server{Handler: mux, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, MaxHeaderBytes: 16 << 10}
	if s.Loopback() {
		s.http.Handler = local(mux)
	}
	return s, nil
}

// local answers only requests for names of this machine.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !(origin.Hosts{}).Allow(r.Host) {
			http.Error(w, fmt.Sprintf("the Host %.200q is not a name of this machine", r.Host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close stops listening, also when Run was not called.
func (s *Server) Close() error {
	return errors.Join(s.http.Close(), ignoreClosed(s.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// URL returns the address of the metrics.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/metrics" }

// Loopback reports whether only this machine reaches it.
func (s *Server) Loopback() bool {
	a, err := netip.ParseAddrPort(s.listener.Addr().String())
	return err == nil && origin.IsLoopback(a.Addr())
}

// Run serves until ctx ends, which returns nil.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
