package engine

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"time"

	"omnibus/bus/spec"
)

// model is an SQS queue said as plainly as possible: a slice of messages that
// every question scans from end to end. It shares no code with the engine. Time
// and the other calls do one thing to one message at a time, in the order in
// which it happens; whatever the engine leaves to be caught up with later must
// come out as if it had been done at once.
type model struct {
	name                         string
	fifo                         bool
	delay, visibility, retention time.Duration
	dead                         *model
	maxReceives                  int // 0 without a redrive policy

	messages  []*modelMessage // as they came
	available []string        // FIFO: the groups to receive from, the longest-waiting first
	sent      map[string]modelSent
	purged    int64
	ticks     *int // numbers events, over all queues
}

type modelMessage struct {
	id, sequence                 string // "" until the engine tells
	body, group, dedup, source   string
	attrs                        []spec.NamedAttribute
	state                        string // "delayed", "ready" or "in flight"
	sent, first, taken           int64
	since, due                   int64 // of the wait that its state is
	receives, receivesInPrevious int
	rank                         int // the event that made it ready, or had it wait
}

// modelSent is what deduplication remembers.
type modelSent struct {
	at           int64
	id, sequence string
}

func (q *model) tick() int {
	*q.ticks++
	return *q.ticks
}

// next returns the message to which time does something next, when, and
// whether that is the message's end.
func (q *model) next() (next *modelMessage, at int64, ends bool) {
	for _, m := range q.messages {
		if m.state != "ready" && (next == nil || q.waitsBefore(m, next)) {
			next, at = m, m.due
		}
	}
	for _, m := range q.messages {
		if end := m.sent + int64(q.retention); next == nil || end < at {
			next, at, ends = m, end, true
		}
	}
	return next, at, ends
}

// waitsBefore reports whether the wait of a message ends before another's: of two
// that end at one time, the one that began first. Nobody says what holds on a FIFO
// queue for two that also began at one time, one in flight and one delayed; this is
// what the engine does.
func (q *model) waitsBefore(a, b *modelMessage) bool {
	if order := cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.since, b.since)); order != 0 {
		return order < 0
	}
	if q.fifo && a.state != b.state {
		return a.state == "in flight"
	}
	return a.rank < b.rank
}

func (q *model) advance(now int64) {
	for m, at, ends := q.next(); m != nil && at <= now; m, at, ends = q.next() {
		if ends {
			q.remove(m)
		} else {
			q.makeReady(m)
		}
	}
}

func (q *model) makeReady(m *modelMessage) {
	m.state, m.rank = "ready", q.tick()
	q.regroup()
}

func (q *model) remove(m *modelMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(x *modelMessage) bool { return x == m })
	q.regroup()
}

func (q *model) has(m *modelMessage) bool { return slices.Contains(q.messages, m) }

func (q *model) number(state string) (n int) {
	for _, m := range q.messages {
		if m.state == state {
			n++
		}
	}
	return n
}

func (q *model) oldest(now int64) (age time.Duration) {
	for _, m := range q.messages {
		age = max(age, time.Duration(now-m.sent))
	}
	return age
}

// first returns the first message of a group in a state, as they came, or nil.
func (q *model) first(group, state string) *modelMessage {
	for _, m := range q.messages {
		if m.group == group && m.state == state {
			return m
		}
	}
	return nil
}

// comesBefore reports whether a came before b, which may be nil.
func (q *model) comesBefore(a, b *modelMessage) bool {
	return b == nil || slices.Index(q.messages, a) < slices.Index(q.messages, b)
}

// regroup brings available up to date after one event.
func (q *model) regroup() {
	free := func(group string) bool {
		ready := q.first(group, "ready")
		return ready != nil && q.comesBefore(ready, q.first(group, "in flight"))
	}
	q.available = slices.DeleteFunc(q.available, func(g string) bool { return !free(g) })
	for _, m := range q.messages {
		if !slices.Contains(q.available, m.group) && free(m.group) {
			q.available = append(q.available, m.group)
		}
	}
}

func (q *model) add(m *modelMessage, now int64, delay time.Duration) {
	m.since, m.due = now, now+int64(delay)
	q.messages = append(q.messages, m)
	if m.due > now {
		m.state, m.rank = "delayed", q.tick()
	} else {
		q.makeReady(m)
	}
	q.advance(now) // a dead letter can be too old already
}

// ready returns the ready messages, next to be received first: group by group
// on a FIFO queue, those behind one in flight last.
func (q *model) ready() (out []*modelMessage) {
	if !q.fifo {
		for _, m := range q.messages {
			if m.state == "ready" {
				out = append(out, m)
			}
		}
		slices.SortFunc(out, func(a, b *modelMessage) int { return a.rank - b.rank })
		return out
	}
	var groups []string // of locked messages
	for _, m := range q.messages {
		if m.state == "ready" && !q.comesBefore(m, q.first(m.group, "in flight")) && !slices.Contains(groups, m.group) {
			groups = append(groups, m.group)
		}
	}
	add := func(group string, locked bool) {
		for _, m := range q.messages {
			if m.group == group && m.state == "ready" && locked != q.comesBefore(m, q.first(group, "in flight")) {
				out = append(out, m)
			}
		}
	}
	for _, g := range q.available {
		add(g, false)
	}
	for _, g := range groups {
		add(g, true)
	}
	return out
}

// receive takes messages: on a FIFO queue of one group after the other, of each as
// many as come before what was in flight already.
func (q *model) receive(now int64, n int, visibility time.Duration) (out []*modelMessage) {
	group, locked := "", (*modelMessage)(nil)
	for len(out) < n {
		var m *modelMessage
		if q.fifo {
			if m = q.first(group, "ready"); group == "" || m == nil || !q.comesBefore(m, locked) {
				if len(q.available) == 0 {
					break
				}
				group = q.available[0]
				m, locked = q.first(group, "ready"), q.first(group, "in flight")
			}
		} else {
			ready := q.ready()
			if len(ready) == 0 {
				break
			}
			m = ready[0]
		}
		if q.maxReceives > 0 && m.receives-m.receivesInPrevious >= q.maxReceives {
			q.bury(m, now)
			continue
		}
		if m.receives == 0 {
			m.first = now
		}
		m.receives++
		m.state, m.taken, m.since, m.due, m.rank = "in flight", now, now, now+int64(visibility), q.tick()
		q.regroup()
		out = append(out, m)
	}
	return out
}

func (q *model) bury(m *modelMessage, now int64) {
	q.remove(m)
	m.source, m.receivesInPrevious, m.sequence = q.name, m.receives, ""
	delay := time.Duration(0)
	if q.fifo {
		m.sent, delay = now, q.dead.delay
	}
	q.dead.advance(now)
	q.dead.add(m, now, delay)
}

// untake undoes a receive, with the messages as receive returned them.
func (q *model) untake(ms []*modelMessage) {
	for _, m := range slices.Backward(ms) {
		m.receives--
		if m.receives == 0 {
			m.first = 0
		}
		m.state, m.rank = "ready", -q.tick()
		q.regroup()
		if i := slices.Index(q.available, m.group); i >= 0 {
			q.available = slices.Insert(slices.Delete(q.available, i, i+1), 0, m.group)
		}
	}
}

// delete returns what the handle of m's n-th delivery gets.
func (q *model) delete(m *modelMessage, n int) (bool, spec.Code) {
	holds := m.state == "in flight" && m.receives == n
	switch {
	case !q.has(m):
		return false, ""
	case q.fifo && !holds:
		return false, spec.InvalidParameterValue
	case m.state == "in flight" && !holds:
		return false, ""
	}
	q.remove(m)
	return true, ""
}

func (q *model) changeVisibility(m *modelMessage, n int, now int64, d time.Duration, mustHold bool) spec.Code {
	switch {
	case d < 0 || d > 12*time.Hour || !q.has(m):
		return spec.InvalidParameterValue
	case (q.fifo || mustHold) && (m.state != "in flight" || m.receives != n):
		return spec.MessageNotInflight
	case now+int64(d) > m.taken+int64(12*time.Hour):
		return spec.InvalidParameterValue
	case d > 0:
		m.state, m.since, m.due, m.rank = "in flight", now, now+int64(d), q.tick()
		q.regroup()
	case m.state == "in flight":
		q.makeReady(m)
	}
	return ""
}

func (q *model) purge(now int64, lenient bool) spec.Code {
	if !lenient && q.purged != 0 && now < q.purged+int64(time.Minute) {
		return spec.PurgeQueueInProgress
	}
	q.purged, q.messages, q.available, q.sent = now, nil, nil, map[string]modelSent{}
	return ""
}

// redrive moves ready messages to the queue to, or back to their source if to is
// nil.
func (q *model) redrive(source, to *model, now int64, n int) (moved int) {
	for _, m := range q.ready() {
		dest := to
		if dest == nil && m.source == source.name {
			dest = source
		}
		if dest == nil || moved == n {
			continue
		}
		q.remove(m)
		dest.add(&modelMessage{body: m.body, group: m.group, dedup: m.dedup, attrs: m.attrs, sent: now}, now, dest.delay)
		moved++
	}
	return moved
}

// matches names the first thing in which a delivery is not the message, or "".
func (q *model) matches(d Delivery, m *modelMessage) string {
	at := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixNano()
	}
	visibleAt := m.due
	if m.state == "ready" {
		visibleAt = 0
	}
	for _, f := range []struct{ name, got, want string }{
		{"body", d.Body, m.body},
		{"group", d.Group, m.group},
		{"deduplication id", d.Deduplication, m.dedup},
		{"source", d.DeadLetterSource, m.source},
		{"receive count", strconv.Itoa(d.ReceiveCount), strconv.Itoa(m.receives)},
		{"time of sending", strconv.FormatInt(at(d.Sent), 10), strconv.FormatInt(m.sent, 10)},
		{"first receive", strconv.FormatInt(at(d.FirstReceived), 10), strconv.FormatInt(m.first, 10)},
		{"end of visibility", strconv.FormatInt(at(d.VisibleAt), 10), strconv.FormatInt(visibleAt, 10)},
		{"id", d.ID, m.id},
		{"sequence number", d.SequenceNumber, m.sequence},
	} {
		if f.got != f.want {
			return f.name + " " + f.got + ", want " + f.want
		}
	}
	if !reflect.DeepEqual(d.Attributes, m.attrs) {
		return "attributes"
	}
	return ""
}
