package bustest

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

func keepsControls(t *trial) {
	q := t.plain()
	for _, c := range bus.Controls() {
		if has, want := q.Supports(c), t.has(c); has != want {
			t.Errorf("Supports(%q) is %t; the backend declares %t", c, has, want)
		}
	}
	for _, c := range t.declared {
		if !slices.Contains(bus.Controls(), c) {
			t.Errorf("the backend declares %q, which is no control", c)
		}
	}
}

func keepsUnsupported(t *trial) {
	q := t.plain()
	ctx, cancel := t.timeout(t.ctx, t.patience())
	defer cancel()

	// Controls that are methods. Some need a received message.
	received := func() *message {
		q.send("received")
		return q.receive()
	}
	settling := func(use func(*pubsub.Message) error) func() error {
		return func() error {
			m := received()
			defer m.Ack()
			return use(m.Message)
		}
	}
	for _, c := range []struct {
		control bus.Control
		use     func() error
	}{
		{create, func() error { _, err := t.mux.Create(ctx, q.URL(), bus.QueueSettings{}); return err }},
		{list, func() error { _, err := t.mux.List(ctx, q.URL(), ""); return err }},
		{attributes, func() error { _, err := q.Attributes(ctx); return err }},
		{settings, func() error { return q.SetAttributes(ctx, bus.QueueSettings{}) }},
		{receivers, func() error { _, err := q.OpenReceiver(bus.ReceiverOptions{}); return err }},
		{purge, func() error { return q.Purge(ctx) }},
		{peek, func() error { _, err := q.Peek(ctx, 1); return err }},
		{redrive, func() error { _, err := q.Redrive(ctx, "", 0); return err }},
		{lateAcks, func() error { _, err := q.LateAcks(); return err }},
		{remove, func() error { return q.Delete(ctx) }},
		{topics, func() error { return q.SubscribeTo(ctx, q.URL(), bus.SubscriptionSettings{}) }},
		{visibility, settling(func(m *pubsub.Message) error { return q.ChangeVisibility(ctx, m, time.Minute) })},
		{renew, settling(func(m *pubsub.Message) error { return first(q.Renew(ctx, m)) })},
		{giveBack, settling(func(m *pubsub.Message) error { return q.GiveBack(ctx, m, time.Minute) })},
		{bury, settling(func(m *pubsub.Message) error { return q.Bury(ctx, m, "unsupported") })},
	} {
		if !t.has(c.control) {
			err := c.use()
			t.unsupported(err, c.control)
			if u, _ := url.Parse(q.URL()); err != nil && !strings.Contains(err.Error(), u.Scheme) {
				t.Errorf("the error %q of control %q does not name the backend %s", err, c.control, u.Scheme)
			}
		}
	}

	// Controls that travel on messages.
	for _, c := range []struct {
		control bus.Control
		what    option
	}{
		{delays, delayed(1 * time.Second)},
		{delays, delayed(0)},
		{types, attribute("Number", bus.Number("1"))},
		{types, attribute("String", bus.String("text"))},
		{groups, grouped("a")},
		{groups, deduplicated("1")},
	} {
		if !t.has(c.control) {
			_, err := q.trySend("refused", c.what)
			t.unsupported(err, c.control)
		}
	}
	q.none(1 * time.Second)

	// Three that do not fail. Details are zero but for the id, Release does what can
	// be done, and AfterAck says that it cannot.
	if !t.has(details) {
		m := received()
		if d := m.about; d.ReceiveCount != 0 || !d.Sent.IsZero() || !d.FirstReceived.IsZero() || !d.VisibleAt.IsZero() {
			t.Errorf("details are not declared, and are %+v", d)
		}
		m.Ack()
	}
	if !t.has(ackResults) {
		m := received()
		if bus.AfterAck(m.Message, func(error) {}) {
			t.Errorf("control %q is not declared, and AfterAck reports true", ackResults)
		}
		m.Ack()
	}
	if !t.has(release) {
		if _, err := q.Release(ctx); err != nil {
			t.Errorf("release: %v", err)
		}
	}
	if t.has(create) && !t.has(deadLetter) {
		_, err := t.create("policy", bus.QueueSettings{DeadLetter: &bus.DeadLetter{Queue: t.full("donors"), MaxReceives: 1}})
		t.unsupported(err, deadLetter)
	}
}

// unsupported checks the error of a control that the backend does not declare.
func (t *trial) unsupported(err error, c bus.Control) {
	switch {
	case err == nil:
		t.Errorf("control %q is not declared, and was accepted", c)
	case !errors.Is(err, errors.ErrUnsupported):
		t.Errorf("control %q is not declared, and fails with %v; want an error that matches errors.ErrUnsupported", c, err)
	case gcerrors.Code(err) != gcerrors.Unimplemented:
		t.Errorf("control %q is not declared, and fails with code %v: %v; want code Unimplemented", c, gcerrors.Code(err), err)
	case !strings.Contains(err.Error(), string(c)):
		t.Errorf("control %q is not declared, and the error %q does not name it", c, err)
	}
}
