package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func create(t *testing.T, e *Engine, name string, s spec.QueueSettings) *Queue {
	t.Helper()
	q, err := e.Create(name, s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func send(t *testing.T, q *Queue, m Message) Sent {
	t.Helper()
	sent, err := q.Send(m)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// receive receives up to n messages with the queue's own visibility timeout and
// without a wait, and fails the test unless they have the bodies want, as in
// "a b".
func receive(t *testing.T, q *Queue, n int, want string) []Delivery {
	t.Helper()
	got, err := q.Receive(context.Background(), ReceiveRequest{Max: n, Wait: new(time.Duration(0))})
	if err != nil {
		t.Fatal(err)
	}
	if bodies(got) != want {
		t.Fatalf("received %q from %s, want %q", bodies(got), q.Name(), want)
	}
	return got
}

func bodies(ds []Delivery) string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Body)
	}
	return strings.Join(out, " ")
}

func wantCode(t *testing.T, err error, code spec.Code, parts ...string) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Fatalf("error %v, want code %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCounts fails the test unless so many messages are visible, in flight and
// delayed.
func wantCounts(t *testing.T, q *Queue, visible, inFlight, delayed int) {
	t.Helper()
	a, err := q.Attributes()
	ok(t, err)
	if a.Visible != visible || a.InFlight != inFlight || a.Delayed != delayed {
		t.Errorf("%s has %+v, want %d visible, %d in flight, %d delayed", q.Name(), a.Counts, visible, inFlight, delayed)
	}
}

func wantDeleted(t *testing.T, q *Queue, receipt string, want bool) {
	t.Helper()
	got, err := q.Delete(receipt)
	ok(t, err)
	if got != want {
		t.Errorf("deleted: %t, want %t", got, want)
	}
}

func TestDeliveryCarriesWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		attrs := []spec.NamedAttribute{
			{Name: "JobType", Attribute: spec.Attribute{DataType: "String", StringValue: "NewDonor"}},
			{Name: "raw", Attribute: spec.Attribute{DataType: "Binary.png", BinaryValue: []byte{0, 1}}},
		}
		start := time.Now()
		sent := send(t, q, Message{Body: "donor", Attributes: attrs, Group: "g"})
		time.Sleep(3 * time.Second)
		d := receive(t, q, 1, "donor")[0]
		want := Delivery{
			ID: sent.ID, ReceiptHandle: d.ReceiptHandle, Body: "donor", Attributes: attrs, Group: "g",
			Sent: d.Sent, FirstReceived: d.FirstReceived, VisibleAt: d.VisibleAt, ReceiveCount: 1,
		}
		if !reflect.DeepEqual(d, want) || d.ReceiptHandle == "" || sent.Duplicate || sent.SequenceNumber != "" {
			t.Errorf("sent as %+v, received\n%+v, want\n%+v", sent, d, want)
		}
		if !d.Sent.Equal(start) || !d.FirstReceived.Equal(start.Add(3*time.Second)) || !d.VisibleAt.Equal(start.Add(33*time.Second)) {
			t.Errorf("sent at 0 s, received at 3 s: %v, %v, visible at %v", d.Sent, d.FirstReceived, d.VisibleAt)
		}
	})
}

func TestSendRefuses(t *testing.T) {
	e := New(nil)
	standard := create(t, e, "q", spec.QueueSettings{MaxMessageBytes: new(1024)})
	fifo := create(t, e, "q.fifo", spec.QueueSettings{Delay: new(5 * time.Second)})
	for _, c := range []struct {
		name  string
		queue *Queue
		m     Message
		code  spec.Code
		parts []string
	}{
		{"empty body", standard, Message{}, spec.MissingParameter, []string{"at least 1 character"}},
		{"too large for the queue", standard, Message{Body: strings.Repeat("x", 1025)}, spec.InvalidParameterValue, []string{"Message must be shorter than 1024 bytes.", "1025 bytes"}},
		{"character", standard, Message{Body: "\x00"}, spec.InvalidMessageContents, []string{"'#x0'"}},
		{"delay over 900 s", standard, Message{Body: "x", Delay: new(901 * time.Second)}, spec.InvalidParameterValue, []string{"Value 901 for parameter DelaySeconds", ">= 0 and <= 900"}},
		{"negative delay", standard, Message{Body: "x", Delay: new(-time.Second)}, spec.InvalidParameterValue, []string{"Value -1 for parameter DelaySeconds"}},
		{"group", standard, Message{Body: "x", Group: "a b"}, spec.InvalidParameterValue, []string{"Value a b for parameter MessageGroupId"}},
		{"deduplication on a standard queue", standard, Message{Body: "x", Deduplication: "d"}, spec.InvalidParameterValue, []string{"Value d for parameter MessageDeduplicationId", "not valid for this queue type"}},
		{"no group on a FIFO queue", fifo, Message{Body: "x", Deduplication: "d"}, spec.MissingParameter, []string{"MessageGroupId"}},
		{"no deduplication id", fifo, Message{Body: "x", Group: "g"}, spec.InvalidParameterValue, []string{"MessageDeduplicationId provided explicitly"}},
		{"bad deduplication id", fifo, Message{Body: "x", Group: "g", Deduplication: "a b"}, spec.InvalidParameterValue, []string{"Value a b for parameter MessageDeduplicationId"}},
		{"delay on a FIFO queue", fifo, Message{Body: "x", Group: "g", Deduplication: "d", Delay: new(time.Second)}, spec.InvalidParameterValue, []string{"Value 1 for parameter DelaySeconds", "not valid for this queue type"}},
		{"a FIFO queue's own delay", fifo, Message{Body: "x", Group: "g", Deduplication: "d", Delay: new(5 * time.Second)}, spec.InvalidParameterValue, []string{"Value 5 for parameter DelaySeconds"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent, err := c.queue.Send(c.m)
			wantCode(t, err, c.code, c.parts...)
			if sent != (Sent{}) {
				t.Errorf("refused, and yet %+v", sent)
			}
		})
	}
	wantCounts(t, standard, 0, 0, 0)
	wantCounts(t, fifo, 0, 0, 0)
}

func TestReceiveRefuses(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	for _, c := range []struct {
		r     ReceiveRequest
		parts []string
	}{
		{ReceiveRequest{Max: 11}, []string{"Value 11 for parameter MaxNumberOfMessages", "between 1 and 10"}},
		{ReceiveRequest{Max: -1}, []string{"Value -1 for parameter MaxNumberOfMessages"}},
		{ReceiveRequest{Visibility: new(43201 * time.Second)}, []string{"Value 43201 for parameter VisibilityTimeout", ">= 0 and <= 43200"}},
		{ReceiveRequest{Visibility: new(-time.Second)}, []string{"Value -1 for parameter VisibilityTimeout"}},
		{ReceiveRequest{Wait: new(21 * time.Second)}, []string{"Value 21 for parameter WaitTimeSeconds", ">= 0 and <= 20"}},
		{ReceiveRequest{Wait: new(-time.Second)}, []string{"Value -1 for parameter WaitTimeSeconds"}},
	} {
		_, err := q.Receive(context.Background(), c.r)
		wantCode(t, err, spec.InvalidParameterValue, c.parts...)
	}
}

func TestReceiveTakesOneByDefaultAndTenAtMost(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	for i := range 12 {
		send(t, q, Message{Body: fmt.Sprint(i)})
	}
	got, err := q.Receive(context.Background(), ReceiveRequest{})
	ok(t, err)
	if bodies(got) != "0" {
		t.Errorf("received %q, want one message", bodies(got))
	}
	receive(t, q, 10, "1 2 3 4 5 6 7 8 9 10")
	receive(t, q, 10, "11")
	receive(t, q, 10, "")
}

func TestDelayHoldsMessageBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Delay: new(5 * time.Second)})
		send(t, q, Message{Body: "queue's"})
		send(t, q, Message{Body: "own", Delay: new(900 * time.Second)})
		send(t, q, Message{Body: "none", Delay: new(time.Duration(0))})
		wantCounts(t, q, 1, 0, 2)
		receive(t, q, 10, "none")
		time.Sleep(5*time.Second - 1)
		receive(t, q, 10, "")
		time.Sleep(time.Nanosecond)
		wantCounts(t, q, 1, 1, 1)
		receive(t, q, 10, "queue's")
		time.Sleep(895*time.Second - 1)
		wantCounts(t, q, 2, 0, 1)
		time.Sleep(time.Nanosecond)
		receive(t, q, 10, "none queue's own")
	})
}

func TestStandardQueueDeliversInTheOrderOfBecomingVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		send(t, q, Message{Body: "4 s", Delay: new(4 * time.Second)})
		send(t, q, Message{Body: "2 s", Delay: new(2 * time.Second)})
		send(t, q, Message{Body: "5 s", Delay: new(5 * time.Second)})
		send(t, q, Message{Body: "now"})
		time.Sleep(3 * time.Second)
		send(t, q, Message{Body: "3 s"})
		time.Sleep(time.Minute)
		receive(t, q, 10, "now 2 s 3 s 4 s 5 s")
	})
}

// At one instant, those that began to wait first come first, however long they
// waited.
func TestMessagesOfOneInstantComeInTheOrderOfTheirWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		send(t, q, Message{Body: "early"})
		send(t, q, Message{Body: "a", Delay: new(10 * time.Second)})
		time.Sleep(4 * time.Second)
		got, err := q.Receive(context.Background(), ReceiveRequest{Visibility: new(6 * time.Second)})
		ok(t, err)
		if bodies(got) != "early" {
			t.Fatalf("received %q", bodies(got))
		}
		time.Sleep(time.Second)
		send(t, q, Message{Body: "b", Delay: new(5 * time.Second)})
		time.Sleep(5 * time.Second)
		receive(t, q, 10, "a early b")
	})
}

func TestOverLimit(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	for range spec.MaxInFlight + 1 {
		send(t, q, Message{Body: "x"})
	}
	var last []Delivery
	for taken := 0; taken < spec.MaxInFlight; taken += len(last) {
		// 7 does not divide the limit: the last receive gets what is left.
		got, err := q.Receive(context.Background(), ReceiveRequest{Max: 7})
		ok(t, err)
		last = got
	}
	wantCounts(t, q, 1, spec.MaxInFlight, 0)
	_, err := q.Receive(context.Background(), ReceiveRequest{})
	wantCode(t, err, spec.OverLimit, "120000")
	// A long poll is no error, and ends when a message is deleted.
	got, err := q.Receive(context.Background(), ReceiveRequest{Wait: new(time.Millisecond)})
	ok(t, err)
	if len(got) != 0 {
		t.Errorf("over the limit, a long poll got %d messages", len(got))
	}
	woken := make(chan []Delivery)
	go func() {
		got, _ := q.Receive(context.Background(), ReceiveRequest{Wait: new(spec.MaxWait)})
		woken <- got
	}()
	for waiting := 0; waiting == 0; runtime.Gosched() {
		q.engine.mu.Lock()
		waiting = q.waiters.Len()
		q.engine.mu.Unlock()
	}
	wantDeleted(t, q, last[0].ReceiptHandle, true)
	if got := <-woken; len(got) != 1 || got[0].Body != "x" {
		t.Errorf("the waiting receive got %v", got)
	}
}

func TestRetentionEndsMessagesInEveryState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Retention: new(time.Minute), Visibility: new(time.Hour)})
		send(t, q, Message{Body: "in flight"})
		send(t, q, Message{Body: "ready"})
		send(t, q, Message{Body: "delayed", Delay: new(15 * time.Minute)})
		d := receive(t, q, 1, "in flight")[0]
		time.Sleep(time.Minute - 1)
		wantCounts(t, q, 1, 1, 1)
		time.Sleep(time.Nanosecond)
		wantCounts(t, q, 0, 0, 0)
		wantDeleted(t, q, d.ReceiptHandle, false)
	})
}

func TestChangedRetentionHoldsForMessagesAlreadySent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		send(t, q, Message{Body: "old"})
		time.Sleep(2 * time.Minute)
		send(t, q, Message{Body: "new"})
		ok(t, q.SetAttributes(spec.QueueSettings{Retention: new(2 * time.Minute)}))
		receive(t, q, 10, "new")
	})
}

func TestOldestAgeIsOfAnyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		age := func() time.Duration {
			a, err := q.Attributes()
			ok(t, err)
			return a.OldestAge
		}
		if age() != 0 {
			t.Errorf("an empty queue's oldest message is %v old", age())
		}
		send(t, q, Message{Body: "a"})
		time.Sleep(7 * time.Second)
		send(t, q, Message{Body: "b", Delay: new(time.Minute)})
		d := receive(t, q, 1, "a")[0]
		time.Sleep(time.Second)
		if age() != 8*time.Second {
			t.Errorf("age %v, want 8 s", age())
		}
		wantDeleted(t, q, d.ReceiptHandle, true)
		if age() != time.Second {
			t.Errorf("age %v, want the delayed message's 1 s", age())
		}
	})
}

func TestPeekShowsTheNextMessagesAndChangesNothing(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	for _, body := range []string{"a", "b", "c"} {
		send(t, q, Message{Body: body})
	}
	receive(t, q, 1, "a")
	for n, want := range map[int]string{0: "", 1: "b", 2: "b c", 9: "b c", -1: ""} {
		got, err := q.Peek(n)
		ok(t, err)
		if bodies(got) != want {
			t.Errorf("peek at %d: %q, want %q", n, bodies(got), want)
		}
		for _, d := range got {
			if d.ReceiptHandle != "" || d.ReceiveCount != 0 || !d.VisibleAt.IsZero() || !d.FirstReceived.IsZero() {
				t.Errorf("a message only looked at has %+v", d)
			}
		}
	}
	wantCounts(t, q, 2, 1, 0)
}
