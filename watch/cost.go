package watch

import (
	"cmp"
	"slices"
	"sync"
)

// A Request is how often an action was asked for.
type Request struct {
	Action string `json:"action"` // as SQS names it: SendMessageBatch, ReceiveMessage, …
	Count  int64  `json:"count"`

	// Billed is how many requests AWS bills for those: one for each 64 KiB of what a
	// request carries, and at least one.
	Billed int64 `json:"billed"`
}

// Chunk is the size in bytes by which AWS bills what a request carries.
const Chunk = 64 << 10

// Price is what requests cost.
type Price struct {
	Standard float64 // dollars for a million requests to standard queues
	FIFO     float64 // the same for FIFO queues
	Source   string  // where the two are from
}

// ListPrice returns Amazon's prices in most of its regions for the first 100 thousand
// million requests of a month, the free first million left out.
func ListPrice() Price {
	return Price{Standard: 0.40, FIFO: 0.50, Source: "https://aws.amazon.com/sqs/pricing/, US East"}
}

const million = 1_000_000

// Dollars returns what requests to a queue cost.
func (p Price) Dollars(rs []Request, fifo bool) float64 {
	var billed int64
	for _, r := range rs {
		billed += r.Billed
	}
	if fifo {
		return float64(billed) * p.FIFO / million
	}
	return float64(billed) * p.Standard / million
}

// A Ledger counts, for each queue, the messages that come and go and the requests that
// this takes, as those tell it who send and receive. The zero value is ready. It is
// safe for concurrent use.
type Ledger struct {
	mu       sync.Mutex // guards accounts
	accounts map[string]*Account
}

// Flow notes that so many messages were sent to a queue and deleted from it.
func (l *Ledger) Flow(queue string, in, out int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(queue)
	a.Told = true
	a.In += int64(in)
	a.Out += int64(out)
}

// Request notes that an action was asked for n times, with so many bytes of messages
// each time.
func (l *Ledger) Request(queue, action string, n, bytes int) {
	if n <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(queue)
	i, found := slices.BinarySearchFunc(a.Requests, action, func(r Request, action string) int { return cmp.Compare(r.Action, action) })
	if !found {
		a.Requests = slices.Insert(a.Requests, i, Request{Action: action})
	}
	a.Requests[i].Count += int64(n)
	a.Requests[i].Billed += int64(n) * int64(max(1, (bytes+Chunk-1)/Chunk))
}

// account returns the account of a queue. The caller holds mu.
func (l *Ledger) account(queue string) *Account {
	if l.accounts == nil {
		l.accounts = map[string]*Account{}
	}
	a := l.accounts[queue]
	if a == nil {
		a = new(Account)
		l.accounts[queue] = a
	}
	return a
}

// Account returns what has been noted of a queue so far, its requests sorted by
// action.
func (l *Ledger) Account(queue string) Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := *l.account(queue)
	a.Requests = slices.Clone(a.Requests)
	return a
}
