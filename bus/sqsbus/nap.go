package sqsbus

import (
	"runtime"
	"strings"
)

// endReceive ends the portable Subscription's fetch in progress, when it was
// paused and has no message.
//
// The stock driver has one way to say that there is no message, and sleeps for
// 250 ms before it does, whatever its context says. The portable type runs each
// fetch in a goroutine of its own, under an errgroup, and takes a fetch whose
// goroutine has ended for one without messages. So the goroutine is ended. Where
// the caller is another, a program that uses the client itself or a later version
// of the Go CDK, endReceive does nothing and the answer is an empty one.
//
// No plainer way is known with the Go CDK 0.47:
//   - An empty answer leaves three goroutines for 250 ms past the Queue's
//     Shutdown, which in a testing/synctest bubble is a deadlock, and a Receive
//     after a Release waits for their end.
//   - Any error ends the Subscription for good: the stock driver's IsRetryable
//     says no to all, and errors of contexts are no exception.
//   - A fetch that waited here instead, to go on at the next Receive, would not
//     learn of it: the portable type asks for nothing while a fetch is under way.
func endReceive() {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "gocloud.dev/pubsub.(*Subscription).getNextBatch.") {
			runtime.Goexit()
		}
		if !more {
			return
		}
	}
}
