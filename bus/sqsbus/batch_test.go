package sqsbus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// openFIFO creates and opens a FIFO queue.
func (e *endpoint) openFIFO(t *testing.T) *bus.Queue {
	t.Helper()
	e.create(t, "donors.fifo", spec.QueueSettings{FIFO: new(true), ContentBasedDeduplication: new(true)})
	var mux bus.Mux
	e.backend().Register(&mux)
	q, err := mux.Open(t.Context(), testQueue+".fifo")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestABatchTakesARequestForTenMessages(t *testing.T) {
	for _, test := range []struct {
		name string
		fifo bool
		want time.Duration
	}{{"standard: all at the same time", false, 5 * time.Millisecond}, {"FIFO: one after the other", true, 15 * time.Millisecond}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "")
				if test.fifo {
					shutDown(t, q)
					q = e.openFIFO(t)
				}
				defer shutDown(t, q)
				ms := messages(25)
				if test.fifo {
					for _, m := range ms {
						bus.Group(m, "a")
					}
				}
				start := time.Now()
				if errs := q.SendBatch(t.Context(), ms); errs != nil {
					t.Fatal(errors.Join(errs...))
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("25 messages took %v, want %v", took, test.want)
				}
				if n := e.count("SendMessageBatch"); n != 3 {
					t.Errorf("25 messages took %d requests, want 3", n)
				}
			})
		})
	}
}

func TestABatchToAFIFOQueueKeepsItsOrderAlsoIfItIsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		q := e.openFIFO(t)
		defer shutDown(t, q)
		ms := messages(6)
		for _, m := range ms {
			m.Body = append(m.Body, strings.Repeat("x", 400<<10)...) // two in a request
			bus.Group(m, "a")
		}
		if errs := q.SendBatch(t.Context(), ms); errs != nil {
			t.Fatal(errors.Join(errs...))
		}
		next := 0
		for _, c := range e.all("SendMessageBatch") {
			if n := len(c.in.Entries); n != 2 {
				t.Errorf("a request has %d messages, want the 2 that fit", n)
			}
			for _, entry := range c.in.Entries {
				if got := numberOf(entry.MessageBody); got != next {
					t.Errorf("message %d was sent in the place of message %d", got, next)
				}
				next++
			}
		}
	})
}

func TestABadMessageInABatchFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		ms, bad := withBad()
		ms[19].LoggableID = "of one that was received"
		bad[19] = "an id"
		errs := q.SendBatch(t.Context(), ms)
		for i := range ms {
			if what, isBad := bad[i]; isBad {
				check(t, what, errs[i], gcerrors.InvalidArgument)
			} else if errs[i] != nil {
				t.Errorf("message %d failed beside bad ones: %v", i, errs[i])
			}
		}
		e.counts(t, 20-len(bad), 0, 0)
	})
}

func TestABatchThatIsGivenUpSaysSoOfEachMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.openFIFO(t)
		e.set(func() {
			e.fault = func(c *call) *fault {
				if c.action == "SendMessageBatch" && strings.Contains(string(c.body), `"m15"`) {
					return &fault{hang: true}
				}
				return nil
			}
		})
		ms := messages(25)
		for _, m := range ms {
			bus.Group(m, "a")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		errs := q.SendBatch(ctx, ms)
		for i := range ms {
			if sent := i < 10; errs == nil || sent != (errs[i] == nil) || !sent && !errors.Is(errs[i], context.DeadlineExceeded) {
				t.Errorf("message %d of a batch whose second request is not answered: %v", i, errs)
				break
			}
		}
		if n := e.count("SendMessageBatch"); n != 2 {
			t.Errorf("%d requests were made; want none after the one that was given up", n)
		}
		shutDown(t, q)
	})
}
