package workers_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func TestDelaysOfAnyLengthAreKept(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, time.Second, 15 * time.Minute, 15*time.Minute + time.Millisecond, 50 * time.Minute, 13 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			onBackends(t, func(t *testing.T, open func() *bus.Queue) {
				q := open()
				if !q.Supports(bus.ControlDelay) {
					return // a queue that bus.Wrap made; Send says so
				}
				m := &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{"Job": "new 100%"}}
				bus.SetAttribute(m, "amount", bus.Number("97.50"))
				workers.Delay(q, m, d)
				sent := time.Now()
				if err := q.Topic.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				var waited []time.Duration
				var got *pubsub.Message
				c := &workers.Consumer{Queue: q, Handler: func(_ context.Context, m *pubsub.Message) error {
					waited, got = append(waited, time.Since(sent)), m
					return nil
				}}
				stop := start(t, c)
				time.Sleep(d + 10*time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if len(waited) != 1 || waited[0] < d || waited[0] > d+time.Second {
					t.Fatalf("handled after %v, want once after %v", waited, d)
				}
				details := bus.Details(got)
				if got.Metadata["Job"] != "new 100%" || !reflect.DeepEqual(details.Attributes["amount"], bus.Number("97.50")) {
					t.Errorf("the message came with %v, %v", got.Metadata, details.Attributes)
				}
				if details.ReceiveCount != 1 {
					t.Errorf("it was received %d times, want 1", details.ReceiveCount)
				}
			})
		})
	}
}

// SQS has no delay for one message on a FIFO queue.
func TestADelayOnAFIFOQueueHoldsItsGroupBackAndCostsNoReceive(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		p.create("dead.fifo", bus.QueueSettings{})
		q := p.queue("work.fifo", bus.QueueSettings{DeadLetter: &bus.DeadLetter{Queue: "dead.fifo", MaxReceives: 2}})
		begin := time.Now()
		for i, body := range []string{"a 0", "a 1", "b 0"} {
			m := &pubsub.Message{Body: []byte(body)}
			bus.Group(m, body[:1])
			bus.Deduplicate(m, fmt.Sprint(i))
			if body == "a 0" {
				workers.Delay(q, m, time.Hour)
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		var handled []string
		c := &workers.Consumer{Queue: q, Handler: func(_ context.Context, m *pubsub.Message) error {
			handled = append(handled, fmt.Sprint(string(m.Body), " ", bus.Details(m).ReceiveCount, " ", time.Since(begin).Round(time.Second)))
			return nil
		}}
		stop := start(t, c)
		time.Sleep(2 * time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if want := []string{"b 0 1 0s", "a 0 1 1h0m0s", "a 1 1 1h0m0s"}; !slices.Equal(handled, want) {
			t.Errorf("handled were %q, want %q", handled, want)
		}
		expect(t, q, bus.Counts{})
	})
}

func TestADelayOnAFIFOQueueMayBeLongerThanADelivery(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work.fifo", bus.QueueSettings{Visibility: new(time.Hour)})
		m := &pubsub.Message{Body: []byte("a")}
		bus.Group(m, "a")
		bus.Deduplicate(m, "a")
		const d = 13 * time.Hour // SQS ends a delivery after 12
		workers.Delay(q, m, d)
		begin := time.Now()
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var waited []time.Duration
		stop := start(t, &workers.Consumer{Queue: q, Logger: quiet, Handler: func(_ context.Context, m *pubsub.Message) error {
			waited = append(waited, time.Since(begin))
			return nil
		}})
		time.Sleep(14 * time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(waited) != 1 || waited[0] < d || waited[0] > d+time.Second {
			t.Errorf("handled after %v, want once after %v", waited, d)
		}
	})
}

func TestAStopGivesAHeldMessageBackForTheRestOfItsDelay(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work.fifo", bus.QueueSettings{})
		m := &pubsub.Message{Body: []byte("a")}
		bus.Group(m, "a")
		bus.Deduplicate(m, "a")
		workers.Delay(q, m, time.Hour)
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Handler: handler}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); len(handled()) != 0 || s.Delayed != 1 || s.InHand != 0 {
			t.Errorf("stats are %+v, want one delayed", s)
		}
		got := receiveOne(t, q)
		if waited := time.Since(begin); waited < time.Hour || waited > time.Hour+time.Second || bus.Details(got).ReceiveCount != 2 {
			t.Errorf("another received it after %v, want an hour", waited)
		}
	})
}

func TestAProducersDelayMayBeOfAnyLength(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		producer := &workers.Producer{Queue: q, Delay: new(2 * time.Hour)}
		begin := time.Now()
		if err := producer.Send(t.Context(), &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{"Job": "new"}}); err != nil {
			t.Fatal(err)
		}
		var waited time.Duration
		c := &workers.Consumer{Queue: q, Handler: func(_ context.Context, m *pubsub.Message) error {
			waited = time.Since(begin)
			if m.Metadata["Job"] != "new" {
				t.Errorf("the message has %v", m.Metadata)
			}
			return nil
		}}
		stop := start(t, c)
		time.Sleep(3 * time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if waited < 2*time.Hour || waited > 2*time.Hour+time.Second {
			t.Errorf("handled after %v, want 2 h", waited)
		}
	})
}

func TestADueTimeThatIsNoTimeDelaysNothing(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{workers.DueTime: "tomorrow"}}); err != nil {
			t.Fatal(err)
		}
		handler, handled := record()
		if err := (&workers.Consumer{Queue: q, Max: 1, Handler: handler}).Run(t.Context()); err != nil || len(handled()) != 1 {
			t.Errorf("handled %v (%v)", handled(), err)
		}
	})
}

func TestAMessageThatIsDueInCenturiesIsPutOff(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for _, name := range []string{"work", "work.fifo"} {
			q := p.queue(name, bus.QueueSettings{})
			m := &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{workers.DueTime: "9999-12-31T23:59:59Z"}}
			if q.FIFO() {
				bus.Group(m, "a")
				bus.Deduplicate(m, "a")
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			handler, handled := record()
			logged := captureLog(t)
			c := &workers.Consumer{Queue: q, Handler: handler}
			stop := start(t, c)
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
			a, err := q.Attributes(t.Context())
			if err != nil || a.Visible != 0 || a.InFlight+a.Delayed != 1 || len(handled()) != 0 || c.Stats().Delayed != 1 {
				t.Errorf("%s has %+v, %v, handled are %v, stats %+v; want the message hidden", name, a.Counts, err, handled(), c.Stats())
			}
			if strings.Contains(logged.String(), "could not be sent on") {
				t.Errorf("%s: the log says %s", name, logged)
			}
		}
	})
}

func TestANegativeDelayIsRefusedBySend(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for _, name := range []string{"work", "work.fifo"} {
			q := p.queue(name, bus.QueueSettings{})
			m := &pubsub.Message{Body: []byte("a")}
			if q.FIFO() {
				bus.Group(m, "a")
				bus.Deduplicate(m, "a")
			}
			workers.Delay(q, m, -time.Second)
			if err := q.Topic.Send(t.Context(), m); err == nil {
				t.Errorf("%s: a message with a delay of -1s was sent", name)
			}
		}
	})
}
