package docdedup_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/docstore"
	"gocloud.dev/docstore/memdocstore"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	_ "omnibus/internal/cleanenv"
	"omnibus/workers"
	"omnibus/workers/docdedup"
)

func collection(t *testing.T) *docstore.Collection {
	t.Helper()
	c, err := memdocstore.OpenCollection("Key", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// claim claims a key and fails the test on an error.
func claim(t *testing.T, s *docdedup.Store, key, owner string, hold time.Duration) workers.Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), key, owner, hold)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAClaimEndsWithItsTimeItsReleaseOrTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := docdedup.New(collection(t))
		expect := func(key, owner string, want workers.Claim) {
			t.Helper()
			if got := claim(t, s, key, owner, 20*time.Second); got != want {
				t.Errorf("%s claims %s and gets %v, want %v", owner, key, got, want)
			}
		}
		expect("a", "one", workers.Claimed)
		expect("a", "two", workers.Held)
		time.Sleep(15 * time.Second)
		expect("a", "one", workers.Claimed) // for longer
		time.Sleep(15 * time.Second)
		expect("a", "two", workers.Held)
		time.Sleep(5 * time.Second)
		expect("a", "two", workers.Claimed)
		if err := s.Release(t.Context(), "a", "one"); err != nil { // which has it no more
			t.Fatal(err)
		}
		expect("a", "one", workers.Held)
		if err := s.Release(t.Context(), "a", "two"); err != nil {
			t.Fatal(err)
		}
		expect("a", "one", workers.Claimed)
		if err := s.Handled(t.Context(), "a", time.Hour); err != nil {
			t.Fatal(err)
		}
		expect("a", "one", workers.Duplicate)
		time.Sleep(time.Hour)
		expect("a", "two", workers.Claimed)
		if err := s.Release(t.Context(), "never claimed", "one"); err != nil {
			t.Errorf("to release what nobody has is %v", err)
		}
	})
}

func TestOfManyThatClaimAKeyAtOnceOneGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := docdedup.New(collection(t))
		for round := range 50 {
			key := fmt.Sprint("key", round%5) // taken over in later rounds
			var got atomic.Int64
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					if claim(t, s, key, fmt.Sprint(round, "/", i), time.Second) == workers.Claimed {
						got.Add(1)
					}
				})
			}
			all.Wait()
			if got.Load() != 1 {
				t.Fatalf("round %d: %d have the key", round, got.Load())
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// onBackends runs a test on mem:// and on SQS's protocol, in virtual time.
func onBackends(t *testing.T, test func(t *testing.T, q *bus.Queue)) {
	for name, base := range map[string]string{"membus": "mem://", "sqsbus": "http://127.0.0.1:9324/000000000000/"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mux := new(bus.Mux)
				mux.Register(membus.Scheme, membus.New(nil))
				sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()}).Register(mux)
				url, err := mux.Create(t.Context(), base+"donors", bus.QueueSettings{})
				if err != nil {
					t.Fatal(err)
				}
				q, err := mux.Open(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				defer q.Shutdown(context.Background())
				test(t, q)
			})
		})
	}
}

func TestConsumersOfManyProcessesHandleAKeyOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, q *bus.Queue) {
		c := collection(t)
		var mu sync.Mutex
		handled := map[string]int{}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 3 {
			consumer := &workers.Consumer{Queue: q, Concurrency: 4, OnDone: func(workers.Done) {},
				Middleware: []workers.Middleware{workers.Deduplicate(docdedup.New(c), nil)},
				Handler: func(_ context.Context, m *pubsub.Message) error {
					time.Sleep(3 * time.Second)
					mu.Lock()
					defer mu.Unlock()
					if string(m.Body) == "7" && handled["failed"] == 0 {
						handled["failed"]++
						return errors.New("not yet")
					}
					handled[string(m.Body)]++
					return nil
				}}
			running.Go(func() {
				if err := consumer.Run(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 30 { // each of ten three times
			m := &pubsub.Message{Body: fmt.Append(nil, i%10), Metadata: map[string]string{workers.DeduplicationID: fmt.Sprint("donor", i%10)}}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		stop()
		running.Wait()
		if len(handled) != 11 {
			t.Errorf("handled were %v; want ten, and one that failed", handled)
		}
		for body, n := range handled {
			if n != 1 {
				t.Errorf("%s was handled %d times", body, n)
			}
		}
	})
}

func TestACollectionIsOpenedByItsURL(t *testing.T) {
	s, err := docdedup.Open(t.Context(), "mem://dedup/Key")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c := claim(t, s, "a", "one", time.Minute); c != workers.Claimed {
		t.Errorf("the claim is %v", c)
	}
	if _, err := docdedup.Open(t.Context(), "nowhere://dedup"); err == nil {
		t.Error("a scheme that nobody knows was opened")
	}
}

func TestWhatWasHandledOutlivesTheProcessWhereTheCollectionDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dedup")
		open := func() *docstore.Collection {
			c, err := memdocstore.OpenCollection("Key", &memdocstore.Options{Filename: file})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := open()
		s := docdedup.New(c)
		claim(t, s, "in hand", "one", time.Minute)
		if err := errors.Join(s.Handled(t.Context(), "handled", time.Hour), c.Close()); err != nil {
			t.Fatal(err)
		}
		c = open()
		defer c.Close()
		s = docdedup.New(c)
		if a, b := claim(t, s, "handled", "two", time.Minute), claim(t, s, "in hand", "two", time.Minute); a != workers.Duplicate || b != workers.Held {
			t.Errorf("the claims are %v and %v", a, b)
		}
		time.Sleep(time.Minute)
		if c := claim(t, s, "in hand", "two", time.Minute); c != workers.Claimed {
			t.Errorf("what a process left in hand cannot be claimed: %v", c)
		}
	})
}
