package bustest

import (
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsLostLease(t *trial) {
	a := t.plain()
	b := a.another()
	a.hide(1 * time.Second)
	b.hide(2 * time.Second)
	a.send("lost")
	m := a.receive()
	t.sleepUntil(m.span, 1*time.Second+t.either(0, time.Second))
	t.denied(a.ChangeVisibility(t.ctx, m.Message, 1*time.Hour), gcerrors.FailedPrecondition, "extending a visibility timeout that is over", a.URL())
	held := b.receive()
	t.denied(a.ChangeVisibility(t.ctx, m.Message, 1*time.Hour), gcerrors.FailedPrecondition, "extending an earlier delivery's visibility timeout", a.URL())
	last := b.receive() // neither changed anything
	t.came(last, held.span, 2*time.Second)
	last.Ack()
}

func keepsVisibleAt(t *trial) {
	q := t.plain()
	q.hide(20 * time.Second)
	q.send("watched")
	m := q.receive()
	t.at(m.about.VisibleAt, m.span, 20*time.Second, "VisibleAt")
	changed := q.change(m, 1*time.Minute)
	t.at(bus.Details(m.Message).VisibleAt, changed, 1*time.Minute, "VisibleAt after the extension")
	changed = q.change(m, 2*time.Second)
	t.at(bus.Details(m.Message).VisibleAt, changed, 2*time.Second, "VisibleAt after the shortening")
	t.sleepUntil(changed, 2*time.Second)
	if at := bus.Details(m.Message).VisibleAt; !at.IsZero() {
		t.Errorf("VisibleAt is %v when the visibility timeout is over; want zero", at)
	}
}

// at checks that a time that the backend told is d after s. Backends on the wire
// tell milliseconds, and may have a clock of their own.
func (t *trial) at(got time.Time, s span, d time.Duration, what string) {
	off := t.either(time.Millisecond, 5*time.Second)
	if got.Before(s.from.Add(d-off)) || got.After(s.by.Add(d+off)) {
		t.Errorf("%s is %v; want %v", what, got, s.by.Add(d))
	}
}

func keepsStaleAck(t *trial) {
	a := t.plain()
	b := a.another()
	a.hide(1 * time.Second)
	b.hide(3 * time.Second)
	a.send("held by b")
	stale := a.receive()
	held := b.receive()
	t.came(held, stale.span, 1*time.Second)
	stale.Ack()
	a.shutdown() // by which the ack has been sent
	last := b.receive()
	t.came(last, held.span, 3*time.Second)
	last.Ack()
	b.none(t.quiet())
}

func keepsStaleNack(t *trial) {
	a := t.plain()
	b := a.another()
	a.hide(1 * time.Second)
	b.hide(3 * time.Second)
	a.send("held by b")
	stale := a.receive()
	if !stale.Nackable() {
		t.Logf("the backend's messages are not nackable")
		return
	}
	held := b.receive()
	t.sleepUntil(stale.span, 1*time.Second) // over by a's clock too, on whose side of the wire it may be kept
	stale.Nack()
	a.shutdown() // by which the nack has been sent
	last := b.receive()
	t.came(last, held.span, 3*time.Second)
	last.Ack()
}

func keepsLateAcks(t *trial) {
	a := t.plain()
	b := a.another()
	late := func(q *queue, want int64) {
		t.eventually(func() string {
			n, err := q.LateAcks()
			if n != want || err != nil {
				return fmt.Sprintf("LateAcks gives %d, %v; want %d", n, err, want)
			}
			return ""
		})
	}
	a.hide(2 * time.Second)
	b.hide(1 * time.Hour)
	late(a, 0)
	a.send("in time")
	a.receive().Ack()
	a.send("too late")
	m := a.receive()
	held := b.receive()
	late(a, 0)
	t.sleepUntil(m.span, 2*time.Second) // over by a's clock too, on whose side of the wire it may be kept
	m.Ack()
	late(a, 1)
	held.Ack()
	a.none(t.quiet())
	late(a, 1)
	late(b, 0)
}

func keepsDetails(t *trial) {
	a := t.plain()
	b := a.another()
	a.hide(1 * time.Second)
	s := a.send("told of")
	first := a.receive()
	second := b.receive()
	for i, m := range []*message{first, second} {
		d := m.about
		if d.ReceiveCount != i+1 {
			t.Errorf("ReceiveCount is %d at delivery %d", d.ReceiveCount, i+1)
		}
		if d.ID == "" || d.ID != first.about.ID || s.id != "" && d.ID != s.id {
			t.Errorf("ID is %q at delivery %d, and %q at the first; it was sent as %q", d.ID, i+1, first.about.ID, s.id)
		}
		t.at(d.Sent, s.span, 0, "Sent")
		t.at(d.FirstReceived, first.span, 0, "FirstReceived")
	}
	if first.about.Sent != second.about.Sent {
		t.Errorf("Sent is %v at the first delivery and %v at the second", first.about.Sent, second.about.Sent)
	}
	if first.about.FirstReceived != second.about.FirstReceived {
		t.Errorf("FirstReceived is %v at the first delivery and %v at the second", first.about.FirstReceived, second.about.FirstReceived)
	}
	if h := second.about.ReceiptHandle; h == "" || h == first.about.ReceiptHandle {
		t.Errorf("the second delivery has the receipt handle %q; want one of its own", h)
	}
	second.Ack()
	other := b.send("another")
	if m := b.receive(); m.about.ID == second.about.ID || other.id != "" && m.about.ID != other.id {
		t.Errorf("ID of another message is %q, that of the first %q", m.about.ID, second.about.ID)
	}
}
