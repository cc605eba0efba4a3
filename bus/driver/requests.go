package driver

// A RequestCounter is a [Queue] that makes requests of a service. It is no control:
// a queue without it makes none.
type RequestCounter interface {
	// Requests returns what the open queue has asked for so far, one count for each
	// action, sorted by that.
	Requests() []RequestCount
}

// A RequestCount is how often a queue has made requests of one kind.
type RequestCount struct {
	Action   string // as the service names it: SendMessageBatch, ReceiveMessage, …
	Requests int64  // all tries counted
	Failed   int64  // of those, ones that were answered with an error or not at all
	Chunks   int64  // of 64 KiB, at least one for each request: what SQS bills
}
