package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// createWithDead creates a queue whose messages go to a dead-letter queue after
// so many receives; both are FIFO queues if the suffix is .fifo. Visibility
// timeouts are 10 s.
func createWithDead(t *testing.T, suffix string, maxReceives int) (e *Engine, q, dead *Queue) {
	t.Helper()
	e = New(nil)
	s := spec.QueueSettings{Visibility: new(10 * time.Second)}
	dead = create(t, e, "dead"+suffix, s)
	s.DeadLetter = &spec.DeadLetter{Queue: dead.Name(), MaxReceives: maxReceives}
	return e, create(t, e, "q"+suffix, s), dead
}

// AWS was recorded (2024-08) to accept a redrive policy with the queue's own ARN.
func TestQueueMayBeItsOwnDeadLetterQueue(t *testing.T) {
	for _, name := range []string{"q", "q.fifo"} {
		synctest.Test(t, func(t *testing.T) {
			e := New(nil)
			q := create(t, e, name, spec.QueueSettings{Visibility: new(time.Second), DeadLetter: &spec.DeadLetter{Queue: name, MaxReceives: 2}})
			m := Message{Body: "m", Group: "g"}
			if name == "q.fifo" {
				m.Deduplication = "d"
			}
			send(t, q, m)
			for i := range 5 {
				d := receive(t, q, 1, "m")[0]
				if source := map[bool]string{true: name}[i >= 2]; d.ReceiveCount != i+1 || d.DeadLetterSource != source {
					t.Errorf("receive %d: count %d, from %q", i, d.ReceiveCount, d.DeadLetterSource)
				}
				time.Sleep(time.Second)
			}
			wantCounts(t, q, 1, 0, 0)
		})
	}
}

func TestMessageMovesAtTheReceiveAfterTheLastAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, q, dead := createWithDead(t, "", 2)
		sent := send(t, q, Message{Body: "m", Group: "g"})
		start := time.Now()
		receive(t, q, 1, "m")
		time.Sleep(10 * time.Second)
		receive(t, q, 1, "m")
		time.Sleep(10 * time.Second)
		wantCounts(t, q, 1, 0, 0) // no receive, no move
		wantCounts(t, dead, 0, 0, 0)
		time.Sleep(10 * time.Second)
		send(t, q, Message{Body: "next"})
		receive(t, q, 10, "next")
		wantCounts(t, dead, 1, 0, 0)

		d := receive(t, dead, 1, "m")[0]
		if d.ID != sent.ID || d.Group != "g" || d.DeadLetterSource != "q" {
			t.Errorf("sent as %s in group g to q, arrived as %+v", sent.ID, d)
		}
		if !d.Sent.Equal(start) || !d.FirstReceived.Equal(start) {
			t.Errorf("sent at %v, first received at %v; both were %v", d.Sent, d.FirstReceived, start)
		}
		if d.ReceiveCount != 3 {
			t.Errorf("receive count %d, want 3: those of the first queue count", d.ReceiveCount)
		}
	})
}

func TestPolicyCountsTheReceivesOfItsOwnQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, q, dead := createWithDead(t, "", 3)
		last := create(t, e, "last", spec.QueueSettings{})
		ok(t, dead.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "last", MaxReceives: 2}}))
		send(t, q, Message{Body: "m"})
		for _, want := range []string{"m", "m", "m", ""} {
			receive(t, q, 1, want)
			time.Sleep(10 * time.Second)
		}
		for _, want := range []string{"m", "m", ""} {
			receive(t, dead, 1, want)
			time.Sleep(10 * time.Second)
		}
		d := receive(t, last, 1, "m")[0]
		if d.ReceiveCount != 6 || d.DeadLetterSource != "dead" {
			t.Errorf("receive count %d from %s, want 6 from dead", d.ReceiveCount, d.DeadLetterSource)
		}
	})
}

func TestChangedPolicyHoldsForMessagesAlreadySent(t *testing.T) {
	_, q, dead := createWithDead(t, "", 1)
	send(t, q, Message{Body: "m"})
	again := func(want string) {
		t.Helper()
		for _, d := range receive(t, q, 1, want) {
			ok(t, q.ChangeVisibility(d.ReceiptHandle, 0))
		}
	}
	again("m")
	ok(t, q.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{}}))
	again("m")
	again("m")
	ok(t, q.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 3}}))
	again("")
	receive(t, dead, 1, "m")
}

func TestStandardDeadLetterExpiresByItsFirstSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, q, dead := createWithDead(t, "", 1)
		ok(t, dead.SetAttributes(spec.QueueSettings{Retention: new(time.Minute)}))
		send(t, q, Message{Body: "m"})
		receive(t, q, 1, "m")
		time.Sleep(50 * time.Second)
		receive(t, q, 1, "")
		wantCounts(t, dead, 1, 0, 0)
		time.Sleep(10 * time.Second)
		wantCounts(t, dead, 0, 0, 0)
	})
}

func TestFIFODeadLetterIsSentAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, q, dead := createWithDead(t, ".fifo", 1)
		ok(t, dead.SetAttributes(spec.QueueSettings{Retention: new(time.Minute), Delay: new(5 * time.Second)}))
		sendGroups(t, q, "a1")
		receive(t, q, 1, "a1")
		time.Sleep(50 * time.Second)
		receive(t, q, 1, "")
		moved := time.Now()
		wantCounts(t, dead, 0, 0, 1) // a FIFO queue delays all that it gets
		time.Sleep(5 * time.Second)
		if d := receive(t, dead, 1, "a1")[0]; !d.Sent.Equal(moved) {
			t.Errorf("moved at %v, sent at %v", moved, d.Sent)
		}
		time.Sleep(55*time.Second - 1)
		wantCounts(t, dead, 1, 0, 0)
		time.Sleep(time.Nanosecond)
		wantCounts(t, dead, 0, 0, 0)
	})
}

func TestDeadLetterOlderThanItsQueueKeepsMessagesIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, q, dead := createWithDead(t, "", 1)
		ok(t, dead.SetAttributes(spec.QueueSettings{Retention: new(time.Minute)}))
		send(t, q, Message{Body: "m"})
		receive(t, q, 1, "m")
		time.Sleep(time.Hour)
		time.AfterFunc(time.Second, func() { receive(t, q, 1, "") })
		got, err := dead.Receive(context.Background(), ReceiveRequest{Wait: new(2 * time.Second)})
		ok(t, err)
		if len(got) > 0 {
			t.Errorf("a receiver waiting there got %q", bodies(got))
		}
	})
}

func TestDeadLettersOfOneGroupStayInOrder(t *testing.T) {
	_, q, dead := createWithDead(t, ".fifo", 1)
	sendGroups(t, q, "a1 a2 a3")
	for _, d := range receive(t, q, 2, "a1 a2") {
		ok(t, q.ChangeVisibility(d.ReceiptHandle, 0))
	}
	receive(t, q, 10, "a3") // those given up do not hold up their group
	for i, d := range receive(t, dead, 10, "a1 a2") {
		if d.DeadLetterSource != "q.fifo" || d.ReceiveCount != 2 || d.Group != "a" {
			t.Errorf("message %d: %+v", i, d)
		}
	}
}

func TestDeadLettersOfADeletedQueueAreLost(t *testing.T) {
	e, q, _ := createWithDead(t, "", 1)
	send(t, q, Message{Body: "m"})
	d := receive(t, q, 1, "m")[0]
	ok(t, q.ChangeVisibility(d.ReceiptHandle, 0))
	ok(t, e.Delete("dead"))
	receive(t, q, 1, "")
	wantCounts(t, q, 0, 0, 0)
}

// kill makes dead letters of all that the queue has ready. Its policy allows
// one receive.
func kill(t *testing.T, q *Queue) {
	t.Helper()
	got, err := q.Receive(context.Background(), ReceiveRequest{Max: 10, Visibility: new(time.Duration(0))})
	ok(t, err)
	for len(got) > 0 {
		got, err = q.Receive(context.Background(), ReceiveRequest{Max: 10, Visibility: new(time.Duration(0))})
		ok(t, err)
	}
}

func TestRedrivenMessageIsNew(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		synctest.Test(t, func(t *testing.T) {
			_, q, dead := createWithDead(t, suffix, 1)
			ok(t, q.SetAttributes(spec.QueueSettings{Delay: new(3 * time.Second)}))
			m := Message{Body: "m", Group: "g", Attributes: []spec.NamedAttribute{{Name: "n", Attribute: spec.Attribute{DataType: "String", StringValue: "v"}}}}
			if suffix != "" {
				m.Deduplication = "d"
			}
			sent := send(t, q, m)
			time.Sleep(3 * time.Second)
			kill(t, q)
			old := receive(t, dead, 1, "m")[0]
			time.Sleep(10 * time.Second)

			moved, err := dead.Redrive("", 10)
			ok(t, err)
			wantCounts(t, dead, 0, 0, 0)
			wantCounts(t, q, 0, 0, 1)
			if moved != 1 {
				t.Errorf("moved %d, want 1", moved)
			}
			wantDeleted(t, dead, old.ReceiptHandle, false)
			at := time.Now()
			time.Sleep(3 * time.Second)
			d := receive(t, q, 1, "m")[0]
			if d.ID == sent.ID || d.ReceiveCount != 1 || !d.Sent.Equal(at) || !d.FirstReceived.Equal(time.Now()) || d.DeadLetterSource != "" {
				t.Errorf("redriven at %v, received as %+v", at, d)
			}
			if d.Group != m.Group || d.Deduplication != m.Deduplication || len(d.Attributes) != 1 || d.Attributes[0].Name != "n" {
				t.Errorf("sent %+v, received %+v", m, d)
			}
		})
	}
}

func TestRedriveMovesToSourcesOrToTheQueueNamed(t *testing.T) {
	e, q, dead := createWithDead(t, "", 1)
	p := create(t, e, "p", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	gone := create(t, e, "gone", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	other := create(t, e, "other", spec.QueueSettings{})
	send(t, dead, Message{Body: "direct"})
	for _, source := range []*Queue{gone, q, p} {
		send(t, source, Message{Body: source.Name() + "1"})
		send(t, source, Message{Body: source.Name() + "2"})
		kill(t, source)
	}
	ok(t, e.Delete("gone"))
	redrive := func(to string, n, want int) {
		t.Helper()
		moved, err := dead.Redrive(to, n)
		ok(t, err)
		if moved != want {
			t.Errorf("moved %d to %q, want %d", moved, to, want)
		}
	}
	redrive("", 0, 0)
	redrive("", -1, 0)
	redrive("", 3, 3)
	receive(t, q, 10, "q1 q2")
	receive(t, p, 10, "p1")
	redrive("", 10, 1)
	receive(t, p, 10, "p2")
	wantCounts(t, dead, 3, 0, 0) // one has no source, the source of two is gone
	redrive("other", 2, 2)
	receive(t, other, 10, "direct gone1")
	redrive("dead", 1, 0)
	receive(t, dead, 10, "gone2")
	redrive("other", 10, 0) // it is in flight
}

func TestRedriveRefuses(t *testing.T) {
	e, q, dead := createWithDead(t, "", 1)
	create(t, e, "other.fifo", spec.QueueSettings{})
	_, err := q.Redrive("", 10)
	wantCode(t, err, spec.UnsupportedOperation, "q is not a dead-letter queue")
	_, err = dead.Redrive("nowhere", 10)
	wantCode(t, err, spec.QueueDoesNotExist, "nowhere")
	_, err = dead.Redrive("other.fifo", 10)
	wantCode(t, err, spec.InvalidParameterValue, "other.fifo", "both must be FIFO or both standard")
	ok(t, q.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{}}))
	_, err = dead.Redrive("", 10)
	wantCode(t, err, spec.UnsupportedOperation, "dead is not a dead-letter queue")
}
