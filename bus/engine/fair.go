package engine

import (
	clist "container/list"

	"omnibus/bus/spec"
)

// tenant is a message group of a standard queue. While it is a noisy neighbour
// its messages yield to all others: a fair queue
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html).
// Of the two measures that SQS takes, the share of messages in flight and the
// share of processing time, the engine takes the first.
type tenant struct {
	group    string
	held     int // messages in any state
	inFlight int
	sent     int64          // when its latest message came
	parked   list           // ready messages that a receive passed over
	place    *clist.Element // among the tenants with parked messages
}

// tenants are the message groups of a standard queue that hold messages.
type tenants struct {
	byGroup map[string]*tenant
	parked  clist.List // of *tenant, those with parked messages
}

// tenant returns the tenant of a message, nil when it has none.
func (m *message) tenant() *tenant {
	if m.extra == nil {
		return nil
	}
	return m.extra.tenant
}

// join gives a new message its tenant.
func (ts *tenants) join(m *message, now int64) {
	if m.extra == nil || m.extra.group == "" {
		return
	}
	t := ts.byGroup[m.extra.group]
	if t == nil {
		t = &tenant{group: m.extra.group, parked: list{which: byDue}}
		if ts.byGroup == nil {
			ts.byGroup = map[string]*tenant{}
		}
		ts.byGroup[t.group] = t
	}
	m.extra.tenant = t
	t.held++
	t.sent = now
}

// leave forgets a message that is off its lists, in the state it had.
func (ts *tenants) leave(m *message) {
	t := m.tenant()
	if t == nil {
		return
	}
	t.follow(m.state, gone)
	m.extra.tenant = nil
	t.held--
	if t.held == 0 {
		delete(ts.byGroup, t.group)
	}
}

// follow counts a message of the tenant that goes from one state to another. t
// may be nil.
func (t *tenant) follow(from, to state) {
	if t == nil {
		return
	}
	if from == inFlight {
		t.inFlight--
	}
	if to == inFlight {
		t.inFlight++
	}
}

// noisy reports whether a tenant has more than its share in flight. t may be
// nil: each message without a group is a quiet tenant of its own.
func (q *queue) noisy(t *tenant) bool {
	return t != nil && t.inFlight >= spec.NoisyInFlight &&
		t.inFlight*spec.NoisyShare > q.count[inFlight] &&
		q.now-t.sent < int64(spec.NoisyWindow)
}

// park takes a ready message out of the common order.
func (q *queue) park(m *message, t *tenant) {
	q.visible.remove(m)
	m.parked = true
	t.parked.pushBack(m)
	if t.place == nil {
		t.place = q.tenants.parked.PushBack(t)
	}
}

// unready takes a ready message of a standard queue off the list it is on.
func (q *queue) unready(m *message) {
	if !m.parked {
		q.visible.remove(m)
		return
	}
	m.parked = false
	t := m.tenant()
	t.parked.remove(m)
	if t.parked.head == nil {
		q.tenants.parked.Remove(t.place)
		t.place = nil
	}
}

// nextFair returns the message of a standard queue that a receive takes next:
// the one that waits longest of the quiet tenants or, without such, of the noisy
// one with the fewest messages in flight. Noisy tenants' messages that stand in
// the way are parked, each once, so that the cost does not grow with their
// number; it grows with the number of tenants that are or were noisy and still
// have messages parked, of which at most nine can be noisy at a time.
func (q *queue) nextFair() *message {
	if len(q.tenants.byGroup) == 0 {
		return q.visible.head
	}
	var quiet *message
	var loud *tenant
	for e := q.tenants.parked.Front(); e != nil; e = e.Next() {
		t := e.Value.(*tenant)
		switch {
		case !q.noisy(t):
			if quiet == nil || t.parked.head.seq < quiet.seq {
				quiet = t.parked.head
			}
		case loud == nil || t.inFlight < loud.inFlight:
			loud = t
		}
	}
	if quiet != nil {
		return quiet // it came to the head of the common order before all that are in it
	}
	for m := q.visible.head; m != nil; m = q.visible.head {
		t := m.tenant()
		if !q.noisy(t) {
			return m
		}
		q.park(m, t)
		if loud == nil || t.inFlight < loud.inFlight {
			loud = t
		}
	}
	if loud == nil {
		return nil
	}
	return loud.parked.head
}

// runs returns the parked messages, tenant by tenant.
func (ts *tenants) runs() []run {
	var runs []run
	for e := ts.parked.Front(); e != nil; e = e.Next() {
		runs = append(runs, run{from: e.Value.(*tenant).parked.head})
	}
	return runs
}
