package engine

// directory finds messages by seq, the order in which they came to the queue. It
// keeps them in small pages of those that came one after the other: they are
// mostly received and deleted about the same time, too. A map of messages has
// each of them elsewhere in memory, and with a million entries most look-ups
// would wait for it.
type directory map[uint64]*page

const pageSize = 16

type page struct {
	used     int
	messages [pageSize]*message
}

// get returns the message with that seq, or nil.
func (d directory) get(seq uint64) *message {
	if p := d[seq/pageSize]; p != nil {
		return p.messages[seq%pageSize]
	}
	return nil
}

// add adds a message, which may be there already.
func (d directory) add(m *message) {
	p := d[m.seq/pageSize]
	if p == nil {
		p = &page{}
		d[m.seq/pageSize] = p
	}
	if at := &p.messages[m.seq%pageSize]; *at == nil {
		*at = m
		p.used++
	}
}

// remove removes a message, which may not be there.
func (d directory) remove(m *message) {
	if d.get(m.seq) != m {
		return
	}
	p := d[m.seq/pageSize]
	p.messages[m.seq%pageSize] = nil
	if p.used--; p.used == 0 {
		delete(d, m.seq/pageSize)
	}
}
