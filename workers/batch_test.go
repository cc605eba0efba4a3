package workers_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func texts(ms []*pubsub.Message) []string {
	var all []string
	for _, m := range ms {
		all = append(all, string(m.Body))
	}
	return all
}

func TestABatchIsFullOrHasWaitedLongEnough(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "b", "c", "d", "e", "f", "g")
		var sizes []int
		c := &workers.Consumer{Queue: q, BatchSize: 3, BatchWait: 5 * time.Second, Max: 8, BatchHandler: func(_ context.Context, ms []*pubsub.Message) []error {
			sizes = append(sizes, len(ms))
			return nil
		}}
		time.AfterFunc(time.Second, func() { send(t, q, "h") })
		stop := start(t, c)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int{2, 3, 3}) || c.Stats().Deleted != 8 {
			t.Errorf("batches have the sizes %v, stats %+v; want two full ones and the rest", sizes, c.Stats())
		}
	})
}

func TestABatchWaitsForOthersAtMostBatchWait(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a")
		begin := time.Now()
		var waited time.Duration
		stop := start(t, &workers.Consumer{Queue: q, BatchWait: 5 * time.Second, BatchHandler: func(_ context.Context, ms []*pubsub.Message) []error {
			waited = time.Since(begin)
			return nil
		}})
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if waited < 5*time.Second || waited > 6*time.Second {
			t.Errorf("a single message was handled after %v, want 5 s", waited)
		}
	})
}

func TestEachMessageOfABatchHasItsOwnOutcome(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		dead, q := p.queue("dead", bus.QueueSettings{}), p.queue("work", bus.QueueSettings{})
		send(t, q, "handled", "retried", "buried", "dropped")
		var seen [][]string
		c := &workers.Consumer{Queue: q, DeadLetter: dead, Logger: quiet, BatchHandler: func(_ context.Context, ms []*pubsub.Message) []error {
			seen = append(seen, texts(ms))
			errs := make([]error, len(ms))
			for i, m := range ms {
				errs[i] = map[string]error{
					"retried": errNoRoom,
					"buried":  workers.Permanent(errNoRoom),
					"dropped": workers.Drop(errNoRoom),
				}[string(m.Body)]
			}
			if len(ms) == 1 { // the second time
				return nil
			}
			return errs
		}}
		stop := start(t, c)
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(seen) != 2 || len(seen[0]) != 4 || !slices.Equal(seen[1], []string{"retried"}) {
			t.Errorf("batches were %v, want all four messages, and then the one that failed", seen)
		}
		if s := c.Stats(); s.Deleted != 3 || s.Dropped != 1 || s.Failed != 2 || s.Dead != 1 {
			t.Errorf("stats are %+v", s)
		}
		expect(t, q, bus.Counts{})
		expect(t, dead, bus.Counts{Visible: 1})
	})
}

func TestABatchThatEndsBadlyFailsWhole(t *testing.T) {
	for name, handler := range map[string]workers.BatchHandler{
		"panic":          func(context.Context, []*pubsub.Message) []error { panic("no") },
		"goexit":         func(context.Context, []*pubsub.Message) []error { runtime.Goexit(); return nil },
		"too few errors": func(context.Context, []*pubsub.Message) []error { return []error{nil} },
		"too many":       func(context.Context, []*pubsub.Message) []error { return make([]error, 9) },
	} {
		t.Run(name, func(t *testing.T) {
			onBackends(t, func(t *testing.T, open func() *bus.Queue) {
				q := open()
				send(t, q, "a", "b", "c")
				calls := 0
				c := &workers.Consumer{Queue: q, Logger: quiet, BatchHandler: func(ctx context.Context, ms []*pubsub.Message) []error {
					if calls++; calls == 1 {
						return handler(ctx, ms)
					}
					return nil
				}}
				stop := start(t, c)
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				if s := c.Stats(); s.Failed != 3 || s.Deleted != 3 {
					t.Errorf("stats are %+v; want all three failed once, and then handled", s)
				}
			})
		})
	}
}

func TestABatchHasOneMessageOfAGroup(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work.fifo", bus.QueueSettings{})
		const n = 200
		sendGroups(t, q, n, "a", "b", "c")
		var seen byGroup
		c := &workers.Consumer{Queue: q, Concurrency: 2, Logger: quiet, BatchHandler: func(_ context.Context, ms []*pubsub.Message) []error {
			errs := make([]error, len(ms))
			groups := map[string]bool{}
			for i, m := range ms {
				g := seen.begin(m)
				if groups[g] {
					t.Errorf("a batch has more than one message of a group: %v", texts(ms))
				}
				groups[g] = true
				if bus.Details(m).ReceiveCount == 1 && string(m.Body) == "b 150" {
					errs[i] = errors.New("not now")
				}
				seen.end(m, errs[i])
			}
			return errs
		}}
		stop := start(t, c)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		seen.inOrder(t, n, "a", "b", "c")
	})
}

func TestALostLeaseIsLostForItsOwnMessageOfABatch(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		send(t, q, "a", "b", "c")
		var causes []error
		c := &workers.Consumer{Queue: q, Max: 3, Logger: quiet, BatchHandler: func(ctx context.Context, ms []*pubsub.Message) []error {
			if err := q.ChangeVisibility(ctx, ms[1], 0); err != nil {
				t.Error(err)
			}
			causes = append(causes, idle(ctx, time.Minute))
			return nil
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); s.Deleted != 2 || s.Lost != 1 || len(causes) != 1 || causes[0] != nil {
			t.Errorf("stats are %+v, causes %v; want two deleted by a handler that was not cancelled", s, causes)
		}
		expect(t, q, bus.Counts{Visible: 1})
	})
}
