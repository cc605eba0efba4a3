package sqsbus

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

func TestOverASocketWithTheSDKsClient(t *testing.T) {
	var calls atomic.Int32
	endpoint := sqsserver.New(&sqsserver.Options{Fault: func(*sqsserver.Call) (f sqsserver.Fault) {
		if calls.Add(1) <= 2 {
			f.Drop = sqsserver.DropBefore
		}
		return f
	}})
	donors, err := endpoint.Engine().Create("donors", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(endpoint)
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
	if a, err := donors.Attributes(); err != nil || a.Visible+a.InFlight > 0 {
		t.Errorf("the queue counts %+v, %v", a.Counts, err)
	}
	open.Wait() // which the shutdown has closed
}
