package bustest

import (
	"fmt"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// deadLetters makes a queue whose messages move to another one after so many
// receives.
func (t *trial) deadLetters(receives int) (source, dead *queue) {
	dead = t.queue("dead", bus.QueueSettings{})
	source = t.queue("source", bus.QueueSettings{
		DeadLetter: &bus.DeadLetter{Queue: t.full("dead"), MaxReceives: receives},
	})
	source.dead = dead
	return source, dead
}

func keepsDeadLetters(t *trial) {
	source, dead := t.deadLetters(2)
	md := map[string]string{"JobType": "NewDonor"}
	s := source.send("poison", metadata(md))
	var id string
	for i := range 2 {
		m := source.receive()
		t.is(m, "poison")
		if m.about.ReceiveCount != i+1 {
			t.Errorf("receive count %d at delivery %d", m.about.ReceiveCount, i+1)
		}
		id = m.about.ID
		dead.none(1 * time.Second)
		m.Nack()
	}
	wait := dead.begin()
	t.settle()
	moved := span{from: t.now()}
	source.begin() // it moves at the receive that is one too many
	moved.by = t.now()
	m := wait()
	t.is(m, "poison")
	t.came(m, moved, 0)
	t.carries(m, md)
	t.at(m.about.Sent, s.span, 0, "Sent of a dead letter")
	if m.about.ID != id {
		t.Errorf("the dead letter has the id %s; it was sent with %s", m.about.ID, id)
	}
	if from := m.about.DeadLetterSource; from != "" && !strings.HasSuffix(from, t.full("source")) {
		t.Errorf("DeadLetterSource is %q; want %q", from, t.full("source"))
	}
	m.Ack()
	dead.none(t.quiet())
}

func keepsRedrive(t *trial) {
	source, dead := t.deadLetters(1)
	other := t.queue("other", bus.QueueSettings{})
	const n = 3
	ids := map[string]string{}
	for i := range n {
		body := fmt.Sprint("poison ", i)
		ids[body] = source.send(body).id
		m := source.receive() // one at a time: a fetch of several would count for all
		t.is(m, body)
		m.Nack()
	}
	wait := source.begin() // which moves them, and goes on waiting
	dead.counts(n, 0, 0)

	again := func(m *message, redriven span) {
		if m.about.ReceiveCount != 1 {
			t.Errorf("%v, redriven, has the receive count %d; want 1", m, m.about.ReceiveCount)
		}
		if id, ok := ids[string(m.Body)]; !ok || m.about.ID == id {
			t.Errorf("%v, redriven, has the id that it was sent with, %q; want a new one", m, id)
		}
		t.at(m.about.Sent, redriven, 0, "Sent of a redriven message")
		delete(ids, string(m.Body))
		m.Ack()
	}
	move := func(to string, most, want int) span {
		t.sleep(1 * time.Second) // so that the time of sending differs
		s := span{from: t.now()}
		moved, err := dead.Redrive(t.ctx, to, most)
		s.by = t.now()
		if err != nil || moved != want {
			t.Fatalf("redrive of at most %d moved %d, %v; want %d", most, moved, err, want)
		}
		return s
	}
	s := move("", 1, 1)
	m := wait()
	t.came(m, s, 0)
	again(m, s)
	dead.counts(n-1, 0, 0)
	s = move(t.full("other"), 0, n-1)
	for range n - 1 {
		m := other.take()
		t.came(m, s, 0)
		again(m, s)
	}
	dead.counts(0, 0, 0)
	move("", 0, 0)
}

func keepsRedriveRules(t *trial) {
	source, dead := t.deadLetters(1)
	_, err := source.Redrive(t.ctx, "", 0)
	t.denied(err, gcerrors.FailedPrecondition, "redriving a queue that is no dead-letter queue", source.URL())
	_, err = dead.Redrive(t.ctx, "", -1)
	t.denied(err, gcerrors.InvalidArgument, "redriving -1 messages", dead.URL())
	_, err = dead.Redrive(t.ctx, t.full("nowhere"), 0)
	t.denied(err, gcerrors.NotFound, "redriving to a queue that does not exist", dead.URL())
	if n, err := dead.Redrive(t.ctx, "", 0); n != 0 || err != nil {
		t.Errorf("redriving an empty dead-letter queue moved %d, %v", n, err)
	}
}
