package workers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// sendGroups sends n messages to each group, group by turns: "a 0", "b 0", "a 1".
func sendGroups(t *testing.T, q *bus.Queue, n int, groups ...string) {
	t.Helper()
	for i := range n {
		for _, g := range groups {
			m := &pubsub.Message{Body: fmt.Appendf(nil, "%s %d", g, i)}
			bus.Group(m, g)
			bus.Deduplicate(m, string(m.Body[:1])+fmt.Sprint(i))
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// byGroup notes messages that were handled, in their order, by group.
type byGroup struct {
	mu      sync.Mutex // guards all below
	handled map[string][]string
	running map[string]int
	most    int // groups that ran at the same time
	broken  bool
}

func (b *byGroup) begin(m *pubsub.Message) (group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.handled == nil {
		b.handled, b.running = map[string][]string{}, map[string]int{}
	}
	group = bus.Details(m).Group
	b.running[group]++
	b.broken = b.broken || b.running[group] > 1
	n := 0
	for _, k := range b.running {
		n += min(k, 1)
	}
	b.most = max(b.most, n)
	return group
}

func (b *byGroup) end(m *pubsub.Message, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	group := bus.Details(m).Group
	b.running[group]--
	if err == nil {
		b.handled[group] = append(b.handled[group], string(m.Body))
	}
}

// inOrder checks that the n messages of a group were handled once each and in order.
func (b *byGroup) inOrder(t *testing.T, n int, groups ...string) {
	t.Helper()
	for _, g := range groups {
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%s %d", g, i))
		}
		if !slices.Equal(b.handled[g], want) {
			t.Errorf("group %s was handled as %v, want it in order", g, b.handled[g])
		}
	}
	if b.broken {
		t.Error("two messages of one group were handled at the same time")
	}
}

func TestAGroupIsHandledInOrderAndGroupsSideBySide(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		const n = 60
		groups := []string{"a", "b", "c", "d", "e"}
		q := p.queue("work.fifo", bus.QueueSettings{})
		sendGroups(t, q, n, groups...)
		var seen byGroup
		handler := func(ctx context.Context, m *pubsub.Message) (err error) {
			seen.begin(m)
			defer func() { seen.end(m, err) }()
			if err := idle(ctx, rand.N(20*time.Millisecond)); err != nil {
				return err
			}
			if rand.N(20) == 0 {
				return errors.New("not now")
			}
			return nil
		}
		var stops []func() error
		for range 2 {
			stops = append(stops, start(t, &workers.Consumer{Queue: p.open("work.fifo"), Concurrency: 4, Logger: quiet, Handler: handler}))
		}
		time.Sleep(time.Hour)
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		seen.inOrder(t, n, groups...)
		if seen.most < len(groups) {
			t.Errorf("%d groups were handled at the same time, want all %d", seen.most, len(groups))
		}
		expect(t, q, bus.Counts{})
	})
}

// A receiver that was fast is given a group's messages ahead, on membus.
func TestAFailedMessageHoldsBackItsOwnGroupOnly(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		const n = 400
		q := p.queue("work.fifo", bus.QueueSettings{})
		sendGroups(t, q, n, "a", "b")
		var seen byGroup
		begin := time.Now()
		failures := 0
		var bDone time.Time
		c := &workers.Consumer{Queue: q, Concurrency: 4, Logger: quiet,
			Retry: func(error, int) time.Duration { return 10 * time.Minute },
			Handler: func(_ context.Context, m *pubsub.Message) (err error) {
				seen.begin(m)
				defer func() { seen.end(m, err) }()
				switch body := string(m.Body); {
				case body == "a 300" && failures < 2:
					failures++
					return errNoRoom
				case body == fmt.Sprint("b ", n-1):
					bDone = time.Now()
				}
				return nil
			}}
		stop := start(t, c)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		seen.inOrder(t, n, "a", "b")
		if took := bDone.Sub(begin); took > time.Minute {
			t.Errorf("group b took %v, want it not to wait for group a", took)
		}
		if s := c.Stats(); s.Failed != 2 || s.Deleted != 2*n || s.Received != s.Deleted+s.Failed+s.GivenBack {
			t.Errorf("stats are %+v", s)
		} else {
			t.Logf("%d given back behind the message that failed", s.GivenBack)
		}
	})
}

func TestAGroupOfAStandardQueueIsPassedThrough(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		for range 4 {
			m := &pubsub.Message{Body: []byte("a")}
			bus.Group(m, "tenant")
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		c := &workers.Consumer{Queue: q, Concurrency: 4, Max: 4, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if g := bus.Details(m).Group; g != "tenant" {
				t.Errorf("the group is %q", g)
			}
			return idle(ctx, time.Minute)
		}}
		if err := c.Run(t.Context()); err != nil || time.Since(begin) > 90*time.Second {
			t.Errorf("four handlers of a minute took %v (%v), want them side by side", time.Since(begin), err)
		}
	})
}
