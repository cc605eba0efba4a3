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

// answer is what a receive returned.
type answer struct {
	deliveries []Delivery
	err        error
}

// waiting starts a receive that waits 20 s, and returns where its answer comes.
func waiting(ctx context.Context, q *Queue, r ReceiveRequest) <-chan answer {
	r.Wait = new(20 * time.Second)
	out := make(chan answer, 1)
	go func() {
		got, err := q.Receive(ctx, r)
		out <- answer{got, err}
	}()
	synctest.Wait()
	return out
}

func TestWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		var waiters []<-chan answer
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
		for _, w := range []<-chan answer{a, b} {
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
			send(t, q, Message{Body: "later", Delay: new(20 * time.Second)})
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

func TestThereIsNoTimerForWhatComesAfterAllWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		send(t, q, Message{Body: "later", Delay: new(21 * time.Second)})
		first := waiting(t.Context(), q, ReceiveRequest{})
		if timer, _ := pending(q); timer {
			t.Error("a timer runs though the wait ends before it")
		}
		time.Sleep(2 * time.Second)
		second := waiting(t.Context(), q, ReceiveRequest{})
		if got := <-first; len(got.deliveries) > 0 || got.err != nil {
			t.Errorf("the first receive got %q, %v", bodies(got.deliveries), got.err)
		}
		if got := <-second; bodies(got.deliveries) != "later" || got.err != nil {
			t.Errorf("the second receive got %q, %v", bodies(got.deliveries), got.err)
		}
	})
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
