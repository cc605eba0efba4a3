package workers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
	"omnibus/workers"
)

// start runs a worker until stop is called, which returns Run's error.
func start(t *testing.T, w workers.Worker) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	return func() error {
		cancel()
		return <-result
	}
}

// record returns a handler that notes the bodies it is given, and what it has
// noted.
func record() (workers.Handler, func() []string) {
	var mu sync.Mutex
	var bodies []string
	return func(_ context.Context, m *pubsub.Message) error {
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, string(m.Body))
			return nil
		}, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(bodies)
		}
}

func TestConsumerHandlesEveryMessageOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprintf("%02d", i))
		}
		send(t, q, want...)
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Handler: handler, Concurrency: 4}
		stop := start(t, c)
		time.Sleep(10 * time.Minute) // long enough for a lost acknowledgement to show
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := handled()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
		if s := c.Stats(); s != (workers.ConsumerStats{Received: 50, Deleted: 50}) {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestConsumerGivesBackWhatTheHandlerFails(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		tries := 0
		var done []error
		c := &workers.Consumer{
			Queue: q,
			Handler: func(context.Context, *pubsub.Message) error {
				if tries++; tries < 3 {
					return errors.New("not yet")
				}
				return nil
			},
			OnDone: func(d workers.Done) { done = append(done, d.Err) },
		}
		stop := start(t, c)
		time.Sleep(10 * time.Second) // given back, not waited for: the visibility timeout is 30 s, the ack deadline 60 s
		if err := stop(); err != nil {
			t.Error(err)
		}
		if tries != 3 {
			t.Errorf("the handler was called %d times, want 3", tries)
		}
		if s := c.Stats(); s.Deleted != 1 || s.Failed != 2 {
			t.Errorf("stats are %+v, want 1 deleted and 2 failed", s)
		}
		if len(done) != 3 || done[0] == nil || done[1] == nil || done[2] != nil {
			t.Errorf("OnDone saw %v", done)
		}
	})
}

func TestConsumerAcknowledgesOnlyAfterSuccess(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		send(t, q, "a")
		stop := start(t, &workers.Consumer{Queue: q, Handler: func(context.Context, *pubsub.Message) error {
			time.Sleep(10 * time.Second)
			return nil
		}})
		time.Sleep(9 * time.Second)
		if a, err := q.Attributes(t.Context()); err != nil || a.InFlight != 1 {
			t.Errorf("while the handler runs: %+v, %v; want 1 in flight", a.Counts, err)
		}
		time.Sleep(2 * time.Second)
		if a, err := q.Attributes(t.Context()); err != nil || a.Counts != (bus.Counts{}) {
			t.Errorf("when the handler has ended: %+v, %v; want none", a.Counts, err)
		}
		stop()
	})
}

func TestConsumerSurvivesAPanic(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		var errs []error
		calls := 0
		stop := start(t, &workers.Consumer{
			Queue: q,
			Handler: func(context.Context, *pubsub.Message) error {
				if calls++; calls == 1 {
					panic("no good")
				}
				return nil
			},
			OnDone: func(d workers.Done) { errs = append(errs, d.Err) },
		})
		time.Sleep(5 * time.Second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(errs) != 2 || errs[0] == nil || !strings.Contains(errs[0].Error(), "no good") || errs[1] != nil {
			t.Errorf("OnDone saw %v, want the panic and then success", errs)
		}
	})
}

func TestConsumerSurvivesAHandlerThatSettlesItsMessage(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "b")
		var errs []error
		c := &workers.Consumer{
			Queue: q,
			Max:   2,
			Handler: func(_ context.Context, m *pubsub.Message) error {
				m.Ack()
				if string(m.Body) == "b" {
					return errors.New("b")
				}
				return nil
			},
			OnDone: func(d workers.Done) { errs = append(errs, d.Err) },
		}
		if err := c.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if text := fmt.Sprint(errs); len(errs) != 2 || !strings.Contains(text, "the handler must not call Ack or Nack") {
			t.Errorf("OnDone saw %v, want errors that say what is wrong", errs)
		}
	})
}

func TestConsumerRunsAtMostConcurrencyHandlers(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, strings.Split("abcdefghij", "")...)
		var running, most atomic.Int64
		begin := time.Now()
		c := &workers.Consumer{Queue: q, Concurrency: 3, Max: 10, Handler: func(context.Context, *pubsub.Message) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most.Load() != 3 {
			t.Errorf("%d handlers ran at a time, want 3", most.Load())
		}
		if took := time.Since(begin); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("10 messages of 1 s by 3 handlers took %v, want 4 s", took)
		}
	})
}

// A message that waits in memory is lost to others while its lease runs. So a
// busy consumer takes none.
func TestBusyConsumerLeavesMessagesToOthers(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		busy := &workers.Consumer{Queue: open(""), Handler: func(context.Context, *pubsub.Message) error {
			time.Sleep(time.Minute)
			return nil
		}, Visibility: new(time.Hour)}
		stopBusy := start(t, busy)
		sender := open("")
		send(t, sender, "a")
		synctest.Wait()
		send(t, sender, "b", "c")
		handler, handled := record()
		stopIdle := start(t, &workers.Consumer{Queue: open(""), Handler: handler})
		time.Sleep(time.Second)
		if got := handled(); !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("the idle consumer handled %v, want b and c", got)
		}
		stopIdle()
		stopBusy()
	})
}

func TestConsumersHaveVisibilityTimeoutsOfTheirOwn(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		sender := open("")
		for _, visibility := range []time.Duration{5 * time.Second, 20 * time.Second} {
			var lease time.Duration
			c := &workers.Consumer{Queue: open(""), Visibility: &visibility, Max: 1, Handler: func(_ context.Context, m *pubsub.Message) error {
				lease = time.Until(bus.Details(m).VisibleAt)
				return nil
			}}
			send(t, sender, "a")
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if lease != visibility {
				t.Errorf("lease is %v, want %v", lease, visibility)
			}
		}
	})
}

func TestConsumerPausesAfterEachMessage(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "b", "c")
		begin := time.Now()
		c := &workers.Consumer{Queue: q, Rest: 8 * time.Second, Max: 3, Handler: func(context.Context, *pubsub.Message) error { return nil }}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 16*time.Second || took > 17*time.Second {
			t.Errorf("three messages took %v, want two pauses of 8 s: nothing is waited for after the last", took)
		}
	})
}

func TestStoppingConsumerFinishesWhatIsInHand(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "b")
		ended := false
		c := &workers.Consumer{Queue: q, Handler: func(ctx context.Context, m *pubsub.Message) error {
			time.Sleep(10 * time.Second)
			ended = true
			return ctx.Err()
		}}
		stop := start(t, c)
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Errorf("a clean stop returned %v", err)
		}
		if !ended {
			t.Error("Run returned before its handler")
		}
		if s := c.Stats(); s.Received != 1 || s.Deleted != 1 {
			t.Errorf("stats are %+v, want 1 received and deleted: nothing new after the stop", s)
		}
	})
}

func TestStoppedConsumerKeepsNoMessageFromOthers(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		handler, _ := record()
		stop := start(t, &workers.Consumer{Queue: open(""), Handler: handler})
		time.Sleep(time.Second) // its receive waits
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		other := open("")
		send(t, other, "a")
		sent := time.Now()
		m, err := other.Subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := bus.Details(m); d.ReceiveCount != 1 || time.Since(sent) != 0 {
			t.Errorf("another receiver got the message after %v as delivery %d, want at once and 1", time.Since(sent), d.ReceiveCount)
		}
		m.Ack()
	})
}

func TestHandlersAreCancelledWhenDrainingTakesTooLong(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		var cause error
		stop := start(t, &workers.Consumer{Queue: q, DrainTimeout: 5 * time.Second, Handler: func(ctx context.Context, m *pubsub.Message) error {
			<-ctx.Done()
			cause = ctx.Err()
			return cause
		}})
		time.Sleep(time.Second)
		begin := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 5*time.Second || !errors.Is(cause, context.Canceled) {
			t.Errorf("the handler's context ended after %v with %v, want 5 s and cancelled", took, cause)
		}
	})
}

// A receiver that was fast is given messages ahead. If it is slow with one of
// them, the leases of the others run out in memory, and others may have them by
// then: they are not for it to handle any more.
func TestConsumerDropsDeliveriesWhoseLeaseIsLost(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("?visibility=5s")
		const n, slow = 300, 150
		times := map[string]int{}
		for i := range n {
			send(t, q, fmt.Sprint(i))
		}
		c := &workers.Consumer{Queue: q, Handler: func(_ context.Context, m *pubsub.Message) error {
			times[string(m.Body)]++
			if string(m.Body) == fmt.Sprint(slow) && times[string(m.Body)] == 1 {
				time.Sleep(6 * time.Second)
			}
			return nil
		}}
		stop := start(t, c)
		time.Sleep(time.Minute)
		stop()
		if s := c.Stats(); s.Lost == 0 {
			t.Errorf("stats are %+v; the test did not bring about a lost lease", s)
		}
		for i := range n {
			if times[fmt.Sprint(i)] != 1 {
				t.Errorf("message %d was handled %d times, want once", i, times[fmt.Sprint(i)])
			}
		}
	})
}

func TestConsumerReturnsTheErrorThatEndsItsSubscription(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		handler, _ := record()
		result := make(chan error, 1)
		go func() {
			result <- (&workers.Consumer{Queue: q, Handler: handler}).Run(t.Context())
		}()
		synctest.Wait()
		if err := q.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-result; gcerrors.Code(err) != gcerrors.NotFound {
			t.Errorf("Run on a deleted queue returned %v, want code NotFound", err)
		}
	})
}

func TestConsumerRefusesBadSettings(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		handler, _ := record()
		several := []workers.Share{{Queue: q}, {Queue: q}}
		for want, c := range map[string]*workers.Consumer{
			"Queue has no subscription":     {Handler: handler},
			"both Queue and Queues":         {Queue: q, Queues: several, Handler: handler},
			"Queues[1] has no subscription": {Queues: []workers.Share{{Queue: q}, {}}, Handler: handler},
			"Queues[0].Weight is -1":        {Queues: []workers.Share{{Queue: q, Weight: -1}}, Handler: handler},
			"Handler is missing":            {Queue: q},
			"and not both":                  {Queue: q, Handler: handler, BatchHandler: func(context.Context, []*pubsub.Message) []error { return nil }},
			"Middleware is for a Handler":   {Queue: q, Middleware: []workers.Middleware{workers.Recover()}, BatchHandler: func(context.Context, []*pubsub.Message) []error { return nil }},
			"Concurrency is -1":             {Queue: q, Handler: handler, Concurrency: -1},
			"TargetTime is -1s":             {Queue: q, Handler: handler, TargetTime: -time.Second},
			"burst of 0":                    {Queue: q, Handler: handler, Limiter: rate.NewLimiter(1, 0)},
			"Rest is -1s":                   {Queue: q, Handler: handler, Rest: -time.Second},
			"Max is -2":                     {Queue: q, Handler: handler, Max: -2},
			"BatchSize is -1":               {Queue: q, Handler: handler, BatchSize: -1},
			"BatchWait is -1s":              {Queue: q, Handler: handler, BatchWait: -time.Second},
			"MaxLease is -1s":               {Queue: q, Handler: handler, MaxLease: -time.Second},
			"MaxLease is 12h0m1s":           {Queue: q, Handler: handler, MaxLease: 12*time.Hour + time.Second},
			"without a DeadLetter queue":    {Queue: q, Handler: handler, MaxReceives: 3},
			"MaxReceives is -1":             {Queue: q, Handler: handler, MaxReceives: -1},
			"DeadLetter has no topic":       {Queue: q, Handler: handler, DeadLetter: bus.Wrap(nil, nil)},
			"Visibility is 0s":              {Queue: q, Handler: handler, Visibility: new(time.Duration(0))},
			"is the queue that is received": {Queue: q, Handler: handler, DeadLetter: q},
			"DrainTimeout is -1ns":          {Queue: q, Handler: handler, DrainTimeout: -1},
		} {
			if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run returned %v, want an error with %q", err, want)
			}
		}
	})
}

func TestConsumerSaysThatVisibilityIsUnsupported(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		if q.Supports(bus.ControlReceivers) {
			return // membus, which TestConsumersHaveVisibilityTimeoutsOfTheirOwn is about
		}
		handler, _ := record()
		err := (&workers.Consumer{Queue: q, Handler: handler, Visibility: new(time.Second)}).Run(t.Context())
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Run returned %v, want errors.ErrUnsupported", err)
		}
	})
}

// Deleted counts what was acknowledged in time: a handler that takes longer than
// its lease settles nothing.
func TestLateAcknowledgementsAreNotCountedAsDeleted(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		send(t, open(""), "a")
		var handled atomic.Int64
		c := &workers.Consumer{Queue: open(""), Concurrency: 4, Visibility: new(5 * time.Second), MaxLease: 1,
			Handler: func(context.Context, *pubsub.Message) error {
				if handled.Add(1) <= 3 {
					time.Sleep(12 * time.Second)
				}
				return nil
			}}
		stop := start(t, c)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Deleted != 1 || s.Lost != 3 || s.Received != 4 || s.Failed+s.Unconfirmed != 0 {
			t.Errorf("stats are %+v; want 4 deliveries of one message, of which 3 were lost and 1 deleted it", s)
		}
	})
}

func TestConsumersOfOneQueueHaveVisibilitiesOfTheirOwn(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		var mu sync.Mutex // guards leases
		leases := map[time.Duration]int{}
		var stops []func() error
		for _, visibility := range []time.Duration{5 * time.Second, 20 * time.Second} {
			stops = append(stops, start(t, &workers.Consumer{Queue: q, Visibility: &visibility, Handler: func(_ context.Context, m *pubsub.Message) error {
				mu.Lock()
				if d := time.Until(bus.Details(m).VisibleAt); d == visibility {
					leases[d]++
				}
				mu.Unlock()
				time.Sleep(time.Second)
				return nil
			}}))
		}
		synctest.Wait()
		for range 10 {
			send(t, q, "a")
		}
		time.Sleep(time.Minute)
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		if leases[5*time.Second] == 0 || leases[20*time.Second] == 0 || leases[5*time.Second]+leases[20*time.Second] != 10 {
			t.Errorf("the leases of the messages are %v; want 10, each the consumer's own", leases)
		}
		send(t, q, "the queue is open still")
	})
}

// Messages that are anybody's at once are not handled. They come again and again; that
// is said, and takes no processor.
func TestWithoutAVisibilityTimeoutAConsumerRests(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{Visibility: new(time.Duration(0))})
		send(t, q, "m")
		var log bytes.Buffer
		c := &workers.Consumer{Queue: q, Logger: slog.New(slog.NewTextHandler(&log, nil)), Handler: func(context.Context, *pubsub.Message) error {
			t.Error("a message was handled that others may have")
			return nil
		}}
		stop := start(t, c)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Received > 61 || s.Lost != s.Received {
			t.Errorf("stats after a minute: %+v", s)
		}
		if said := log.String(); strings.Count(said, "see Consumer.Visibility") != 1 {
			t.Errorf("logged %q", said)
		}
	})
}
