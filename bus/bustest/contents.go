package bustest

import (
	"fmt"
	"slices"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsCounts(t *trial) {
	q := t.leased(4 * time.Second)
	q.counts(0, 0, 0)
	q.send("one")
	q.send("two")
	late := q.send("late", delayed(2*time.Second))
	q.counts(2, 0, 1)
	m := q.receive()
	q.counts(1, 1, 1)
	if t.backend.Virtual {
		t.sleepUntil(late.span, 1*time.Second)
		q.counts(1, 1, 1)
	}
	t.sleepUntil(late.span, 2*time.Second)
	q.counts(2, 1, 0)
	t.sleepUntil(m.span, q.lease)
	q.counts(3, 0, 0)
	for range 3 {
		q.receive().Ack()
	}
	q.counts(0, 0, 0)
	q.send("given back")
	m = q.receive()
	q.counts(0, 1, 0)
	m.Nack()
	q.counts(1, 0, 0)
}

func keepsPurge(t *trial) {
	q := t.leased(4 * time.Second)
	q.send("in flight")
	m := q.receive()
	q.send("visible")
	q.send("delayed", delayed(2*time.Second))
	if err := q.Purge(t.ctx); err != nil {
		t.Fatalf("purge: %v", err)
	}
	if t.has(attributes) {
		q.counts(0, 0, 0)
	}
	q.none(q.lease + 2*time.Second)
	m.Ack() // harms nobody
	s := q.send("sent later")
	m = q.receive()
	t.is(m, "sent later")
	t.came(m, s.span, 0)
	m.Ack()
	q.none(t.quiet())
}

func keepsPurgeInterval(t *trial) {
	q := t.plain()
	if err := q.Purge(t.ctx); err != nil {
		t.Fatalf("purge: %v", err)
	}
	q.send("stays")
	t.sleep(t.either(59*time.Second, 1*time.Second))
	t.denied(q.Purge(t.ctx), gcerrors.FailedPrecondition, "a second purge within a minute", q.URL())
	m := q.receive()
	t.is(m, "stays")
	m.Ack()
	if t.backend.Virtual {
		t.sleep(1 * time.Second)
		if err := q.Purge(t.ctx); err != nil {
			t.Errorf("a second purge after a minute: %v", err)
		}
	}
}

func keepsPeek(t *trial) {
	q := t.leased(1 * time.Minute)
	q.send("in flight")
	held := q.receive()
	q.send("first", metadata(map[string]string{"a key": "100%"}))
	q.send("second")
	q.send("delayed", delayed(10*time.Second))
	look := func(n int, want ...string) (ps []bus.Peeked) {
		t.eventually(func() string {
			var err error
			if ps, err = q.Peek(t.ctx, n); err != nil {
				return err.Error()
			}
			var got []string
			for _, p := range ps {
				got = append(got, string(p.Body))
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("a peek at %d shows %q; want %q", n, got, want)
			}
			return ""
		})
		return ps
	}
	look(0)
	look(1, "first")
	var id string
	for range 2 {
		ps := look(10, "first", "second")
		if got := ps[0].Metadata["a key"]; got != "100%" {
			t.Errorf("a peek shows the metadata %q; want 100%%", got)
		}
		if n := ps[0].Details.ReceiveCount; n != 0 {
			t.Errorf("a peek shows the receive count %d of a message not received", n)
		}
		id = ps[0].Details.ID
	}
	if t.has(attributes) {
		q.counts(2, 1, 1)
	}
	m := q.receive()
	t.is(m, "first")
	if t.has(details) && (m.about.ReceiveCount != 1 || m.about.ID != id) {
		t.Errorf("after two peeks, the message has the receive count %d and the id %s; want 1 and %s", m.about.ReceiveCount, m.about.ID, id)
	}
	look(10, "second")
	_, err := q.Peek(t.ctx, -1)
	t.denied(err, gcerrors.InvalidArgument, "a peek at -1 messages", q.URL())
	held.Ack()
	m.Ack()
	q.receive().Ack()
}
