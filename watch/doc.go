// Package watch is what can be seen of queues and of the workers around them: a
// stream of samples, which tell how many messages a queue holds, how fast they come
// and go and what that costs, and a stream of events, which tell what became of single
// messages. Command line, terminal and browser draw the same two streams.
//
// A [Stream] has one writer or many, and any number of viewers. Each viewer reads at
// its own pace; one that is slow misses what has been forgotten meanwhile, and holds up
// nobody.
//
// This package uses the standard library only, so that an endpoint can show its queues
// without the Go CDK. Package omnibus/watch/live fills the streams from queues of package
// bus and from workers.
package watch
