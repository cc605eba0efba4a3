package engine

import (
	"cmp"
	"container/heap"
)

// lanes orders messages by a time, and finds the earliest, at a cost that does
// not depend on how many messages there are.
//
// It rests on one observation: messages that wait equally long become due in
// the order in which they began to wait. So a lane is a plain list of the
// messages with one duration, appended at its end, and only the heads of the
// lanes are kept in a heap. A queue has few lanes, one for each delay and each
// visibility timeout in use; at worst each message has a lane of its own, and
// the lanes are a heap of messages. Neighbours in a lane were put there one
// after the other, so that removing one touches memory that is close by, which
// a heap of all messages does not do.
type lanes struct {
	byKey map[int64]*lane // by duration; a negative key is -1 minus the duration
	heads laneHeap
	which uint8
}

type lane struct {
	list
	key int64
	pos int // in the heap
}

func (l *lane) duration() int64 { return max(l.key, -1-l.key) }

func newLanes(which uint8) lanes {
	return lanes{byKey: map[int64]*lane{}, heads: laneHeap{which: which}, which: which}
}

// add puts m in the lane for the duration key. In one lane, the times of the
// messages added must not fall.
func (l *lanes) add(m *message, key int64) {
	n := l.byKey[key]
	if n == nil {
		n = &lane{list: list{which: l.which}, key: key}
		l.byKey[key] = n
	}
	n.pushBack(m)
	m.links[l.which].lane = n
	if n.head == m {
		heap.Push(&l.heads, n)
	}
}

func (l *lanes) remove(m *message) {
	n := m.links[l.which].lane
	wasHead := n.head == m
	n.list.remove(m)
	switch {
	case n.head == nil:
		heap.Remove(&l.heads, n.pos)
		delete(l.byKey, n.key)
	case wasHead:
		heap.Fix(&l.heads, n.pos)
	}
}

// move gives a lane another key, and lets set give each of its messages another
// time, so that they do not fall.
func (l *lanes) move(from, to int64, set func(*message)) {
	n := l.byKey[from]
	if n == nil || from == to {
		return
	}
	delete(l.byKey, from)
	n.key = to
	l.byKey[to] = n
	for m := n.head; m != nil; m = m.links[l.which].next {
		set(m)
	}
	heap.Fix(&l.heads, n.pos)
}

// first returns the message with the earliest time, or nil.
func (l *lanes) first() *message {
	if len(l.heads.lanes) == 0 {
		return nil
	}
	return l.heads.lanes[0].head
}

// laneHeap implements heap.Interface over the lanes' heads.
type laneHeap struct {
	lanes []*lane
	which uint8
}

func (h *laneHeap) Len() int { return len(h.lanes) }

// Less orders by time, and messages of one time by when they began to wait: the
// longer the lane's duration, the earlier.
func (h *laneHeap) Less(i, j int) bool {
	a, b := h.lanes[i], h.lanes[j]
	if h.which == byDue {
		return cmp.Or(cmp.Compare(a.head.due, b.head.due), cmp.Compare(b.duration(), a.duration()), cmp.Compare(b.key, a.key)) < 0
	}
	return a.head.sent < b.head.sent
}

func (h *laneHeap) Swap(i, j int) {
	h.lanes[i], h.lanes[j] = h.lanes[j], h.lanes[i]
	h.lanes[i].pos, h.lanes[j].pos = i, j
}

func (h *laneHeap) Push(x any) {
	n := x.(*lane)
	n.pos = len(h.lanes)
	h.lanes = append(h.lanes, n)
}

func (h *laneHeap) Pop() any {
	last := len(h.lanes) - 1
	n := h.lanes[last]
	h.lanes[last] = nil
	h.lanes = h.lanes[:last]
	return n
}
