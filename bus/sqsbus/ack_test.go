package sqsbus

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/spec"
)

func TestANackIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		send(t, q, "given back")
		m := receive(t, q, time.Second)
		m.Nack()
		time.Sleep(time.Millisecond)
		if at := bus.Details(m).VisibleAt; !at.IsZero() {
			t.Errorf("a message that was given back is held until %v", at)
		}
		if got := e.all("ChangeMessageVisibilityBatch")[0].in.Entries[0].VisibilityTimeout; got != 0 {
			t.Errorf("the message was given back for %d s; want 0", got)
		}
		shutDown(t, q)
	})
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
		time.Sleep(2 * ackLinger)
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

func TestAnAckIsLateWhenSQSHasItTooLate(t *testing.T) {
	for after, want := range map[time.Duration]int64{3900 * time.Millisecond: 0, 4100 * time.Millisecond: 1} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = time.Second // half a second each way
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=5s")
				defer shutDown(t, q)
				send(t, q, "m")
				m := receive(t, q, 10*time.Second)
				time.Sleep(after)
				donors, _ := e.engine.Queue("donors")
				m.Ack()
				time.Sleep(500*time.Millisecond - 1)
				if _, held := donors.VisibleAt(bus.Details(m).ReceiptHandle); held == (want > 0) {
					t.Errorf("the queue holds the message when the deletion comes: %t", held)
				}
				time.Sleep(time.Second)
				if n, _ := q.LateAcks(); n != want {
					t.Errorf("%d late acknowledgements; want %d", n, want)
				}
			})
		})
	}
}

func TestALostLeaseIsNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		time.Sleep(5 * time.Second)
		check(t, "change visibility", q.ChangeVisibility(t.Context(), m, time.Minute), gcerrors.FailedPrecondition)
		m.Nack()
		time.Sleep(time.Second)
		if n := e.count("ChangeMessageVisibilityBatch"); n != 0 {
			t.Errorf("%d requests for a lease that had been lost", n)
		}
		receive(t, q, time.Second).Ack()
	})
}

func TestALeaseThatSQSSaysIsLostIsMappedToItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		e.set(func() {
			e.fault = func(c *call) *fault {
				if c.action == "ChangeMessageVisibilityBatch" {
					return &fault{status: 400, query: true, code: "InvalidParameterValue", message: "Value … for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}
				}
				return nil
			}
		})
		check(t, "change visibility", q.ChangeVisibility(t.Context(), m, time.Minute), gcerrors.FailedPrecondition)
		m.Ack()
	})
}
