package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// TestWaitingReceiverIsWokenBy makes one message ready after 3 s, in every way
// there is, and wants it delivered at that very instant.
func TestWaitingReceiverIsWokenBy(t *testing.T) {
	for _, c := range []struct {
		name   string
		suffix string
		// prepare is called at 0 s, and returns what is to be done at 3 s, nil
		// where time alone does it.
		prepare func(t *testing.T, e *Engine, q, dead *Queue) func()
	}{
		{name: "a send", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			return func() { send(t, q, Message{Body: "m"}) }
		}},
		{name: "the end of a delay", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			send(t, q, Message{Body: "later", Delay: new(4 * time.Second)})
			send(t, q, Message{Body: "m", Delay: new(3 * time.Second)})
			return nil
		}},
		{name: "the end of a visibility timeout", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			send(t, q, Message{Body: "m"})
			d := receive(t, q, 1, "m")[0]
			ok(t, q.ChangeVisibility(d.ReceiptHandle, 3*time.Second))
			return nil
		}},
		{name: "a timeout shortened while it waits", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			send(t, q, Message{Body: "m"})
			d := receive(t, q, 1, "m")[0]
			time.AfterFunc(time.Second, func() { ok(t, q.ChangeVisibility(d.ReceiptHandle, 2*time.Second)) })
			return nil
		}},
		{name: "a change of visibility to 0", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			send(t, q, Message{Body: "m"})
			d := receive(t, q, 1, "m")[0]
			return func() { ok(t, q.ChangeVisibility(d.ReceiptHandle, 0)) }
		}},
		{name: "a delete that unlocks a group", suffix: ".fifo", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			sendGroups(t, q, "a0")
			send(t, q, Message{Body: "m", Group: "a", Deduplication: "m"})
			d := receive(t, q, 1, "a0")[0]
			return func() { wantDeleted(t, q, d.ReceiptHandle, true) }
		}},
		{name: "a retention period that unlocks a group", suffix: ".fifo", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			ok(t, q.SetAttributes(spec.QueueSettings{Retention: new(time.Minute)}))
			sendGroups(t, q, "a0")
			time.Sleep(57 * time.Second)
			send(t, q, Message{Body: "m", Group: "a", Deduplication: "m"})
			d := receive(t, q, 1, "a0")[0]
			ok(t, q.ChangeVisibility(d.ReceiptHandle, time.Hour))
			return nil
		}},
		{name: "a shorter retention period", suffix: ".fifo", prepare: func(t *testing.T, _ *Engine, q, _ *Queue) func() {
			sendGroups(t, q, "a0")
			time.Sleep(57 * time.Second)
			send(t, q, Message{Body: "m", Group: "a", Deduplication: "m"})
			receive(t, q, 1, "a0")
			return func() { ok(t, q.SetAttributes(spec.QueueSettings{Retention: new(time.Minute)})) }
		}},
		{name: "a redrive", prepare: func(t *testing.T, e *Engine, q, dead *Queue) func() {
			source := create(t, e, "source", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: dead.Name(), MaxReceives: 1}})
			send(t, dead, Message{Body: "m"})
			return func() {
				moved, err := dead.Redrive(q.Name(), 1)
				if err != nil || moved != 1 {
					t.Errorf("redrive to %s, not to %s: %d, %v", q.Name(), source.Name(), moved, err)
				}
			}
		}},
		{name: "a dead letter's arrival", prepare: func(t *testing.T, e *Engine, q, _ *Queue) func() {
			source := create(t, e, "source", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: q.Name(), MaxReceives: 1}})
			send(t, source, Message{Body: "m"})
			d := receive(t, source, 1, "m")[0]
			ok(t, source.ChangeVisibility(d.ReceiptHandle, 0))
			return func() { receive(t, source, 1, "") }
		}},
		{name: "a dead letter that another waiting receiver gives up", prepare: func(t *testing.T, e *Engine, q, _ *Queue) func() {
			source := create(t, e, "source", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: q.Name(), MaxReceives: 1}})
			send(t, source, Message{Body: "m"})
			d := receive(t, source, 1, "m")[0]
			ok(t, source.ChangeVisibility(d.ReceiptHandle, 3*time.Second))
			go func() {
				got, _ := source.Receive(t.Context(), ReceiveRequest{Wait: new(10 * time.Second)})
				if len(got) > 0 {
					t.Errorf("the other got %q", bodies(got))
				}
			}()
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := New(nil)
				dead := create(t, e, "dead"+c.suffix, spec.QueueSettings{})
				q := create(t, e, "q"+c.suffix, spec.QueueSettings{})
				if act := c.prepare(t, e, q, dead); act != nil {
					time.AfterFunc(3*time.Second, act)
				}
				start := time.Now()
				got, err := q.Receive(context.Background(), ReceiveRequest{Wait: new(20 * time.Second)})
				if took := time.Since(start); bodies(got) != "m" || err != nil || took != 3*time.Second {
					t.Errorf("received %q, %v after %v, want m after 3 s", bodies(got), err, took)
				}
			})
		})
	}
}

func TestWaitEndsOnTimeWithNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Wait: new(7 * time.Second)})
		send(t, q, Message{Body: "later", Delay: new(time.Minute)})
		for _, c := range []struct {
			wait *time.Duration
			want time.Duration
		}{{nil, 7 * time.Second}, {new(20 * time.Second), 20 * time.Second}, {new(time.Duration(0)), 0}} {
			start := time.Now()
			got, err := q.Receive(context.Background(), ReceiveRequest{Wait: c.wait})
			if took := time.Since(start); len(got) > 0 || err != nil || took != c.want {
				t.Errorf("received %q, %v after %v, want none after %v", bodies(got), err, took, c.want)
			}
		}
	})
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Wait: new(20 * time.Second)})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := q.Receive(ctx, ReceiveRequest{})
		if took := time.Since(start); err != context.DeadlineExceeded || took != 3*time.Second {
			t.Errorf("error %v after %v, want the context's after 3 s", err, took)
		}
		send(t, q, Message{Body: "m"})
		if got, err := q.Receive(ctx, ReceiveRequest{}); err != context.DeadlineExceeded || len(got) > 0 {
			t.Errorf("with a context that had ended: %q, %v", bodies(got), err)
		}
		receive(t, q, 1, "m")
	})
}

// waiting starts a receive that waits 20 s, and returns where its answer comes.
func waiting(ctx context.Context, q *Queue, r ReceiveRequest) <-chan received {
	r.Wait = new(20 * time.Second)
	out := make(chan received, 1)
	go func() {
		got, err := q.Receive(ctx, r)
		out <- received{got, err}
	}()
	synctest.Wait()
	return out
}

// lookAway has the first waiter not see what it is handed before it leaves the
// queue, as when its wait ends just then.
func lookAway(q *Queue) {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	w := q.waiters.Front().Value.(*waiter)
	w.out = make(chan received, 1) // not the one that it waits on
}

// cancelLate has a receive's context end just as messages are handed to it.
func cancelLate(q *Queue, cancel context.CancelFunc, handOver func()) {
	lookAway(q)
	handOver()
	cancel()
	synctest.Wait()
}

func TestMessageHandedOverAsTheWaitEndsIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		w := waiting(context.Background(), q, ReceiveRequest{})
		lookAway(q)
		time.Sleep(19 * time.Second)
		send(t, q, Message{Body: "m"})
		if got := <-w; bodies(got.deliveries) != "m" || got.err != nil {
			t.Errorf("received %q, %v", bodies(got.deliveries), got.err)
		}
	})
}

func TestCancelledReceiveTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		create(t, e, "dead", spec.QueueSettings{})
		q := create(t, e, "q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
		send(t, q, Message{Body: "a", Delay: new(time.Second)})
		send(t, q, Message{Body: "b", Delay: new(time.Second)})
		ctx, cancel := context.WithCancel(context.Background())
		cancelled := waiting(ctx, q, ReceiveRequest{Max: 10})
		cancelLate(q, cancel, func() {
			time.Sleep(time.Second)
			synctest.Wait()
			wantCounts(t, q, 0, 2, 0)
			send(t, q, Message{Body: "c"})
		})
		if got := <-cancelled; len(got.deliveries) > 0 || got.err != context.Canceled {
			t.Errorf("the cancelled receive got %q, %v", bodies(got.deliveries), got.err)
		}
		wantCounts(t, q, 3, 0, 0)
		time.Sleep(time.Second)
		for _, d := range receive(t, q, 10, "a b c") { // a and b are still the first
			if d.ReceiveCount != 1 || !d.FirstReceived.Equal(time.Now()) {
				t.Errorf("%s has receive count %d, was first received at %v", d.Body, d.ReceiveCount, d.FirstReceived)
			}
		}
	})
}

func TestCancelledReceiveTakesNothingFromGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{})
		sendGroups(t, q, "a0 a1 a2 c0 c1")
		locks := receive(t, q, 1, "a0")
		locks = append(locks, receive(t, q, 1, "c0")...)
		ctx, cancel := context.WithCancel(context.Background())
		cancelled := waiting(ctx, q, ReceiveRequest{Max: 10})
		cancelLate(q, cancel, func() {
			wantDeleted(t, q, locks[0].ReceiptHandle, true)
			sendGroups(t, q, "b1")
			wantDeleted(t, q, locks[1].ReceiptHandle, true)
		})
		if got := <-cancelled; len(got.deliveries) > 0 || got.err != context.Canceled {
			t.Errorf("the cancelled receive got %q, %v", bodies(got.deliveries), got.err)
		}
		wantCounts(t, q, 4, 0, 0)
		receive(t, q, 10, "a1 a2 b1 c1") // group a is still the first
	})
}

func TestMessageOfACancelledReceiveGoesToTheNextWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(10 * time.Second)})
		ctx, cancel := context.WithCancel(context.Background())
		cancelled := waiting(ctx, q, ReceiveRequest{})
		next := waiting(context.Background(), q, ReceiveRequest{})
		cancelLate(q, cancel, func() {
			send(t, q, Message{Body: "m"})
			time.Sleep(time.Second)
		})
		<-cancelled
		got := <-next
		if bodies(got.deliveries) != "m" || got.err != nil || got.deliveries[0].ReceiveCount != 1 {
			t.Fatalf("the next receiver got %+v", got)
		}
		if left := time.Until(got.deliveries[0].VisibleAt); left != 10*time.Second {
			t.Errorf("its visibility timeout ends in %v, want 10 s from when it got the message", left)
		}
	})
}

func TestCancelledReceiveLeavesNoTraceWhenItsTimeoutIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, q := range []*Queue{create(t, New(nil), "q", spec.QueueSettings{}), createFIFO(t, spec.QueueSettings{ContentBasedDeduplication: new(true)})} {
			ctx, cancel := context.WithCancel(context.Background())
			cancelled := waiting(ctx, q, ReceiveRequest{Visibility: new(time.Duration(0))})
			cancelLate(q, cancel, func() {
				send(t, q, Message{Body: "a", Group: "a"})
				send(t, q, Message{Body: "b", Group: "b"}) // by now, a is visible again
			})
			if got := <-cancelled; len(got.deliveries) > 0 || got.err != context.Canceled {
				t.Errorf("the cancelled receive got %q, %v", bodies(got.deliveries), got.err)
			}
			for _, d := range receive(t, q, 10, "a b") {
				if d.ReceiveCount != 1 {
					t.Errorf("%s has receive count %d", d.Body, d.ReceiveCount)
				}
			}
		}
	})
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		var waiters []<-chan received
		for range 3 {
			waiters = append(waiters, waiting(context.Background(), q, ReceiveRequest{Max: 10}))
		}
		for i := range waiters {
			send(t, q, Message{Body: fmt.Sprint(i)})
		}
		for i, w := range waiters {
			if got := <-w; bodies(got.deliveries) != fmt.Sprint(i) {
				t.Errorf("waiter %d got %q", i, bodies(got.deliveries))
			}
		}
	})
}

func TestNewReceiverDoesNotOvertakeAWaitingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		send(t, q, Message{Body: "m", Delay: new(3 * time.Second)})
		first := waiting(context.Background(), q, ReceiveRequest{})
		q.engine.mu.Lock()
		q.timer.Stop() // as if it ran just after the newcomer came
		q.engine.mu.Unlock()
		time.Sleep(3 * time.Second)
		receive(t, q, 1, "")
		if got := <-first; bodies(got.deliveries) != "m" {
			t.Errorf("the one that waited got %q, %v", bodies(got.deliveries), got.err)
		}
	})
}

func TestDeletedQueueEndsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		q := create(t, e, "q", spec.QueueSettings{})
		a, b := waiting(context.Background(), q, ReceiveRequest{}), waiting(context.Background(), q, ReceiveRequest{})
		time.Sleep(3 * time.Second)
		start := time.Now()
		ok(t, e.Delete("q"))
		for _, w := range []<-chan received{a, b} {
			if got := <-w; !errors.Is(got.err, spec.QueueDoesNotExist) || time.Since(start) != 0 {
				t.Errorf("%v after %v", got.err, time.Since(start))
			}
		}
	})
}

// Two queues are each other's dead-letter queue, and each has a waiting receiver
// and a message that is given up at one instant.
func TestDeadLettersInACircleReachTheirWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		a, b := create(t, e, "a", spec.QueueSettings{}), create(t, e, "b", spec.QueueSettings{})
		ok(t, a.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "b", MaxReceives: 1}}))
		ok(t, b.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "a", MaxReceives: 1}}))
		for _, q := range []*Queue{a, b} {
			send(t, q, Message{Body: "of-" + q.Name()})
			d := receive(t, q, 1, "of-"+q.Name())[0]
			ok(t, q.ChangeVisibility(d.ReceiptHandle, 3*time.Second))
		}
		start := time.Now()
		ofA, ofB := waiting(context.Background(), a, ReceiveRequest{}), waiting(context.Background(), b, ReceiveRequest{})
		atA, atB := <-ofA, <-ofB
		if took := time.Since(start); bodies(atA.deliveries) != "of-b" || bodies(atB.deliveries) != "of-a" || took != 3*time.Second {
			t.Errorf("a got %q, b got %q, after %v", bodies(atA.deliveries), bodies(atB.deliveries), took)
		}
	})
}

// pending returns whether the queue has a timer, and how many waiters.
func pending(q *Queue) (timer bool, waiters int) {
	q.engine.mu.Lock()
	defer q.engine.mu.Unlock()
	return q.timer != nil, q.waiters.Len()
}

func TestNoTimerOutlivesTheWaits(t *testing.T) {
	for _, end := range []string{"message", "wait", "context", "delete"} {
		synctest.Test(t, func(t *testing.T) {
			e := New(nil)
			q := create(t, e, "q", spec.QueueSettings{})
			send(t, q, Message{Body: "later", Delay: new(15 * time.Minute)})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			w := waiting(ctx, q, ReceiveRequest{})
			if timer, waiters := pending(q); !timer || waiters != 1 {
				t.Fatalf("one waits for the end of a delay: timer %t, %d waiters", timer, waiters)
			}
			switch end {
			case "message":
				send(t, q, Message{Body: "m"})
			case "context":
				cancel()
			case "delete":
				ok(t, e.Delete("q"))
			}
			<-w
			synctest.Wait()
			if timer, waiters := pending(q); timer || waiters != 0 {
				t.Errorf("after the end by %s: timer %t, %d waiters", end, timer, waiters)
			}
		})
	}
}

func TestQueueCanBeUsedInOneBubbleAfterTheOther(t *testing.T) {
	e := New(&Options{Lenient: true})
	var q *Queue
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			q = create(t, e, "q", spec.QueueSettings{})
			ok(t, q.Purge())
			send(t, q, Message{Body: "m", Delay: new(3 * time.Second)})
			got, err := q.Receive(context.Background(), ReceiveRequest{Wait: new(20 * time.Second)})
			if bodies(got) != "m" || err != nil {
				t.Errorf("received %q, %v", bodies(got), err)
			}
		})
	}
}
