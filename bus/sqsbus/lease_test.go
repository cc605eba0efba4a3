package sqsbus

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

func TestTwoConsumersOfAQueueHaveVisibilitiesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		fast, slow := e.open(t, "?visibility=5s"), e.open(t, "?visibility=20s")
		defer shutDown(t, fast)
		defer shutDown(t, slow)
		send(t, fast, "one", "two")
		before := e.count("")
		start := time.Now()
		a, b := receive(t, fast, time.Second), receive(t, slow, time.Second)
		if n := e.count("") - before; n != 2 {
			t.Errorf("%d requests for two receives", n)
		}
		for _, c := range []struct {
			m    *pubsub.Message
			want time.Duration
		}{{a, 5 * time.Second}, {b, 20 * time.Second}} {
			if got := bus.Details(c.m).VisibleAt.Sub(start); got != c.want {
				t.Errorf("a message is visible again in %v; want %v", got, c.want)
			}
		}
		time.Sleep(5 * time.Second)
		e.counts(t, 1, 1, 0)
		time.Sleep(15 * time.Second)
		e.counts(t, 2, 0, 0)
		a.Ack()
		b.Ack()
	})
}

func TestAStockConsumerHasTheQueuesVisibilityOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.stock(drained)
		send(t, q, "one")
		receive(t, q, time.Second).Ack()
		if in := e.all("ReceiveMessage")[0].in; in.VisibilityTimeout != nil {
			t.Error("stock asks for a visibility timeout: a trap less")
		}
		e.stop(q)
	})
}

func TestAVisibilityAndAWaitOfZeroAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{Wait: new(20 * time.Second), Delay: new(5 * time.Second)})
		q := e.open(t, "?visibility=0s&wait=0s")
		defer shutDown(t, q)
		m := &pubsub.Message{Body: []byte(`"DelaySeconds":-2147483648`)}
		bus.Delay(m, 0)
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got := receive(t, q, time.Second)
		if string(got.Body) != string(m.Body) {
			t.Errorf("the body came as %s", got.Body)
		}
		got.Ack()
		if d := e.all("SendMessageBatch")[0].in.Entries[0].DelaySeconds; d == nil || *d != 0 {
			t.Errorf("DelaySeconds was sent as %v; want 0", d)
		}
		in := e.all("ReceiveMessage")[0].in
		if in.VisibilityTimeout == nil || *in.VisibilityTimeout != 0 || in.WaitTimeSeconds == nil || *in.WaitTimeSeconds != 0 {
			t.Errorf("VisibilityTimeout %v and WaitTimeSeconds %v were sent; want 0", in.VisibilityTimeout, in.WaitTimeSeconds)
		}
	})
}

// fastThenSlow receives and acknowledges 200 messages in no time, and the rest
// with 500 ms for each. It returns how many leases had been lost at hand-out, as
// far as the queue is concerned, of so many received slowly.
func fastThenSlow(t *testing.T, e *endpoint, q *bus.Queue, slow int) (lost int) {
	donors, err := e.engine.Queue("donors")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 + slow {
		m, err := q.Subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i >= 200 {
			if _, held := donors.VisibleAt(stockHandle(m)); !held {
				lost++
			}
			time.Sleep(500 * time.Millisecond)
		}
		m.Ack()
	}
	return lost
}

func stockHandle(m *pubsub.Message) string { return bus.Details(m).ReceiptHandle }

func TestWhatAFastConsumerFetchedIsNotLostWhenItSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{Visibility: new(5 * time.Second)})
		for _, body := range numbered(400) {
			e.engineSend(t, wireMessage{MessageBody: body})
		}
		q := e.open(t, "")
		if lost := fastThenSlow(t, e, q, 120); lost > 0 {
			t.Errorf("%d of 120 messages had been lost when they were handed out", lost)
		}
		shutDown(t, q)
		if n, _ := q.LateAcks(); n != 0 {
			t.Errorf("%d late acknowledgements", n)
		}

		stock := e.stock(awssnssqs.SubscriptionOptions{WaitTime: 20 * time.Second})
		for _, body := range numbered(2000) {
			e.engineSend(t, wireMessage{MessageBody: body})
		}
		lost := fastThenSlow(t, e, stock, 120)
		t.Logf("stock: %d of 120 had been lost", lost)
		if lost == 0 {
			t.Error("stock loses no lease: a trap less")
		}
		donors, _ := e.engine.Queue("donors")
		if err := donors.Purge(); err != nil {
			t.Error(err)
		}
		e.stop(stock)
	})
}

// warmUp makes a consumer one that is fetched ten messages for: it takes them at the
// pace given.
func warmUp(t *testing.T, q *bus.Queue, pace time.Duration) {
	send(t, q, numbered(16)...)
	for range 16 {
		receive(t, q, time.Second).Ack()
		time.Sleep(pace)
	}
	if _, err := q.Release(t.Context()); err != nil {
		t.Error(err)
	}
	time.Sleep(2 * ackLinger)
}

// What takes long enough to be handed its messages one by one, and what does not.
const (
	brisk  = 20 * time.Millisecond
	atOnce = 0
)

// nineWait makes a consumer fetch ten messages at once, and returns the first: nine
// wait, in the portable type if the pace is atOnce.
func nineWait(t *testing.T, e *endpoint, q *bus.Queue, pace time.Duration) *pubsub.Message {
	t.Helper()
	warmUp(t, q, pace)
	for _, body := range numbered(10) {
		e.engineSend(t, wireMessage{MessageBody: body})
	}
	m := receive(t, q, time.Second)
	e.counts(t, 0, 10, 0)
	return m
}

func TestMessagesThatWaitKeepTheirLease(t *testing.T) {
	for _, pace := range []time.Duration{brisk, atOnce} {
		t.Run(pace.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=5s")
				m := nineWait(t, e, q, pace)
				before := e.count("")
				time.Sleep(61 * time.Second)
				e.counts(t, 1, 9, 0) // the one that was handed out has lost its lease, the nine have not
				if n := e.count("ChangeMessageVisibilityBatch"); n > 26 {
					t.Errorf("%d requests kept nine leases of 5s for a minute", n)
				}
				if n := e.count("") - before; n > 26 {
					t.Errorf("%d requests in all", n)
				}
				m.Ack()
				for range 9 {
					m := receive(t, q, time.Second)
					d := bus.Details(m)
					if left := time.Until(d.VisibleAt); left < 2*time.Second || d.ReceiveCount != 1 {
						t.Errorf("a message that waited has %v left, and was received for the time %d", left, d.ReceiveCount)
					}
					m.Ack()
				}
				shutDown(t, q)
			})
		})
	}
}

func TestMessagesThatWaitAreGivenBackAtShutdown(t *testing.T) {
	for name, shut := range map[string]func(*testing.T, *bus.Queue){
		"released": func(t *testing.T, q *bus.Queue) {
			if n, err := q.Release(t.Context()); n != 9 || err != nil {
				t.Errorf("a release gave back %d, %v; want 9", n, err)
			}
		},
		"shut down": func(t *testing.T, q *bus.Queue) { shutDown(t, q) },
		"the subscription alone shut down first": func(t *testing.T, q *bus.Queue) {
			q.Subscription.Shutdown(t.Context())
			q.Topic.Shutdown(t.Context())
			q.Shutdown(t.Context()) // says that both are shut down
		},
	} {
		for _, pace := range []time.Duration{brisk, atOnce} {
			t.Run(name+"/"+pace.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEndpoint()
					e.latency = 5 * time.Millisecond
					e.create(t, "donors", spec.QueueSettings{})
					q := e.open(t, "?visibility=1h")
					m := nineWait(t, e, q, pace)
					shut(t, q)
					time.Sleep(time.Second)
					e.counts(t, 9, 1, 0)
					if name == "released" {
						m.Ack()
						shutDown(t, q)
					}
				})
			})
		}
	}
}

func TestASlowConsumerIsFetchedOneMessageAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		send(t, q, numbered(10)...)
		for i := range 10 {
			m := receive(t, q, time.Second)
			e.counts(t, 9-i, 1, 0)
			time.Sleep(2 * time.Second)
			m.Ack()
			time.Sleep(time.Millisecond)
		}
	})
}

func TestARequestAsksForWhatTheConsumerTakes(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name       string
		pace       []time.Duration
		visibility time.Duration
		want       int
	}{
		{"the first message", nil, hour, 1},
		{"after a fast one", []time.Duration{0}, hour, 2},
		{"after two", []time.Duration{0, 0}, hour, 4},
		{"after many", []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, hour, 10},
		{"ten a second", []time.Duration{100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}, hour, 9},
		{"one in a while", []time.Duration{0, 0, 0, 0, 0, 2 * time.Second}, hour, 1},
		{"a short visibility timeout", []time.Duration{0, 0, 0, 0}, time.Second, 4},
		{"none", []time.Duration{0, 0, 0, 0}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h hunger
			now := time.Now()
			for _, d := range c.pace {
				h.handedOut(now, 1)
				now = now.Add(d)
				h.asked(now)
				now = now.Add(time.Minute) // waiting for a message does not count
				h.asked(now)
			}
			if got := h.size(c.visibility); got != c.want {
				t.Errorf("%d messages are asked for; want %d", got, c.want)
			}
		})
	}
}

func TestLeasesAreDroppedWithTheirMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ds := new(deliveries)
		message := func(i int) types.Message {
			return types.Message{ReceiptHandle: new(time.Duration(i).String())}
		}
		for i := range 3 * minSweep {
			d := ds.begin(message(i), time.Second)
			if got := ds.find(d.handle); got != d || d.lost() {
				t.Fatal("a delivery is not found, or lost at once")
			}
			if i%2 == 0 {
				ds.done(d)
				if ds.find(d.handle) != nil || !d.lost() {
					t.Fatal("a lease goes on after its end")
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(ds.held); n > minSweep+1 {
			t.Errorf("%d leases are kept, of which 100 have not ended", n)
		}
	})
}

func TestATimeoutThatIsSetOnTheQueueIsReckonedWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		send(t, q, numbered(3)...)
		holds := func(want time.Duration) {
			m := receive(t, q, time.Second)
			if got := time.Until(bus.Details(m).VisibleAt); got != want {
				t.Errorf("a message is held for %v; want %v", got, want)
			}
			m.Ack()
			time.Sleep(time.Second)
		}
		holds(spec.DefaultVisibility)
		if err := q.SetAttributes(t.Context(), bus.QueueSettings{Visibility: new(7 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		holds(7 * time.Second)
		donors, _ := e.engine.Queue("donors") // another program
		if err := donors.SetAttributes(spec.QueueSettings{Visibility: new(9 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Attributes(t.Context()); err != nil {
			t.Fatal(err)
		}
		holds(9 * time.Second)
	})
}

func TestManyQueuesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		var wg sync.WaitGroup
		for range 8 {
			q := e.open(t, "?visibility=1h")
			wg.Go(func() {
				defer shutDown(t, q)
				for _, body := range numbered(50) {
					if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
						t.Error(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for {
					m, err := q.Subscription.Receive(ctx)
					if err != nil {
						return
					}
					m.Ack()
				}
			})
		}
		wg.Wait()
		e.counts(t, 0, 0, 0)
	})
}

func TestWhatWaitsIsExtendedOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 200 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=10s")
		defer shutDown(t, q)
		nineWait(t, e, q, brisk).Ack()
		time.Sleep(5 * time.Second) // half of their leases: the nine that wait are being extended
		before := e.count("ChangeMessageVisibilityBatch")
		for range 9 {
			receive(t, q, time.Second).Ack()
			time.Sleep(10 * time.Millisecond)
		}
		if n := e.count("ChangeMessageVisibilityBatch") - before; n > 1 {
			t.Errorf("%d requests to extend what waits while one is under way", n)
		}
	})
}

func TestAMessageWhoseLeaseWasLostWhileItWaitedIsNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=5s")
		defer shutDown(t, q)
		nineWait(t, e, q, brisk).Ack()
		e.set(func() { e.entry = failing("ChangeMessageVisibilityBatch", "MessageNotInflight", 9) })
		time.Sleep(4 * time.Second) // SQS has refused to keep them
		for range 9 {
			m := receive(t, q, time.Minute)
			if d := bus.Details(m); d.VisibleAt.IsZero() || d.ReceiveCount != 2 {
				t.Errorf("%s came at its delivery %d, held until %v; want the second", m.Body, d.ReceiveCount, d.VisibleAt)
			}
			m.Ack()
		}
	})
}

func TestAShutdownDoesNotWaitForLeasesThatCannotBeExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=40s")
		nineWait(t, e, q, brisk).Ack()
		e.set(func() { e.fault = aMinuteOf(faults["503"], "ChangeMessageVisibilityBatch") })
		time.Sleep(21 * time.Second) // half of the leases, and more
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = q.Shutdown(ctx)
		if took := time.Since(start); took > time.Second {
			t.Errorf("a shutdown with a second to do it took %v", took)
		}
	})
}

// The requests that keep what waits end with the receiver, which gives it back then.
func TestAShutdownDuringAnExtensionGivesBackWhatWaits(t *testing.T) {
	for range 10 { // the moment within the request varies
		synctest.Test(t, func(t *testing.T) {
			e := newEndpoint()
			e.latency = 5 * time.Millisecond
			e.create(t, "donors", spec.QueueSettings{})
			q := e.open(t, "?visibility=1m")
			nineWait(t, e, q, brisk).Ack()
			time.Sleep(25 * time.Second)
			for before := e.count("ChangeMessageVisibilityBatch"); e.count("ChangeMessageVisibilityBatch") == before; {
				time.Sleep(time.Millisecond / 2)
			}
			shutDown(t, q)
			e.counts(t, 9, 0, 0)
		})
	}
}

// A renewal that is tried again does not undo what was done with the message meanwhile.
func TestAGivenBackMessageIsNotRenewed(t *testing.T) {
	for name, test := range map[string]struct {
		giveBack func(*testing.T, *bus.Queue, *pubsub.Message)
		after    time.Duration
	}{
		"GiveBack": {func(t *testing.T, q *bus.Queue, m *pubsub.Message) {
			if err := q.GiveBack(t.Context(), m, time.Hour); err != nil {
				t.Error(err)
			}
		}, time.Hour},
		"Nack": {func(_ *testing.T, _ *bus.Queue, m *pubsub.Message) { m.Nack() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=30s")
				defer shutDown(t, q)
				send(t, q, "m")
				m := receive(t, q, time.Second)
				failed := false
				e.set(func() {
					e.fault = func(c *call) *fault {
						if c.action != "ChangeMessageVisibilityBatch" || failed {
							return nil
						}
						failed = true
						return &fault{status: 503, code: "ServiceUnavailable"}
					}
				})
				renewed := make(chan []error)
				go func() { renewed <- q.Renew(t.Context(), m) }()
				time.Sleep(10 * time.Millisecond)
				start := time.Now()
				test.giveBack(t, q, m)
				if errs := <-renewed; !errors.Is(errors.Join(errs...), bus.ErrLeaseLost) {
					t.Errorf("the renewal ends with %v", errs)
				}
				again := receive(t, q, 2*time.Hour)
				if took := time.Since(start); took < test.after || took > test.after+time.Second {
					t.Errorf("the message came %v after it was given back; want %v", took, test.after)
				}
				again.Ack()
			})
		})
	}
}
