package workers_test

import (
	"context"
	"fmt"
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

func TestALimiterLimitsWhatIsReceived(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		p.create("work", bus.QueueSettings{})
		p.fill("work", 200)
		limiter := rate.NewLimiter(10, 5) // of both consumers
		var handled atomic.Int64
		var stops []func() error
		for range 2 {
			stops = append(stops, start(t, &workers.Consumer{Queue: p.open("work"), Concurrency: 4, Limiter: limiter, Handler: func(context.Context, *pubsub.Message) error {
				handled.Add(1)
				return nil
			}}))
		}
		time.Sleep(10 * time.Second)
		if n := handled.Load(); n < 95 || n > 106 {
			t.Errorf("%d messages were handled in 10 s, want 10 a second and a burst of 5", n)
		}
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second) // what the portable type gives back it does not wait for
		expect(t, p.open("work"), bus.Counts{Visible: 200 - int(handled.Load())})
	})
}

// A watched context counts how often it is asked for its deadline, and ends when that is
// too often.
type watched struct {
	context.Context
	asked atomic.Int64
	end   context.CancelFunc
}

func (w *watched) Deadline() (time.Time, bool) {
	if w.asked.Add(1) == 1000 {
		w.end()
	}
	return w.Context.Deadline()
}

func TestALimiterWithoutATokenBeforeTheDeadlineIsWaitedForAtRest(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for name, size := range map[string]int{"single": 1, "batches": 10} {
			q := p.queue(name, bus.QueueSettings{})
			p.fill(name, 3)
			ctx, end := context.WithTimeout(t.Context(), 25*time.Second)
			w := &watched{Context: ctx, end: end}
			begin := time.Now()
			var at []time.Duration
			c := &workers.Consumer{Queue: q, Limiter: rate.NewLimiter(rate.Every(10*time.Second), 1), BatchSize: size, BatchHandler: func(context.Context, []*pubsub.Message) []error {
				at = append(at, time.Since(begin))
				return nil
			}}
			if err := c.Run(w); err != nil {
				t.Error(err)
			}
			if want := []time.Duration{0, 10 * time.Second, 20 * time.Second}; !slices.Equal(at, want) {
				t.Errorf("%s: messages were handled after %v, want %v", name, at, want)
			}
			if n, took := w.asked.Load(), time.Since(begin); n >= 1000 || took != 25*time.Second {
				t.Errorf("%s: Run looked at its deadline %d times in %v, want a few times until that", name, n, took)
			}
			end()
		}
	})
}

func TestAPausedConsumerFinishesWhatIsInHandAndReceivesNothing(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 300)
		var handled atomic.Int64
		c := &workers.Consumer{Queue: q, Concurrency: 4, Handler: func(ctx context.Context, m *pubsub.Message) error {
			defer handled.Add(1)
			return idle(ctx, 100*time.Millisecond)
		}}
		c.Pause() // before it runs
		stop := start(t, c)
		time.Sleep(time.Minute)
		if handled.Load() != 0 || c.Stats().Received != 0 {
			t.Fatalf("a consumer that was paused before Run has %+v", c.Stats())
		}
		c.Resume()
		c.Resume() // changes nothing
		for range 3 {
			time.Sleep(1050 * time.Millisecond)
			c.Pause()
			time.Sleep(time.Second)
			at := handled.Load()
			synctest.Wait()
			expect(t, q, bus.Counts{Visible: 300 - int(at)})
			time.Sleep(time.Minute)
			if s := c.Stats(); handled.Load() != at || s.InHand != 0 {
				t.Errorf("stats are %+v after a minute of pause", s)
			}
			c.Resume()
		}
		time.Sleep(time.Minute)
		if s := c.Stats(); handled.Load() != 300 || s.Deleted != 300 {
			t.Errorf("%d messages were handled, stats %+v, want all 300", handled.Load(), s)
		}
		c.Pause()
		time.Sleep(time.Second)
		if err := stop(); err != nil { // also while paused
			t.Error(err)
		}
	})
}

func TestAPauseGivesBackWhatSeveralQueuesOffered(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		one, two := p.queue("one", bus.QueueSettings{}), p.queue("two", bus.QueueSettings{})
		p.fill("one", 5)
		p.fill("two", 5)
		c := &workers.Consumer{Queues: []workers.Share{{Queue: one}, {Queue: two}}, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, time.Second)
		}}
		stop := start(t, c)
		time.Sleep(3500 * time.Millisecond)
		c.Pause()
		time.Sleep(time.Minute)
		visible := 0
		for _, q := range []*bus.Queue{one, two} {
			a, err := q.Attributes(t.Context())
			if err != nil || a.InFlight != 0 {
				t.Errorf("after a minute of pause %s has %+v, %v; want none in flight", q.Name(), a.Counts, err)
			}
			visible += a.Visible
		}
		if s := c.Stats(); visible != 6 || s.Deleted != 4 || s.GivenBack == 0 || s.InHand != 0 || s.Renewed != 0 {
			t.Errorf("%d messages can be received, stats %+v; want six, and none in hand", visible, s)
		}
		c.Resume()
		time.Sleep(time.Minute)
		if s := c.Stats(); s.Deleted != 10 {
			t.Errorf("stats are %+v, want all ten handled after the pause", s)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A database answers the later, the more handlers ask it.
func TestConcurrencyFollowsTheHandlersTime(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 5000)
		var running, slow atomic.Int64
		var mu sync.Mutex // guards most
		most := int64(0)
		slow.Store(1)
		c := &workers.Consumer{Queue: q, Concurrency: 50, TargetTime: time.Second, Handler: func(ctx context.Context, m *pubsub.Message) error {
			n := running.Add(1)
			defer running.Add(-1)
			mu.Lock()
			most = max(most, n)
			mu.Unlock()
			return idle(ctx, time.Duration(n*slow.Load())*100*time.Millisecond)
		}}
		peak := func(d time.Duration) int64 {
			mu.Lock()
			most = 0
			mu.Unlock()
			time.Sleep(d)
			mu.Lock()
			defer mu.Unlock()
			return most
		}
		stop := start(t, c)
		if n := peak(time.Second); n != 50 {
			t.Errorf("at first %d handlers run at a time, want 50", n)
		}
		time.Sleep(3 * time.Minute)
		if n := peak(time.Minute); n < 8 || n > 20 {
			t.Errorf("%d handlers run at a time, want about the ten that take a second each", n)
		}
		slow.Store(0)
		time.Sleep(time.Second)
		if s := c.Stats(); s.Deleted != 5000 {
			t.Errorf("stats are %+v; want all handled at once, when the handlers are quick", s)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestQueuesShareTheHandlersByTheirWeights(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		var shares []workers.Share
		for name, weight := range map[string]int{"heavy": 3, "light": 0} {
			shares = append(shares, workers.Share{Queue: p.queue(name, bus.QueueSettings{}), Weight: weight})
			p.fill(name, 400)
		}
		c := &workers.Consumer{Queues: shares, Concurrency: 4, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, time.Second)
		}}
		stop := start(t, c)
		time.Sleep(100*time.Second + time.Millisecond)
		for _, s := range shares {
			a, err := s.Queue.Attributes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := 400-a.Visible, 100*max(1, s.Weight); got < want-10 || got > want+10 {
				t.Errorf("%d messages of queue %s were received in 100 s, want about %d", got, s.Queue.Name(), want)
			}
		}
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		for _, s := range shares {
			expect(t, s.Queue, bus.Counts{})
		}
	})
}

func TestAStrictConsumerServesAQueueWhenThoseBeforeItAreEmpty(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		urgent, later := p.queue("urgent", bus.QueueSettings{}), p.queue("later", bus.QueueSettings{})
		for i := range 20 {
			send(t, urgent, fmt.Sprint("urgent ", i))
			send(t, later, fmt.Sprint("later ", i))
		}
		handler, handled := record()
		c := &workers.Consumer{Queues: []workers.Share{{Queue: urgent}, {Queue: later}}, Strict: true, Concurrency: 2, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if err := handler(ctx, m); err != nil {
				return err
			}
			return idle(ctx, time.Second)
		}}
		stop := start(t, c)
		time.Sleep(15 * time.Second)
		send(t, urgent, "urgent in between")
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := handled()
		if len(got) != 41 {
			t.Fatalf("%d messages were handled, want 41", len(got))
		}
		for i, body := range got[:20] {
			if !strings.HasPrefix(body, "urgent") {
				t.Errorf("message %d was %s, want the urgent ones first", i, body)
			}
		}
		for i, body := range got {
			if body == "urgent in between" && i > 34 {
				t.Errorf("the urgent message in between was handled as number %d", i)
			}
		}
	})
}

func TestAQueueThatIsMissingDoesNotKeepOthersWaiting(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		there := p.queue("there", bus.QueueSettings{})
		send(t, there, "a")
		handler, handled := record()
		c := &workers.Consumer{Queues: []workers.Share{{Queue: p.open("missing")}, {Queue: there}}, WaitForQueue: true, Logger: quiet, Handler: handler}
		stop := start(t, c)
		time.Sleep(time.Minute)
		if len(handled()) != 1 {
			t.Errorf("handled %v, want the message of the queue that is there", handled())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		c = &workers.Consumer{Queues: c.Queues, Handler: handler}
		if err := c.Run(t.Context()); gcerrors.Code(err) != gcerrors.NotFound {
			t.Errorf("Run returned %v, want code NotFound", err)
		}
	})
}

func TestAStopGivesBackWhatSeveralQueuesOffered(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		one, two := p.queue("one", bus.QueueSettings{}), p.queue("two", bus.QueueSettings{})
		send(t, one, "a")
		send(t, two, "b")
		c := &workers.Consumer{Queues: []workers.Share{{Queue: one}, {Queue: two}}, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, 10*time.Minute)
		}}
		stop := start(t, c)
		time.Sleep(5 * time.Minute) // the message that waits keeps its lease
		if s := c.Stats(); s.Received != 2 || s.InHand != 2 {
			t.Errorf("stats are %+v, want two in hand", s)
		}
		if err := stop(); err == nil {
			if s := c.Stats(); s.GivenBack != 1 || s.Cut != 1 || s.InHand != 0 {
				t.Errorf("stats are %+v, want one given back and one cut short", s)
			}
		} else {
			t.Error(err)
		}
	})
}
