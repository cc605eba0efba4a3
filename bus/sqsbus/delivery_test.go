package sqsbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// drain receives and acknowledges n messages, and returns how long that took.
func drain(t *testing.T, q *bus.Queue, n int) time.Duration {
	t.Helper()
	start := time.Now()
	for range n {
		receive(t, q, time.Minute).Ack()
	}
	return time.Since(start)
}

func TestPollsFollowHunger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		for _, body := range numbered(3000) {
			e.engineSend(t, wireMessage{MessageBody: body})
		}
		q := e.open(t, "")
		defer shutDown(t, q)
		took := drain(t, q, 3000)
		t.Logf("3000 messages in %v", took)
		if took > 500*time.Millisecond { // 1.5 s with one poll at a time
			t.Errorf("3000 messages took %v at 5 ms a request", took)
		}
		if n := e.count("ReceiveMessage"); n > 340 {
			t.Errorf("%d requests received 3000 messages", n)
		}
		if n := e.idleMinute(t, q); n > 4 {
			t.Errorf("%d requests in the idle minute after; want 3, and one that finds the queue empty", n)
		}
	})
}

func TestASlowConsumersBacklogIsPolledByOneRequestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		for _, body := range numbered(300) {
			e.engineSend(t, wireMessage{MessageBody: body})
		}
		q := e.open(t, "")
		defer shutDown(t, q)
		for i := range 100 {
			m := receive(t, q, time.Minute)
			time.Sleep(50 * time.Millisecond)
			m.Ack()
			donors, _ := e.engine.Queue("donors")
			if a, _ := donors.Attributes(); a.InFlight > 12 { // ten fetched, and acknowledgements under way
				t.Fatalf("after %d messages %d are in flight", i, a.InFlight)
			}
		}
	})
}

func TestAFIFOQueueIsPolledForSeveralGroupsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const groups, each = 50, 10
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors.fifo", spec.QueueSettings{FIFO: new(true), ContentBasedDeduplication: new(true)})
		fifo, err := e.engine.Queue("donors.fifo")
		if err != nil {
			t.Fatal(err)
		}
		for i := range each {
			for g := range groups {
				sendTo(t, fifo, wireMessage{MessageBody: fmt.Sprint(g, " ", i), MessageGroupId: fmt.Sprint(g)})
			}
		}
		var mux bus.Mux
		e.backend().Register(&mux)
		q, err := mux.Open(t.Context(), testQueue+".fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer shutDown(t, q)
		next := map[int]int{}
		start := time.Now()
		for range groups * each {
			m := receive(t, q, time.Minute)
			var g, i int
			fmt.Sscan(string(m.Body), &g, &i)
			if i != next[g] || bus.Details(m).ReceiveCount != 1 {
				t.Errorf("group %d: message %d came for the time %d; want message %d for the first", g, i, bus.Details(m).ReceiveCount, next[g])
			}
			next[g]++
			m.Ack()
		}
		if took := time.Since(start); took > 1250*time.Millisecond { // 2.5 s with one message a round trip
			t.Errorf("%d messages of %d groups took %v", groups*each, groups, took)
		}
	})
}

func TestAStopUnderLoadLeavesNothingInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		for _, body := range numbered(3000) {
			e.engineSend(t, wireMessage{MessageBody: body})
		}
		q := e.open(t, "?visibility=1h")
		drain(t, q, 1234) // several polls are under way
		shutDown(t, q)
		e.counts(t, 3000-1234, 0, 0)
	})
}

func TestAShutdownEndsWithItsContextAndSaysWhatIsNotConfirmed(t *testing.T) {
	for name, f := range map[string]fault{"no answer": {hang: true}, "503": faults["503"]} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "")
				send(t, q, "a", "b", "c")
				for range 3 {
					m := receive(t, q, time.Second)
					e.set(func() {
						e.fault = func(c *call) *fault {
							if c.action == "DeleteMessageBatch" {
								return &f
							}
							return nil
						}
					})
					m.Ack()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				err := q.Shutdown(ctx)
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("the shutdown took %v", took)
				}
				if err == nil || gcerrors.Code(err) != gcerrors.DeadlineExceeded || !strings.Contains(err.Error(), "3 acknowledgements were not confirmed") {
					t.Errorf("the shutdown returned %v with code %v", err, gcerrors.Code(err))
				}
			})
		})
	}
}

func TestAShutdownSaysHowManySendsAreNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		send(t, q, "before")
		e.set(func() { e.fault = func(*call) *fault { return &fault{hang: true} } })
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("m")}); err == nil {
					t.Error("a message that nobody answered for was sent")
				}
			})
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := q.Shutdown(ctx)
		if err == nil || gcerrors.Code(err) != gcerrors.DeadlineExceeded || !strings.Contains(err.Error(), "2 sends were not confirmed") {
			t.Errorf("the shutdown returned %v with code %v", err, gcerrors.Code(err))
		}
		wg.Wait()
	})
}

// acked acknowledges a message and returns what became of that.
func acked(t *testing.T, m *pubsub.Message) error {
	t.Helper()
	var s *driver.Settling
	if !m.As(&s) {
		t.Fatal("the message has no Settling")
	}
	answer := make(chan error, 1)
	s.Acked = func(err error) { answer <- err }
	m.Ack()
	return <-answer
}

func TestWhatBecomesOfAnAcknowledgementIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, "in time", "late", "refused")
		if err := acked(t, receive(t, q, time.Second)); err != nil {
			t.Errorf("in time: %v", err)
		}
		late := receive(t, q, time.Second)
		time.Sleep(6 * time.Second)
		if err := acked(t, late); !errors.Is(err, driver.ErrLeaseLost) {
			t.Errorf("late: %v; want one that matches ErrLeaseLost", err)
		}
		e.set(func() { e.entry = func(*call, string) string { return "ReceiptHandleIsInvalid" } })
		if err := acked(t, receive(t, q, time.Second)); !errors.Is(err, driver.ErrLeaseLost) {
			t.Errorf("refused: %v; want one that matches ErrLeaseLost", err)
		}
		if n, _ := q.LateAcks(); n != 2 {
			t.Errorf("%d late acknowledgements; want 2", n)
		}
	})
}

func TestLeasesOfManyMessagesAreRenewedInFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=30s")
		defer shutDown(t, q)
		send(t, q, numbered(25)...)
		var ms []*pubsub.Message
		var wg sync.WaitGroup
		for range 25 {
			m := receive(t, q, time.Second)
			bus.Details(m) // it is the program's
			ms = append(ms, m)
		}
		before := e.count("ChangeMessageVisibilityBatch")
		time.Sleep(20 * time.Second)
		if errs := q.Renew(t.Context(), ms...); errs != nil {
			t.Error(errs)
		}
		if n := e.count("ChangeMessageVisibilityBatch") - before; n != 3 {
			t.Errorf("%d requests renewed 25 leases; want 3", n)
		}
		time.Sleep(29 * time.Second)
		e.counts(t, 0, 25, 0)
		for _, m := range ms {
			wg.Go(m.Ack)
		}
		wg.Wait()
	})
}
