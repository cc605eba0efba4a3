package faulty

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// MostWait is how long [Random] has calls wait at most.
const MostWait = 10 * time.Second

// Random returns a function for [Options].Fault with which a share of the calls that
// carry messages and settle deliveries goes wrong, from 0, none, to 1, all. They wait, are
// refused, lose their answer or have their effect twice, with errors [ErrRefused]
// and [ErrLost].
//
// What goes wrong is drawn from the seed, the operation, the message's body and how
// often the same was called for. So with different bodies the same seed gives the same
// faults, in whatever order goroutines run. It remembers each body and operation in 16
// bytes. The function is safe for concurrent use.
func Random(seed uint64, share float64) func(*Call) Fault {
	r := &random{seed: seed, share: share, tries: map[uint64]uint64{}}
	return r.fault
}

type random struct {
	seed  uint64
	share float64
	mu    sync.Mutex        // guards tries
	tries map[uint64]uint64 // by a sum of operation and body
}

// carriers are the operations that something goes wrong with.
var carriers = map[Operation]bool{
	Send: true, Receive: true, Ack: true, Nack: true, "renew": true, "give-back": true, "visibility": true, "bury": true,
}

func (r *random) fault(c *Call) (f Fault) {
	if !carriers[c.Operation] {
		return f
	}
	sum := sumOf(c)
	r.mu.Lock()
	r.tries[sum]++
	try := r.tries[sum]
	r.mu.Unlock()
	draw := rand.New(rand.NewPCG(r.seed, sum^try<<32))
	if draw.Float64() >= r.share {
		return f
	}
	switch draw.IntN(5) {
	case 0:
		f.Before = time.Duration(draw.Int64N(int64(MostWait)))
	case 1:
		f.Refuse = ErrRefused
	case 2:
		f.Lose = ErrLost
	case 3:
		f.Twice = true
	case 4:
		f.After = time.Duration(draw.Int64N(int64(MostWait)))
	}
	return f
}

// sumOf returns a number for the operation and the message of a call.
func sumOf(c *Call) uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.Operation))
	h.Write([]byte{0})
	h.Write(c.Body)
	return h.Sum64()
}
