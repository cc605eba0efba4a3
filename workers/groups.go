package workers

import "sync"

// groups keep the order within the groups of FIFO queues: of the messages of a group
// that were received one is handled at a time, and the others wait behind it. SQS
// hands out a group's next message only when all before it are deleted, or together
// with them; so what waits is little.
type groups struct {
	mu     sync.Mutex // guards behind
	behind map[groupKey][]*delivery
}

type groupKey struct {
	intake *intake
	group  string
}

func (d *delivery) key() groupKey { return groupKey{d.intake, d.group} }

// enter reports whether a delivery may be handled. If not it waits behind another.
func (g *groups) enter(d *delivery) bool {
	if d.group == "" {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting, busy := g.behind[d.key()]
	if g.behind == nil {
		g.behind = map[groupKey][]*delivery{}
	}
	if busy {
		waiting = append(waiting, d)
	}
	g.behind[d.key()] = waiting
	return !busy
}

// leave says that a delivery is done with, and returns the one behind it, which may be
// handled now, or nil.
func (g *groups) leave(d *delivery) *delivery {
	if d.group == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.behind[d.key()]
	if len(waiting) == 0 {
		delete(g.behind, d.key())
		return nil
	}
	g.behind[d.key()] = waiting[1:]
	return waiting[0]
}

// close says that a delivery failed, and returns those behind it: none of them may be
// handled before it has been.
func (g *groups) close(d *delivery) []*delivery {
	if d.group == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.behind[d.key()]
	delete(g.behind, d.key())
	return waiting
}

// drain returns all deliveries that wait.
func (g *groups) drain() []*delivery {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*delivery
	for key, waiting := range g.behind {
		all = append(all, waiting...)
		g.behind[key] = nil
	}
	return all
}
