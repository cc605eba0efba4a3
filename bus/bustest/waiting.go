package bustest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// wokeUp checks that a receive that had waited returned as soon as its message
// was sent.
func (t *trial) wokeUp(m *message, s sent) {
	if late := m.by.Sub(s.by); late > t.prompt() {
		t.Errorf("a waiting receive returned %v %v after the send; %v is allowed", m, late, t.prompt())
	}
}

func keepsWakeUp(t *trial) {
	q := t.plain()
	wait := q.begin()
	t.settle()
	t.sleep(t.either(7*time.Second, 1*time.Second))
	s := q.send("good morning")
	m := wait()
	t.wokeUp(m, s)
	m.Ack()
}

func keepsWakeUpMany(t *trial) {
	const receivers = 16
	q := t.plain()
	var waits []func() *message
	for range receivers {
		waits = append(waits, q.begin())
	}
	t.settle()
	t.sleep(t.either(7*time.Second, 1*time.Second))
	sends := map[string]sent{}
	for i := range receivers {
		body := fmt.Sprint("good morning ", i)
		sends[body] = q.send(body)
	}
	for _, wait := range waits {
		m := wait()
		t.wokeUp(m, sends[string(m.Body)])
		m.Ack()
	}
}

// cancelled runs a receive on an empty queue whose context ends after d, and
// checks how it returns.
func (q *queue) cancelled(d time.Duration) {
	t := q.t
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	var end time.Time
	defer t.after(d, func() {
		end = t.now()
		cancel()
	})()
	m, err := q.next(ctx)
	switch {
	case err == nil:
		t.Fatalf("%v came, and no message should have", m)
	case !errors.Is(err, context.Canceled):
		t.Errorf("a receive whose context is cancelled returns %v; want the context's error", err)
	}
	if ctx.Err() == nil {
		t.Fatalf("a receive returned %v before its context ended", err)
	}
	if late := t.now().Sub(end); late > t.prompt() {
		t.Errorf("a receive returned %v after its context ended; %v is allowed", late, t.prompt())
	}
}

func keepsCancel(t *trial) {
	q := t.plain()
	q.cancelled(1 * time.Second)
	q.none(1 * time.Second) // a deadline instead
	for _, body := range []string{"first", "second"} {
		q.cancelled(1 * time.Second)
		q.send(body)
		m := q.take()
		t.is(m, body)
		m.Ack()
	}
	q.send("third")
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if m, err := q.next(ctx); err == nil {
		t.Fatalf("%v came to a receive whose context had ended before", m)
	}
	m := q.take()
	t.is(m, "third")
	m.Ack()
	q.none(t.quiet())
}

func keepsCancelRelease(t *trial) {
	a := t.plain()
	b := a.another()
	for i := range 3 {
		a.cancelled(time.Duration(i) * time.Second / 2)
		a.release()
		t.settle() // on a wire, the other side has to notice
		s := a.send(fmt.Sprint("not for a ", i))
		t.settle()
		m := b.receive()
		t.came(m, s.span, 0)
		if n := m.about.ReceiveCount; t.has(details) && n != 1 {
			t.Errorf("%v comes for the time %d; want 1: the ended receive took it", m, n)
		}
		m.Ack()
	}
}

// givesBack checks that b gets at once what a fetch of q that went on after its
// receive has taken, when end has ended that.
func (q *queue) givesBack(end func(), b *queue) {
	q.cancelled(0)
	q.send("fetched")
	q.t.settle()
	end()
	given := q.t.instant()
	m := b.receive()
	q.t.came(m, given, 0)
	m.Ack()
}

func keepsRelease(t *trial) {
	a := t.plain()
	b := a.another()
	a.givesBack(a.release, b)

	// What was fetched together with what was handed out.
	const n = 10
	for i := range n {
		a.send(fmt.Sprint("together ", i))
	}
	t.settle()
	a.receive().Ack()
	given := t.instant()
	for range n - 1 {
		m := b.receive()
		t.came(m, given, 0)
		m.Ack()
	}
	b.none(t.quiet())
}

// instant returns the span of this moment.
func (t *trial) instant() span {
	n := t.now()
	return span{n, n}
}
