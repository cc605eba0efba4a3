package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func TestRenewBeginsTheReceivesVisibilityTimeoutAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		send(t, q, Message{Body: "m"})
		ds, err := q.Receive(t.Context(), ReceiveRequest{Visibility: new(1500 * time.Millisecond)})
		if err != nil || len(ds) != 1 {
			t.Fatalf("received %v, %v", ds, err)
		}
		h := ds[0].ReceiptHandle
		visible := func(want time.Duration) {
			t.Helper()
			if at, ok := q.VisibleAt(h); !ok || time.Until(at) != want {
				t.Errorf("visible again in %v (held: %t), want %v", time.Until(at), ok, want)
			}
		}
		for range 3 {
			time.Sleep(time.Second)
			ok(t, q.Renew(h))
			visible(1500 * time.Millisecond)
		}
		ok(t, q.ChangeVisibility(h, time.Minute))
		ok(t, q.Renew(h))
		visible(1500 * time.Millisecond)
		time.Sleep(1500 * time.Millisecond)
		wantCode(t, q.Renew(h), spec.MessageNotInflight)
		wantCode(t, q.Renew("x"), spec.ReceiptHandleIsInvalid)
	})
}

func TestWhatWasGivenBackIsNoDeliveryAnyMore(t *testing.T) {
	for _, name := range []string{"q", "q.fifo"} {
		synctest.Test(t, func(t *testing.T) {
			q := create(t, New(nil), name, spec.QueueSettings{})
			m := Message{Body: "m"}
			if spec.IsFIFOName(name) {
				m.Group, m.Deduplication = "g", "d"
			}
			for _, after := range []time.Duration{0, 5 * time.Minute} {
				send(t, q, m)
				h := receive(t, q, 1, "m")[0].ReceiptHandle
				ok(t, q.GiveBack(h, after))
				settled := func() {
					t.Helper()
					wantCode(t, q.ChangeHeld(h, 0), spec.MessageNotInflight)
					wantCode(t, q.GiveBack(h, 0), spec.MessageNotInflight)
					wantCode(t, q.Renew(h), spec.MessageNotInflight)
					if deleted, _ := q.Delete(h); deleted {
						t.Fatal("the handle of a delivery that was given back deletes")
					}
				}
				settled()
				if after > 0 {
					wantCounts(t, q, 0, 1, 0)
					time.Sleep(after - 1)
					wantCounts(t, q, 0, 1, 0)
					time.Sleep(time.Nanosecond)
				}
				wantCounts(t, q, 1, 0, 0)
				settled()
				again := receive(t, q, 1, "m")[0]
				settled()
				if deleted, err := q.Delete(again.ReceiptHandle); !deleted || err != nil {
					t.Errorf("delete: %t, %v", deleted, err)
				}
				m.Deduplication += m.Group
			}
			send(t, q, m)
			h := receive(t, q, 1, "m")[0].ReceiptHandle
			wantCode(t, q.GiveBack(h, -1), spec.InvalidParameterValue)
			wantCode(t, q.GiveBack(h, spec.MaxVisibility+1), spec.InvalidParameterValue)
			ok(t, q.GiveBack(h, spec.MaxVisibility)) // refused, it was not settled
		})
	}
}

func TestGivingBackKeepsTheOrderOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q.fifo", spec.QueueSettings{})
		for _, body := range []string{"a", "b"} {
			send(t, q, Message{Body: body, Group: "g", Deduplication: body})
		}
		ok(t, q.GiveBack(receive(t, q, 1, "a")[0].ReceiptHandle, time.Minute))
		time.Sleep(time.Minute - 1)
		receive(t, q, 10, "")
		time.Sleep(time.Nanosecond)
		receive(t, q, 10, "a b")
	})
}

func mark(d Delivery, _ int) []spec.NamedAttribute {
	return append(d.Attributes[:len(d.Attributes):len(d.Attributes)],
		spec.NamedAttribute{Name: "why", Attribute: spec.Attribute{DataType: "String", StringValue: d.Body}})
}

func TestBuryMovesAMessageToTheDeadLetterQueueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		dead := create(t, e, "dead", spec.QueueSettings{})
		q := create(t, e, "q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 5}})
		send(t, q, Message{Body: "m"})
		sent := time.Now()
		time.Sleep(time.Second)
		d := receive(t, q, 1, "m")[0]
		wait := make(chan []Delivery, 1)
		go func() {
			ds, _ := dead.Receive(t.Context(), ReceiveRequest{Wait: new(20 * time.Second)})
			wait <- ds
		}()
		synctest.Wait()
		ok(t, q.Bury(d.ReceiptHandle, mark))
		wantCounts(t, q, 0, 0, 0)
		got := (<-wait)[0]
		if got.Body != "m" || len(got.Attributes) != 1 || got.Attributes[0].StringValue != "m" ||
			got.DeadLetterSource != "q" || !got.Sent.Equal(sent) || got.ID != d.ID || got.ReceiveCount != 2 {
			t.Errorf("the dead letter is %+v", got)
		}
		wantCode(t, q.Bury(d.ReceiptHandle, mark), spec.InvalidParameterValue)
		wantCode(t, dead.Bury(got.ReceiptHandle, mark), spec.UnsupportedOperation)

		ok(t, dead.ChangeVisibility(got.ReceiptHandle, 0))
		if n, err := dead.Redrive("", 10); n != 1 || err != nil {
			t.Errorf("redrive moved %d, %v; want the buried message to go back", n, err)
		}
		d = receive(t, q, 1, "m")[0]
		ok(t, e.Delete("dead"))
		wantCode(t, q.Bury(d.ReceiptHandle, mark), spec.QueueDoesNotExist)
		wantCounts(t, q, 0, 1, 0)
	})
}

func TestBuryingUnlocksAGroup(t *testing.T) {
	e := New(nil)
	create(t, e, "dead.fifo", spec.QueueSettings{})
	q := create(t, e, "q.fifo", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead.fifo", MaxReceives: 5}})
	for _, body := range []string{"a", "b"} {
		send(t, q, Message{Body: body, Group: "g", Deduplication: body})
	}
	d := receive(t, q, 1, "a")[0]
	receive(t, q, 1, "")
	ok(t, q.Bury(d.ReceiptHandle, mark))
	receive(t, q, 1, "b")
}
