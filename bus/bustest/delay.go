package bustest

import (
	"fmt"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

func keepsDelay(t *trial) {
	q := t.plain()
	t.delays(q, 3*time.Second, 1*time.Second, 0, 2*time.Second)
}

// delays sends messages with the delays given, and checks when they come.
func (t *trial) delays(q *queue, ds ...time.Duration) {
	sends := map[string]sent{}
	delay := map[string]time.Duration{}
	for _, d := range ds {
		body := fmt.Sprint("delayed by ", d)
		sends[body], delay[body] = q.send(body, delayed(d)), d
	}
	t.arrive(q, sends, delay)
}

// arrive checks when messages come.
func (t *trial) arrive(q *queue, sends map[string]sent, delay map[string]time.Duration) {
	begun := t.now()
	for range len(sends) {
		m := q.take()
		m.from = begun // somebody has been receiving since then
		s, ok := sends[string(m.Body)]
		if !ok {
			t.Fatalf("%v came, which was not sent, or came before", m)
		}
		t.came(m, s.span, delay[string(m.Body)])
		m.Ack()
		delete(sends, string(m.Body))
	}
	q.none(t.quiet())
}

func keepsDelayRange(t *trial) {
	q := t.plain()
	for _, d := range []time.Duration{-1 * time.Second, 15*time.Minute + time.Second, 24 * time.Hour} {
		_, err := q.trySend("bad", delayed(d))
		t.refused(err, gcerrors.InvalidArgument, fmt.Sprintf("a delay of %v", d))
	}
	s := q.send("last", delayed(15*time.Minute))
	if t.backend.Virtual {
		m := q.take()
		t.is(m, "last")
		t.came(m, s.span, 15*time.Minute)
		m.Ack()
	}
}

func keepsQueueDelay(t *trial) {
	q := t.queue("slow", bus.QueueSettings{Delay: new(3 * time.Second)})
	sends := map[string]sent{
		"queue's":  q.send("queue's"),
		"its own":  q.send("its own", delayed(1*time.Second)),
		"none":     q.send("none", delayed(0)),
		"and more": q.send("and more", delayed(4*time.Second)),
	}
	t.arrive(q, sends, map[string]time.Duration{
		"queue's": 3 * time.Second, "its own": 1 * time.Second, "none": 0, "and more": 4 * time.Second,
	})
}
