package sqsbus

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/spec"
)

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

// messages are n messages with numbered bodies.
func messages(n int) (ms []*pubsub.Message) {
	for _, body := range numbered(n) {
		ms = append(ms, &pubsub.Message{Body: []byte(body)})
	}
	return ms
}

// withBad are 20 messages of which so many are bad in some way.
func withBad() (ms []*pubsub.Message, bad map[int]string) {
	ms = messages(20)
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
		for _, c := range e.all("SendMessageBatch") {
			for _, entry := range c.in.Entries {
				if entry.MessageBody != "" && bad[numberOf(entry.MessageBody)] != "" {
					t.Errorf("the bad message %.20q was sent", entry.MessageBody)
				}
			}
		}
	})
}

// numberOf returns the place of a body of withBad, -1 if it has none.
func numberOf(body string) int {
	var i int
	if _, err := fmt.Sscanf(body, "m%d", &i); err != nil {
		return map[string]int{"x": 3, "\x00": 5}[body[:1]]
	}
	return i
}

func TestAMessageThatOnlyTheQueueRefusesFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		e.set(func() {
			e.fault = func(c *call) *fault { // as endpoints do that refuse the whole request
				if c.action == "SendMessageBatch" && strings.Contains(string(c.body), "m7") {
					return &fault{status: 400, code: "InvalidParameterValue", query: true}
				}
				return nil
			}
		})
		q := e.open(t, "")
		defer shutDown(t, q)
		for i, err := range sendAll(t, q, messages(10)) {
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
		e.set(func() {
			e.entry = func(_ *call, body string) string {
				if body == "bad" {
					return "InvalidMessageContents"
				}
				return ""
			}
		})
		ms := messages(200)
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
	for _, code := range []string{"InternalError", somethingNew, unmentioned} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				times := 3
				e.set(func() {
					e.entry = func(_ *call, body string) string {
						if body == "m4" && times > 0 {
							times--
							return code
						}
						return ""
					}
				})
				q := e.open(t, "")
				defer shutDown(t, q)
				for i, err := range sendAll(t, q, messages(10)) {
					if err != nil {
						t.Errorf("message %d: %v", i, err)
					}
				}
				e.counts(t, 10, 0, 0)
			})
		})
	}
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
			ms := messages(len(ids))
			for i, m := range ms {
				bus.StoreSent(m, &ids[i])
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
