package membus

import (
	"sync"
	"time"
)

// ahead decides how many messages a subscription fetches at a time.
//
// A portable Subscription whose receive options are one handler and a batch of
// one asks for more only when it has handed out all it got, whatever the driver
// gave it. So one message at a time means that nothing waits in memory while its
// visibility timeout runs; but a fetch costs the portable type several times
// what handing out a message does. A receiver that has proved fast is therefore
// given as many, up to a hundred, as it takes at its pace in a hundredth of their
// visibility timeout; one that pauses is back at one message with its next fetch.
type ahead struct {
	mu    sync.Mutex    // guards all below
	fast  int           // messages handed out fast, in a row
	given int           // by the latest fetch
	at    time.Time     // of the latest fetch
	lease time.Duration // of the latest fetch's messages
}

const (
	fastPart  = 1000 // a message is handed out fast within this part of its visibility timeout
	fastProof = 100  // messages in a row that prove a receiver fast
	waitPart  = 100  // the last message fetched waits for this part of it at most
	mostAhead = 100
)

// next returns how many messages to fetch now that all earlier ones have been
// handed out.
func (a *ahead) next() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given == 0 {
		return 1
	}
	pace := max(time.Since(a.at)/time.Duration(a.given), time.Nanosecond)
	if pace < a.lease/fastPart {
		a.fast += a.given
	} else {
		a.fast = 0
	}
	a.given = 0
	if a.fast < fastProof {
		return 1
	}
	return int(min(a.lease/waitPart/pace, mostAhead))
}

// fetched says how many messages a fetch returned, and how long they are hidden.
func (a *ahead) fetched(n int, lease time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.given, a.at, a.lease = n, time.Now(), lease
}
