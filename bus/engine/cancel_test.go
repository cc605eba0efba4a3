package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

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

// A record of a queue that is not there any more would keep the directory from being read.
func TestReceiveThatIsCancelledAsItsQueueIsDeletedWritesNothing(t *testing.T) {
	for name, deleteFirst := range map[string]bool{"waiting": true, "with messages in hand": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &memdisk.Disk{}
				e := reopen(t, disk)
				q := create(t, e, "q", spec.QueueSettings{})
				send(t, q, Message{Body: "delayed", Delay: new(time.Second)})
				ctx, cancel := context.WithCancel(context.Background())
				w := waiting(ctx, q, ReceiveRequest{})
				cancelLate(q, cancel, func() {
					if deleteFirst {
						ok(t, e.Delete("q"))
						time.Sleep(time.Second) // what is delayed would be ready
						return
					}
					send(t, q, Message{Body: "handed over"})
					ok(t, e.Delete("q"))
				})
				if got := <-w; len(got.deliveries) > 0 || got.err != context.Canceled {
					t.Errorf("the cancelled receive got %q, %v", bodies(got.deliveries), got.err)
				}
				ok(t, e.Close())
				if names := reopen(t, disk.Kill()).List(""); len(names) > 0 {
					t.Errorf("there are the queues %q", names)
				}
			})
		})
	}
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

// Nine of twelve other SQS endpoints have a poll whose client has hung up take the
// next message for a whole visibility timeout.
func TestReceiveOfOneWhoHasGoneTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, q := range []*Queue{create(t, New(nil), "q", spec.QueueSettings{}), createFIFO(t, spec.QueueSettings{ContentBasedDeduplication: new(true)})} {
			asked, gone := 0, true
			r := ReceiveRequest{Max: 10, Gone: func() bool { asked++; return gone }}
			left := waiting(context.Background(), q, r)
			next := waiting(context.Background(), q, ReceiveRequest{Max: 10})
			send(t, q, Message{Body: "a", Group: "g"})
			if got := <-left; len(got.deliveries) > 0 || got.err != context.Canceled || asked != 1 {
				t.Errorf("the receive of one who has gone got %q, %v, asked %d times", bodies(got.deliveries), got.err, asked)
			}
			got := <-next
			if bodies(got.deliveries) != "a" || got.err != nil || got.deliveries[0].ReceiveCount != 1 {
				t.Fatalf("the next one got %+v", got)
			}
			wantDeleted(t, q, got.deliveries[0].ReceiptHandle, true)

			send(t, q, Message{Body: "b", Group: "g"})
			if got, err := q.Receive(context.Background(), r); len(got) > 0 || err != context.Canceled {
				t.Errorf("received %q, %v though nobody is there", bodies(got), err)
			}
			wantCounts(t, q, 1, 0, 0)
			gone = false
			if got, err := q.Receive(context.Background(), r); bodies(got) != "b" || err != nil || got[0].ReceiveCount != 1 {
				t.Errorf("received %+v, %v", got, err)
			}
		}
	})
}
