package sqsbus

import (
	"time"

	"omnibus/bus/spec"
)

// hunger says how much to fetch for a consumer, by the pace it has shown.
//
// Ten messages in one request cost a tenth of ten requests; but what is not handed
// out at once is kept from other consumers, and its visibility timeout runs. So a
// request asks for as many as the consumer takes in a second, or in a quarter of
// the visibility timeout if that is shorter: ten if it takes ten a second, one if
// it takes a second for each.
//
// A consumer that is done with ten before the next ten can arrive waits for the
// network. While answers come full, which says that the queue holds more, several
// requests run at the same time: at most as many as bring what the consumer takes
// while one is answered, twice over, so that it need not wait. Every few full answers
// are worth one request more; one that is not full costs two. Where messages
// come about as fast as they are taken, fewer requests are fuller, and cost less.
//
// A consumer starts with one message. While it is fast the number doubles with
// every message it takes; when it pauses the next request is of one message again.
type hunger struct {
	pace   time.Duration // what the consumer takes for a message; 0 at the start
	handed time.Time     // when it got the latest messages, zero if it has asked since
	got    int           // how many those were
	trip   time.Duration // how long an answer takes that is not waited for; 0 if none was
	full   int           // how many answers were full lately: see answered
}

const (
	aheadTime   = time.Second
	handfulTime = time.Millisecond
	maxPolls    = 20 // requests at the same time
)

// asked says that the consumer wants a message, and so has taken all it got before.
func (h *hunger) asked(now time.Time) {
	if h.handed.IsZero() {
		return
	}
	took := now.Sub(h.handed) / time.Duration(h.got)
	h.handed = time.Time{}
	if h.pace == 0 {
		h.pace = aheadTime
	}
	h.pace = max(took, (h.pace+took)/2, 1)
}

// handedOut says that the consumer gets n messages.
func (h *hunger) handedOut(now time.Time, n int) { h.handed, h.got = now, n }

// handful returns how many messages to hand out at once: what the consumer takes
// within handfulTime.
func (h *hunger) handful() int {
	if h.pace == 0 {
		return 1
	}
	return int(max(1, min(handfulTime/h.pace, spec.MaxBatchEntries)))
}

// answered says that a request for n messages, which might wait at the queue,
// brought got of them after took.
func (h *hunger) answered(n, got int, wait, took time.Duration) {
	switch {
	case got >= n:
		h.full++
	case got > 0:
		h.full = max(0, min(h.full, maxPolls*fullAnswers)-2*fullAnswers)
	default:
		h.full = 0
	}
	if wait == 0 {
		h.trip = took
	}
}

// size returns how many messages one request asks for.
func (h *hunger) size(visibility time.Duration) int {
	return max(1, min(h.ahead(visibility), spec.MaxBatchEntries))
}

// ahead returns how many messages may wait here at most.
func (h *hunger) ahead(visibility time.Duration) int {
	if h.pace == 0 {
		return 1
	}
	return int(min(aheadTime, visibility/4) / h.pace)
}

// fullAnswers is how many full answers are worth one request more.
const fullAnswers = 12

// polls returns how many requests of size messages each to have under way, when
// waiting messages are here already; at least one if there are none.
func (h *hunger) polls(size, waiting int, visibility time.Duration) int {
	least := 1
	if waiting > 0 {
		least = 0
	}
	most := min(1+h.full/fullAnswers, maxPolls)
	if most == 1 || h.pace == 0 {
		return least
	}
	want := most * size
	if h.trip > 0 {
		want = min(want, int(2*h.trip/h.pace))
	}
	want = min(want, h.ahead(visibility)) - waiting
	return max(least, min((want+size-1)/size, most))
}
