package workers

import "sync/atomic"

// ConsumerStats count deliveries. When Run has returned, each that was received is
// one of those deleted, failed, lost, unconfirmed, given back and delayed. Answers that
// come after that are counted still.
type ConsumerStats struct {
	Received    int // handed out by the queue
	Redelivered int // of those, ones the queue had delivered before, as far as it tells

	Deleted     int // handled and acknowledged in time, as far as the queue tells
	Dropped     int // of those, ones whose handler returned an error marked with Drop
	Failed      int // not handled, and given back or buried
	Dead        int // of those, ones that were buried
	Cut         int // of those, ones whose handler was cut short by a stop
	Lost        int // delivered again: the lease was lost before they could be handled or acknowledged
	Unconfirmed int // handled and acknowledged; the queue has not confirmed it, or not yet
	GivenBack   int // given back without having been begun, at a stop or a pause, or behind one that failed
	Delayed     int // not due yet, and sent on or given back for the rest of their delay

	Renewed int // leases that were renewed
	InHand  int // received and not settled yet, now
}

type consumerStats struct {
	received, redelivered, deleted, dropped, failed, dead, cut, lost, unconfirmed, givenBack, delayed, renewed atomic.Int64
	inHand                                                                                                     atomic.Int64
}

// Stats returns what has been counted so far. It may be called at any time.
func (c *Consumer) Stats() ConsumerStats {
	s := &c.stats
	return ConsumerStats{
		Received:    int(s.received.Load()),
		Redelivered: int(s.redelivered.Load()),
		Deleted:     int(s.deleted.Load()),
		Dropped:     int(s.dropped.Load()),
		Failed:      int(s.failed.Load()),
		Dead:        int(s.dead.Load()),
		Cut:         int(s.cut.Load()),
		Lost:        int(s.lost.Load()),
		Unconfirmed: int(s.unconfirmed.Load()) + c.acks.outstanding(),
		GivenBack:   int(s.givenBack.Load()),
		Delayed:     int(s.delayed.Load()),
		Renewed:     int(s.renewed.Load()),
		InHand:      int(s.inHand.Load()),
	}
}
