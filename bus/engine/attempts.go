package engine

import (
	"time"

	"omnibus/bus/spec"
)

// attempts remember the receives of five minutes that named an attempt id, so
// that one whose answer was lost can be made again
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html).
type attempts struct {
	byID map[string]attempt
	ids  []dedupTime // in the order of time
}

type attempt struct {
	at    int64
	taken []attemptTaken
}

// attemptTaken is a message as an attempt took it. It is written down in JSON.
type attemptTaken struct {
	Seq      uint64
	Delivery int32
	Due      int64
	Hidden   time.Duration // by that receive
}

// remember notes what a receive with an attempt id took.
func (q *queue) remember(id string, out []Taken) {
	if id == "" || len(out) == 0 || !q.attrs.FIFO {
		return
	}
	a := attempt{at: q.now}
	for _, t := range out {
		a.taken = append(a.taken, attemptTaken{t.seq, t.receives, q.taken.get(t.seq).due, t.visibility})
	}
	if q.attempts.byID == nil {
		q.attempts.byID = map[string]attempt{}
	}
	q.attempts.byID[id] = a
	q.attempts.ids = append(q.attempts.ids, dedupTime{id, q.now})
	q.keeper.attempt(q, id, a)
}

// repeat returns what an earlier receive with the attempt id took, with its
// visibility timeouts begun anew. It returns nil when there was none, or when
// one of its messages is not as that receive left it.
func (q *queue) repeat(id string, visibility time.Duration) []Taken {
	a, ok := q.attempts.byID[id]
	if !ok {
		return nil
	}
	messages := make([]*message, len(a.taken))
	for i, t := range a.taken {
		m := q.taken.get(t.Seq)
		if m == nil || m.state != inFlight || m.receives != t.Delivery || m.due != t.Due || m.settled {
			delete(q.attempts.byID, id)
			return nil
		}
		messages[i] = m
	}
	out := make([]Taken, len(messages))
	for i, m := range messages {
		q.due.remove(m)
		q.wait(m, visibility)
		a.taken[i].Due = m.due
		out[i] = q.delivered(m)
		out[i].visibility = a.taken[i].Hidden // so that the receipt handle is the same
		q.keeper.state(q, m)
	}
	q.keeper.attempt(q, id, a)
	return out
}

func (as *attempts) forget(now int64) {
	for len(as.ids) > 0 && as.ids[0].at+int64(spec.DeduplicationWindow) <= now {
		if id := as.ids[0].id; as.byID[id].at == as.ids[0].at {
			delete(as.byID, id)
		}
		as.ids = as.ids[1:]
	}
}
