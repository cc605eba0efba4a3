package bustest

import (
	"errors"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsLostLease(t *trial) {
	a := t.leased(2 * time.Second)
	b := a.another()
	a.send("lost")
	m := a.receive()
	t.sleepUntil(m.span, a.lease+t.either(0, time.Second))
	a.settlesNothing(m, "a delivery whose visibility timeout is over")
	held := b.receive()
	a.settlesNothing(m, "an earlier delivery")
	last := b.receive() // nothing of that changed anything
	t.came(last, held.span, b.lease)
	last.Ack()
	a.none(t.quiet())
}

// settlesNothing checks that nothing can be done with a delivery that does not hold
// its message.
func (q *queue) settlesNothing(m *message, what string) {
	t := q.t
	for _, v := range []struct {
		control bus.Control
		what    string
		use     func() error
	}{
		{visibility, "changing the visibility timeout of ", func() error { return q.ChangeVisibility(t.ctx, m.Message, 1*time.Hour) }},
		{renew, "renewing ", func() error { return first(q.Renew(t.ctx, m.Message)) }},
		{giveBack, "giving back ", func() error { return q.GiveBack(t.ctx, m.Message, 0) }},
		{bury, "burying ", func() error { return q.Bury(t.ctx, m.Message, "lost") }},
	} {
		if !t.has(v.control) || v.control == bury && q.dead == nil {
			continue
		}
		err := v.use()
		t.denied(err, gcerrors.FailedPrecondition, v.what+what, q.URL())
		if err != nil && !errors.Is(err, bus.ErrLeaseLost) {
			t.Errorf("%s%s fails with %v; want an error that matches ErrLeaseLost", v.what, what, err)
		}
	}
}

// first returns the error of a call with one message.
func first(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return errs[0]
}

func keepsVisibleAt(t *trial) {
	q := t.leased(20 * time.Second)
	q.send("watched")
	m := q.receive()
	t.at(m.about.VisibleAt, m.span, q.lease, "VisibleAt")
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
	a := t.leased(3 * time.Second)
	b := a.another()
	a.send("held by b")
	stale := a.receive()
	held := b.receiveAgain(stale)
	stale.Ack()
	a.shutdown() // by which the ack has been sent
	last := b.receive()
	t.came(last, held.span, b.lease)
	last.Ack()
	b.none(t.quiet())
}

func keepsStaleNack(t *trial) {
	a := t.leased(3 * time.Second)
	b := a.another()
	a.send("held by b")
	stale := a.receive()
	if !stale.Nackable() {
		t.Logf("the backend's messages are not nackable")
		return
	}
	held := b.receiveAgain(stale)
	t.sleepUntil(stale.span, a.lease) // over by a's clock too, on whose side of the wire it may be kept
	stale.Nack()
	a.shutdown() // by which the nack has been sent
	last := b.receive()
	t.came(last, held.span, b.lease)
	last.Ack()
}

func keepsLateAcks(t *trial) {
	a := t.leased(4 * time.Second)
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
	late(a, 0)
	a.send("in time")
	a.receive().Ack()
	a.send("too late")
	m := a.receive()
	held := b.receiveAgain(m)
	late(a, 0)
	t.sleepUntil(m.span, a.lease) // over by a's clock too, on whose side of the wire it may be kept
	m.Ack()
	late(a, 1)
	held.Ack()
	a.none(t.quiet())
	late(a, 1)
	late(b, 0)
}

func keepsDetails(t *trial) {
	a := t.leased(1 * time.Second)
	b := a.another()
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
