package live_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/watch"
	"omnibus/watch/live"
	"omnibus/workers"
)

func open(t *testing.T, mux *bus.Mux, url string) *bus.Queue {
	t.Helper()
	q, err := mux.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func newMux() *bus.Mux {
	mux := new(bus.Mux)
	mux.Register(membus.Scheme, membus.New(nil))
	return mux
}

// One request a queue and second, whoever looks on; a queue that is deleted has
// samples that say so, and counts again when it is there again.
func TestPollerSamplesManyQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := newMux()
		a, b := open(t, mux, "mem://a"), open(t, mux, "mem://b")
		defer a.Shutdown(t.Context())
		defer b.Shutdown(t.Context())
		p := &live.Poller{Samples: watch.NewStream[watch.Sample](200)}
		p.Add(a)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		p.Add(b)
		if err := a.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := b.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Remove(a)
		time.Sleep(61 * time.Second) // SQS's, from deleting a queue to creating it again
		b2 := open(t, mux, "mem://b")
		defer b2.Shutdown(t.Context())
		time.Sleep(3 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		samples, _, err := p.Samples.Follow(200).Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var ofA, good, bad []watch.Sample
		for _, s := range samples {
			switch {
			case s.Name == "a":
				ofA = append(ofA, s)
			case s.Error == "":
				good = append(good, s)
			default:
				bad = append(bad, s)
			}
		}
		if len(ofA) != 3 || ofA[0].Visible != 0 || ofA[2].Visible != 1 || ofA[2].In != 1 || ofA[2].Queue != "mem://a" {
			t.Errorf("samples of a are %+v, want three in the 2.5 s that it was watched, the last with the message", ofA)
		}
		if len(bad) == 0 || len(good) < 3 || good[len(good)-1].Time.Before(bad[len(bad)-1].Time) {
			t.Errorf("samples of b are good %+v, bad %+v; want errors while it was deleted, and counts again", good, bad)
		}
	})
}

func TestWatchTellsWhatBecomesOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := newMux()
		q := open(t, mux, "mem://q?visibility=10s&dlq=dead&maxreceives=3")
		defer q.Shutdown(t.Context())
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var kinds []watch.Kind
		var until []time.Duration
		start := time.Now()
		c := &workers.Consumer{Queue: q, MaxLease: 1, Retry: func(error, int) time.Duration { return 0 }}
		n := 0
		c.Handler = func(ctx context.Context, m *pubsub.Message) error {
			if n++; n == 1 { // longer than the lease
				<-ctx.Done()
				return ctx.Err()
			}
			if string(m.Body) == "bad" {
				return errors.New("no")
			}
			return nil
		}
		live.Watch(c, "eater", 3, func(e live.Told) {
			kinds = append(kinds, e.Kind)
			if !e.LeaseEnds.IsZero() {
				until = append(until, e.LeaseEnds.Sub(e.LeaseBegan))
			}
			if e.Queue != "q" || e.Worker != "eater" || e.Words != string(e.Message.Body) || e.ID == "" {
				t.Errorf("event %+v", e.Event)
			}
		})
		for _, body := range []string{"bad", "good"} {
			if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		want := []watch.Kind{watch.Received, watch.Lost, watch.Received, watch.Handled, watch.Redelivered, watch.Failed, watch.Redelivered, watch.Dead}
		if len(kinds) != len(want) {
			t.Fatalf("events are %v, want %v", kinds, want)
		}
		for i := range want {
			if kinds[i] != want[i] {
				t.Fatalf("events are %v, want %v", kinds, want)
			}
		}
		for _, d := range until {
			if d != 10*time.Second {
				t.Errorf("leases are %v, want 10s each", until)
			}
		}
		t.Logf("%v in %v of virtual time", kinds, time.Since(start))
	})
}
