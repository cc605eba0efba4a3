package bustest

import (
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// numbered sends messages to a group, with the bodies group1, group2 and so on.
func (q *queue) numbered(group string, from, to int) {
	for i := from; i <= to; i++ {
		body := fmt.Sprint(group, i)
		q.send(body, grouped(group), deduplicated(body))
	}
}

func keepsGroupOrder(t *trial) {
	q := t.fifo(bus.QueueSettings{})
	const n = 5
	for i := 1; i <= n; i++ {
		for _, g := range []string{"a", "b", "c"} {
			q.numbered(g, i, i)
		}
	}
	next := map[string]int{"a": 1, "b": 1, "c": 1}
	sequence := map[string]string{}
	for range 3 * n {
		m := q.take()
		g := string(m.Body[:1])
		if want := fmt.Sprint(g, next[g]); string(m.Body) != want {
			t.Fatalf("%v came; the next of its group is %q", m, want)
		}
		if t.has(details) {
			d := m.about
			if d.Group != g || d.Deduplication != string(m.Body) {
				t.Errorf("%v came with the group %q and the deduplication id %q", m, d.Group, d.Deduplication)
			}
			if d.SequenceNumber <= sequence[g] {
				t.Errorf("%v has the sequence number %q; that of the one before was %q", m, d.SequenceNumber, sequence[g])
			}
			sequence[g] = d.SequenceNumber
		}
		next[g]++
		m.Ack()
	}
	q.release()

	q.numbered("d", 1, 3)
	for _, want := range []string{"d1", "d2", "d3"} {
		m := q.receive()
		t.is(m, want)
		m.Nack()
		m = q.receive()
		t.is(m, want)
		m.Ack()
	}
	q.none(t.quiet())
}

func keepsGroupLock(t *trial) {
	const lease = 5 * time.Second
	a := t.fifo(bus.QueueSettings{Visibility: new(lease)})
	b := a.another()
	a.numbered("a", 1, 3)
	m := a.receive()
	t.is(m, "a1")
	b.none(1 * time.Second)
	wait := b.begin()
	t.settle()
	acked := span{from: t.now()}
	m.Ack()
	acked.by = t.now()
	m = wait()
	b.release()
	t.is(m, "a2")
	t.came(m, acked, 0)
	again := a.receive() // when that one's visibility timeout is over
	t.is(again, "a2")
	t.came(again, m.span, lease)
	again.Ack()
	m = b.receive()
	t.is(m, "a3")
	m.Ack()
}

func keepsGroupsParallel(t *trial) {
	a := t.fifo(bus.QueueSettings{})
	b := a.another()
	a.numbered("a", 1, 3)
	a.numbered("b", 1, 1)
	a.numbered("c", 1, 1)
	m := a.receive()
	t.is(m, "a1")
	given := t.instant()
	others := map[string]bool{"b1": true, "c1": true}
	for range 2 {
		m := b.receive()
		t.came(m, given, 0)
		if !others[string(m.Body)] {
			t.Fatalf("%v came while a1 is in flight; want b1 and c1", m)
		}
		delete(others, string(m.Body))
	}
	m.Ack()
	m = b.receive()
	t.is(m, "a2")
	m.Ack()
}

// some checks that just these messages come, and acknowledges them.
func (q *queue) some(bodies ...string) {
	for _, want := range bodies {
		m := q.receive()
		q.t.is(m, want)
		m.Ack()
	}
	q.none(q.t.either(time.Minute, 1*time.Second))
}

func keepsDeduplication(t *trial) {
	q := t.fifo(bus.QueueSettings{})
	in := grouped("a")
	q.send("one", in, deduplicated("1"))
	first := t.instant()
	q.send("one again", in, deduplicated("1"))
	q.send("one again, elsewhere", grouped("b"), deduplicated("1"))
	q.send("one", in, deduplicated("2"))
	q.some("one", "one")
	q.send("one, after it was deleted", in, deduplicated("1"))
	q.some()
	if t.backend.Virtual {
		t.sleepUntil(first, 5*time.Minute-time.Second)
		q.send("one, in time", in, deduplicated("1"))
		q.some()
		q.send("one, later", in, deduplicated("1"))
		q.some("one, later")
	}
}

func keepsContentDeduplication(t *trial) {
	q := t.fifo(bus.QueueSettings{ContentBasedDeduplication: new(true)})
	in := grouped("a")
	q.send("one", in)
	q.send("one", in)
	q.send("one", in, metadata(map[string]string{"key": "does not count"}))
	q.send("two", in)
	q.send("one", in, deduplicated("its-own-id"))
	q.some("one", "two", "one")
	q.send("one", in)
	q.some()
}

func keepsFIFORules(t *trial) {
	q := t.fifo(bus.QueueSettings{})
	_, err := q.trySend("x", deduplicated("1"))
	t.refused(err, gcerrors.InvalidArgument, "a message without a group")
	_, err = q.trySend("x", grouped("a"))
	t.refused(err, gcerrors.InvalidArgument, "a message without a deduplication id")
	if t.has(limits) {
		_, err = q.trySend("x", grouped("with space"), deduplicated("1"))
		t.refused(err, gcerrors.InvalidArgument, "a group with a space in it")
		_, err = q.trySend("x", grouped("a"), deduplicated("with space"))
		t.refused(err, gcerrors.InvalidArgument, "a deduplication id with a space in it")
	}
	if t.has(delays) {
		_, err = q.trySend("x", grouped("a"), deduplicated("1"), delayed(1*time.Second))
		t.refused(err, gcerrors.InvalidArgument, "a message with a delay")
	}
	q.none(1 * time.Second)

	standard := t.plain()
	_, err = standard.trySend("x", deduplicated("1"))
	t.refused(err, gcerrors.InvalidArgument, "a deduplication id on a standard queue")
	standard.send("tenant's", grouped("tenant"))
	m := standard.receive()
	if t.has(details) && m.about.Group != "tenant" {
		t.Errorf("the group of a message of a standard queue came as %q; want %q", m.about.Group, "tenant")
	}
	m.Ack()
}
