package plainbus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/plainbus"
)

// inBubble runs a test in virtual time. open opens the test's one queue once
// more.
func inBubble(t *testing.T, test func(t *testing.T, open func(params string) *bus.Queue)) {
	synctest.Test(t, func(t *testing.T) {
		var mux bus.Mux
		mux.Register(plainbus.Scheme, plainbus.New())
		test(t, func(params string) *bus.Queue {
			q, err := mux.Open(t.Context(), "mempubsub://donors"+params)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := q.Shutdown(context.Background()); err != nil {
					t.Errorf("shutdown: %v", err)
				}
			})
			return q
		})
	})
}

func receive(t *testing.T, q *bus.Queue, within time.Duration) *pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDelayIsHeldInTheProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		m := &pubsub.Message{Body: []byte("x")}
		bus.Delay(m, 10*time.Second)
		begin := time.Now()
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		receive(t, q, time.Minute).Ack()
		if took := time.Since(begin); took < 10*time.Second || took > 10*time.Second+300*time.Millisecond {
			t.Errorf("the message came after %v, want 10 s and at most one poll", took)
		}
	})
}

func TestOutOfRangeDelayIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		m := &pubsub.Message{Body: []byte("x")}
		bus.Delay(m, 901*time.Second)
		err := open("").Topic.Send(t.Context(), m)
		if gcerrors.Code(err) != gcerrors.InvalidArgument || !strings.Contains(err.Error(), ">= 0 and <= 900") {
			t.Errorf("send: %v", err)
		}
	})
}

func TestThoseWhoOpenANameCompete(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		sender, a, b := open(""), open(""), open("")
		for i := range 10 {
			if err := sender.Topic.Send(t.Context(), &pubsub.Message{Body: fmt.Append(nil, i)}); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for range 5 {
			for _, q := range []*bus.Queue{a, b} {
				m := receive(t, q, time.Minute)
				m.Ack()
				got = append(got, string(m.Body))
			}
		}
		slices.Sort(got)
		if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; !slices.Equal(got, want) {
			t.Errorf("the two received %v, want each message once", got)
		}
	})
}

func TestAckDeadlineIsTheFirstOpeners(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("?ackdeadline=5s")
		if err := q.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		first := receive(t, q, time.Minute)
		begin := time.Now()
		receive(t, q, time.Minute).Ack()
		if took := time.Since(begin); took < 5*time.Second || took > 5*time.Second+300*time.Millisecond {
			t.Errorf("the message came again after %v, want 5 s and at most one poll", took)
		}
		first.Ack()
	})
}

func TestTypedAttributesSurvive(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		want := map[string]bus.Attribute{
			"price": {DataType: "Number.eur", StringValue: "12.50"},
			"photo": bus.Binary([]byte{0, 1, 0xff}),
			"note":  bus.String("100%25 ☺"),
		}
		m := &pubsub.Message{Body: []byte("x"), Metadata: map[string]string{"plain": "a b%"}}
		for name, a := range want {
			bus.SetAttribute(m, name, a)
		}
		if err := q.Topic.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if len(m.Metadata) != 1 {
			t.Errorf("the sender's metadata became %v", m.Metadata)
		}
		got := receive(t, q, time.Minute)
		got.Ack()
		want["plain"] = bus.String("a b%")
		attrs := bus.Details(got).Attributes
		if len(attrs) != len(want) {
			t.Errorf("attributes are %v, want %v", attrs, want)
		}
		for name, a := range want {
			if b := attrs[name]; b.DataType != a.DataType || b.StringValue != a.StringValue || string(b.BinaryValue) != string(a.BinaryValue) {
				t.Errorf("attribute %s is %+v, want %+v", name, b, a)
			}
		}
		if got.Metadata["plain"] != "a b%" || got.Metadata["price"] != "12.50" || got.Metadata["omnibus.types"] != "" {
			t.Errorf("metadata is %v", got.Metadata)
		}
	})
}

func TestBadAttributesAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		for want, attr := range map[string]bus.Attribute{
			"to a number":               bus.Number("x"),
			"allows neither = nor &":    {DataType: "String.a=b", StringValue: "x"},
			"metadata and an attribute": bus.String("x"),
		} {
			m := &pubsub.Message{Body: []byte("x"), Metadata: map[string]string{"m": "1"}}
			name := "a"
			if strings.HasPrefix(want, "metadata") {
				name = "m"
			}
			bus.SetAttribute(m, name, attr)
			if err := q.Topic.Send(t.Context(), m); gcerrors.Code(err) != gcerrors.InvalidArgument || !strings.Contains(err.Error(), want) {
				t.Errorf("send: %v, want InvalidArgument and %q", err, want)
			}
		}
	})
}

func TestGroupsAreUnsupported(t *testing.T) {
	inBubble(t, func(t *testing.T, open func(string) *bus.Queue) {
		m := &pubsub.Message{Body: []byte("x")}
		bus.Group(m, "g")
		if err := open("").Topic.Send(t.Context(), m); !errors.Is(err, errors.ErrUnsupported) || gcerrors.Code(err) != gcerrors.Unimplemented {
			t.Errorf("send: %v, want errors.ErrUnsupported", err)
		}
	})
}
