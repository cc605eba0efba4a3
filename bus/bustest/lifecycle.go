package bustest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsUnknownParameter(t *trial) {
	good := t.plain().URL()
	u, err := url.Parse(good)
	if err != nil {
		t.Fatalf("%v", err)
	}
	values := u.Query()
	values.Set("nonsense", "1")
	u.RawQuery = values.Encode()
	q, err := t.mux.Open(t.ctx, u.String())
	t.denied(err, gcerrors.InvalidArgument, "opening "+u.String(), u.String())
	if err == nil {
		q.Shutdown(context.WithoutCancel(t.ctx))
	}
	if t.has(create) {
		_, err = t.mux.Create(t.ctx, u.String(), bus.QueueSettings{})
		t.denied(err, gcerrors.InvalidArgument, "creating "+u.String(), u.String())
	}
}

func keepsCreateAgain(t *trial) {
	s := bus.QueueSettings{Visibility: new(17 * time.Second), Delay: new(0 * time.Second)}
	q := t.queue("twice", s)
	q.send("in the first")
	again := func(s bus.QueueSettings) string {
		u, err := t.create("twice", s)
		if err != nil {
			t.Fatalf("creating a queue again, with settings that it has: %v", err)
		}
		if u != q.URL() {
			t.Errorf("creating a queue again gave the URL %s; at first it was %s", u, q.URL())
		}
		return u
	}
	again(bus.QueueSettings{}) // nothing given, nothing compared
	again(bus.QueueSettings{Visibility: new(17 * time.Second)})
	m := t.open("twice", again(s)).receive()
	t.is(m, "in the first")
	m.Ack()
	_, err := t.create("twice", bus.QueueSettings{Visibility: new(18 * time.Second)})
	t.denied(err, gcerrors.AlreadyExists, "creating a queue again, with another visibility timeout", q.URL())
	if t.has(attributes) {
		q.attributes(bus.QueueAttributes{Visibility: 17 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageBytes: 1 << 20})
	}
}

func keepsList(t *trial) {
	a, b := t.queue("list-a", bus.QueueSettings{}), t.queue("list-b", bus.QueueSettings{})
	c := t.queue("other", bus.QueueSettings{})
	lists := func(prefix string, want ...*queue) {
		t.eventually(func() string {
			urls, err := t.mux.List(t.ctx, t.url(t.full("any")), t.full(prefix))
			if err != nil {
				return err.Error()
			}
			var wanted []string
			for _, q := range want {
				wanted = append(wanted, q.URL())
			}
			slices.Sort(urls)
			slices.Sort(wanted)
			if !slices.Equal(urls, wanted) {
				return fmt.Sprintf("the list of queues that start with %q is %q; want %q", prefix, urls, wanted)
			}
			return ""
		})
	}
	lists("list-", a, b)
	lists("", a, b, c)
	lists("none")
	b.remove()
	lists("list-", a)
	lists("", a, c)
}

// remove deletes the queue.
func (q *queue) remove() {
	q.gone.Store(true)
	if err := q.Delete(q.t.ctx); err != nil {
		q.t.Fatalf("delete: %v", err)
	}
}

func keepsDeletedQueue(t *trial) {
	q := t.plain()
	sender, receiver := q.another(), q.another()
	sender.gone.Store(true)
	receiver.gone.Store(true)
	q.send("deleted with the queue")
	var m *message
	settles := t.has(visibility) || t.has(renew) || t.has(giveBack) || t.has(bury)
	if settles {
		m = q.receive()
	}
	q.remove()

	_, err := sender.trySend("too late")
	t.refused(err, gcerrors.NotFound, "sending to a deleted queue")
	ctx, cancel := t.timeout(t.ctx, t.patience())
	defer cancel()
	_, err = receiver.next(ctx)
	t.refused(err, gcerrors.NotFound, "receiving from a deleted queue")
	for _, c := range []struct {
		control bus.Control
		what    string
		use     func() error
	}{
		{attributes, "getting attributes of", func() error { _, err := q.Attributes(t.ctx); return err }},
		{settings, "setting attributes of", func() error { return q.SetAttributes(t.ctx, bus.QueueSettings{Visibility: new(time.Minute)}) }},
		{purge, "purging", func() error { return q.Purge(t.ctx) }},
		{peek, "peeking into", func() error { _, err := q.Peek(t.ctx, 1); return err }},
		{redrive, "redriving", func() error { _, err := q.Redrive(t.ctx, "", 0); return err }},
		{remove, "deleting", func() error { return q.Delete(t.ctx) }},
		{visibility, "changing visibility in", func() error { return q.ChangeVisibility(t.ctx, m.Message, time.Minute) }},
		{renew, "renewing leases in", func() error { return first(q.Renew(t.ctx, m.Message)) }},
		{giveBack, "giving back in", func() error { return q.GiveBack(t.ctx, m.Message, time.Minute) }},
		{bury, "burying in", func() error { return q.Bury(t.ctx, m.Message, "deleted") }},
	} {
		if t.has(c.control) {
			t.denied(c.use(), gcerrors.NotFound, c.what+" a deleted queue", q.URL())
		}
	}
	if t.has(visibility) {
		errs := q.ChangeVisibilityBatch(t.ctx, []bus.VisibilityChange{{Message: m.Message, Timeout: time.Minute}})
		if len(errs) != 1 {
			t.Errorf("a batch of one in a deleted queue gave %d errors", len(errs))
		}
	}
}
