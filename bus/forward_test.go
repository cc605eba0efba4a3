package bus_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
)

func TestNameIsThatOfTheURL(t *testing.T) {
	mux := new(bus.Mux)
	for _, scheme := range []string{"mem", "http", "awssns"} {
		mux.Register(scheme, new(deaf))
	}
	for url, want := range map[string]string{
		"mem://donors?visibility=5s":                              "donors",
		"mem://donors.fifo":                                       "donors.fifo",
		"http://127.0.0.1:9324/000000000000/donors?wait=1s":       "donors",
		"awssns:///arn:aws:sns:us-east-1:123456789012:gifts.fifo": "gifts.fifo",
	} {
		q, err := mux.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if q.Name() != want || q.FIFO() != strings.HasSuffix(want, ".fifo") {
			t.Errorf("%s has the name %q, FIFO %v; want %q", url, q.Name(), q.FIFO(), want)
		}
	}
	if name := bus.Wrap(nil, nil).Name(); name != "" {
		t.Errorf("a queue of Wrap has the name %q", name)
	}
}

func TestAForwardedMessageIsAsItWasSent(t *testing.T) {
	for _, places := range [][2]string{{"mem://a", "mem://b"}, {"mempubsub://a", "mempubsub://b"}, {"mem://a", "mempubsub://b"}, {"mempubsub://a", "mem://b"}} {
		synctest.Test(t, func(t *testing.T) {
			mux := new(bus.Mux)
			mux.Register(membus.Scheme, membus.New(nil))
			mux.Register(plainbus.Scheme, plainbus.New())
			var queues []*bus.Queue
			for _, url := range places {
				q, err := mux.Open(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				defer q.Shutdown(t.Context())
				queues = append(queues, q)
			}
			from, to := queues[0], queues[1]
			m := &pubsub.Message{Body: []byte("a\xff"), Metadata: map[string]string{"Job": "new 100%"}}
			bus.SetAttribute(m, "amount", bus.Number("97.50"))
			bus.SetAttribute(m, "photo", bus.Binary([]byte{0, 1}))
			if err := from.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := receive(t, from)
			if err := to.Topic.Send(t.Context(), to.Forward(got)); err != nil {
				t.Fatal(err)
			}
			forwarded := receive(t, to)
			before, after := bus.Details(got), bus.Details(forwarded)
			if string(forwarded.Body) != "a\xff" || !reflect.DeepEqual(forwarded.Metadata, got.Metadata) {
				t.Errorf("%v: the message is %q with %v, want %v", places, forwarded.Body, forwarded.Metadata, got.Metadata)
			}
			for _, name := range []string{"amount", "photo"} {
				if !reflect.DeepEqual(after.Attributes[name], before.Attributes[name]) {
					t.Errorf("%v: attribute %s is %+v, want %+v", places, name, after.Attributes[name], before.Attributes[name])
				}
			}

			buried := to.Burial(got, from, "no room")
			if err := to.Topic.Send(t.Context(), buried); err != nil {
				t.Fatal(err)
			}
			again := receive(t, to)
			if err := to.Topic.Send(t.Context(), to.Burial(again, to, "still no room")); err != nil {
				t.Fatal(err)
			}
			last := bus.Details(receive(t, to))
			if string(again.Body) != "a\xff" || last.Attributes[bus.DeadLetterReason].StringValue != "still no room" || last.Attributes[bus.DeadLetterSource].StringValue != "b" {
				t.Errorf("%v: a message buried twice has %v", places, last.Attributes)
			}
		})
	}
}

func TestWhatIsBuriedInAFIFOQueueHasAGroupAndIsNotTakenForADuplicate(t *testing.T) {
	mux := new(bus.Mux)
	mux.Register(membus.Scheme, membus.New(nil))
	from, err := mux.Open(t.Context(), "mem://a")
	if err != nil {
		t.Fatal(err)
	}
	to, err := mux.Open(t.Context(), "mem://b.fifo?contentdedup=true")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := from.Topic.Send(t.Context(), &pubsub.Message{Body: []byte("a")}); err != nil {
			t.Fatal(err)
		}
		m := receive(t, from)
		if err := to.Topic.Send(t.Context(), to.Burial(m, from, "no room")); err != nil {
			t.Fatal(err)
		}
		if d := bus.Details(receive(t, to)); d.Group != m.LoggableID {
			t.Errorf("the group is %q, want the message's id", d.Group)
		}
	}
}

// receive receives and acknowledges a message.
func receive(t *testing.T, q *bus.Queue) *pubsub.Message {
	t.Helper()
	m, err := q.Subscription.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.Ack()
	return m
}
