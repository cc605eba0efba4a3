// Package lab is the hands-on lab on SQS queues in one process, as stories: workers that
// send and receive at a pace that people can follow, and a monitor that watches the three
// counts of each queue rise and fall until all is handled. [Stories] lists them. The first
// is the lab of the notes: a queue whose messages are delayed by 5 s, a slow and a fast
// producer of 50 donors each, a slow and a fast consumer that compete for them.
//
// A consumer works on a message while its lease runs, and then deletes it. So messages are
// in flight, and those that outlive their lease come again. With [Lab.AsInTheNotes] it
// deletes them at once and rests after that, as the notes' programs do.
//
// The workers are those of package workers. The lab runs on any backend that can be opened
// by a URL; [Lab.Run] says what it leaves out where a backend lacks a control.
package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/workers"
)

// MaxSpeed is how many times faster than the clock a lab can run: beyond it the
// queue's retention would fall below what SQS allows.
const MaxSpeed = 1000

// A Lab is one run of a story. Set its fields and call Run once. Its methods are safe for
// concurrent use.
type Lab struct {
	Mux   *bus.Mux // opens URL; nil means bus.DefaultMux
	URL   string   // of the queue, for example mem://mynewq; stories add to its name
	Story string   // the name of one of Stories; "" means the first

	// AsInTheNotes has consumers delete a message at once and rest then, in place of
	// working on it while its lease runs. It is for the first story.
	AsInTheNotes bool

	// Speed divides every duration, 1 to 1000; 0 means 1. Only backends that
	// count fractions of a second can go faster.
	Speed int

	// DrainTimeout is how long Run may take to end when ctx does; 0 means 10 s. In
	// the first half the workers finish what they have in hand, in the second the
	// queue confirms what it was told.
	DrainTimeout time.Duration

	// OnEvent, if not nil, is called with everything that happens, samples
	// included. Calls do not overlap.
	OnEvent func(Event)

	// Events and Samples, if not nil, carry what happens to those who follow. Run does
	// not close them.
	Events  *watch.Stream[watch.Event]
	Samples *watch.Stream[watch.Sample]

	// Requests returns how many requests were made for a queue so far. Where it is nil,
	// or returns none, the lab counts those that SQS would have seen: a message a
	// request, and receives that wait for as long as the consumer's do.
	Requests func(q *bus.Queue) []watch.Request

	// Price is what requests cost; the zero value means watch.ListPrice().
	Price watch.Price

	emitting sync.Mutex // one call of OnEvent at a time

	mu    sync.Mutex // guards under
	under *run       // under way
}

const defaultDrainTimeout = 10 * time.Second

// Run creates the story's queues if the backend can, starts its workers and the monitor,
// and ends when all that was sent is handled and the counts are zero. If ctx ends before,
// Run stops them cleanly and returns what was done so far, and no error unless something
// was not confirmed in time.
//
// The first story runs anywhere: without the control "attributes" there are no samples, and
// Run ends when as many messages are handled as were sent; without "receivers" the
// consumers have the queue's own visibility timeout. The others fail with
// errors.ErrUnsupported where a control is lacking that they show.
func (l *Lab) Run(ctx context.Context) (Summary, error) {
	story, err := l.prepare()
	if err != nil {
		return Summary{}, err
	}
	r := newRun(l, story)
	if err := r.able(ctx); err != nil {
		return Summary{}, err
	}
	if err := r.create(ctx); err != nil {
		return Summary{}, err
	}
	stopping, stop := context.WithCancel(ctx)
	last, cancel := workers.Outlast(stopping, l.DrainTimeout)
	defer cancel()
	err = r.open(ctx)
	opened := err == nil
	if opened {
		l.mu.Lock()
		l.under = r
		l.mu.Unlock()
		err = r.work(ctx)
	}
	stop()
	last, cancel = context.WithTimeout(last, l.DrainTimeout) // without a deadline Shutdown would set one of its own
	defer cancel()
	err = errors.Join(err, r.shutdownWorkers(last))
	if !opened {
		return Summary{}, errors.Join(err, r.shutdownStages(last))
	}
	s, summaryErr := r.summary(last)
	return s, errors.Join(err, summaryErr, r.shutdownStages(last))
}

// prepare checks the settings, sets those that have a default, and returns the story.
func (l *Lab) prepare() (*Story, error) {
	l.Speed = cmp.Or(l.Speed, 1)
	if l.Speed < 1 || l.Speed > MaxSpeed {
		return nil, fmt.Errorf("lab: speed %d is out of range; allowed are 1 to %d", l.Speed, MaxSpeed)
	}
	l.DrainTimeout = cmp.Or(l.DrainTimeout, defaultDrainTimeout)
	if l.DrainTimeout < 0 {
		return nil, fmt.Errorf("lab: DrainTimeout is %v; it must not be negative", l.DrainTimeout)
	}
	if l.Mux == nil {
		l.Mux = bus.DefaultMux()
	}
	if l.Price == (watch.Price{}) {
		l.Price = watch.ListPrice()
	}
	l.Story = cmp.Or(l.Story, Stories()[0].Name)
	story, err := FindStory(l.Story)
	if err != nil {
		return nil, err
	}
	if l.AsInTheNotes && story.Name != Stories()[0].Name {
		return nil, fmt.Errorf("lab: AsInTheNotes is for the story %s; the story %s shows leases, which then end at once", Stories()[0].Name, story.Name)
	}
	return story, nil
}
