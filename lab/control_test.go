package lab

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/watch"
)

// underTest runs a lab and has play do things to it meanwhile.
func underTest(t *testing.T, l *Lab, play func(ctx context.Context)) (Summary, map[watch.Kind]int) {
	kinds := map[watch.Kind]int{}
	l.OnEvent = func(e Event) { kinds[e.Kind]++ }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	played := make(chan struct{})
	go func() {
		defer close(played)
		time.Sleep(20*time.Second + time.Millisecond)
		play(ctx)
	}()
	s, err := l.Run(ctx)
	if err != nil {
		t.Error(err)
	}
	<-played
	return s, kinds
}

func (l *Lab) worker(name string) (w watch.Worker) {
	for _, w := range l.Workers() {
		if w.Name == name {
			return w
		}
	}
	return watch.Worker{}
}

func TestAPausedProducerSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Lab{Mux: newMux(), URL: "mem://mynewq"}
		s, _ := underTest(t, l, func(context.Context) {
			if err := l.Pause("fast producer"); err != nil {
				t.Error(err)
			}
			before := l.worker("fast producer")
			time.Sleep(30 * time.Second)
			after := l.worker("fast producer")
			if before.Done != after.Done || after.State != watch.StatePaused || after.Of != 50 {
				t.Errorf("it went on from %+v to %+v", before, after)
			}
			if l.Pause("fast producer") == nil || l.Resume("slow producer") == nil || l.Pause("nobody") == nil {
				t.Error("a paused one was paused, one that was not was resumed, or nobody paused")
			}
			if err := l.Resume("fast producer"); err != nil {
				t.Error(err)
			}
		})
		if s.Sent != 100 || s.Deleted != 100 {
			t.Errorf("summary is %+v, want 100 sent and deleted after all", s)
		}
	})
}

func TestConsumersAreAddedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Lab{Mux: newMux(), URL: "mem://mynewq"}
		start := time.Now()
		s, kinds := underTest(t, l, func(ctx context.Context) {
			for range 3 {
				if _, err := l.AddConsumer(ctx, "fast consumer"); err != nil {
					t.Error(err)
				}
			}
			if err := l.Remove("slow consumer"); err != nil {
				t.Error(err)
			}
			if l.Remove("slow consumer") == nil || l.Remove("slow producer") == nil {
				t.Error("one was removed twice, or a producer was")
			}
			time.Sleep(10 * time.Second)
			if w := l.worker("fast consumer #3"); w.State != watch.StateRunning || w.Done == 0 {
				t.Errorf("the third is %+v", w)
			}
		})
		if s.Deleted != 100 || s.Redelivered != 0 || kinds[watch.Added] != 3 || kinds[watch.Removed] != 1 {
			t.Errorf("summary is %+v, events %v; want all handled and none twice", s, kinds)
		}
		if d := time.Since(start); d > 90*time.Second {
			t.Errorf("with four fast consumers it took %v", d)
		}
	})
}

// What a crashed consumer had comes again when its lease is over, and not before.
func TestACrashLeavesTheMessageToItsLease(t *testing.T) {
	for _, url := range []string{"mem://mynewq", onSQS} {
		synctest.Test(t, func(t *testing.T) {
			l := &Lab{Mux: newMux(), URL: url}
			s, kinds := underTest(t, l, func(ctx context.Context) {
				if err := l.Crash("slow consumer"); err != nil {
					t.Error(err)
				}
				if l.Crash("slow consumer") == nil {
					t.Error("it crashed twice")
				}
				if w := l.worker("slow consumer"); w.State != watch.StateCrashed {
					t.Errorf("it is %+v", w)
				}
			})
			if s.Deleted != 100 || s.Redelivered != 1 || s.Lost != 1 || kinds[watch.Crashed] != 1 || kinds[watch.Redelivered] != 1 {
				t.Errorf("summary is %+v, events %v; want one message that comes again", s, kinds)
			}
		})
	}
}

func TestPurgeTellsHowManyThereWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Lab{Mux: newMux(), URL: "mem://mynewq"}
		s, kinds := underTest(t, l, func(ctx context.Context) {
			n, err := l.Purge(ctx, "mynewq")
			if err != nil || n < 20 {
				t.Errorf("purged %d, error %v", n, err)
			}
			if _, err := l.Purge(ctx, "other"); err == nil {
				t.Error("a queue was purged that is not there")
			}
		})
		if s.Sent != 100 || s.Deleted > 80 || kinds[watch.Purged] != 1 {
			t.Errorf("summary is %+v, events %v; want the lab to end without what was purged", s, kinds)
		}
	})
}

func TestControlsNeedALabUnderWay(t *testing.T) {
	l := new(Lab)
	_, added := l.AddConsumer(t.Context(), "x")
	_, purged := l.Purge(t.Context(), "x")
	for _, err := range []error{l.Pause("x"), l.Resume("x"), l.Remove("x"), l.Crash("x"), added, purged} {
		if err == nil {
			t.Error("something was done to a lab that does not run")
		}
	}
	if l.Workers() != nil || l.Queues() != nil {
		t.Error("it has workers or queues")
	}
}
