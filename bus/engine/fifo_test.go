package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// sendGroups sends messages to a FIFO queue whose bodies begin with their
// groups, as in "a1 a2 b1".
func sendGroups(t *testing.T, q *Queue, messages string) {
	t.Helper()
	for body := range strings.FieldsSeq(messages) {
		send(t, q, Message{Body: body, Group: body[:1], Deduplication: body})
	}
}

func createFIFO(t *testing.T, s spec.QueueSettings) *Queue {
	t.Helper()
	return create(t, New(&Options{Lenient: true}), "q.fifo", s)
}

func TestGroupIsLockedWhileItsMessagesAreInFlight(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 a2 a3")
	d := receive(t, q, 1, "a1")[0]
	receive(t, q, 10, "")
	wantCounts(t, q, 2, 1, 0) // a2 and a3 count as visible, as on AWS
	wantDeleted(t, q, d.ReceiptHandle, true)
	batch := receive(t, q, 10, "a2 a3")
	wantDeleted(t, q, batch[0].ReceiptHandle, true)
	sendGroups(t, q, "a4")
	receive(t, q, 10, "") // a3 is still in flight
	wantDeleted(t, q, batch[1].ReceiptHandle, true)
	receive(t, q, 10, "a4")
}

// AWS was recorded (2025-11) to give out again what comes before the first message
// of a group that is still in flight: when one of two comes back by its own
// visibility, and of three received together, of which one is kept for longer.
func TestGroupIsUnlockedInPart(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 a2 b1 a3")
	two := receive(t, q, 2, "a1 a2")
	ok(t, q.ChangeVisibility(two[0].ReceiptHandle, 0))
	again := receive(t, q, 10, "b1 a1")
	receive(t, q, 10, "") // a3 is behind both
	wantDeleted(t, q, two[1].ReceiptHandle, true)
	receive(t, q, 10, "")
	wantDeleted(t, q, again[1].ReceiptHandle, true)
	receive(t, q, 10, "a3")
}

func TestGroupIsUnlockedUpToTheFirstInFlight(t *testing.T) {
	for extended, want := range []string{"", "a1", "a1 a2"} {
		synctest.Test(t, func(t *testing.T) {
			q := createFIFO(t, spec.QueueSettings{Visibility: new(time.Second)})
			sendGroups(t, q, "a1 a2 a3 a4")
			three := receive(t, q, 3, "a1 a2 a3")
			ok(t, q.ChangeVisibility(three[extended].ReceiptHandle, 4*time.Second))
			time.Sleep(2500 * time.Millisecond)
			peeked, err := q.Peek(10)
			ok(t, err)
			if order := []string{"a2 a3 a4", "a1 a3 a4", "a1 a2 a4"}[extended]; bodies(peeked) != order {
				t.Errorf("peek shows %q, want %q", bodies(peeked), order)
			}
			for _, d := range receive(t, q, 10, want) {
				wantDeleted(t, q, d.ReceiptHandle, true)
			}
			receive(t, q, 10, "")
			time.Sleep(1500 * time.Millisecond)
			receive(t, q, 10, []string{"a1 a2 a3 a4", "a2 a3 a4", "a3 a4"}[extended])
		})
	}
}

func TestGroupsAreDeliveredInParallel(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 b1 a2 c1")
	receive(t, q, 1, "a1")
	receive(t, q, 1, "b1")
	receive(t, q, 10, "c1")
	receive(t, q, 10, "")
}

func TestReceiveTakesAllOfOneGroupBeforeAnother(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 b1 a2 b2 c1")
	receive(t, q, 3, "a1 a2 b1")
	receive(t, q, 10, "c1")
}

func TestGroupsAreServedInTurn(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 a2 a3 b1 b2")
	for _, want := range []string{"a1", "b1", "a2", "b2", "a3", ""} {
		for _, d := range receive(t, q, 1, want) {
			wantDeleted(t, q, d.ReceiptHandle, true)
		}
	}
}

func TestReturnedMessageTakesItsOldPlace(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "a1 a2 a3 a4")
	batch := receive(t, q, 3, "a1 a2 a3")
	for _, i := range []int{2, 0, 1} {
		ok(t, q.ChangeVisibility(batch[i].ReceiptHandle, 0))
	}
	receive(t, q, 10, "a1 a2 a3 a4")
}

func TestExpiredBatchComesBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Visibility: new(10 * time.Second)})
		sendGroups(t, q, "a1 a2 a3 a4")
		batch := receive(t, q, 3, "a1 a2 a3")
		ok(t, q.ChangeVisibility(batch[0].ReceiptHandle, 12*time.Second))
		ok(t, q.ChangeVisibility(batch[1].ReceiptHandle, 11*time.Second))
		time.Sleep(12*time.Second - 1)
		receive(t, q, 10, "") // all behind a1
		time.Sleep(time.Nanosecond)
		receive(t, q, 10, "a1 a2 a3 a4")
	})
}

func TestExpiredReceiptIsRefusedOnFIFOQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Visibility: new(10 * time.Second)})
		sendGroups(t, q, "a1")
		first := receive(t, q, 1, "a1")[0].ReceiptHandle
		time.Sleep(10 * time.Second)
		_, err := q.Delete(first) // nobody holds the message
		wantCode(t, err, spec.InvalidParameterValue, "expired")
		second := receive(t, q, 1, "a1")[0].ReceiptHandle
		_, err = q.Delete(first) // a newer delivery holds it
		wantCode(t, err, spec.InvalidParameterValue, "expired")
		wantCode(t, q.ChangeVisibility(first, 0), spec.MessageNotInflight)
		wantDeleted(t, q, second, true)
		wantDeleted(t, q, second, false)
	})
}

func TestDuplicateIsAnsweredAndNotAdded(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	first := send(t, q, Message{Body: "one", Group: "a", Deduplication: "d"})
	again := send(t, q, Message{Body: "two", Group: "b", Deduplication: "d"})
	if !again.Duplicate || again.ID != first.ID || again.SequenceNumber != first.SequenceNumber {
		t.Errorf("first %+v, then %+v", first, again)
	}
	d := receive(t, q, 10, "one")[0]
	wantDeleted(t, q, d.ReceiptHandle, true)
	if again := send(t, q, Message{Body: "three", Group: "a", Deduplication: "d"}); !again.Duplicate {
		t.Error("forgotten when the message was deleted")
	}
}

// AWS was recorded to accept a deduplication id anew after a purge.
func TestPurgeEndsDeduplication(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	first := send(t, q, Message{Body: "one", Group: "a", Deduplication: "d"})
	ok(t, q.Purge())
	again := send(t, q, Message{Body: "two", Group: "a", Deduplication: "d"})
	if again.Duplicate || again.ID == first.ID || again.SequenceNumber <= first.SequenceNumber {
		t.Errorf("first %+v, after the purge %+v", first, again)
	}
	receive(t, q, 10, "two")
}

func TestDeduplicationEndsAfterFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{})
		sendGroups(t, q, "a1")
		time.Sleep(5*time.Minute - 1)
		if again := send(t, q, Message{Body: "again", Group: "a", Deduplication: "a1"}); !again.Duplicate {
			t.Error("sent again just before 5 minutes: added")
		}
		time.Sleep(time.Nanosecond)
		if again := send(t, q, Message{Body: "again", Group: "a", Deduplication: "a1"}); again.Duplicate {
			t.Error("sent again at 5 minutes: not added")
		}
		receive(t, q, 10, "a1 again")
	})
}

func TestDeduplicationByContentIsOfTheBody(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{ContentBasedDeduplication: new(true)})
	attrs := []spec.NamedAttribute{{Name: "n", Attribute: spec.Attribute{DataType: "String", StringValue: "v"}}}
	for _, c := range []struct {
		name      string
		m         Message
		duplicate bool
	}{
		{"first", Message{Body: "x", Group: "a"}, false},
		{"another body", Message{Body: "y", Group: "a"}, false},
		{"the same body, group and attributes differ", Message{Body: "x", Group: "b", Attributes: attrs}, true},
		{"an id of its own", Message{Body: "x", Group: "a", Deduplication: "d"}, false},
		{"that id again", Message{Body: "z", Group: "a", Deduplication: "d"}, true},
		{"the body's SHA-256 as the id", Message{Body: "z", Group: "a", Deduplication: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}, true},
	} {
		if sent := send(t, q, c.m); sent.Duplicate != c.duplicate {
			t.Errorf("%s: duplicate %t, want %t", c.name, sent.Duplicate, c.duplicate)
		}
	}
	receive(t, q, 10, "x y x")
}

func TestSequenceNumbersRiseInTheOrderOfSending(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	var sent []string
	for i := range 12 {
		sent = append(sent, send(t, q, Message{Body: "x", Group: "a", Deduplication: fmt.Sprint(i)}).SequenceNumber)
	}
	if !slices.IsSorted(sent) || len(slices.Compact(slices.Clone(sent))) != len(sent) || len(sent[0]) != 20 || strings.Contains(sent[0], "000") {
		t.Errorf("sequence numbers %v", sent)
	}
	for i, d := range receive(t, q, 3, "x x x") {
		if d.SequenceNumber != sent[i] {
			t.Errorf("message %d was sent as %s and received as %s", i, sent[i], d.SequenceNumber)
		}
	}
}

func TestFIFOQueueDelaysEveryMessageByItsOwnDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Delay: new(5 * time.Second)})
		sendGroups(t, q, "a1")
		send(t, q, Message{Body: "a2", Group: "a", Deduplication: "a2", Delay: new(time.Duration(0))})
		wantCounts(t, q, 0, 0, 2)
		time.Sleep(5 * time.Second)
		receive(t, q, 10, "a1 a2")
	})
}

// As the Developer Guide says of delay queues: a change is retroactive on FIFO
// queues, and on them only. See TestSetAttributes for standard ones.
func TestChangedDelayMovesWhatAFIFOQueueDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Delay: new(10 * time.Second)})
		delay := func(d time.Duration) { ok(t, q.SetAttributes(spec.QueueSettings{Delay: &d})) }
		sendGroups(t, q, "a1")
		time.Sleep(time.Second)
		sendGroups(t, q, "a2 b1")
		delay(time.Minute)
		time.Sleep(10 * time.Second) // 11 s since a1
		sendGroups(t, q, "a3")
		wantCounts(t, q, 0, 0, 4)
		delay(11 * time.Second)
		wantCounts(t, q, 1, 0, 3)
		taken := receive(t, q, 10, "a1") // in flight for as long as it was received for
		delay(20 * time.Second)
		time.Sleep(10 * time.Second) // 20 s since a2
		wantCounts(t, q, 2, 1, 1)
		delay(0)
		wantCounts(t, q, 3, 1, 0)
		wantDeleted(t, q, taken[0].ReceiptHandle, true)
		receive(t, q, 10, "b1 a2 a3")
	})
}

// A change wakes who waits.
func TestLoweredDelayOfAFIFOQueueWakesAReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Delay: new(time.Minute)})
		sendGroups(t, q, "a1")
		time.AfterFunc(2*time.Second, func() { ok(t, q.SetAttributes(spec.QueueSettings{Delay: new(5 * time.Second)})) })
		start := time.Now()
		got, err := q.Receive(t.Context(), ReceiveRequest{Wait: new(20 * time.Second)})
		if bodies(got) != "a1" || err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("received %q, %v after %v", bodies(got), err, time.Since(start))
		}
	})
}

func TestFullFIFOQueueReturnsNone(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	for i := range spec.MaxInFlight + 1 {
		id := fmt.Sprint(i)
		send(t, q, Message{Body: "x", Group: id, Deduplication: id})
	}
	var last []Delivery
	for taken := 0; taken < spec.MaxInFlight; taken += len(last) {
		got, err := q.Receive(context.Background(), ReceiveRequest{Max: 7})
		ok(t, err)
		last = got
	}
	wantCounts(t, q, 1, spec.MaxInFlight, 0)
	receive(t, q, 10, "")
	wantDeleted(t, q, last[0].ReceiptHandle, true)
	receive(t, q, 10, "x")
}

func TestPeekOnFIFOQueueIsInTheOrderOfDelivery(t *testing.T) {
	q := createFIFO(t, spec.QueueSettings{})
	sendGroups(t, q, "d1 d2 e1 e2 a1 b1 c1 a2")
	receive(t, q, 1, "d1")
	receive(t, q, 1, "e1")
	got, err := q.Peek(10)
	ok(t, err)
	if want := "a1 a2 b1 c1 d2 e2"; bodies(got) != want { // the locked groups come last
		t.Errorf("peek shows %q, want %q", bodies(got), want)
	}
	receive(t, q, 10, "a1 a2 b1 c1")
}

func TestMessageThatOutlivesRetentionUnlocksItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{Retention: new(time.Minute), Visibility: new(time.Hour)})
		sendGroups(t, q, "a1")
		time.Sleep(30 * time.Second)
		sendGroups(t, q, "a2")
		receive(t, q, 1, "a1")
		time.Sleep(30*time.Second - 1)
		receive(t, q, 1, "")
		time.Sleep(time.Nanosecond)
		receive(t, q, 1, "a2")
	})
}

func TestAttemptNamesTheMessagesOfItsOwnQueue(t *testing.T) {
	e := New(nil)
	other := create(t, e, "other", spec.QueueSettings{})
	for range 3 { // message numbers of the engine and of the queue are not the same
		send(t, other, Message{Body: "x"})
	}
	q := create(t, e, "q.fifo", spec.QueueSettings{})
	sendGroups(t, q, "a1 a2")
	var handles [2]string
	for i := range handles {
		got, err := q.Receive(context.Background(), ReceiveRequest{Attempt: "once"})
		ok(t, err)
		if bodies(got) != "a1" {
			t.Fatalf("receive %d got %q", i, bodies(got))
		}
		handles[i] = got[0].ReceiptHandle
	}
	if handles[0] != handles[1] {
		t.Errorf("the same attempt got the handles %v", handles)
	}
}
