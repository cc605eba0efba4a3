package workers_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// More take longer: go test -v -run ComeAndGo ./workers -churn 100000.
var churn = flag.Int("churn", 20_000, "how many `messages` pass consumers that come and go, on membus")

// Consumers start and stop at random while messages pass. A message is handled twice
// only if its handler was cut short by a deadline.
func TestConsumersThatComeAndGoLoseNoMessage(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		n := *churn
		if p.wire != nil {
			n /= 10 // which takes about as long
		}
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", n)
		var mu sync.Mutex // guards all below
		times := make([]int, n)
		cut, deleted := 0, 0
		handled := make(chan struct{})
		left := n
		handler := func(ctx context.Context, m *pubsub.Message) error {
			d := 5 * time.Millisecond
			if rand.N(1000) == 0 {
				d = rand.N(20 * time.Second)
			}
			i, err := strconv.Atoi(string(m.Body))
			if err != nil {
				return err
			}
			mu.Lock()
			if times[i]++; times[i] == 1 {
				if left--; left == 0 {
					close(handled)
				}
			}
			mu.Unlock()
			return idle(ctx, d) // the message is handled, and if this is cut short it comes again
		}
		live := func(atMost time.Duration) {
			ctx, stop := context.WithTimeout(t.Context(), atMost)
			defer stop()
			c := &workers.Consumer{Queue: p.open("work"), Concurrency: 1 + rand.N(20), DrainTimeout: 1 + rand.N(10*time.Second), Logger: quiet, Handler: handler}
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
			s := c.Stats()
			mu.Lock()
			defer mu.Unlock()
			cut += s.Cut
			deleted += s.Deleted
			if s.InHand != 0 || s.Unconfirmed != 0 || s.Received != s.Deleted+s.Failed+s.Lost+s.GivenBack {
				t.Errorf("stats are %+v; they do not add up", s)
			}
		}
		var lives sync.WaitGroup
		for range 4 {
			lives.Go(func() {
				for {
					live(rand.N(10 * time.Second))
					select {
					case <-handled:
						return
					default:
					}
				}
			})
		}
		lives.Wait()
		live(time.Minute) // for those that were cut short at last
		twice := 0
		for i, k := range times {
			if k == 0 {
				t.Errorf("message %d was not handled", i)
			}
			twice += max(0, k-1)
		}
		if twice > cut || deleted != n {
			t.Errorf("%d messages were handled twice, %d handlers cut, %d messages deleted; want no more twice than cut, and %d deleted", twice, cut, deleted, n)
		}
		expect(t, q, bus.Counts{})
		t.Logf("%d messages, %d handlers cut, %d handled twice", n, cut, twice)
	})
}

func TestAStopGivesBackAtOnceWhatWasNotBegun(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 1000)
		c := &workers.Consumer{Queue: q, Concurrency: 8, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, 10*time.Millisecond) // fast, so that messages are fetched ahead
		}}
		stop := start(t, c)
		time.Sleep(500 * time.Millisecond)
		if err := stop(); err != nil {
			t.Error(err)
		}
		s := c.Stats()
		if s.Deleted == 0 || s.Deleted == 1000 || s.Deleted != s.Received || s.InHand != 0 {
			t.Errorf("stats are %+v; want some deleted, and nothing in hand", s)
		}
		synctest.Wait() // what the portable type gives back it does not wait for
		expect(t, q, bus.Counts{Visible: 1000 - s.Deleted})
	})
}

func TestAHandlerThatIsCutShortGivesItsMessageBackAtOnce(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		dead, q := p.queue("dead", bus.QueueSettings{}), p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		c := &workers.Consumer{Queue: q, DrainTimeout: 5 * time.Second, DeadLetter: dead, MaxReceives: 1, Logger: quiet,
			Handler: func(ctx context.Context, m *pubsub.Message) error { return idle(ctx, time.Hour) }}
		stop := start(t, c)
		time.Sleep(time.Minute)
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took, s := time.Since(began), c.Stats(); took != 5*time.Second || s.Cut != 1 || s.Failed != 1 || s.Dead != 0 {
			t.Errorf("the stop took %v, stats %+v; want 5 s, and one failed that was cut and not buried", took, s)
		}
		expect(t, q, bus.Counts{Visible: 1})
	})
}

func TestADrainTimeoutIs25SecondsUnlessItIsGiven(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		stop := start(t, &workers.Consumer{Queue: q, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			return idle(ctx, time.Hour)
		}})
		time.Sleep(time.Minute)
		began := time.Now()
		if err := stop(); err != nil || time.Since(began) != 25*time.Second {
			t.Errorf("the stop took %v (%v), want 25 s", time.Since(began), err)
		}
	})
}

// A handler that does not look at its context has done its work all the same.
func TestAStopWaitsForTheAcknowledgementsOfHandlersThatTakeTooLong(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 5)
		c := &workers.Consumer{Queue: q, Concurrency: 5, DrainTimeout: 2 * time.Second, Logger: quiet, Handler: func(context.Context, *pubsub.Message) error {
			time.Sleep(2 * time.Minute)
			return nil
		}}
		stop := start(t, c)
		time.Sleep(time.Minute)
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s, took := c.Stats(), time.Since(began); s.Deleted != 5 || s.Unconfirmed != 0 || s.InHand != 0 || took > 2*time.Minute {
			t.Errorf("the stop took %v, stats %+v; want five deleted", took, s)
		}
	})
}

func TestAStopEndsInTimeThoughTheEndpointIsGone(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 100)
		c := &workers.Consumer{Queue: q, Concurrency: 8, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if string(m.Body) == "50" {
				p.wire.lose(all)
			}
			if rand.N(2) == 0 {
				return errors.New("no")
			}
			return idle(ctx, rand.N(40*time.Second))
		}}
		stop := start(t, c)
		time.Sleep(2 * time.Minute)
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the stop took %v, want no more than 30 s", took)
		}
		p.wire.lose(nil)
	})
}
