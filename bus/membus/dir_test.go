package membus_test

import (
	"net/url"
	"strings"
	"testing"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
)

func TestAQueueInADirectoryOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	at := "mem://donors?dir=" + url.QueryEscape(dir)
	open := func() *bus.Queue {
		t.Helper()
		var mux bus.Mux // as of another process
		membus.New(nil).Register(&mux)
		q, err := mux.Open(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := open()
	if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	var others bus.Mux
	membus.New(nil).Register(&others)
	if _, err := others.Open(t.Context(), at); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a directory in use: %v", err)
	}
	if err := q.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	q = open()
	defer q.Shutdown(t.Context())
	m, err := q.Subscription.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Body) != "hello" {
		t.Errorf("received %s", m.Body)
	}
	m.Ack()
}

func TestQueuesOfOneDirectoryAreOneSet(t *testing.T) {
	var mux bus.Mux
	membus.New(nil).Register(&mux)
	at := "?dir=" + url.QueryEscape(t.TempDir())
	created, err := mux.Create(t.Context(), "mem://donors"+at, bus.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if created != "mem://donors"+at {
		t.Errorf("created %s", created)
	}
	q, err := mux.Open(t.Context(), "mem://others"+at)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Shutdown(t.Context())
	got, err := mux.List(t.Context(), "mem://"+at, "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, " ") != "mem://donors"+at+" mem://others"+at {
		t.Errorf("listed %q", got)
	}
	if got, err = mux.List(t.Context(), "mem://", ""); err != nil || len(got) != 0 {
		t.Errorf("in memory there are %q, %v", got, err)
	}
}
