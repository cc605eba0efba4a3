package main

import (
	"net/http"
	"sync/atomic"

	"omnibus/bus/sqsserver"
)

const (
	// smallBody is the length up to which bodies are always taken, so that
	// ordinary requests are answered however many large ones are on their way.
	smallBody = 64 << 10

	// maxIntake bounds the bytes of all larger bodies at a time: some forty of
	// the largest batches, or over a hundred of the largest messages.
	maxIntake = 128 << 20
)

// intake bounds the memory that requests on their way take. One that does not fit
// is answered with an error that SDKs retry, after a pause that grows.
type intake struct {
	next http.Handler
	used atomic.Int64
	heap headroom
}

var serviceUnavailable = failure{http.StatusServiceUnavailable, "ServiceUnavailable", "ServiceUnavailableException"}

func (i *intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := r.ContentLength
	i.heap.note(n)
	if n >= 0 && n <= smallBody {
		i.next.ServeHTTP(w, r)
		return
	}
	if n < 0 || n > sqsserver.MaxRequestBytes { // as much as the server reads
		n = sqsserver.MaxRequestBytes
	}
	defer i.used.Add(-n)
	if i.used.Add(n) > maxIntake {
		serviceUnavailable.answer(w, r, "Too many large requests at a time. Try again.")
		return
	}
	i.next.ServeHTTP(w, r)
}
