package sqsbus

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// cost sends n messages from so many senders to as many handlers, one receiver
// before them, with requests and handlers that take 5 ms. It returns the requests
// of each action for a message, and in all.
func (e *endpoint) cost(t *testing.T, q *bus.Queue, concurrency, n int) (all float64, text string) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var next, handled atomic.Int64
	for range concurrency {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				send(t, q, "a donor")
			}
		})
	}
	free := make(chan bool, concurrency)
	wg.Go(func() {
		var handlers sync.WaitGroup
		defer handlers.Wait()
		for {
			free <- true
			m, err := q.Subscription.Receive(ctx)
			if err != nil {
				return
			}
			handlers.Go(func() {
				time.Sleep(5 * time.Millisecond)
				m.Ack()
				<-free
				if handled.Add(1) == int64(n) {
					cancel()
				}
			})
		}
	})
	wg.Wait()
	cancel()
	time.Sleep(time.Second) // the last acknowledgements
	for _, action := range []string{"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"} {
		text += fmt.Sprintf(" %s %.3f", action, float64(e.count(action))/float64(n))
	}
	return float64(e.count("")) / float64(n), text
}

func TestRequestsForAMessage(t *testing.T) {
	for _, c := range []struct {
		concurrency int
		most        float64
	}{{256, 0.32}, {16, 0.40}} {
		t.Run(fmt.Sprint(c.concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=1h")
				all, text := e.cost(t, q, c.concurrency, 2000)
				t.Logf("%.3f requests a message:%s", all, text)
				if all > c.most {
					t.Errorf("%.3f requests a message; want %.2f at most", all, c.most)
				}
				shutDown(t, q)
				e.counts(t, 0, 0, 0)
			})
		})
	}
}

func TestStockRequestsForAMessage(t *testing.T) {
	for _, concurrency := range []int{256, 16} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.stock(awssnssqs.SubscriptionOptions{WaitTime: 20 * time.Second})
				all, text := e.cost(t, q, concurrency, 500)
				t.Logf("%.3f requests a message:%s", all, text)
				if all < 0.5 {
					t.Errorf("%.3f requests a message: a trap less", all)
				}
				e.stop(q)
			})
		})
	}
}

func TestALoneSenderIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		for range 10 {
			start := time.Now()
			send(t, q, "alone")
			if took := time.Since(start); took > e.latency {
				t.Errorf("a send took %v; the request takes %v", took, e.latency)
			}
		}
	})
}

func TestASenderWaitsTwoMillisecondsForOthersAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 50 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 700 * time.Microsecond)
				start := time.Now()
				send(t, q, "not alone")
				if took := time.Since(start); took > e.latency+linger {
					t.Errorf("a send took %v; the request takes %v", took, e.latency)
				}
			})
		}
		wg.Wait()
	})
}

// sendAll sends messages at the same time and returns the errors.
func sendAll(t *testing.T, q *bus.Queue, ms []*pubsub.Message) []error {
	errs := make([]error, len(ms))
	var wg sync.WaitGroup
	for i, m := range ms {
		wg.Go(func() { errs[i] = q.Topic.Send(t.Context(), m) })
	}
	wg.Wait()
	return errs
}

// withBad are 20 messages of which so many are bad in some way.
func withBad() (ms []*pubsub.Message, bad map[int]string) {
	for i := range 20 {
		ms = append(ms, &pubsub.Message{Body: fmt.Appendf(nil, "m%d", i)})
	}
	ms[3].Body = []byte(strings.Repeat("x", spec.MaxMessageBytes+1))
	ms[5].Body = []byte("\x00")
	ms[8].Metadata = map[string]string{"empty": ""}
	ms[11].Body = nil
	bus.SetAttribute(ms[14], "kind", bus.Attribute{DataType: "Date", StringValue: "x"})
	bus.Delay(ms[17], time.Hour)
	return ms, map[int]string{3: "size", 5: "characters", 8: "an empty value", 11: "no body", 14: "a type", 17: "a delay"}
}

func TestABadMessageFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		ms, bad := withBad()
		for i, err := range sendAll(t, q, ms) {
			if what, isBad := bad[i]; isBad {
				check(t, what, err, gcerrors.InvalidArgument)
			} else if err != nil {
				t.Errorf("message %d failed beside bad ones: %v", i, err)
			}
		}
		e.counts(t, 20-len(bad), 0, 0)
	})
}

func TestAMessageThatOnlyTheQueueRefusesFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		e.fault = func(c *call) *fault { // as endpoints do that refuse the whole request
			if c.action == "SendMessageBatch" && strings.Contains(string(c.body), "m7") {
				return &fault{status: 400, code: "InvalidParameterValue"}
			}
			return nil
		}
		q := e.open(t, "")
		defer shutDown(t, q)
		var ms []*pubsub.Message
		for _, body := range numbered(10) {
			ms = append(ms, &pubsub.Message{Body: []byte(body)})
		}
		for i, err := range sendAll(t, q, ms) {
			if i == 7 {
				check(t, "m7", err, gcerrors.InvalidArgument)
			} else if err != nil {
				t.Errorf("message %d failed beside it: %v", i, err)
			}
		}
	})
}

func TestOneFailedEntryFailsAllStockSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		e.entry = func(_ *call, body string) string {
			if body == "bad" {
				return "InvalidMessageContents"
			}
			return ""
		}
		var ms []*pubsub.Message
		for _, body := range numbered(200) {
			ms = append(ms, &pubsub.Message{Body: []byte(body)})
		}
		ms[150].Body = []byte("bad")
		failed := func(q *bus.Queue) (n int) {
			var first []error
			done := make(chan bool)
			go func() {
				defer close(done)
				first = sendAll(t, q, ms[:100]) // with which the stock driver's 100 handlers are busy
			}()
			time.Sleep(time.Millisecond)
			rest := sendAll(t, q, ms[100:])
			<-done
			for _, err := range append(first, rest...) {
				if err != nil {
					n++
				}
			}
			return n
		}
		q := e.open(t, "")
		if n := failed(q); n != 1 {
			t.Errorf("%d senders failed for one bad message", n)
		}
		shutDown(t, q)
		stock := e.stock(drained)
		if n := failed(stock); n < 2 {
			t.Errorf("%d stock senders failed for one bad message: a trap less", n)
		}
		_ = stock.Topic.Shutdown(t.Context())
	})
}

func TestFailedEntriesOfASendAreTriedAgainAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		times := 3
		e.entry = func(_ *call, body string) string {
			if body == "m4" && times > 0 {
				times--
				return "InternalError"
			}
			return ""
		}
		q := e.open(t, "")
		defer shutDown(t, q)
		var ms []*pubsub.Message
		for _, body := range numbered(10) {
			ms = append(ms, &pubsub.Message{Body: []byte(body)})
		}
		for i, err := range sendAll(t, q, ms) {
			if err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		}
		e.counts(t, 10, 0, 0)
	})
}

func TestEachSenderGetsItsOwnMessagesID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint() // which answers with the entries in reverse
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		ids := make([]bus.SentMessage, 200)
		mine := func(q *bus.Queue) (right int) {
			var ms []*pubsub.Message
			for i, body := range numbered(len(ids)) {
				m := &pubsub.Message{Body: []byte(body)}
				bus.StoreSent(m, &ids[i])
				ms = append(ms, m)
			}
			for _, err := range sendAll(t, q, ms) {
				if err != nil {
					t.Error(err)
				}
			}
			got := map[string]string{}
			for range ids {
				m := receive(t, q, time.Second)
				got[string(m.Body)] = bus.Details(m).ID
				m.Ack()
			}
			for i, body := range numbered(len(ids)) {
				if got[body] == ids[i].ID {
					right++
				}
			}
			return right
		}
		if n := mine(q); n != len(ids) {
			t.Errorf("%d of %d senders got their own message's id", n, len(ids))
		}
		stock := e.stock(drained)
		if n := mine(bus.Wrap(stock.Topic, q.Subscription)); n == len(ids) {
			t.Errorf("all %d stock senders got their own message's id: a trap less", n)
		}
		_ = stock.Topic.Shutdown(t.Context())
	})
}

func TestARequestIsNotLargerThanSQSAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		var ms []*pubsub.Message
		for range 12 {
			ms = append(ms, &pubsub.Message{Body: []byte(strings.Repeat("x", 200<<10))})
		}
		for _, err := range sendAll(t, q, ms) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, c := range e.all("SendMessageBatch") {
			if n := len(c.in.Entries); n > 5 {
				t.Errorf("a request has %d messages of 200 KiB; 5 are allowed", n)
			}
		}
		shared := e.count("SendMessageBatch")
		if shared > 6 {
			t.Errorf("%d requests for 12 messages of which 5 fit in one", shared)
		}
	})
}

func TestVisibilityChangesAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		send(t, q, numbered(40)...)
		var wg sync.WaitGroup
		for range 40 {
			m := receive(t, q, time.Second)
			wg.Go(func() {
				time.Sleep(time.Until(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)))
				if err := q.ChangeVisibility(t.Context(), m, 10*time.Hour); err != nil {
					t.Error(err)
				}
				m.Ack()
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if n := e.count("ChangeMessageVisibilityBatch"); n > 6 {
			t.Errorf("%d requests for 40 changes at a time", n)
		}
		if n := e.count("DeleteMessageBatch"); n > 6 {
			t.Errorf("%d requests for 40 deletes at a time", n)
		}
	})
}
