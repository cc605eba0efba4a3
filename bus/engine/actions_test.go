package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"omnibus/bus/spec"
)

// The machine's exported methods are the calls that [rapid] mixes at random.

func (m *machine) Send(t *rapid.T) {
	for range draw(t, "messages", 1, 2, 4, 8) {
		m.send(t)
	}
}

func (m *machine) send(t *rapid.T) {
	q, real := m.queue(t)
	now := m.now()
	in := Message{Body: fmt.Sprint("m", m.bodies)}
	m.bodies++
	if q.fifo { // the model knows nothing of fair queues
		in.Group = draw(t, "group", "", "a", "b", "c")
	}
	if rapid.Bool().Draw(t, "attribute") {
		in.Attributes = []spec.NamedAttribute{{Name: "n", Attribute: spec.Attribute{DataType: "String", StringValue: in.Body}}}
	}
	delay := q.delay
	if !q.fifo && rapid.Bool().Draw(t, "delayed") {
		delay = draw(t, "delay", 0, 1, time.Second, 5*time.Second, 10*time.Second, 900*time.Second)
		in.Delay = &delay
	}
	want := spec.Code("")
	if q.fifo {
		in.Deduplication = in.Body
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			in.Deduplication = draw(t, "dedup", "x", "y")
		}
		if in.Group == "" {
			want = spec.MissingParameter
		}
	} else if rapid.IntRange(0, 19).Draw(t, "wrong") == 0 {
		in.Deduplication, want = "x", spec.InvalidParameterValue
	}
	sent, err := real.Send(in)
	sameCode(t, "send", err, want)
	if err != nil {
		return
	}
	old, again := q.sent[in.Deduplication]
	again = again && now < old.at+int64(5*time.Minute)
	if sent.Duplicate != again || again && (sent.ID != old.id || sent.SequenceNumber != old.sequence) {
		t.Fatalf("send of %s: %+v, want a duplicate: %t, of %+v", in.Body, sent, again, old)
	}
	if again {
		return
	}
	if m.ids[sent.ID] {
		t.Fatalf("two messages have the id %s", sent.ID)
	}
	m.ids[sent.ID] = true
	if q.fifo {
		q.sent[in.Deduplication] = modelSent{now, sent.ID, sent.SequenceNumber}
	}
	q.add(&modelMessage{
		id: sent.ID, sequence: sent.SequenceNumber, body: in.Body, group: in.Group,
		dedup: in.Deduplication, attrs: in.Attributes, sent: now,
	}, now, delay)
}

// Receive also waits, and gives up waiting.
func (m *machine) Receive(t *rapid.T) {
	q, real := m.queue(t)
	start := m.now()
	r := ReceiveRequest{Max: rapid.IntRange(1, 10).Draw(t, "max")}
	visibility := q.visibility
	if rapid.Bool().Draw(t, "own visibility") {
		visibility = draw(t, "visibility", 0, 1, time.Second, 5*time.Second, 10*time.Second, 12*time.Hour)
		r.Visibility = &visibility
	}
	wait := draw(t, "wait", 0, 0, time.Second, 10*time.Second, 20*time.Second-time.Microsecond)
	limit := draw(t, "cancelled after", 3*time.Second, time.Minute, time.Minute)
	until := min(wait, limit)

	want := q.receive(start, r.Max, visibility)
	now := start
	for len(want) == 0 {
		_, at, _ := q.next()
		if at == start+int64(until) { // which of the two comes first is left open
			wait, limit, until = wait+1, limit+1, until+1
		}
		if now = at; now == 0 || now > start+int64(until) {
			now = start + int64(until)
			break
		}
		q.advance(now)
		want = q.receive(now, r.Max, visibility)
	}
	r.Wait = &wait
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	got, err := real.Receive(ctx, r)
	if took := time.Now().UnixNano() - start; took != now-start {
		t.Fatalf("receive took %v, want %v", time.Duration(took), time.Duration(now-start))
	}
	if given := len(want) == 0 && limit < wait; given != (err != nil) || given && err != context.DeadlineExceeded {
		t.Fatalf("receive: error %v, want the context's: %t", err, given)
	}
	m.compare(t, "receive", q, got, want)

	if len(got) > 0 && rapid.IntRange(0, 4).Draw(t, "untake") == 0 {
		real.engine.mu.Lock()
		for _, d := range slices.Backward(got) {
			r, err := parseReceipt(d.ReceiptHandle, real.state.number)
			if err != nil {
				t.Fatal(err)
			}
			real.state.untake(&Taken{seq: r.message, receives: r.delivery})
		}
		real.engine.mu.Unlock()
		if real.engine.keeper != nil { // nobody else waits for it
			if err := real.engine.sync(); err != nil {
				t.Fatal(err)
			}
		}
		q.untake(want)
		return
	}
	for i, d := range got {
		m.handles = append(m.handles, handle{d.ReceiptHandle, q, want[i], want[i].receives})
	}
}

// handle draws a queue and a handle, mostly a late one of that queue.
func (m *machine) handle(t *rapid.T) (h handle, q *model, foreign bool) {
	if len(m.handles) == 0 {
		t.Skip("no handle yet")
	}
	h = m.handles[len(m.handles)-1-min(len(m.handles)-1, rapid.IntRange(0, 15).Draw(t, "handle"))]
	q = h.queue
	switch rapid.IntRange(0, 19).Draw(t, "kind") {
	case 0:
		h.receipt, foreign = draw(t, "garbage", "", "x", h.receipt[1:], h.receipt+"AAAA", "!"+h.receipt[1:]), true
	case 1:
		q, foreign = map[*model]*model{m.main: m.dead, m.dead: m.main}[q], true
	}
	return h, q, foreign
}

func (m *machine) Delete(t *rapid.T) {
	h, q, foreign := m.handle(t)
	m.now()
	deleted, code := false, spec.ReceiptHandleIsInvalid
	if !foreign {
		deleted, code = q.delete(h.message, h.n)
	}
	got, err := m.queues[q].Delete(h.receipt)
	sameCode(t, "delete", err, code)
	if got != deleted {
		t.Fatalf("delete of %s: %t, want %t", h.message.body, got, deleted)
	}
}

func (m *machine) ChangeVisibility(t *rapid.T) {
	h, q, foreign := m.handle(t)
	d := draw(t, "timeout", 0, 0, 1, 5*time.Second, time.Hour, 12*time.Hour-time.Minute, 12*time.Hour, 12*time.Hour+1, -1)
	now := m.now()
	holds := !foreign && q.has(h.message) && h.message.state == "in flight" && h.message.receives == h.n
	at, ok := m.queues[q].VisibleAt(h.receipt)
	if ok != holds || holds && at.UnixNano() != h.message.due {
		t.Fatalf("visible at %v, %t; want %v, %t", at, ok, time.Unix(0, h.message.due), holds)
	}
	code := spec.ReceiptHandleIsInvalid
	mustHold := rapid.Bool().Draw(t, "must hold")
	switch {
	case d < 0 || d > 12*time.Hour:
		code = spec.InvalidParameterValue
	case !foreign:
		code = q.changeVisibility(h.message, h.n, now, d, mustHold)
	}
	change := m.queues[q].ChangeVisibility
	if mustHold {
		change = m.queues[q].ChangeHeld
	}
	sameCode(t, "change visibility", change(h.receipt, d), code)
}

func (m *machine) Peek(t *rapid.T) {
	q, real := m.queue(t)
	n := rapid.IntRange(0, 12).Draw(t, "n")
	m.now()
	got, err := real.Peek(n)
	if err != nil {
		t.Fatal(err)
	}
	want := q.ready()
	m.compare(t, "peek", q, got, want[:min(n, len(want))])
}

func (m *machine) Redrive(t *rapid.T) {
	q, real := m.queue(t)
	n := rapid.IntRange(0, 12).Draw(t, "n")
	to := draw(t, "to", "", "", m.main.name, "nowhere")
	now := m.now()
	code, want := spec.Code(""), 0
	switch {
	case q != m.dead || m.main.maxReceives == 0:
		code = spec.UnsupportedOperation
	case to == "nowhere":
		code = spec.QueueDoesNotExist
	case to == "":
		want = q.redrive(m.main, nil, now, n)
	default:
		want = q.redrive(m.main, m.main, now, n)
	}
	got, err := real.Redrive(to, n)
	sameCode(t, "redrive", err, code)
	if got != want {
		t.Fatalf("redrive moved %d, want %d", got, want)
	}
}

func (m *machine) Purge(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("purging often makes the rest dull")
	}
	q, real := m.queue(t)
	want := q.purge(m.now(), m.engine.opts.Lenient)
	sameCode(t, "purge", real.Purge(), want)
}

func (m *machine) SetAttributes(t *rapid.T) {
	q, real := m.queue(t)
	m.now()
	var s spec.QueueSettings
	switch rapid.IntRange(0, 3).Draw(t, "attribute") {
	case 0:
		q.delay = draw(t, "delay", 0, 0, time.Second, 7*time.Second, 900*time.Second)
		s.Delay = &q.delay
		for _, x := range q.messages {
			if q.fifo && x.state == "delayed" {
				x.due = x.sent + int64(q.delay)
			}
		}
	case 1:
		q.visibility = draw(t, "visibility", 0, 5*time.Second, 10*time.Second, 12*time.Hour)
		s.Visibility = &q.visibility
	case 2:
		q.retention = draw(t, "retention", time.Minute, time.Hour, 14*24*time.Hour)
		s.Retention = &q.retention
	case 3:
		m.setMaxReceives(t, draw(t, "max receives", 0, 1, 2, 3))
	}
	if err := real.SetAttributes(s); err != nil {
		t.Fatal(err)
	}
	m.now() // what a shorter retention ends
}

// Clock steps by little, by much, and to the very time of the next event or the
// instant before.
func (m *machine) Clock(t *rapid.T) {
	now := m.now()
	q, _ := m.queue(t)
	d := draw(t, "step", 1, time.Millisecond, time.Second, 5*time.Second, 9*time.Second, 61*time.Second)
	if rapid.IntRange(0, 9).Draw(t, "far") == 9 {
		d = draw(t, "step", 5*time.Minute, time.Hour, 13*time.Hour, 5*24*time.Hour)
	}
	if x, at, _ := q.next(); x != nil && rapid.Bool().Draw(t, "to the event") {
		d = time.Duration(at-now) - draw[time.Duration](t, "before it", 0, 0, 1)
	}
	time.Sleep(d)
}
