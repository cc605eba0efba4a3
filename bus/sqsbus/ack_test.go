package sqsbus

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/spec"
)

func TestNackWithTheDelayAskedFor(t *testing.T) {
	for params, want := range map[string]int{"": 0, "?nackdelay=0s": 0, "?nackdelay=7s": 7, "?nackdelay=1s": 1} {
		t.Run(params, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, params)
				send(t, q, "given back")
				receive(t, q, time.Second).Nack()
				time.Sleep(time.Millisecond)
				if got := e.all("ChangeMessageVisibilityBatch")[0].in.Entries[0].VisibilityTimeout; got != want {
					t.Errorf("the message was given back for %d s; want %d", got, want)
				}
				shutDown(t, q)
			})
		})
	}
}

func TestAStockNackTakesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.stock(drained)
		send(t, q, "given back")
		receive(t, q, time.Second).Nack()
		time.Sleep(time.Millisecond)
		if got := e.all("ChangeMessageVisibilityBatch")[0].in.Entries[0].VisibilityTimeout; got != 1 {
			t.Errorf("stock gave the message back for %d s: a trap less", got)
		}
		e.stop(q)
	})
}

func TestLateAcksAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "late", "in time")
		late := receive(t, q, time.Second)
		time.Sleep(5 * time.Second)
		late.Ack()
		m := receive(t, q, time.Second)
		if bus.Details(m).VisibleAt.IsZero() {
			t.Error("a lease is lost at once")
		}
		m.Ack()
		time.Sleep(time.Millisecond)
		if at := bus.Details(m).VisibleAt; !at.IsZero() {
			t.Errorf("a message that was deleted is visible at %v", at)
		}
		if n, err := q.LateAcks(); n != 1 || err != nil {
			t.Errorf("LateAcks gives %d, %v; want 1", n, err)
		}
	})
}

func TestAnAckThatHadToBeTriedAgainForLongCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		e.set(func() { e.fault = aMinuteOf(faults["503"], "DeleteMessageBatch") })
		m.Ack()
		time.Sleep(2 * time.Minute)
		if n, err := q.LateAcks(); n != 1 || err != nil {
			t.Errorf("LateAcks gives %d, %v; want 1", n, err)
		}
	})
}
