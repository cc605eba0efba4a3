package sqsbus

import (
	"time"

	"omnibus/bus/spec"
)

// prefetch decides how many messages one ReceiveMessage asks for.
//
// Ten in one request cost a tenth of ten requests; but what is not handed out at
// once is kept from other consumers, and its visibility timeout runs. So a
// request asks for as many as the consumer, at the pace it has shown, takes in a
// second, or in a quarter of the visibility timeout if that is shorter: ten if it
// takes ten a second, one if it takes a second for each.
//
// A consumer starts with one message. While it is fast the number doubles with
// every message it takes; when it pauses the next request is of one message
// again.
type prefetch struct {
	pace   time.Duration // what the consumer takes for a message; 0 at the start
	handed time.Time     // when it got the latest message, zero if it has asked since
}

const aheadTime = time.Second

// asked says that the consumer wants a message, and so has all it got before.
func (p *prefetch) asked(now time.Time) {
	if p.handed.IsZero() {
		return
	}
	took := now.Sub(p.handed)
	p.handed = time.Time{}
	if p.pace == 0 {
		p.pace = aheadTime
	}
	p.pace = max(took, (p.pace+took)/2, 1)
}

// handedOut says that the consumer gets a message.
func (p *prefetch) handedOut(now time.Time) { p.handed = now }

// size returns how many messages to ask for.
func (p *prefetch) size(visibility time.Duration) int {
	if p.pace == 0 {
		return 1
	}
	n := min(aheadTime, visibility/4) / p.pace
	return int(max(1, min(n, spec.MaxBatchEntries)))
}
