// Package engine is Amazon SQS in one process: standard and FIFO queues with
// delays, visibility timeouts, receipt handles, receive counts, retention, dead
// letters, deduplication, purge and exact counts.
//
// It is a library for backends; programs use package bus. An [Engine] holds
// queues by name, a [Queue] is a handle to one. Two layers make it up: each
// queue is a pure state machine that takes the time and returns values, and the
// Engine around them owns the lock, the receivers that wait and the timers that
// wake them. No goroutine runs while nothing is due, and nothing polls: a
// waiting receiver is handed its messages by the very call or timer that makes
// them ready.
//
// # Cost
//
// Sending, receiving, deleting and changing a visibility timeout cost the same
// with a million messages held as with a thousand, in any state, while messages
// are dealt with roughly in the order in which they came; in random order a call
// waits about half a microsecond for memory. With many different delays or
// timeouts in use at once the cost grows with their number's logarithm. Counts
// are read, not counted. A message takes its payload and about 200 bytes, on a
// FIFO queue about 350, and a message group about 150. What time alone has done
// (delays that end, leases that run out) is caught up with at the next call,
// each message once.
//
// # Time
//
// All queues of an engine go by one clock, the computer's monotonic one. When the
// wall clock is set, or after a suspend, nothing comes to pass earlier or later than
// it would have; what the engine tells are times of the wall clock.
//
// # Deviations from SQS
//
// One host instead of many: no sampling, so counts are exact, short polls find
// what is there, standard queues deliver in the order in which messages become
// visible, and nothing is delivered twice before its time. Durations may have
// fractions of a second. Access policies and encryption are outside its purpose:
// their attributes are kept and have no effect.
//
// The rules are those of the SQS Developer Guide; limits and texts are package
// [omnibus/bus/spec]'s. Errors are of type [*spec.Error] except those of a
// context. All methods are safe for concurrent use.
package engine

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/spec"
)

// Options configure an engine. The zero value is as strict as SQS.
type Options struct {
	// Lenient drops two rules that get in the way of test suites: that a queue
	// is purged once in a minute, and that the name of a deleted queue is free
	// after a minute.
	Lenient bool

	// NoSync is for [Open]: what was answered survives the end of the process, but not
	// that of the machine, and a call does not wait for the disk.
	NoSync bool

	// Report, unless nil, gets a line for what Open finds in the directory and how far it
	// is, and when its disk begins to fail and works again. It must not call the engine.
	Report func(string)

	reserve int // of the journal; 0 means its own
}

// An Engine holds queues. Create one with [New].
type Engine struct {
	opts   Options
	seed   uint64
	keeper *keeper // writes down what changes; nil without a directory
	dir    *journal.Dir

	mu      sync.Mutex // guards everything below, and all that the queues hold
	clock   clock
	queues  map[string]*Queue
	deleted map[string]int64 // when queues were deleted whose names are not yet free again
	numbers uint64           // the latest queue's number
	ids     uint64           // the latest message's number
}

// New returns an engine without queues. opts may be nil.
func New(opts *Options) *Engine {
	if opts == nil {
		opts = &Options{}
	}
	return &Engine{
		opts:    *opts,
		seed:    rand.Uint64(),
		queues:  map[string]*Queue{},
		deleted: map[string]int64{},
	}
}

// Create makes a queue. Of a queue that exists it returns the existing one,
// unless an attribute given differs from what that one has (QueueNameExists). A
// name is refused for a minute after its queue was deleted
// (QueueDeletedRecently), unless the engine is lenient.
func (e *Engine) Create(name string, s spec.QueueSettings) (*Queue, error) {
	return e.CreateTagged(name, s, nil)
}

// CreateTagged is Create for a queue with tags. It refuses what [Queue.Tag] does,
// and of a queue that exists tags that are not just those that it has, unless none
// are given.
func (e *Engine) CreateTagged(name string, s spec.QueueSettings, tags map[string]string) (q *Queue, err error) {
	if err := checkNew(name, s); err != nil {
		return nil, err
	}
	if err := spec.CheckTags(tags); err != nil {
		return nil, err
	}
	if e.keeper != nil && !e.has(name) {
		if err := e.keeper.refuse(adds); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.finish(&err)
	if q := e.queues[name]; q != nil {
		if attr, has, given := s.Differs(q.state.attrs); attr != "" {
			return nil, spec.DifferentQueue(name, attr, has, given)
		}
		if len(tags) > 0 && !maps.Equal(tags, q.tags) {
			return nil, spec.DifferentTags(name)
		}
		return q, nil
	}
	if at, ok := e.deleted[name]; ok && !e.opts.Lenient {
		if ago := time.Duration(e.clock.tick() - at); ago < spec.DeleteInterval {
			return nil, spec.DeletedRecently(name, ago)
		}
	}
	if err := e.checkDeadLetter(name, s); err != nil {
		return nil, err
	}
	e.numbers++
	q = newHandle(e, name, e.seed^e.numbers)
	if err := q.state.set(s); err != nil {
		return nil, err
	}
	q.tags = maps.Clone(tags)
	delete(e.deleted, name)
	e.queues[name] = q
	e.keeper.queue(q)
	return q, nil
}

// has reports whether there is a queue of that name.
func (e *Engine) has(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queues[name] != nil
}

// checkNew reports what SQS would refuse of a queue to be created.
func checkNew(name string, s spec.QueueSettings) error {
	name = spec.PlainName(name)
	if s.FIFO != nil {
		if err := spec.CheckQueueType(name, *s.FIFO); err != nil {
			return err
		}
	}
	if err := spec.CheckQueueName(name); err != nil {
		return err
	}
	return s.CheckFor(name)
}

// checkDeadLetter reports a redrive policy to a queue that does not exist, or that
// does not allow it. e.mu is held.
func (e *Engine) checkDeadLetter(name string, s spec.QueueSettings) error {
	d := s.DeadLetter
	if d == nil || d.Queue == "" {
		return nil
	}
	if d.Queue == name { // as AWS was recorded to accept
		return nil
	}
	to := e.queues[d.Queue]
	if to == nil {
		return spec.BadDeadLetterTarget(*d, "Dead letter target does not exist.")
	}
	if !to.state.admits(name) {
		return spec.BadDeadLetterTarget(*d, "Dead letter target does not allow queue "+spec.PlainName(name)+" to have it as its dead-letter queue.")
	}
	return nil
}

// Now returns the time by which the engine tells when messages were sent and
// received: that of the wall clock.
func (e *Engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clock.past(e.clock.tick())
}

// Queue returns the queue of that name, or the error QueueDoesNotExist.
func (e *Engine) Queue(name string) (*Queue, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if q := e.queues[name]; q != nil {
		return q, nil
	}
	return nil, spec.NoQueue(name)
}

// List returns the names of the queues that start with prefix, sorted.
func (e *Engine) List(prefix string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for name := range e.queues {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Delete removes the queue of that name with all its messages. Its waiting
// receivers end with QueueDoesNotExist, as does every later use of a handle.
func (e *Engine) Delete(name string) (err error) {
	if err := e.keeper.refuse(changes); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.finish(&err)
	q := e.queues[name]
	if q == nil {
		return spec.NoQueue(name)
	}
	delete(e.queues, name)
	now := e.clock.tick()
	for old, at := range e.deleted {
		if time.Duration(now-at) >= spec.DeleteInterval {
			delete(e.deleted, old)
		}
	}
	e.deleted[name] = now
	e.keeper.noQueue(q, now)
	q.close()
	return nil
}

// DeadLetterSources returns the names of the queues whose redrive policy names
// the queue, sorted.
func (e *Engine) DeadLetterSources(name string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.deadLetterSources(name)
}

func (e *Engine) deadLetterSources(name string) []string {
	var sources []string
	for source, q := range e.queues {
		if q.state.attrs.DeadLetter.Queue == name {
			sources = append(sources, source)
		}
	}
	slices.Sort(sources)
	return sources
}
