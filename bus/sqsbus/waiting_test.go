package sqsbus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// wakeUps has 16 receivers, each busy for 30 s with a message, wait on an idle
// queue, puts ten messages there at once, and returns how long after that the last
// of them was received.
func wakeUps(t *testing.T, e *endpoint, q *bus.Queue) time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex // guards worst and came
	var worst time.Duration
	came := 0
	var sent time.Time
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				m, err := q.Subscription.Receive(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				worst = max(worst, time.Since(sent))
				came++
				mu.Unlock()
				time.Sleep(30 * time.Second)
				m.Ack()
			}
		})
	}
	time.Sleep(55 * time.Second)
	sent = time.Now().Add(time.Second)
	for _, body := range numbered(10) {
		e.engineSend(t, wireMessage{MessageBody: body, DelaySeconds: new(1)})
	}
	time.Sleep(time.Minute)
	cancel()
	wg.Wait()
	if came != 10 {
		t.Errorf("%d messages came; want 10", came)
	}
	return worst
}

func TestAMessageReachesOneOf16IdleReceiversWithin200ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 10 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		worst := wakeUps(t, e, q)
		t.Logf("worst wake-up %v", worst)
		if worst > 200*time.Millisecond {
			t.Errorf("the last message was received %v after its send", worst)
		}
		shutDown(t, q)
	})
}

func TestStockReceiversWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 10 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{Visibility: new(12 * time.Hour)})
		q := e.stock(awssnssqs.SubscriptionOptions{WaitTime: 20 * time.Second})
		// A burst first, so that the subscription has several polls at a time.
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 400 {
			send(t, q, fmt.Sprint(i))
		}
		for range 400 {
			m, err := q.Subscription.Receive(ctx)
			if err != nil {
				t.Fatal(err)
			}
			m.Ack()
		}
		cancel()
		worst := wakeUps(t, e, q)
		t.Logf("worst wake-up %v", worst)
		if worst < time.Second {
			t.Errorf("the last message was received %v after its send: a trap less", worst)
		}
		e.stop(q)
	})
}

// idleMinute returns how many requests an idle subscription makes in a minute.
func (e *endpoint) idleMinute(t *testing.T, q *bus.Queue) int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before := e.count("ReceiveMessage")
	if _, err := q.Subscription.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an idle receive returns %v", err)
	}
	return e.count("ReceiveMessage") - before
}

func TestAnIdleSubscriptionMakesThreeRequestsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		if n := e.idleMinute(t, q); n > 3 {
			t.Errorf("%d requests in an idle minute; want 3", n)
		}
		shutDown(t, q)
		stock := e.stock(awssnssqs.SubscriptionOptions{})
		n := e.idleMinute(t, stock)
		t.Logf("stock makes %d requests in an idle minute", n)
		if n < 200 {
			t.Errorf("stock makes %d requests in an idle minute: a trap less", n)
		}
		e.stop(stock)
	})
}

func TestAQueuePolledWithoutWaitingIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?wait=0s")
		if n := e.idleMinute(t, q); n > 241 {
			t.Errorf("%d requests in an idle minute; want 4 a second", n)
		}
		shutDown(t, q)
	})
}

// afterEmpty returns how long after its send a message is received that is sent
// just after a poll has come back empty.
func afterEmpty(t *testing.T, q *bus.Queue) time.Duration {
	var took time.Duration
	done := make(chan bool)
	go func() {
		defer close(done)
		m, err := q.Subscription.Receive(t.Context())
		if err != nil {
			t.Errorf("receive: %v", err)
			return
		}
		sent, _ := time.Parse(time.RFC3339Nano, string(m.Body))
		took = time.Since(sent)
		m.Ack()
	}()
	time.Sleep(20*time.Second + time.Millisecond)
	send(t, q, time.Now().Format(time.RFC3339Nano))
	<-done
	return took
}

func TestNoNapAfterAnEmptyPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		if took := afterEmpty(t, q); took > 5*time.Millisecond {
			t.Errorf("a message came %v after its send", took)
		}
		shutDown(t, q)
		stock := e.stock(drained)
		took := afterEmpty(t, stock)
		t.Logf("stock takes %v", took)
		if took < 200*time.Millisecond {
			t.Errorf("a stock message came %v after its send: a trap less", took)
		}
		e.stop(stock)
	})
}

func TestNoNapAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		e.idleMinute(t, q)
		if _, err := q.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, q, "m")
		start := time.Now()
		receive(t, q, time.Second).Ack()
		if took := time.Since(start); took > 0 {
			t.Errorf("a receive after a release took %v; want no time", took)
		}
	})
}

func TestARequestEndsWithThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		q.Subscription.Receive(ctx)
		q.Release(t.Context())
		start := time.Now()
		send(t, q, "for others")
		e.counts(t, 1, 0, 0) // no poll took it
		if took := time.Since(start); took > 0 {
			t.Errorf("a release left a poll for %v", took)
		}
		receive(t, q, time.Second).Ack()
	})
}

// goroutines returns how many goroutines are in a function of the portable type.
func goroutines() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "gocloud.dev/pubsub.(*Subscription).Receive.func")
}

// abandon has a Receive end whose fetch then brings a message, and shuts down.
func abandon(t *testing.T, e *endpoint, q *bus.Queue, shut func()) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := q.Subscription.Receive(ctx); err == nil {
		t.Error("a message came too early")
	}
	e.engineSend(t, wireMessage{MessageBody: "late"})
	for range 100 { // until the fetch has brought it
		time.Sleep(time.Millisecond)
		if donors, _ := e.engine.Queue("donors"); donors != nil {
			if a, _ := donors.Attributes(); a.InFlight == 1 {
				break
			}
		}
	}
	time.Sleep(10 * time.Millisecond)
	shut()
}

func TestNothingLeaksWhenReceivingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		abandon(t, e, q, func() { shutDown(t, q) })
		e.counts(t, 1, 0, 0)
	})
	// Real time: a goroutine that leaks cannot be in a bubble.
	e := newEndpoint()
	e.create(t, "donors", spec.QueueSettings{})
	q := e.stock(drained)
	before := goroutines()
	abandon(t, e, q, func() {
		_ = q.Topic.Shutdown(t.Context())
		_ = q.Subscription.Shutdown(t.Context())
	})
	time.Sleep(10 * time.Millisecond)
	if n := goroutines() - before; n != 1 {
		t.Errorf("the stock subscription leaks %d goroutines: a trap less", n)
	}
}

func TestACancelledReceiveReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		start := time.Now()
		_, err := q.Subscription.Receive(ctx)
		if took := time.Since(start); took != 7*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a receive whose context ends after 7s returned %v after %v", err, took)
		}
		start = time.Now()
		q.Release(t.Context())
		if took := time.Since(start); took != 0 {
			t.Errorf("a release took %v", took)
		}
	})
}

// The portable type may ask once more while it is shut down. What close is about to give
// back must not be handed out then, nor count as taken.
func TestAReceiverThatIsClosedHandsOutNothing(t *testing.T) {
	r := &receiver{closed: true, buffer: []*delivery{{}}, handful: []*delivery{{}}}
	ds, err := r.next(t.Context())
	if len(ds) > 0 || !errors.Is(err, context.Canceled) || len(r.buffer) != 1 || len(r.handful) != 1 {
		t.Errorf("it hands out %d messages, %v; %d and %d are left to be given back, want one and one", len(ds), err, len(r.buffer), len(r.handful))
	}
}
