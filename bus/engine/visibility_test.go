package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func TestMessageInFlightIsHiddenUntilItsTimeoutEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		send(t, q, Message{Body: "m"})
		first := receive(t, q, 1, "m")[0]
		time.Sleep(10*time.Second - 1)
		receive(t, q, 1, "")
		wantCounts(t, q, 0, 1, 0)
		time.Sleep(time.Nanosecond)
		wantCounts(t, q, 1, 0, 0)
		second := receive(t, q, 1, "m")[0]
		if first.ReceiptHandle == second.ReceiptHandle {
			t.Error("two deliveries have one receipt handle")
		}
		if first.ID != second.ID || first.ReceiveCount != 1 || second.ReceiveCount != 2 {
			t.Errorf("ids %s and %s, receive counts %d and %d", first.ID, second.ID, first.ReceiveCount, second.ReceiveCount)
		}
		if !second.FirstReceived.Equal(first.FirstReceived) {
			t.Errorf("the first receive moved from %v to %v", first.FirstReceived, second.FirstReceived)
		}
	})
}

func TestChangedVisibilityIsNotRememberedAtTheNextReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		send(t, q, Message{Body: "m"})
		d := receive(t, q, 1, "m")[0]
		ok(t, q.ChangeVisibility(d.ReceiptHandle, 100*time.Second))
		time.Sleep(99 * time.Second)
		receive(t, q, 1, "")
		time.Sleep(time.Second)
		d = receive(t, q, 1, "m")[0]
		if left := time.Until(d.VisibleAt); left != 10*time.Second {
			t.Errorf("visible again in %v, want the queue's 10 s", left)
		}
	})
}

func TestChangeVisibilityToZeroGivesBackAtOnce(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	send(t, q, Message{Body: "a"})
	send(t, q, Message{Body: "b"})
	d := receive(t, q, 1, "a")[0]
	ok(t, q.ChangeVisibility(d.ReceiptHandle, 0))
	wantCounts(t, q, 2, 0, 0)
	receive(t, q, 10, "b a") // behind those that became visible before
}

func TestChangeVisibilityRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		q := create(t, e, "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		other := create(t, e, "other", spec.QueueSettings{})
		for _, body := range []string{"gone", "expired", "again", "held"} {
			send(t, q, Message{Body: body})
		}
		gone := receive(t, q, 1, "gone")[0].ReceiptHandle
		expired := receive(t, q, 1, "expired")[0].ReceiptHandle
		stale := receive(t, q, 1, "again")[0].ReceiptHandle
		wantDeleted(t, q, gone, true)
		time.Sleep(10 * time.Second)
		held := receive(t, q, 1, "held")[0].ReceiptHandle
		ok(t, q.ChangeVisibility(held, 12*time.Hour))
		receive(t, q, 1, "expired")
		receive(t, q, 1, "again")
		time.Sleep(10 * time.Second)
		receive(t, q, 1, "expired")
		for _, c := range []struct {
			name   string
			queue  *Queue
			handle string
			d      time.Duration
			code   spec.Code
			parts  []string
		}{
			{"over 12 h", q, held, 43201 * time.Second, spec.InvalidParameterValue, []string{"Value 43201 for parameter VisibilityTimeout", "between 0 and 43200"}},
			{"over 12 h in all", q, held, 12*time.Hour - 10*time.Second + 1, spec.InvalidParameterValue, []string{"Value 43190.000000001 for parameter VisibilityTimeout", "[43200 seconds]", "10s ago"}},
			{"negative", q, held, -1, spec.InvalidParameterValue, []string{"Value -0.000000001"}},
			{"gone", q, gone, 0, spec.InvalidParameterValue, []string{"Message does not exist or is not available"}},
			{"of another queue", other, held, 0, spec.ReceiptHandleIsInvalid, []string{held}},
			{"garbage", q, "garbage", 0, spec.ReceiptHandleIsInvalid, []string{`"garbage"`}},
		} {
			t.Log(c.name) // a bubble has no subtests
			wantCode(t, c.queue.ChangeVisibility(c.handle, c.d), c.code, c.parts...)
		}
		ok(t, q.ChangeVisibility(held, 12*time.Hour-10*time.Second)) // 12 h in all
		for _, handle := range []string{expired, stale} {            // of which a newer delivery holds one's message, and nobody the other's
			for _, d := range []time.Duration{0, time.Minute} {
				wantCode(t, q.ChangeHeld(handle, d), spec.MessageNotInflight)
			}
		}
	})
}

// On a standard queue a receipt handle lives as long as its message: AWS was
// recorded (2024-04) to accept one that has expired, and clients have seen one that
// a later receive had superseded move the message.
func TestReceiptHandleLivesAsLongAsItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		send(t, q, Message{Body: "m"})
		first := receive(t, q, 1, "m")[0].ReceiptHandle
		time.Sleep(10 * time.Second)
		ok(t, q.ChangeVisibility(first, 0)) // it is visible already
		wantCounts(t, q, 1, 0, 0)
		ok(t, q.ChangeVisibility(first, 5*time.Second)) // it has expired
		wantCounts(t, q, 0, 1, 0)
		time.Sleep(5 * time.Second)
		second := receive(t, q, 1, "m")[0]
		if second.ReceiveCount != 2 {
			t.Errorf("a change of visibility was counted as a receive: %d in all", second.ReceiveCount)
		}
		ok(t, q.ChangeVisibility(first, time.Minute)) // it is superseded
		if at, held := q.VisibleAt(second.ReceiptHandle); !held || time.Until(at) != time.Minute {
			t.Errorf("visible at %v, held %t", at, held)
		}
		ok(t, q.ChangeVisibility(first, 0))
		third := receive(t, q, 1, "m")[0].ReceiptHandle
		wantDeleted(t, q, third, true)
		wantCode(t, q.ChangeVisibility(first, 0), spec.InvalidParameterValue, "Message does not exist")
	})
}

func TestVisibleAtTellsTheEndOfTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		send(t, q, Message{Body: "m"})
		d := receive(t, q, 1, "m")[0]
		ok(t, q.ChangeVisibility(d.ReceiptHandle, 20*time.Second))
		if at, held := q.VisibleAt(d.ReceiptHandle); !held || time.Until(at) != 20*time.Second {
			t.Errorf("visible at %v, held %t", at, held)
		}
		time.Sleep(20 * time.Second)
		if at, held := q.VisibleAt(d.ReceiptHandle); held || !at.IsZero() {
			t.Errorf("visible at %v, held %t after the timeout", at, held)
		}
	})
}

func TestDeleteOnStandardQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		q := create(t, e, "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		other := create(t, e, "other", spec.QueueSettings{})
		send(t, q, Message{Body: "m"})
		first := receive(t, q, 1, "m")[0].ReceiptHandle
		time.Sleep(10 * time.Second)
		second := receive(t, q, 1, "m")[0].ReceiptHandle

		wantDeleted(t, q, first, false) // a newer delivery holds the message
		wantCounts(t, q, 0, 1, 0)
		_, err := other.Delete(second)
		wantCode(t, err, spec.ReceiptHandleIsInvalid, second)
		_, err = q.Delete("garbage")
		wantCode(t, err, spec.ReceiptHandleIsInvalid, `"garbage"`)

		time.Sleep(10 * time.Second)
		wantCounts(t, q, 1, 0, 0)
		wantDeleted(t, q, first, true) // nobody holds it
		wantCounts(t, q, 0, 0, 0)
		wantDeleted(t, q, second, false) // gone already
	})
}
