package bustest

import (
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsVisibility(t *trial) {
	q := t.leased(2 * time.Second)
	s := q.send("hidden")
	m := q.receive()
	t.came(m, s.span, 0)
	again := q.receive()
	t.is(again, "hidden")
	t.came(again, m.span, q.lease)
	again.Ack()
	q.none(t.quiet())
}

func keepsReceivers(t *trial) {
	q := t.plain()
	short, long := q.receiver(1*time.Second), q.receiver(3*time.Second)
	q.send("handed on")
	m := short.receive()
	again := long.receive()
	t.came(again, m.span, 1*time.Second)
	m = short.receive()
	t.came(m, again.span, 3*time.Second)
	again = q.receive()
	t.came(again, m.span, 1*time.Second)
	if t.has(visibility) { // which is the queue's, not the receiver's
		changed := short.change(again, 2*time.Second)
		again = long.receive()
		t.came(again, changed, 2*time.Second)
	}
	again.Ack()

	short.shutdown()
	s := long.send("sent through a receiver")
	m = long.receive()
	t.came(m, s.span, 0)
	m.Ack()
	long.shutdown()
	s = q.send("after the receivers")
	m = q.receive()
	t.came(m, s.span, 0)
	m.Ack()
	q.none(t.quiet())

	for _, d := range []time.Duration{-1 * time.Second, 12*time.Hour + time.Second} {
		_, err := q.OpenReceiver(bus.ReceiverOptions{Visibility: &d})
		t.denied(err, gcerrors.InvalidArgument, fmt.Sprintf("a receiver with a visibility timeout of %v", d), q.URL())
	}
}

func keepsQueueVisibility(t *trial) {
	a := t.queue("quick", bus.QueueSettings{Visibility: new(2 * time.Second)})
	b := a.another()
	a.send("hidden")
	m := a.receive()
	again := b.receive()
	t.came(again, m.span, 2*time.Second)
	if t.has(receivers) { // whose own timeouts go before the queue's
		hasty, like := a.receiver(1*time.Second), b.opens()
		third := hasty.receive()
		t.came(third, again.span, 2*time.Second)
		fourth := like.receive()
		t.came(fourth, third.span, 1*time.Second)
		again = a.receive()
		t.came(again, fourth.span, 2*time.Second)
	}
	again.Ack()
	a.none(t.quiet())
}

// opens opens a receiver without a visibility timeout of its own.
func (q *queue) opens() *queue {
	opened, err := q.OpenReceiver(bus.ReceiverOptions{})
	if err != nil {
		q.t.Fatalf("open a receiver: %v", err)
	}
	return q.t.opened(q.name, opened)
}

func keepsChangeVisibility(t *trial) {
	q := t.leased(3 * time.Second)
	q.send("changed")
	m := q.receive()
	t.sleep(1 * time.Second)
	longer := q.lease + 1*time.Second
	changed := q.change(m, longer)
	m = q.receive()
	t.came(m, changed, longer)

	changed = q.change(m, 1*time.Second)
	m = q.receive()
	t.came(m, changed, 1*time.Second)

	changed = q.change(m, 0)
	m = q.receive()
	t.came(m, changed, 0)

	for _, d := range []time.Duration{-1 * time.Second, 12*time.Hour + time.Second} {
		t.denied(q.ChangeVisibility(t.ctx, m.Message, d), gcerrors.InvalidArgument, fmt.Sprintf("a visibility timeout of %v", d), q.URL())
	}
	q.change(m, 1*time.Hour) // not lost by that
	m.Ack()
	q.none(t.quiet())
}

func keepsChangeVisibilityBatch(t *trial) {
	q := t.leased(30 * time.Second)
	const n = 4
	for i := range n {
		q.send(fmt.Sprint("batched ", i))
	}
	var ms []*message
	for range n {
		ms = append(ms, q.receive())
	}
	ask := func(ds ...time.Duration) ([]error, span) {
		var changes []bus.VisibilityChange
		for i, d := range ds {
			changes = append(changes, bus.VisibilityChange{Message: ms[i].Message, Timeout: d})
		}
		s := span{from: t.now()}
		errs := q.ChangeVisibilityBatch(t.ctx, changes)
		s.by = t.now()
		return errs, s
	}
	if errs, _ := ask(time.Minute, time.Minute, time.Minute, time.Minute); errs != nil {
		t.Errorf("four good changes gave the errors %v; want nil", errs)
	}
	errs, changed := ask(2*time.Second, 13*time.Hour, 0, 1*time.Second)
	if len(errs) != n {
		t.Fatalf("a batch of four with a bad one gave the errors %v; want four, three of them nil", errs)
	}
	for i, err := range errs {
		if i == 1 {
			t.denied(err, gcerrors.InvalidArgument, "a visibility timeout of 13h", q.URL())
		} else if err != nil {
			t.Errorf("change %d failed beside a bad one: %v", i, err)
		}
	}
	for _, want := range []struct {
		m *message
		d time.Duration
	}{{ms[2], 0}, {ms[3], 1 * time.Second}, {ms[0], 2 * time.Second}} {
		m := q.receive()
		t.is(m, string(want.m.Body))
		t.came(m, changed, want.d)
		m.Ack()
	}
	q.none(2 * time.Second)
	ms[1].Ack()
	q.none(t.quiet())
}
