package sqsbus

import (
	"runtime"
	"strings"
)

// endReceive ends the portable Subscription's fetch in progress, when it was
// paused and has no message.
//
// The stock driver has one way to say that there is no message, and sleeps for
// 250 ms before it does, whatever its context says; a Receive that begins within
// that time waits for its end. The portable type runs each fetch in a goroutine
// of its own, under an errgroup, and takes a fetch whose goroutine has ended for
// one without messages. So the goroutine is ended. Where the caller is another,
// a program that uses the client itself, endReceive does nothing and the answer
// is an empty one.
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
