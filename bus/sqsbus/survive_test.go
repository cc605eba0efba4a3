package sqsbus

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// faults are what no request should fail for.
var faults = map[string]fault{
	"503":                  {status: http.StatusServiceUnavailable, code: "ServiceUnavailable"},
	"500":                  {status: http.StatusInternalServerError, code: "InternalFailure"},
	"throttling":           {status: http.StatusBadRequest, code: "ThrottlingException"},
	"throttling, in Query": {status: http.StatusForbidden, code: "RequestThrottled", query: true},
	"a dropped connection": {drop: true},
	"a cut-off answer":     {garbled: true},
	"too many in flight":   {status: http.StatusForbidden, code: "OverLimit"},
}

// aMinuteOf returns a fault of all requests of an action for a minute from now.
func aMinuteOf(f fault, actions ...string) func(*call) *fault {
	end := time.Now().Add(time.Minute)
	return func(c *call) *fault {
		if time.Now().Before(end) {
			for _, a := range actions {
				if a == c.action {
					return &f
				}
			}
		}
		return nil
	}
}

func TestSubscriptionSurvivesAMinuteOfFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=30s")
				defer shutDown(t, q)
				send(t, q, "before", "after")
				m := receive(t, q, time.Second)
				start := time.Now()
				e.set(func() { e.fault = aMinuteOf(f, "ReceiveMessage", "DeleteMessageBatch") })
				m.Ack()
				receive(t, q, 2*time.Minute).Ack()
				if f.garbled { // a request whose answer is cut off took effect
					return
				}
				if took := time.Since(start); took < time.Minute || took > time.Minute+10*time.Second {
					t.Errorf("a receive during a minute of faults took %v", took)
				}
			})
		})
	}
}

func TestStockSubscriptionEndsAtAFewFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				q := e.stock(drained)
				defer e.stop(q)
				e.set(func() { e.fault = aMinuteOf(f, "ReceiveMessage") })
				_, err := q.Subscription.Receive(t.Context())
				time.Sleep(2 * time.Minute)
				if _, again := q.Subscription.Receive(t.Context()); err == nil || again == nil {
					t.Errorf("a stock Receive gives %v, and %v after the faults: a trap less", err, again)
				}
			})
		})
	}
}

func TestSendSurvivesAMinuteOfFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		e.set(func() { e.fault = aMinuteOf(faults["503"], "SendMessageBatch") })
		send(t, q, "patient")
		e.counts(t, 1, 0, 0)
	})
}

func TestRequestThatHangsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=30s")
		defer shutDown(t, q)
		send(t, q, "m")
		start := time.Now()
		e.set(func() {
			e.fault = func(c *call) *fault {
				if c.action == "ReceiveMessage" && c.at == start {
					return &fault{hang: true}
				}
				return nil
			}
		})
		receive(t, q, 2*time.Minute).Ack()
	})
}

func TestASubscriptionMayBeginInAMinuteOfFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				e.engineSend(t, wireMessage{MessageBody: "m"})
				q := e.open(t, "?visibility=30s")
				defer shutDown(t, q)
				e.set(func() { e.fault = aMinuteOf(f, "ReceiveMessage") })
				receive(t, q, 2*time.Minute).Ack()
			})
		})
	}
}

func TestAnAnswerToALongPollMayTakeAsLongAsAnyBesides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 25 * time.Second
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=1h")
		defer shutDown(t, q)
		e.engineSend(t, wireMessage{MessageBody: "m", DelaySeconds: new(30)})
		receive(t, q, time.Minute).Ack()
		if n := e.count("ReceiveMessage"); n != 1 {
			t.Errorf("%d requests; the first was to be waited for", n)
		}
	})
}

func TestAQueueWhoseHostIsNotKnownFailsOnlyAtTheStart(t *testing.T) {
	noSuchHost := fault{lost: &net.DNSError{Err: "no such host", IsNotFound: true}}
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		e.set(func() { e.fault = aMinuteOf(noSuchHost, "SendMessageBatch", "ReceiveMessage") })
		q := e.open(t, "?visibility=30s")
		start := time.Now()
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err == nil || time.Since(start) > time.Second {
			t.Errorf("a send to a host that is not known gives %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		send(t, q, "one")
		receive(t, q, time.Second).Ack()
		e.set(func() { e.fault = aMinuteOf(noSuchHost, "SendMessageBatch", "ReceiveMessage") })
		send(t, q, "two")
		receive(t, q, time.Minute).Ack()
		shutDown(t, q)
	})
}

func TestTheQueuesVisibilityIsAskedForUntilItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		send(t, q, "m")
		e.set(func() { e.fault = aMinuteOf(faults["503"], "GetQueueAttributes") })
		receive(t, q, 2*time.Minute).Ack()
	})
}

// failing lets the entries of an action fail with a code, the first times.
func failing(action, code string, times int) func(*call, string) string {
	return func(c *call, _ string) string {
		if c.action == action && times > 0 {
			times--
			return code
		}
		return ""
	}
}

func TestSubscriptionSurvivesFailedEntries(t *testing.T) {
	for _, c := range []struct {
		name   string
		action string
		code   string
		times  int
		end    func(*pubsub.Message)
		late   int64
	}{
		{"a delete that is tried again", "DeleteMessageBatch", "InternalError", 3, (*pubsub.Message).Ack, 0},
		{"a delete with a stale receipt", "DeleteMessageBatch", "ReceiptHandleIsInvalid", 1, (*pubsub.Message).Ack, 1},
		{"a delete that has expired", "DeleteMessageBatch", "InvalidParameterValue", 1, (*pubsub.Message).Ack, 1},
		{"a nack that is tried again", "ChangeMessageVisibilityBatch", "InternalError", 3, (*pubsub.Message).Nack, 0},
		{"a nack with a stale receipt", "ChangeMessageVisibilityBatch", "MessageNotInflight", 1, (*pubsub.Message).Nack, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				stock := e.stock(drained)
				q := e.open(t, "?visibility=30s")
				defer shutDown(t, q)
				send(t, q, "one", "two")
				e.set(func() { e.entry = failing(c.action, c.code, c.times) })
				c.end(receive(t, q, time.Second))
				time.Sleep(10 * time.Second)
				receive(t, q, time.Minute).Ack()
				time.Sleep(time.Second)
				if n, _ := q.LateAcks(); n != c.late {
					t.Errorf("%d late acknowledgements; want %d", n, c.late)
				}
				shutDown(t, bus.Wrap(stock.Topic, nil))

				send(t, q, "for stock")
				e.set(func() { e.entry = failing(c.action, c.code, c.times) })
				c.end(receive(t, stock, time.Minute))
				time.Sleep(10 * time.Second)
				if _, err := stock.Subscription.Receive(t.Context()); err == nil {
					t.Errorf("a stock Receive goes on after a failed entry: a trap less")
				}
				_ = stock.Subscription.Shutdown(t.Context())
			})
		})
	}
}

func TestPermanentErrorsSurfaceAtOnceWithTheirCode(t *testing.T) {
	for _, c := range []struct {
		fault fault
		want  gcerrors.ErrorCode
	}{
		{fault{status: 400, code: "AccessDeniedException"}, gcerrors.PermissionDenied},
		{fault{status: 403, code: "AccessDenied", query: true}, gcerrors.PermissionDenied},
		{fault{status: 403, code: "InvalidClientTokenId"}, gcerrors.PermissionDenied},
		{fault{status: 403, code: "SomethingNew"}, gcerrors.PermissionDenied},
		{fault{status: 400, code: "QueueDoesNotExist"}, gcerrors.NotFound},
		{fault{status: 400, code: "AWS.SimpleQueueService.NonExistentQueue", query: true}, gcerrors.NotFound},
		{fault{status: 400, code: "InvalidParameterValue", query: true}, gcerrors.InvalidArgument},
		{fault{status: 400, code: "KmsDisabled"}, gcerrors.FailedPrecondition},
	} {
		t.Run(c.fault.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				e.set(func() { e.fault = func(*call) *fault { return &c.fault } })
				q := e.open(t, "?visibility=30s")
				start := time.Now()
				_, err := q.Subscription.Receive(t.Context())
				check(t, "receive", err, c.want)
				check(t, "send", q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}), c.want)
				check(t, "purge", q.Purge(t.Context()), c.want)
				var api smithy.APIError
				if q.Subscription.ErrorAs(err, &api); api == nil || api.ErrorCode() != c.fault.code {
					t.Errorf("%v has the smithy.APIError %v, which is not as AWS sent it", err, api)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("three permanent errors took %v", took)
				}
				_ = q.Shutdown(t.Context())
			})
		})
	}
}

func TestAnOutageIsTwoLinesInTheLog(t *testing.T) {
	for name, misbehave := range map[string]func(*endpoint){
		"requests": func(e *endpoint) { e.fault = aMinuteOf(faults["503"], "SendMessageBatch") },
		"entries":  func(e *endpoint) { e.entry = failing("SendMessageBatch", "InternalError", 15) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.create(t, "donors", spec.QueueSettings{})
				var log strings.Builder
				var mux bus.Mux
				New(&Options{HTTPClient: e, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Register(&mux)
				q, err := mux.Open(t.Context(), testQueue)
				if err != nil {
					t.Fatal(err)
				}
				e.set(func() { misbehave(e) })
				start := time.Now()
				send(t, q, "m")
				if took, n := time.Since(start), e.count("SendMessageBatch"); took < time.Duration(n)*time.Second {
					t.Errorf("%d requests in %v", n, took)
				}
				shutDown(t, q)
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "queue="+testQueue+" action=SendMessageBatch error=") ||
					!strings.Contains(lines[1], "level=INFO") || !strings.Contains(lines[1], "queue="+testQueue+" away=1m") {
					t.Errorf("after %d requests the log is\n%s\nwant a line when the queue goes away, and one when it answers", e.count("SendMessageBatch"), log.String())
				}
			})
		})
	}
}

func TestADeletionThatIsDeniedEndsTheSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=30s")
		send(t, q, "m")
		e.set(func() {
			e.fault = aMinuteOf(fault{status: 400, code: "AccessDeniedException"}, "DeleteMessageBatch")
		})
		receive(t, q, time.Second).Ack()
		time.Sleep(time.Second)
		_, err := q.Subscription.Receive(t.Context())
		check(t, "receive", err, gcerrors.PermissionDenied)
		_ = q.Shutdown(t.Context())
	})
}

func check(t *testing.T, what string, err error, want gcerrors.ErrorCode) {
	t.Helper()
	if err == nil || gcerrors.Code(err) != want {
		t.Errorf("%s: %v with code %v; want code %v", what, err, gcerrors.Code(err), want)
	}
}

func TestStockErrorsHaveNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.stock(drained)
		defer e.stop(q)
		for _, code := range []string{"AccessDeniedException", "ThrottlingException", "InvalidParameterValue"} {
			e.set(func() { e.fault = func(*call) *fault { return &fault{status: 400, code: code} } })
			err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")})
			if gcerrors.Code(err) != gcerrors.Unknown {
				t.Errorf("%s has the code %v: a trap less", code, gcerrors.Code(err))
			}
		}
	})
}

func TestErrorKeepsWhatAWSSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.open(t, "")
		err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")})
		if !errors.Is(err, spec.QueueDoesNotExist) {
			t.Errorf("%v is not spec.QueueDoesNotExist", err)
		}
		shutDown(t, q)
	})
}

// Deletions fail while receives are answered: the queue is not there again with each of
// those. And a fault that the next try mends is not worth a line.
func TestThatOneKindOfRequestFailsIsOneOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		var log strings.Builder
		var mux bus.Mux
		New(&Options{HTTPClient: e, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Register(&mux)
		q, err := mux.Open(t.Context(), testQueue+"?visibility=10m")
		if err != nil {
			t.Fatal(err)
		}
		e.set(func() { e.fault = every(2, faults["503"], "SendMessageBatch") })
		for range 20 {
			send(t, q, "m")
		}
		if log.Len() > 0 {
			t.Errorf("of faults that a second try mends the log says\n%s", log.String())
		}
		e.set(func() { e.fault = aMinuteOf(faults["throttling"], "DeleteMessageBatch") })
		for range 20 {
			receive(t, q, time.Minute).Ack()
			time.Sleep(2 * time.Second)
		}
		time.Sleep(time.Minute)
		shutDown(t, q)
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "action=DeleteMessageBatch") || !strings.Contains(log.String(), "answers again") {
			t.Errorf("the log is\n%s\nwant two lines, of deletions", log.String())
		}
	})
}

// every returns a fault of every nth request of an action.
func every(n int, f fault, action string) func(*call) *fault {
	made := 0
	return func(c *call) *fault {
		if c.action != action {
			return nil
		}
		if made++; made%n == 1 {
			return &f
		}
		return nil
	}
}

// Acknowledgements that SQS fails by themselves are tried again, with others; a
// shutdown waits for those too.
func TestShutdownWaitsForAcknowledgementsThatAreTriedAgain(t *testing.T) {
	for range 10 { // the pauses between tries are random
		synctest.Test(t, func(t *testing.T) {
			e := newEndpoint()
			e.latency = 5 * time.Millisecond
			e.create(t, "donors", spec.QueueSettings{})
			q := e.open(t, "")
			send(t, q, numbered(10)...)
			e.set(func() { e.entry = failing("DeleteMessageBatch", "InternalError", 10) })
			var ms []*pubsub.Message
			for range 10 {
				ms = append(ms, receive(t, q, time.Second))
			}
			for _, m := range ms {
				m.Ack()
			}
			shutDown(t, q)
			e.counts(t, 0, 0, 0)
		})
	}
}

// A Subscription that has failed asks no more. What its polls still bring is given back.
func TestAFailedSubscriptionHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 5 * time.Millisecond
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "?visibility=30s")
		defer shutDown(t, q)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		e.set(func() {
			e.fault = aMinuteOf(fault{status: 400, code: "AccessDeniedException"}, "DeleteMessageBatch")
		})
		m.Ack()
		_, err := q.Subscription.Receive(t.Context())
		check(t, "receive", err, gcerrors.PermissionDenied)
		e.engineSend(t, wireMessage{MessageBody: "n"}) // for the poll that was under way
		time.Sleep(time.Second)
		e.counts(t, 1, 1, 0) // the latter had been received before
		time.Sleep(10 * time.Minute)
		if n := e.count("ChangeMessageVisibilityBatch"); n > 1 {
			t.Errorf("%d requests kept or gave back one message", n)
		}
	})
}
