package membus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/membus"
)

func newMux() *bus.Mux {
	mux := new(bus.Mux)
	membus.New(nil).Register(mux)
	return mux
}

// open opens what a URL names, until the test ends.
func open(t *testing.T, mux *bus.Mux, url string) *bus.Queue {
	t.Helper()
	q, err := mux.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Shutdown(context.Background()) })
	return q
}

func send(q *bus.Queue, body, group, dedup string) (bus.SentMessage, error) {
	m := &pubsub.Message{Body: []byte(body)}
	if group != "" {
		bus.Group(m, group)
	}
	if dedup != "" {
		bus.Deduplicate(m, dedup)
	}
	var sent bus.SentMessage
	bus.StoreSent(m, &sent)
	return sent, q.Topic.Send(context.Background(), m)
}

func wantCode(t *testing.T, what string, err error, code gcerrors.ErrorCode) {
	t.Helper()
	if err == nil || gcerrors.Code(err) != code {
		t.Errorf("%s: %v; want code %v", what, err, code)
	}
}

func TestFIFOTopicsKeepOrderAndDeduplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := newMux()
		topic := open(t, mux, "memsns://donors.fifo")
		q := open(t, mux, "mem://ordered.fifo")
		if err := q.SubscribeTo(t.Context(), "memsns://donors.fifo", bus.SubscriptionSettings{}); err != nil {
			t.Fatal(err)
		}
		var first bus.SentMessage
		for i, id := range []string{"a", "b", "a"} {
			sent, err := send(topic, fmt.Sprint("message ", i), "group", id)
			if err != nil || len(sent.SequenceNumber) != 20 {
				t.Fatalf("message %d was sent as %+v, %v", i, sent, err)
			}
			if i == 0 {
				first = sent
			} else if (sent == first) != (id == "a") {
				t.Errorf("message %d was sent as %+v; the first was as %+v", i, sent, first)
			}
		}
		time.Sleep(5 * time.Minute)
		if _, err := send(topic, "message 3", "group", "a"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"message 0", "message 1", "message 3"} {
			m, err := q.Subscription.Receive(t.Context())
			if err != nil || string(m.Body) != want || bus.Details(m).Group != "group" {
				t.Fatalf("received %v, %v; want %s of its group", m, err, want)
			}
			m.Ack()
		}
		_, err := send(topic, "x", "", "c")
		wantCode(t, "a message without group", err, gcerrors.InvalidArgument)
	})
}

func TestTopicsRefuse(t *testing.T) {
	mux := newMux()
	topic, q := open(t, mux, "memsns://donors"), open(t, mux, "mem://donors")
	for _, url := range []string{
		"memsns://", "memsns://with!mark", "memsns://" + strings.Repeat("x", 257), "memsns://a/b", "memsns://donors?delay=5s", "memsns://donors?fifo=true",
		"memsns://donors.fifo?fifo=false", "memsns://donors?contentdedup=true", "memsns://donors?fifo=maybe", "memsns://donors?fifo=false&fifo=false",
	} {
		_, err := mux.Open(t.Context(), url)
		wantCode(t, "open "+url, err, gcerrors.InvalidArgument)
		wantCode(t, "subscribe to "+url, q.SubscribeTo(t.Context(), url, bus.SubscriptionSettings{}), gcerrors.InvalidArgument)
	}
	for _, url := range []string{"", "mem://donors", "awssns:///arn:aws:sns:us-east-1:000000000000:donors", "memsns://user:password@donors"} {
		err := q.SubscribeTo(t.Context(), url, bus.SubscriptionSettings{})
		wantCode(t, "subscribe to "+url, err, gcerrors.InvalidArgument)
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("the error %q shows a password", err)
		}
	}
	err := open(t, mux, "mem://donors.fifo").SubscribeTo(t.Context(), topic.URL(), bus.SubscriptionSettings{})
	wantCode(t, "a FIFO queue at a standard topic", err, gcerrors.InvalidArgument)

	for what, m := range map[string]*pubsub.Message{
		"no body":                  {},
		"a body of 256 KiB and 1":  {Body: make([]byte, 256<<10+1)},
		"metadata of 11 keys":      {Body: []byte("x"), Metadata: keys(11)},
		"an attribute of no value": {Body: []byte("x"), Metadata: map[string]string{"a": ""}},
	} {
		for i := range m.Body {
			m.Body[i] = 'x'
		}
		wantCode(t, "send "+what, topic.Topic.Send(t.Context(), m), gcerrors.InvalidArgument)
	}
	m := &pubsub.Message{Body: []byte("x")}
	bus.Delay(m, time.Second)
	if err := topic.Topic.Send(t.Context(), m); !errors.Is(err, errors.ErrUnsupported) || gcerrors.Code(err) != gcerrors.Unimplemented {
		t.Errorf("send with a delay: %v", err)
	}
}

func keys(n int) map[string]string {
	md := map[string]string{}
	for i := range n {
		md[fmt.Sprint("key", i)] = "value"
	}
	return md
}

func TestTopicsAreCreatedListedAndDeleted(t *testing.T) {
	mux := newMux()
	for _, name := range []string{"a1", "a2.fifo", "b"} {
		url, err := mux.Create(t.Context(), "memsns://"+name, bus.QueueSettings{})
		if err != nil || url != "memsns://"+name {
			t.Fatalf("created %q, %v", url, err)
		}
	}
	_, err := mux.Create(t.Context(), "memsns://a1", bus.QueueSettings{Delay: new(time.Second)})
	wantCode(t, "create with a delay", err, gcerrors.InvalidArgument)
	if urls, err := mux.List(t.Context(), "memsns://any", "a"); err != nil || fmt.Sprint(urls) != "[memsns://a1 memsns://a2.fifo]" {
		t.Errorf("list: %q, %v", urls, err)
	}
	if urls, err := mux.List(t.Context(), "mem://any", ""); err != nil || len(urls) != 0 {
		t.Errorf("list of queues: %q, %v", urls, err)
	}
	topic := open(t, mux, "memsns://a1")
	if topic.Subscription != nil {
		t.Error("a topic has a subscription")
	}
	for _, c := range bus.Controls() {
		want := c == bus.ControlTypes || c == bus.ControlGroups || c == bus.ControlCreate || c == bus.ControlList || c == bus.ControlDelete
		if topic.Supports(c) != want {
			t.Errorf("a topic's Supports(%q) is %t", c, !want)
		}
	}
	if err := topic.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = send(topic, "too late", "", "")
	wantCode(t, "send to a deleted topic", err, gcerrors.NotFound)
}

func TestQueuesOfATopicComeAndGo(t *testing.T) {
	mux := newMux()
	topic, q, gone := open(t, mux, "memsns://donors"), open(t, mux, "mem://stays"), open(t, mux, "mem://goes")
	for _, q := range []*bus.Queue{q, gone} {
		if err := q.SubscribeTo(t.Context(), topic.URL(), bus.SubscriptionSettings{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := gone.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := send(topic, "x", "", ""); err != nil {
		t.Errorf("send to a topic of which a queue was deleted: %v", err)
	}
	if a, err := q.Attributes(t.Context()); err != nil || a.Visible != 1 {
		t.Errorf("the other queue has %+v, %v", a, err)
	}
	wantCode(t, "subscribe a deleted queue", gone.SubscribeTo(t.Context(), topic.URL(), bus.SubscriptionSettings{}), gcerrors.NotFound)
}

// A subscription is made with its filter, and changed with it at once: no message
// that is sent meanwhile comes against both.
func TestFiltersChangeAtOnce(t *testing.T) {
	mux := newMux()
	topic, q := open(t, mux, "memsns://donors"), open(t, mux, "mem://donors")
	filters := []bus.SubscriptionSettings{
		{Filter: `{"kind": ["large"]}`},
		{Filter: `{"kind": {"of": ["large"]}}`, FilterBody: true},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1000 {
			if err := q.SubscribeTo(t.Context(), topic.URL(), filters[i%2]); err != nil {
				t.Error(err)
			}
		}
	}()
	for sending := true; sending; {
		select {
		case <-done:
			sending = false
		default:
			if _, err := send(topic, `{"kind": "large"}`, "", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, err := q.Attributes(t.Context()); err != nil || a.Visible != 0 {
		t.Errorf("of messages that no filter wants came %d, %v", a.Visible, err)
	}
}
