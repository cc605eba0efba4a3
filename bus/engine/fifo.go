package engine

import (
	"cmp"
	clist "container/list"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"omnibus/bus/spec"
)

// group is a message group of a FIFO queue. Its messages are delivered in the
// order they came, and none while some of them are in flight.
type group struct {
	id       string
	ready    list // in order
	held     int  // messages in any state
	inFlight int
	lastDue  int64          // when the latest delayed message becomes ready
	place    *clist.Element // among the groups that a receive may take from
}

// groups are the message groups of a FIFO queue that hold messages.
type groups struct {
	byID      map[string]*group
	available *clist.List // of *group, the longest-waiting first
	current   *group      // the group a receive under way is taking from
}

func newGroups() groups {
	return groups{byID: map[string]*group{}, available: clist.New()}
}

// add gives a new message its group, and returns the delay that keeps the
// group's order when the queue's delay was lowered meanwhile. On AWS a change of
// a FIFO queue's delay also moves messages that already wait; here it does not.
func (gs *groups) add(m *message, now, delay int64) int64 {
	g := gs.byID[m.extra.group]
	if g == nil {
		g = &group{id: m.extra.group, ready: list{which: byDue}}
		gs.byID[g.id] = g
	}
	m.group = g
	g.held++
	g.lastDue = max(g.lastDue, now+delay)
	return g.lastDue - now
}

// makeReady puts a message among its group's ready ones: behind them when it is
// new, in its old place when it comes back.
func (gs *groups) makeReady(m *message, back bool) {
	g := m.group
	at := g.ready.tail
	if back {
		g.inFlight--
		// Only messages of the same receive, at most ten, can stand before it.
		at = nil
		for n := g.ready.head; n != nil && n.seq < m.seq; n = n.links[byDue].next {
			at = n
		}
	}
	g.ready.insertAfter(at, m)
	gs.place(g)
}

// unlist takes a message out of its group's ready ones.
func (gs *groups) unlist(m *message) {
	m.group.ready.remove(m)
	gs.place(m.group)
}

// drop forgets a message that is off its lists.
func (gs *groups) drop(m *message, wasInFlight bool) {
	g := m.group
	m.group = nil
	g.held--
	if wasInFlight {
		g.inFlight--
	}
	if g.held == 0 {
		delete(gs.byID, g.id)
		if gs.current == g {
			gs.current = nil
		}
	}
	gs.place(g)
}

// place lists the group as available, or not, as it now is.
func (gs *groups) place(g *group) {
	available := g.ready.head != nil && g.inFlight == 0
	switch {
	case available && g.place == nil:
		g.place = gs.available.PushBack(g)
	case !available && g.place != nil:
		gs.available.Remove(g.place)
		g.place = nil
	}
}

// toFront makes a group the first to be received from, if it is available.
func (gs *groups) toFront(g *group) {
	if g.place != nil {
		gs.available.MoveToFront(g.place)
	}
}

// next returns the message that a receive takes next: as many of one group as
// there are, then those of another.
func (gs *groups) next() *message {
	if g := gs.current; g != nil && g.ready.head != nil {
		return g.ready.head
	}
	front := gs.available.Front()
	if front == nil {
		return nil
	}
	gs.current = front.Value.(*group)
	return gs.current.ready.head
}

// endReceive locks the groups that a receive took from.
func (gs *groups) endReceive() {
	if g := gs.current; g != nil {
		gs.current = nil
		gs.place(g)
	}
}

// inOrder returns the groups that have ready messages, the next to be received
// from first. Those that are locked come last, the one with the oldest message
// first.
func (gs *groups) inOrder() []*group {
	var order []*group
	for e := gs.available.Front(); e != nil; e = e.Next() {
		order = append(order, e.Value.(*group))
	}
	free := len(order)
	for _, g := range gs.byID {
		if g.ready.head != nil && g.place == nil {
			order = append(order, g)
		}
	}
	slices.SortFunc(order[free:], func(a, b *group) int { return cmp.Compare(a.ready.head.seq, b.ready.head.seq) })
	return order
}

// checkFIFO reports what a FIFO queue would refuse in a message.
func (q *queue) checkFIFO(in *Message) error {
	switch {
	case in.Delay != nil && *in.Delay != 0:
		return spec.NotForType(spec.SecondsText(*in.Delay), "DelaySeconds", q.name)
	case in.Group == "":
		return spec.Missing("MessageGroupId")
	case in.Deduplication != "":
		return spec.CheckGroup("MessageDeduplicationId", in.Deduplication)
	case !q.attrs.ContentBasedDeduplication:
		return spec.NoDeduplication()
	}
	return nil
}

// dedupID returns a message's deduplication id: its own, or the SHA-256 of its
// body.
func dedupID(in *Message) string {
	if in.Deduplication != "" {
		return in.Deduplication
	}
	sum := sha256.Sum256([]byte(in.Body))
	return hex.EncodeToString(sum[:])
}

// dedupKey returns what a message is deduplicated by: its deduplication id and,
// where the queue deduplicates by group, its group. No group id has a space.
func (q *queue) dedupKey(m *message) string {
	if q.attrs.GroupDeduplication {
		return m.extra.group + " " + m.extra.dedup
	}
	return m.extra.dedup
}

// dedup remembers the deduplication ids of five minutes.
type dedup struct {
	byID map[string]dedupEntry
	ids  []dedupTime // in the order of time
}

type dedupEntry struct{ id, seq uint64 }

type dedupTime struct {
	id string
	at int64
}

func (d *dedup) seen(id string) (dedupEntry, bool) {
	e, ok := d.byID[id]
	return e, ok
}

func (d *dedup) remember(id string, message, seq uint64, now int64) {
	if d.byID == nil {
		d.byID = map[string]dedupEntry{}
	}
	d.byID[id] = dedupEntry{message, seq}
	d.ids = append(d.ids, dedupTime{id, now})
}

func (d *dedup) forget(now int64) {
	for len(d.ids) > 0 && d.ids[0].at+int64(spec.DeduplicationWindow) <= now {
		delete(d.byID, d.ids[0].id)
		d.ids = d.ids[1:]
	}
	if len(d.ids) == 0 {
		*d = dedup{} // lets go of the memory that a busy time took
	}
}
