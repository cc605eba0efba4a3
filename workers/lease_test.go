package workers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
	"omnibus/workers"
)

// idle waits for d, or until ctx ends, and returns the cause then.
func idle(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestAHandlerOf45SecondsOnALeaseOf30HandlesItsMessageOnce(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		calls := 0
		c := &workers.Consumer{Queue: q, Concurrency: 4, Handler: func(ctx context.Context, m *pubsub.Message) error {
			calls++
			return idle(ctx, 45*time.Second)
		}}
		stop := start(t, c)
		time.Sleep(5 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); calls != 1 || s.Received != 1 || s.Deleted != 1 {
			t.Errorf("%d calls, stats %+v; want one message handled once", calls, s)
		}
	})
}

func TestHandlersThatEndWithinHalfTheirLeaseCostNoRenewal(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for _, kind := range []struct {
			concurrency int
			takes       time.Duration
		}{{1, 14 * time.Second}, {16, 10 * time.Millisecond}} {
			name := fmt.Sprint("work-", kind.concurrency)
			q := p.queue(name, bus.QueueSettings{})
			p.fill(name, 100)
			c := &workers.Consumer{Queue: q, Concurrency: kind.concurrency, Max: 100, Handler: func(ctx context.Context, m *pubsub.Message) error {
				return idle(ctx, kind.takes)
			}}
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := c.Stats(); s.Deleted != 100 || s.Renewed != 0 {
				t.Errorf("%+v: stats are %+v; want 100 deleted and none renewed", kind, s)
			}
		}
		if p.wire != nil {
			if n := p.wire.count("ChangeMessageVisibilityBatch") + p.wire.count("ChangeMessageVisibility"); n != 0 {
				t.Errorf("%d requests changed a visibility timeout, want none", n)
			}
		}
	})
}

func TestLeasesAreRenewedManyInOneCall(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 40)
		c := &workers.Consumer{Queue: q, Concurrency: 40, Max: 40, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, 2*time.Minute)
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := c.Stats()
		if s.Deleted != 40 || s.Renewed < 5*40 || s.Renewed > 8*40 {
			t.Errorf("stats are %+v; want 40 deleted, each lease of 30 s renewed 5 to 8 times in two minutes", s)
		}
		if p.wire != nil {
			if n := p.wire.count("ChangeMessageVisibilityBatch"); n > s.Renewed/8 {
				t.Errorf("%d leases were renewed in %d requests, want about ten in each", s.Renewed, n)
			}
		}
	})
}

// The consumer is fast until it has been given messages ahead, and then takes longer for
// each than their leases are.
func TestAConsumerThatBecomesSlowHandlesEachOf10000MessagesOnce(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		const n = 10000
		p.fill("work", n)
		var mu sync.Mutex // guards times
		times := map[string]int{}
		c := &workers.Consumer{Queue: q, Concurrency: 16, Handler: func(ctx context.Context, m *pubsub.Message) error {
			mu.Lock()
			times[string(m.Body)]++
			slow := len(times) > n-200
			mu.Unlock()
			if slow {
				return idle(ctx, 40*time.Second)
			}
			return nil
		}}
		stop := start(t, c)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		for i := range n {
			if times[fmt.Sprint(i)] != 1 {
				t.Errorf("message %d was handled %d times, want once", i, times[fmt.Sprint(i)])
			}
		}
		expect(t, q, bus.Counts{})
		if s := c.Stats(); s.Deleted != n || s.Renewed == 0 {
			t.Errorf("stats are %+v, want %d deleted, and some renewed", s, n)
		}
	})
}

func TestALeaseIsRenewedUpToMaxLease(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for limit, want := range map[time.Duration]time.Duration{
			0:                10 * time.Minute,
			2 * time.Minute:  2 * time.Minute,
			1:                30 * time.Second, // the lease itself
			12 * time.Hour:   12 * time.Hour,
			45 * time.Second: 45 * time.Second,
		} {
			q := p.queue(fmt.Sprint("work-", int(limit.Seconds())), bus.QueueSettings{})
			send(t, q, "a")
			logged := captureLog(t)
			var took time.Duration
			var cause error
			c := &workers.Consumer{Queue: q, MaxLease: limit, Max: 1, Handler: func(ctx context.Context, m *pubsub.Message) error {
				start := time.Now()
				<-ctx.Done()
				took, cause = time.Since(start), context.Cause(ctx)
				return nil // as if it had been handled
			}}
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took > want || took < want-20*time.Second || !errors.Is(cause, bus.ErrLeaseLost) {
				t.Errorf("MaxLease %v: the handler's context ended after %v with %v, want about %v and ErrLeaseLost", limit, took, cause, want)
			}
			if s := c.Stats(); s.Lost != 1 || s.Deleted != 0 {
				t.Errorf("MaxLease %v: stats are %+v; want one lost, and not acknowledged", limit, s)
			}
			if logged.Len() == 0 {
				t.Errorf("MaxLease %v: nothing is logged of the lost lease", limit)
			}
			if d := bus.Details(receiveOne(t, q)); d.ReceiveCount != 2 {
				t.Errorf("MaxLease %v: the message came as delivery %d, want 2", limit, d.ReceiveCount)
			}
		}
	})
}

// Nobody but the test's handler gives the message away.
func TestAHandlerWhoseMessageWasGivenAwayIsCancelled(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		var cause error
		c := &workers.Consumer{Queue: q, Max: 1, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if err := q.ChangeVisibility(ctx, m, 0); err != nil {
				t.Error(err)
			}
			err := idle(ctx, time.Minute)
			cause = err
			return nil
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); !errors.Is(cause, bus.ErrLeaseLost) || s.Lost != 1 || s.Deleted != 0 {
			t.Errorf("the cause is %v and the stats are %+v; want ErrLeaseLost, and one lost", cause, s)
		}
	})
}

func TestAVisibilityTimeoutThatAHandlerSetsIsNotShortened(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		var left time.Duration
		c := &workers.Consumer{Queue: q, Max: 1, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if err := q.ChangeVisibility(ctx, m, time.Hour); err != nil {
				t.Error(err)
			}
			err := idle(ctx, 10*time.Minute)
			left = time.Until(bus.Details(m).VisibleAt)
			return err
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left != 50*time.Minute || c.Stats().Deleted != 1 {
			t.Errorf("after ten minutes of an hour the lease has %v left, stats %+v", left, c.Stats())
		}
	})
}

func TestALeaseOutlastsAShortOutage(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		calls := 0
		c := &workers.Consumer{Queue: q, Max: 1, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			calls++
			time.AfterFunc(14*time.Second, func() { p.wire.lose(all) })
			time.AfterFunc(26*time.Second, func() { p.wire.lose(nil) })
			return idle(ctx, 2*time.Minute)
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); calls != 1 || s.Deleted != 1 {
			t.Errorf("%d calls, stats %+v; want one message handled once", calls, s)
		}
	})
}

func TestAHandlerIsCancelledWhenItsLeaseEndsInAnOutage(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		var took time.Duration
		c := &workers.Consumer{Queue: q, Max: 1, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			p.wire.lose(all)
			defer p.wire.lose(nil)
			start := time.Now()
			err := idle(ctx, 2*time.Minute)
			took = time.Since(start)
			return err
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); took < 29*time.Second || took > 31*time.Second || s.Lost != 1 {
			t.Errorf("the handler's context ended after %v, stats %+v; want it with the lease, after 30 s", took, s)
		}
	})
}

func TestAQueueThatRenewsNoLeaseCostsThoseOfOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mux bus.Mux
		var hung, calls, slowly atomic.Int64
		mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{Fault: func(c *faulty.Call) (f faulty.Fault) {
			if c.Operation == faulty.Operation(driver.ControlRenew) && c.URL == "mem://slow" {
				hung.Add(1)
				f.Before = time.Hour
			}
			return f
		}}))
		for name, visibility := range map[string]time.Duration{"slow": 10 * time.Minute, "fast": 30 * time.Second} {
			if _, err := mux.Create(t.Context(), "mem://"+name, bus.QueueSettings{Visibility: &visibility}); err != nil {
				t.Fatal(err)
			}
		}
		slow, fast := openQueue(t, &mux, "mem://slow"), openQueue(t, &mux, "mem://fast")
		send(t, slow, "slow")
		c := &workers.Consumer{Queues: []workers.Share{{Queue: slow}, {Queue: fast}}, Concurrency: 3, Logger: quiet, MaxLease: time.Hour, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if string(m.Body) == "fast" {
				calls.Add(1)
				return idle(ctx, 45*time.Second)
			}
			begin := time.Now()
			err := idle(ctx, time.Hour)
			slowly.CompareAndSwap(0, int64(time.Since(begin)))
			return err
		}}
		stop := start(t, c)
		time.Sleep(6 * time.Minute) // its lease is being renewed, and has four minutes left
		send(t, fast, "fast")
		time.Sleep(3 * time.Minute)
		if s := c.Stats(); hung.Load() != 1 || calls.Load() != 1 || s.Received != 2 || s.Deleted != 1 {
			t.Errorf("of the queue that renews leases a message was handled %d times, stats %+v; want once, and another in hand", calls.Load(), s)
		}
		time.Sleep(5 * time.Minute)
		if took := time.Duration(slowly.Load()); took != 10*time.Minute {
			t.Errorf("the other handler's context ended after %v, want it with the lease, after 10 minutes", took)
		}
		time.Sleep(2 * time.Minute) // it has been delivered again, and its lease is being renewed
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
