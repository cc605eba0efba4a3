package faulty_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
)

// A tried is a queue of mem:// with a visibility timeout of 30 s, of which the first
// call of an operation has a fault.
type tried struct {
	*bus.Queue
	t     *testing.T
	start time.Time
}

func try(t *testing.T, op faulty.Operation, f faulty.Fault, do func(tried)) {
	synctest.Test(t, func(t *testing.T) {
		mux := new(bus.Mux)
		calls := 0
		mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{Fault: func(c *faulty.Call) (none faulty.Fault) {
			if c.Operation != op {
				return none
			}
			if calls++; calls > 1 {
				return none
			}
			return f
		}}))
		q, err := mux.Open(t.Context(), "mem://donors?visibility=30s&dlq=dead&maxreceives=100")
		if err != nil {
			t.Fatal(err)
		}
		do(tried{q, t, time.Now()})
		if err := q.Shutdown(t.Context()); err != nil {
			t.Errorf("shut down: %v", err)
		}
	})
}

func (q tried) send(body string) error {
	return q.Topic.Send(q.t.Context(), &pubsub.Message{Body: []byte(body)})
}

// receive returns the next message, which must come at a time after the start.
func (q tried) receive(at time.Duration) *pubsub.Message {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(q.t.Context(), time.Hour)
	defer cancel()
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		q.t.Fatalf("receive: %v", err)
	}
	if got := time.Since(q.start); got != at {
		q.t.Errorf("a message came at %v; want %v", got, at)
	}
	return m
}

func (q tried) visible(want int) {
	q.t.Helper()
	if a, err := q.Attributes(q.t.Context()); err != nil || a.Visible != want {
		q.t.Errorf("%d messages are visible, %v; want %d", a.Visible, err, want)
	}
}

// What a sender is told, by Topic.Send and by SendBatch, and how many messages there
// are then.
func TestASendWithAFault(t *testing.T) {
	for name, c := range map[string]struct {
		fault faulty.Fault
		err   error
		sent  int
		takes time.Duration
	}{
		"none":    {faulty.Fault{}, nil, 1, 0},
		"waits":   {faulty.Fault{Before: time.Second, After: time.Minute}, nil, 1, time.Minute + time.Second},
		"refused": {faulty.Fault{Before: time.Second, Refuse: faulty.ErrRefused}, faulty.ErrRefused, 0, time.Second},
		"lost":    {faulty.Fault{Lose: faulty.ErrLost}, faulty.ErrLost, 1, 0},
		"twice":   {faulty.Fault{Twice: true}, nil, 2, 0},
		"own":     {faulty.Fault{Refuse: errors.ErrUnsupported}, errors.ErrUnsupported, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(q tried, err error, more int) {
				if took := time.Since(q.start); !errors.Is(err, c.err) || err != nil && c.err == nil || took != c.takes {
					t.Errorf("a send gives %v after %v; want %v after %v", err, took, c.err, c.takes)
				}
				if code := gcerrors.Code(err); err != nil && code != driver.ErrorCode(c.err) {
					t.Errorf("%v has the code %v", err, code)
				}
				q.visible(c.sent + more)
			}
			try(t, faulty.Send, c.fault, func(q tried) { check(q, q.send("m"), 0) })
			try(t, faulty.Send, c.fault, func(q tried) {
				errs := q.SendBatch(q.t.Context(), []*pubsub.Message{{Body: []byte("a")}, {Body: []byte("b")}})
				if errs == nil {
					errs = make([]error, 2)
				}
				if errs[1] != nil {
					t.Errorf("the message beside it: %v", errs[1])
				}
				check(q, errs[0], 1)
			})
		})
	}
}

func TestAReceiveWithAFault(t *testing.T) {
	for name, f := range map[string]faulty.Fault{"refused": {Refuse: faulty.ErrRefused}, "lost": {Lose: faulty.ErrLost}} {
		t.Run(name, func(t *testing.T) {
			try(t, faulty.Receive, f, func(q tried) {
				q.send("m")
				m := q.receive(30 * time.Second) // when the lease of what got lost is over
				if n := bus.Details(m).ReceiveCount; n != 2 {
					t.Errorf("it came for the time %d", n)
				}
				m.Ack()
			})
		})
	}
	t.Run("waits", func(t *testing.T) {
		try(t, faulty.Receive, faulty.Fault{Before: 5 * time.Second, After: 5 * time.Second}, func(q tried) {
			q.send("m")
			q.receive(10 * time.Second).Ack()
		})
	})
	t.Run("twice", func(t *testing.T) {
		try(t, faulty.Receive, faulty.Fault{Twice: true}, func(q tried) {
			q.send("m")
			first, second := q.receive(0), q.receive(0)
			if bus.Details(first).ID != bus.Details(second).ID {
				t.Errorf("two messages came, not one twice")
			}
			var told error = errors.New("nothing was told")
			bus.AfterAck(first, func(err error) { told = err })
			first.Ack()
			synctest.Wait()
			if told != nil {
				t.Errorf("the first of two is told %v", told)
			}
			second.Nack() // so it comes again, acknowledged as it was
			synctest.Wait()
			q.receive(0).Ack()
		})
	})
}

func TestAnAcknowledgementWithAFault(t *testing.T) {
	for name, c := range map[string]struct {
		fault faulty.Fault
		told  error
		after time.Duration
		again bool
	}{
		"none":    {faulty.Fault{}, nil, 0, false},
		"waits":   {faulty.Fault{Before: time.Second, After: time.Second}, nil, 2 * time.Second, false},
		"refused": {faulty.Fault{Refuse: faulty.ErrRefused}, faulty.ErrRefused, 0, true},
		"lost":    {faulty.Fault{Lose: faulty.ErrLost}, faulty.ErrLost, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, faulty.Ack, c.fault, func(q tried) {
				q.send("m")
				m := q.receive(0)
				told := make(chan error, 1)
				if !bus.AfterAck(m, func(err error) { told <- err }) {
					t.Fatal("acknowledgements tell nothing")
				}
				m.Ack()
				if err, took := <-told, time.Since(q.start); !errors.Is(err, c.told) || err != nil && c.told == nil || took != c.after {
					t.Errorf("told %v after %v; want %v after %v", err, took, c.told, c.after)
				}
				if c.again {
					q.receive(30 * time.Second).Ack()
				}
				time.Sleep(time.Minute)
				q.visible(0)
			})
		})
	}
}

// Each delivery that a control settles has its own fault; what one loses has had its
// effect.
func TestControlsWithAFault(t *testing.T) {
	for name, fault := range map[string]faulty.Fault{"refused": {Refuse: faulty.ErrRefused}, "lost": {Lose: faulty.ErrLost}} {
		t.Run(name, func(t *testing.T) {
			want := cmp.Or(fault.Refuse, fault.Lose)
			try(t, faulty.Operation(bus.ControlGiveBack), fault, func(q tried) {
				q.send("a")
				q.send("b")
				ms := []*pubsub.Message{q.receive(0), q.receive(0)}
				errs := q.GiveBackBatch(q.t.Context(), ms, 0)
				if len(errs) != 2 || !errors.Is(errs[0], want) || errs[1] != nil {
					t.Errorf("the errors are %v", errs)
				}
				for _, m := range ms {
					m.Nack()
				}
			})
			try(t, faulty.Operation(bus.ControlPurge), fault, func(q tried) {
				q.send("m")
				if err := q.Purge(q.t.Context()); !errors.Is(err, want) || gcerrors.Code(err) != driver.ErrorCode(want) {
					t.Errorf("a purge gives %v with the code %v", err, gcerrors.Code(err))
				}
				if name == "lost" {
					q.visible(0)
				} else {
					q.visible(1)
				}
			})
		})
	}
}

func TestAQueueThatIsNotOpenedLeavesNothingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		mux := new(bus.Mux)
		mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{Fault: func(*faulty.Call) faulty.Fault {
			return faulty.Fault{Lose: faulty.ErrLost}
		}}))
		if _, err := mux.Open(t.Context(), "mem://donors"); gcerrors.Code(err) != gcerrors.DeadlineExceeded {
			t.Errorf("an open whose answer is lost gives %v", err)
		}
	})
}

// The same seed gives the same faults in whatever order calls come, another seed gives
// others, and their share is as asked for.
func TestRandomIsTheSameForTheSameSeed(t *testing.T) {
	draw := func(seed uint64, reversed bool) map[string]faulty.Fault {
		f := faulty.Random(seed, 0.2)
		out := map[string]faulty.Fault{}
		for i := range 1000 {
			if reversed {
				i = 999 - i
			}
			for try := range 2 {
				for _, op := range []faulty.Operation{faulty.Send, faulty.Receive, faulty.Ack} {
					out[fmt.Sprint(op, i, try)] = f(&faulty.Call{Operation: op, Body: []byte(fmt.Sprint(i))})
				}
			}
		}
		return out
	}
	one, same, other := draw(1, false), draw(1, true), draw(2, false)
	faults, differ := 0, 0
	for key, f := range one {
		if f != same[key] {
			t.Fatalf("seed 1 gives %+v and %+v for %s", f, same[key], key)
		}
		if f != (faulty.Fault{}) {
			faults++
		}
		if f != other[key] {
			differ++
		}
	}
	if faults < 1000 || faults > 1400 || differ < 1000 {
		t.Errorf("of 6000 calls %d have faults, and %d others with another seed", faults, differ)
	}
	if f := faulty.Random(1, 1)(&faulty.Call{Operation: faulty.Open}); f != (faulty.Fault{}) {
		t.Errorf("an open has the fault %+v", f)
	}
}
