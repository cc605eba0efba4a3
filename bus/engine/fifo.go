package engine

import (
	"cmp"
	clist "container/list"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"

	"omnibus/bus/spec"
)

// group is a message group of a FIFO queue. Its messages are delivered in the
// order they came, and none behind one that is in flight.
type group struct {
	id    string
	ready list // in order
	held  int  // messages in any state

	// inFlight are the messages in flight, in order. They are ten at most: those of
	// one receive, and of receives that took the same ones again.
	inFlight []*message

	place *clist.Element // among the groups that a receive may take from
}

// takes reports whether a receive may take a ready message of the group: one that
// no message in flight stands before. m may be nil.
func (g *group) takes(m *message) bool {
	return m != nil && (len(g.inFlight) == 0 || m.seq < g.inFlight[0].seq)
}

// groups are the message groups of a FIFO queue that hold messages.
type groups struct {
	byID      map[string]*group
	available *clist.List // of *group, the longest-waiting first
	current   *group      // the group a receive under way is taking from
	before    uint64      // it takes messages of that group with a lower seq
}

func newGroups() groups {
	return groups{byID: map[string]*group{}, available: clist.New()}
}

// add gives a new message its group.
func (gs *groups) add(m *message) {
	g := gs.byID[m.extra.group]
	if g == nil {
		g = &group{id: m.extra.group, ready: list{which: byDue}}
		gs.byID[g.id] = g
	}
	m.group = g
	g.held++
}

// take notes that a message of the group is in flight.
func (g *group) take(m *message) {
	g.inFlight = slices.Insert(g.inFlight, g.find(m), m)
}

// giveUp notes that a message of the group is not in flight any more.
func (g *group) giveUp(m *message) {
	i := g.find(m)
	g.inFlight = slices.Delete(g.inFlight, i, i+1)
}

// find returns the place of a message among those in flight.
func (g *group) find(m *message) int {
	i := 0
	for i < len(g.inFlight) && g.inFlight[i].seq < m.seq {
		i++
	}
	return i
}

// makeReady puts a message among its group's ready ones: behind them when it is
// new, in its old place when it comes back.
func (gs *groups) makeReady(m *message, back bool) {
	g := m.group
	at := g.ready.tail
	if back {
		g.giveUp(m)
		// Only others that were in flight with it, at most nine, can stand before it.
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
		g.giveUp(m)
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
	available := g.takes(g.ready.head)
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

// next returns the message that a receive takes next: as many of one group as it
// may, then those of another.
func (gs *groups) next() *message {
	if g := gs.current; g != nil && g.ready.head != nil && g.ready.head.seq < gs.before {
		return g.ready.head
	}
	front := gs.available.Front()
	if front == nil {
		return nil
	}
	gs.current, gs.before = front.Value.(*group), math.MaxUint64
	if inFlight := gs.current.inFlight; len(inFlight) > 0 {
		gs.before = inFlight[0].seq
	}
	return gs.current.ready.head
}

// endReceive locks the groups that a receive took from.
func (gs *groups) endReceive() {
	if g := gs.current; g != nil {
		gs.current = nil
		gs.place(g)
	}
}

// inOrder returns the ready messages that a receive may take, the next to be
// received first, and then the others, group by group, the group of the oldest one
// first.
func (gs *groups) inOrder() []run {
	var order, locked []run
	for e := gs.available.Front(); e != nil; e = e.Next() {
		g := e.Value.(*group)
		r := run{from: g.ready.head}
		if len(g.inFlight) > 0 { // at most nine can be taken
			for r.to = r.from; g.takes(r.to); r.to = r.to.links[byDue].next {
			}
			if r.to != nil {
				locked = append(locked, run{from: r.to})
			}
		}
		order = append(order, r)
	}
	for _, g := range gs.byID {
		if g.ready.head != nil && g.place == nil {
			locked = append(locked, run{from: g.ready.head})
		}
	}
	slices.SortFunc(locked, func(a, b run) int { return cmp.Compare(a.from.seq, b.from.seq) })
	return append(order, locked...)
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
