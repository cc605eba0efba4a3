package sqsbus

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// ServeHTTP lets the endpoint listen.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := e.Do(r)
	if err != nil {
		panic(http.ErrAbortHandler) // drops the connection
	}
	w.WriteHeader(out.StatusCode)
	io.Copy(w, out.Body)
}

func TestOverASocketWithTheSDKsClient(t *testing.T) {
	noConfiguration(t)
	e := newEndpoint()
	e.create(t, "donors", spec.QueueSettings{})
	times := 2
	e.set(func() { e.fault = func(*call) *fault { times--; return &fault{drop: times >= 0} } })
	server := httptest.NewUnstartedServer(e)
	var open sync.WaitGroup // connections
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		}
	}
	server.Start()
	defer server.Close()
	var mux bus.Mux
	New(nil).Register(&mux)
	q, err := mux.Open(t.Context(), server.URL+"/000000000000/donors?visibility=1h")
	if err != nil {
		t.Fatal(err)
	}
	send(t, q, "m")
	receive(t, q, 10*time.Second).Ack()
	shutDown(t, q)
	e.counts(t, 0, 0, 0)
	open.Wait() // which the shutdown has closed
}
