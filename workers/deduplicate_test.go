package workers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// byBody is for messages that are the same when their bodies are.
func byBody(m *pubsub.Message) string { return string(m.Body) }

func TestDeduplicateHandlesMessagesOfOneKeyOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "b", "a", "a")
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Handler: handler, Concurrency: 4,
			Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), &workers.DeduplicateOptions{Key: byBody})}}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		send(t, q, "a") // much later
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := handled(); len(got) != 2 {
			t.Errorf("handled were %q, want a and b once each", got)
		}
		if s := c.Stats(); s.Deleted != 5 || s.Failed != 0 {
			t.Errorf("stats are %+v; want all 5 messages acknowledged", s)
		}
	})
}

func TestAMessageSentTwiceIsHandledOnceByTheIDItCarries(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		for range 3 {
			m := &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{workers.DeduplicationID: "one"}}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Handler: handler, Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), nil)}}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := handled(); len(got) != 1 || c.Stats().Deleted != 3 {
			t.Errorf("handled were %q, acknowledged %d; want one of three", got, c.Stats().Deleted)
		}
	})
}

func TestDeduplicateTriesAFailedMessageAgain(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "a")
		var calls []time.Time
		c := &workers.Consumer{Queue: q, Concurrency: 2,
			Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), &workers.DeduplicateOptions{Key: byBody})},
			Handler: func(context.Context, *pubsub.Message) error {
				calls = append(calls, time.Now())
				time.Sleep(5 * time.Second) // the other message is received meanwhile
				switch len(calls) {
				case 1:
					return errors.New("not yet")
				case 2:
					panic("nor now")
				}
				return nil
			},
			OnDone: func(workers.Done) {},
		}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(calls) != 3 {
			t.Errorf("the handler was called %d times; want 3, of which the last succeeds", len(calls))
		}
		for i := 1; i < len(calls); i++ {
			if between := calls[i].Sub(calls[i-1]); between < 5*time.Second {
				t.Errorf("call %d began %v after the one before, which was still running", i, between)
			}
		}
		if s := c.Stats(); s.Deleted != 2 {
			t.Errorf("stats are %+v; want both messages acknowledged in the end", s)
		}
	})
}

func TestDeduplicateCountsADroppedMessageAsHandled(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, "a", "a", "a")
		calls := 0
		c := &workers.Consumer{Queue: q, Logger: quiet,
			Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), &workers.DeduplicateOptions{Key: byBody})},
			Handler: func(context.Context, *pubsub.Message) error {
				calls++
				return fmt.Errorf("wrapped: %w", workers.Drop(errors.New("not worth it")))
			},
		}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); calls != 1 || s.Deleted != 3 || s.Dropped != 1 {
			t.Errorf("the handler was called %d times, stats %+v; want once, and all three messages acknowledged", calls, s)
		}
	})
}

func TestDeduplicateByDefaultGoesByTheMessagesID(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("?visibility=5s")
		send(t, q, "a", "a") // two messages
		handler, handled := record()
		slowly := func(ctx context.Context, m *pubsub.Message) error {
			err := handler(ctx, m)
			time.Sleep(6 * time.Second) // so that the first delivery is not acknowledged in time
			return err
		}
		c := &workers.Consumer{Queue: q, Handler: slowly, Middleware: []workers.Middleware{workers.Deduplicate(new(workers.MemoryStore), nil)}}
		stop := start(t, c)
		time.Sleep(10 * time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := handled(); len(got) != 2 {
			t.Errorf("the handler was called %d times; want once for each of two messages", len(got))
		}
	})
}

// A process that was killed neither renews its claim nor releases it.
func TestAClaimEndsWithItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(workers.MemoryStore)
		if c, err := store.Claim(t.Context(), "a", "killed", 20*time.Second); c != workers.Claimed || err != nil {
			t.Fatal(c, err)
		}
		begin := time.Now()
		handler := workers.Deduplicate(store, &workers.DeduplicateOptions{Key: byBody})(func(context.Context, *pubsub.Message) error {
			if waited := time.Since(begin); waited < 20*time.Second || waited > 30*time.Second {
				t.Errorf("the handler was called after %v; want shortly after the 20 s of the claim", waited)
			}
			time.Sleep(5 * time.Minute) // much longer than the claim
			if c, _ := store.Claim(t.Context(), "a", "other", time.Second); c != workers.Held {
				t.Errorf("the claim of a handler that runs is %v for others; want Held", c)
			}
			return nil
		})
		if err := handler(t.Context(), &pubsub.Message{Body: []byte("a")}); err != nil {
			t.Error(err)
		}
		if c, _ := store.Claim(t.Context(), "a", "other", time.Second); c != workers.Duplicate {
			t.Errorf("after the handler has succeeded a claim is %v, want Duplicate", c)
		}
	})
}

// faultyStore is a store that fails on request.
type faultyStore struct {
	workers.MemoryStore
	claim, record error
}

func (s *faultyStore) Claim(ctx context.Context, key, owner string, hold time.Duration) (workers.Claim, error) {
	if s.claim != nil {
		return 0, s.claim
	}
	return s.MemoryStore.Claim(ctx, key, owner, hold)
}

func (s *faultyStore) Handled(ctx context.Context, key string, keep time.Duration) error {
	if s.record != nil {
		return s.record
	}
	return s.MemoryStore.Handled(ctx, key, keep)
}

func TestDeduplicateHandlesNothingWithoutItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		captureLog(t)
		store := &faultyStore{claim: errors.New("store is away")}
		calls := 0
		handler := workers.Deduplicate(store, &workers.DeduplicateOptions{Key: byBody})(func(context.Context, *pubsub.Message) error {
			calls++
			return nil
		})
		m := &pubsub.Message{Body: []byte("a")}
		if err := handler(t.Context(), m); !errors.Is(err, store.claim) || calls != 0 {
			t.Errorf("the handler was called %d times and the error is %v; want none, and the store's", calls, err)
		}
		// Handled is handled, whether or not the store can note it.
		store.claim, store.record = nil, errors.New("store is away")
		if err := handler(t.Context(), m); err != nil || calls != 1 {
			t.Errorf("the handler was called %d times and the error is %v; want once, and the message acknowledged", calls, err)
		}
	})
}

func TestAHandlerWhoseClaimIsLostIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(workers.MemoryStore)
		handler := workers.Deduplicate(store, &workers.DeduplicateOptions{Key: byBody})(func(ctx context.Context, _ *pubsub.Message) error {
			store.Handled(ctx, "a", time.Hour) // by another process, while this one was stopped for long
			<-ctx.Done()
			return context.Cause(ctx)
		})
		err := handler(t.Context(), &pubsub.Message{Body: []byte("a")})
		if err == nil || !strings.Contains(err.Error(), "another handler") {
			t.Errorf("the handler's context ended with %v; want that another handler took over", err)
		}
		if c, _ := store.Claim(t.Context(), "a", "x", time.Second); c != workers.Duplicate {
			t.Errorf("the record of the handler that succeeded is gone: %v", c)
		}
	})
}

func TestMemoryStoreForgetsWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(workers.MemoryStore)
		most := 0
		for i := range 100_000 {
			key := fmt.Sprint(i)
			store.Claim(t.Context(), key, "x", time.Second)
			store.Handled(t.Context(), key, 10*time.Second)
			time.Sleep(10 * time.Millisecond) // so that 1,000 keys are to be remembered
			most = max(most, store.Keys())
		}
		if most < 1000 || most > 2100 {
			t.Errorf("the store held up to %d keys; want 1,000 to about twice as many", most)
		}
	})
}
