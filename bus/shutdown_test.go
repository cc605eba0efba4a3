package bus_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/driver"
)

// A deaf backend never confirms anything. Sends and acknowledgements hang until
// their context ends.
type deaf struct {
	topic *pubsub.Topic
	sub   *pubsub.Subscription
	close func(context.Context) error
}

type (
	deafTopic struct{ cdk.Topic }
	deafSub   struct{ cdk.Subscription }
)

func (deafTopic) SendBatch(ctx context.Context, _ []*cdk.Message) error {
	<-ctx.Done()
	return ctx.Err()
}
func (deafTopic) IsRetryable(error) bool                 { return false }
func (deafTopic) ErrorCode(err error) gcerrors.ErrorCode { return gcerrors.Code(err) }
func (deafTopic) Close() error                           { return nil }

func (deafSub) ReceiveBatch(context.Context, int) ([]*cdk.Message, error) {
	return []*cdk.Message{{Body: []byte("m")}}, nil
}
func (deafSub) SendAcks(ctx context.Context, _ []cdk.AckID) error {
	<-ctx.Done()
	return ctx.Err()
}
func (deafSub) SendNacks(context.Context, []cdk.AckID) error              { return nil }
func (deafSub) CanNack() bool                                             { return true }
func (deafSub) IsRetryable(error) bool                                    { return false }
func (deafSub) ErrorCode(err error) gcerrors.ErrorCode                    { return gcerrors.Code(err) }
func (deafSub) Close() error                                              { return nil }
func (d *deaf) Topic() *pubsub.Topic                                      { return d.topic }
func (d *deaf) Subscription() *pubsub.Subscription                        { return d.sub }
func (d *deaf) ErrorCode(err error) gcerrors.ErrorCode                    { return driver.ErrorCode(err) }
func (d *deaf) Close(ctx context.Context) error                           { return d.close(ctx) }
func (d *deaf) Pause(idle func()) func()                                  { idle(); return func() {} }
func (d *deaf) OpenQueue(context.Context, *url.URL) (driver.Queue, error) { return d, nil }

// shutDeaf shuts down a queue of a deaf backend on which a Send and an Ack wait.
func shutDeaf(t *testing.T, ctx context.Context, close func(context.Context) error) (time.Duration, error) {
	d := &deaf{topic: pubsub.NewTopic(deafTopic{}, nil), sub: pubsub.NewSubscription(deafSub{}, nil, nil), close: close}
	mux := new(bus.Mux)
	mux.Register("deaf", d)
	q, err := mux.Open(t.Context(), "deaf://q")
	if err != nil {
		t.Fatal(err)
	}
	go q.Topic.Send(context.Background(), &pubsub.Message{Body: []byte("m")})
	m, err := q.Subscription.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Ack()
	synctest.Wait()
	begin := time.Now()
	err = q.Shutdown(ctx)
	return time.Since(begin), err
}

func TestShutdownEndsAfterTenSecondsAndSaysWhatWasNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, err := shutDeaf(t, context.Background(), func(ctx context.Context) error {
			if ctx.Err() == nil {
				t.Error("the backend is closed before its time is over")
			}
			return &bus.UnconfirmedError{Sends: 1, Acks: 2, Err: ctx.Err()}
		})
		const want = "bus: shut down deaf://q: 1 send and 2 acknowledgements were not confirmed: context deadline exceeded"
		if took != bus.ShutdownTimeout || err == nil || err.Error() != want || gcerrors.Code(err) != gcerrors.DeadlineExceeded {
			t.Errorf("after %v: %v (code %v)\nwant after %v, with the code DeadlineExceeded:\n%s", took, err, gcerrors.Code(err), bus.ShutdownTimeout, want)
		}
		if u, ok := errors.AsType[*bus.UnconfirmedError](err); !ok || u.Sends != 1 || u.Acks != 2 {
			t.Errorf("the error has the counts %+v", u)
		}
	})
}

func TestShutdownKeepsToItsContextsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		took, err := shutDeaf(t, ctx, func(context.Context) error { return nil })
		if took != 25*time.Second || gcerrors.Code(err) != gcerrors.DeadlineExceeded {
			t.Errorf("after %v: %v; want DeadlineExceeded after 25 s", took, err)
		}
	})
}

func TestUnconfirmedSaysHowManyOfWhat(t *testing.T) {
	for want, e := range map[string]bus.UnconfirmedError{
		"1 send was not confirmed: late":                         {Sends: 1},
		"1 acknowledgement was not confirmed: late":              {Acks: 1},
		"3 sends were not confirmed: late":                       {Sends: 3},
		"2 sends and 1 acknowledgement were not confirmed: late": {Sends: 2, Acks: 1},
		"0 sends were not confirmed: late":                       {},
		"20 acknowledgements were not confirmed: late":           {Acks: 20},
	} {
		e.Err = errors.New("late")
		if got := e.Error(); got != want {
			t.Errorf("%+v reads %q, want %q", e, got, want)
		}
	}
}

func TestAReceiverLeavesTheTopicOpen(t *testing.T) {
	q := open(t, newMux(), "mem://donors")
	r, err := q.OpenReceiver(bus.ReceiverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Topic != q.Topic || r.Subscription == q.Subscription || r.URL() != q.URL() {
		t.Errorf("the receiver is %+v of %+v; want the Topic and the URL of the queue, and another Subscription", r, q)
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("m")}); err != nil {
		t.Error(err)
	}
}

// All that ask are told, in the order in which they asked.
func TestAfterAckTellsAllWhoAsk(t *testing.T) {
	q := open(t, newMux(), "mem://donors")
	if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("m")}); err != nil {
		t.Fatal(err)
	}
	m, err := q.Subscription.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan int, 2)
	for i := range 2 {
		if !bus.AfterAck(m, func(err error) {
			if err == nil {
				told <- i
			}
		}) {
			t.Fatal("mem:// does not tell")
		}
	}
	m.Ack()
	if a, b := <-told, <-told; a != 0 || b != 1 {
		t.Errorf("told were %d and %d, want 0 and 1", a, b)
	}
}
