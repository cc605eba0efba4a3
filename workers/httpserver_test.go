package workers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/workers"
)

// A listener connects clients of one process by pipes, which work in virtual time.
type listener struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

var errClosed = errors.New("connection refused")

func newListener() *listener {
	return &listener{connections: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return new(net.TCPAddr) }

// post makes a request on a connection of its own.
func (l *listener) post(path string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.connections <- theirs:
			return ours, nil
		case <-l.closed:
			return nil, errClosed
		}
	}}}
	answer, err := client.Post("http://service"+path, "", nil)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", answer.Status)
	}
	return nil
}

func TestAnHTTPServerThatStopsFinishesItsRequestsInTime(t *testing.T) {
	for _, test := range []struct {
		takes, drain, stopped time.Duration
		cut                   bool
	}{
		{takes: 24 * time.Second, stopped: 24 * time.Second},
		{takes: time.Hour, stopped: 25 * time.Second, cut: true},
		{takes: 4 * time.Second, drain: 5 * time.Second, stopped: 4 * time.Second},
		{takes: 6 * time.Second, drain: 5 * time.Second, stopped: 5 * time.Second, cut: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, began := newListener(), time.Now()
			stop := start(t, &workers.HTTPServer{Listener: l, DrainTimeout: test.drain, Server: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_ = idle(r.Context(), test.takes) // which ends when the connection is closed
			})}})
			answered := make(chan error, 1)
			go func() { answered <- l.post("/") }()
			synctest.Wait()
			err := stop()
			// http.Server looks about every half second whether requests are done.
			if took := time.Since(began); took < test.stopped || took > test.stopped+time.Second {
				t.Errorf("%+v: the stop took %v", test, took)
			}
			if (err != nil) != test.cut || test.cut && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%+v: the server's error is %v", test, err)
			}
			if err := <-answered; (err != nil) != test.cut {
				t.Errorf("%+v: the request's error is %v", test, err)
			}
		})
	}
}

func TestAnHTTPServerFailsAtOnceWhenItsAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = (&workers.HTTPServer{Server: &http.Server{Addr: l.Addr().String()}}).Run(t.Context())
	if want := "workers: HTTP server: listen tcp " + l.Addr().String(); err == nil || err.Error()[:len(want)] != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestAnHTTPServerRefusesBadSettings(t *testing.T) {
	for want, s := range map[string]*workers.HTTPServer{
		"workers: HTTPServer.Server is missing":                            {},
		"workers: HTTPServer.DrainTimeout is -1s; it must not be negative": {Server: new(http.Server), DrainTimeout: -time.Second},
	} {
		if err := s.Run(t.Context()); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
