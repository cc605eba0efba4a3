package sqsbus

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/spec"
)

func TestAQueueCountsTheRequestsOfAllItsReceiversByAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q, other := e.open(t, "?visibility=30s"), e.open(t, "?visibility=30s")
		defer shutDown(t, q)
		defer shutDown(t, other)
		own, err := q.OpenReceiver(bus.ReceiverOptions{})
		if err != nil {
			t.Fatal(err)
		}
		e.set(func() { e.fault = every(2, faults["503"], "SendMessageBatch") })
		send(t, q, "m")
		receive(t, own, time.Minute).Ack()
		shutDown(t, own)
		want := []bus.RequestCount{
			{Action: "DeleteMessageBatch", Requests: 1, Chunks: 1},
			{Action: "ReceiveMessage", Requests: 1, Chunks: 1},
			{Action: "SendMessageBatch", Requests: 2, Failed: 1, Chunks: 2},
		}
		if got := q.Requests(); !slices.Equal(got, want) {
			t.Errorf("the queue counts %+v, want %+v", got, want)
		}
		if got := other.Requests(); len(got) > 0 {
			t.Errorf("one that was opened beside it, and not used, counts %+v", got)
		}
	})
}
