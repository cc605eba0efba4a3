package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
	"omnibus/workers/claimcheck"
)

func TestGroupsKeepTheirOrderWhileRelaysComeAndGo(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("turns.fifo", bus.QueueSettings{FIFO: new(true)})
		const groups, each = 4, 40
		done := make(chan bool)
		changing := make(chan bool)
		go func() {
			defer close(changing)
			for {
				r := p.relay(q)
				r.Batch, r.Every = 7, p.tick/10
				r.Prepare = func(ctx context.Context, m *pubsub.Message) error {
					time.Sleep(p.tick / 50)
					return ctx.Err()
				}
				stop := p.running(r)
				select {
				case <-time.After(p.tick):
				case <-done:
					stop()
					return
				}
				stop()
			}
		}()
		for i := range each {
			for g := range groups {
				p.put("turns.fifo", in(fmt.Sprint(g), fmt.Sprintf("%d/%d", g, i)))
			}
			time.Sleep(p.tick / 10)
		}
		next := map[string]int{}
		for _, m := range p.receive(q, groups*each) {
			var i int
			group := bus.Details(m).Group
			fmt.Sscanf(string(m.Body), group+"/%d", &i)
			if i != next[group] {
				t.Errorf("group %s has %s where %d was next", group, m.Body, next[group])
			}
			next[group] = i + 1
		}
		close(done)
		<-changing
	})
}

func TestALargeMessageIsPutWholeAndTravelsAsAReference(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("large", bus.QueueSettings{})
		bucket := memblob.OpenBucket(nil)
		defer bucket.Close()
		bodies := &claimcheck.Bodies{Bucket: bucket, Name: "payloads"}
		p.put("large", text(strings.Repeat("x", 2<<20)))
		r := p.relay(q)
		r.Prepare = bodies.Offload
		p.running(r)
		m := p.receive(q, 1)[0]
		got := 0
		err := bodies.Restore()(func(_ context.Context, m *pubsub.Message) error { got = len(m.Body); return nil })(t.Context(), m)
		if err != nil || got != 2<<20 || len(m.Body) > 1000 || workers.DeduplicationKey(m) == bus.Details(m).ID {
			t.Errorf("%d bytes travelled and %d arrived, %v", len(m.Body), got, err)
		}
	})
}
