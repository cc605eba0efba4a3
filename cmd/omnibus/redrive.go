package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"golang.org/x/time/rate"

	"omnibus/bus"
	"omnibus/bus/spec"
	"omnibus/workers"
)

// redriveFlags are the flags of dlq redrive, and what becomes of the dead letters.
type redriveFlags struct {
	*flagSet
	wanted *filter
	to     string
	rate   float64
	most   int
	out    printer

	tally tally
	plain string // the URL of the queue as it was given
	there int    // messages at the beginning
}

type redrivenLine struct {
	Event       string `json:"event"`
	Seen        int    `json:"seen"`
	Moved       int    `json:"moved"`
	Unmatched   int    `json:"unmatched"`
	Homeless    int    `json:"homeless"`
	Returned    int    `json:"returned"`
	Unconfirmed int    `json:"unconfirmed"`
	Interrupted int    `json:"interrupted"`
	Left        int    `json:"left"`
}

const mostRedriveRate = 10_000

func runDLQRedrive(ctx context.Context, a *app, args []string) error {
	f := &redriveFlags{flagSet: newFlags(a, "dlq redrive",
		"Move the dead letters of the dead-letter queue back to the queues they come from, or\nto another. Without -attr, -body, -rate and -max SQS does it itself, with\nStartMessageMoveTask. With one of them each is received, sent, and then deleted, so\nthat none is lost: of a process that is killed in between it may be in both queues.\nAfter Ctrl-C, or anything else, the same command goes on with what is left. Those\nthat stay have been received once more. In a FIFO queue what is behind one that\nstays, in its group, stays too.",
		"omnibus dlq redrive -queue http://127.0.0.1:9324/000000000000/mynewq-dead\nomnibus dlq redrive -attr JobType=NewDonor -rate 50\nomnibus dlq redrive -body timeout -max 100 -to mynewq-retry")}
	f.wanted = f.addFilter()
	f.StringVar(&f.to, "to", "", "`name` of the queue to move them to, or its URL or ARN (default: the queue each\ncomes from)")
	f.Float64Var(&f.rate, "rate", 0, "messages to move a second at most, 0.001 to 10000 (default: no limit)")
	f.IntVar(&f.most, "max", 0, "messages to move at most, 0 or more; 0 is no limit (default 0)")
	asJSON := f.Bool("json", false, "print one JSON object")
	f.addDrainTimeout()
	if err := f.parse(args); err != nil {
		return err
	}
	if f.given("rate") && !(f.rate >= leastRate && f.rate <= mostRedriveRate) {
		return usagef("-rate is %v; allowed are %v to %d messages a second, or leave it out for no limit", f.rate, leastRate, mostRedriveRate)
	}
	if err := atLeast("max", f.most, 0); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	if err := f.checkTo(); err != nil {
		return err
	}
	if err := f.needDeadLetters(ctx); err != nil {
		return err
	}
	f.out = printer{a.out, *asJSON}
	if f.wanted.all() && f.rate == 0 && f.most == 0 {
		return f.task(ctx)
	}
	return f.oneByOne(ctx)
}

// checkTo makes a URL of -to, and reports a queue that cannot take the dead letters.
func (f *redriveFlags) checkTo() error {
	if f.to == "" {
		return nil
	}
	var err error
	if spec.CheckQueueName(f.to) == nil {
		f.to, err = f.app.beside(f.queue, f.to)
	} else {
		f.to, err = f.app.resolve(f.to)
	}
	if err != nil {
		return err
	}
	shown := bus.Redact(f.to)
	switch {
	case withoutParams(f.to) == withoutParams(f.queue):
		return usagef("-to %s is the dead-letter queue itself; name another, or leave it out for the queues they come from", shown)
	case spec.IsFIFOName(queueName(f.to)) != f.fifo():
		return usagef("-to %s is not of the type of %s: both must be FIFO or both standard", shown, bus.Redact(f.queue))
	}
	return f.needShared(f.to)
}

// bar returns where a bar is drawn: on a person's terminal.
func (f *redriveFlags) bar() io.Writer {
	if f.app.terminal && !f.out.json {
		return f.app.stderr
	}
	return nil
}

// task has the backend move all that is there.
func (f *redriveFlags) task(ctx context.Context) error {
	name := ""
	if f.to != "" {
		name = queueName(f.to)
		if beside, err := f.app.beside(f.queue, name); err != nil || beside != f.to {
			return f.oneByOne(ctx) // tasks know the queues of one account and region
		}
	}
	return f.open(ctx, func(q *bus.Queue) error {
		before, err := q.Attributes(ctx)
		if err != nil {
			return err
		}
		f.there = before.Visible
		watching, stop := context.WithCancel(ctx)
		defer stop()
		p := startProgress(f.bar(), f.watch(watching, q))
		moved, err := q.Redrive(ctx, name, 0)
		stop()
		p.end()
		last, cancel := workers.Outlast(ctx, f.inHand())
		defer cancel()
		after, lookErr := q.Attributes(last)
		f.tally.moved = moved
		printErr := f.print(after.Visible)
		if ctx.Err() != nil {
			return errors.Join(errInterrupted, printErr)
		}
		if err != nil && strings.Contains(err.Error(), noSource) {
			err = fmt.Errorf("%w: SQS does not know where these come from; name the queue with -to, or add -rate, with which those that were buried go home too", err)
		}
		return errors.Join(err, lookErr, printErr)
	}, nil)
}

// noSource is why SQS's task moves nothing that was sent to the dead-letter queue, and
// not given up to it by another queue.
const noSource = "CouldNotDetermineMessageSource"

// watch returns a look at how many have left the queue.
func (f *redriveFlags) watch(ctx context.Context, q *bus.Queue) func() (int, int) {
	done, next := 0, time.Now()
	return func() (int, int) {
		if time.Now().Before(next) {
			return done, f.there
		}
		if now, err := q.Attributes(ctx); err == nil {
			done = max(0, f.there-now.Visible)
		}
		next = time.Now().Add(time.Second)
		return done, f.there
	}
}

var errInterrupted = errors.New("interrupted; the same command goes on with what is left")

// print prints what became of the dead letters.
func (f *redriveFlags) print(left int) error {
	n := f.tally.snapshot()
	text := messages(n.moved) + " moved"
	for _, c := range []struct {
		n    int
		text string
	}{
		{n.unmatched, "%d left since they do not match"},
		{n.homeless, "%d left since they do not tell where they come from: name a queue with -to"},
		{n.returned, "%d left since they came back meanwhile"},
		{n.interrupted, "%d left since the command ended"},
		{n.unconfirmed, "%d not confirmed, and perhaps in both queues"},
		{left - n.unmatched - n.homeless - n.returned - n.interrupted, "%d more in the queue"},
	} {
		if c.n > 0 {
			text += ", " + fmt.Sprintf(c.text, c.n)
		}
	}
	return f.out.print(redrivenLine{"redriven", n.seen(), n.moved, n.unmatched, n.homeless, n.returned, n.unconfirmed, n.interrupted, left}, "%s", text)
}

// sends is how many dead letters are sent at a time.
const sends = 16

// A redrive moves dead letters one by one.
type redrive struct {
	*redriveFlags
	scan    *scan
	limiter *rate.Limiter // nil is no limit
	home    string        // of those that do not tell where they come from
	asked   bool          // home is known, or known not to be known
	targets map[string]*bus.Queue

	last   context.Context // of what is in hand when the command is to end
	room   chan struct{}
	moving sync.WaitGroup

	mu     sync.Mutex      // guards the rest
	sent   map[string]bool // ids of those that were sent
	failed error           // why no more are sent
}

// oneByOne receives, sends and deletes what is wanted.
func (f *redriveFlags) oneByOne(ctx context.Context) error {
	f.plain, f.queue = f.queue, scanURL(f.queue)
	var interrupted error
	return f.open(ctx, func(q *bus.Queue) error {
		before, err := q.Attributes(ctx)
		if err != nil {
			return err
		}
		f.there = before.Visible
		r := &redrive{redriveFlags: f, scan: &scan{queue: q}, targets: map[string]*bus.Queue{}, room: make(chan struct{}, sends), sent: map[string]bool{}}
		if f.rate > 0 {
			r.limiter = rate.NewLimiter(rate.Limit(f.rate), 1)
		}
		p := startProgress(f.bar(), func() (int, int) { return f.tally.snapshot().seen(), f.there })
		err = r.run(ctx)
		p.end()
		if ctx.Err() != nil {
			interrupted, err = errInterrupted, nil
		}
		return err
	}, func() error {
		last, cancel := workers.Outlast(ctx, f.inHand())
		defer cancel()
		left := 0
		if after, lookErr := f.app.attributesOf(last, []string{f.plain}); lookErr == nil && after[0] != nil {
			left = after[0].Visible
		}
		err := f.print(left)
		if n := f.tally.snapshot().unconfirmed; n > 0 {
			err = errors.Join(err, fmt.Errorf("the queue has not confirmed that it deleted %s: what has been sent may be sent again", messages(n)))
		}
		return errors.Join(err, interrupted)
	})
}

func (r *redrive) run(ctx context.Context) error {
	last, cancel := workers.Outlast(ctx, r.inHand())
	defer cancel()
	r.last = last
	err := r.scan.run(ctx, func(m *pubsub.Message) (bool, error) { return r.take(ctx, m) })
	r.moving.Wait()
	r.scan.giveBack(last)
	for _, q := range r.targets {
		err = errors.Join(err, q.Shutdown(last))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.failed, err)
}

// take decides what becomes of a message, and reports whether there is to be another.
func (r *redrive) take(ctx context.Context, m *pubsub.Message) (more bool, err error) {
	seen := received(m)
	fresh := r.scan.hold(m)
	leave := func(why *int) {
		if fresh {
			r.tally.add(why)
		}
	}
	if !r.wanted.wants(seen) {
		leave(&r.tally.unmatched)
		return true, nil
	}
	if r.returned(seen.Details.ID) {
		leave(&r.tally.returned)
		return true, nil
	}
	target, err := r.target(ctx, seen)
	if err != nil {
		leave(&r.tally.interrupted)
		return false, err
	}
	if target == nil {
		leave(&r.tally.homeless)
		return true, nil
	}
	if !r.mayMove(ctx) {
		leave(&r.tally.interrupted)
		return false, nil
	}
	r.moving.Go(func() {
		defer func() { <-r.room }()
		r.move(m, target)
	})
	if r.most > 0 {
		r.most--
		return r.most > 0, nil
	}
	return true, nil
}

// mayMove waits until one more may be moved, and reports whether it may.
func (r *redrive) mayMove(ctx context.Context) bool {
	if r.limiter != nil && r.limiter.Wait(ctx) != nil {
		return false
	}
	select {
	case r.room <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil || ctx.Err() != nil {
		<-r.room
		return false
	}
	return true
}

// move sends a message and deletes it here.
func (r *redrive) move(m *pubsub.Message, target *bus.Queue) {
	id := bus.Details(m).ID
	copied := target.Forward(m)
	if target.FIFO() {
		bus.Deduplicate(copied, id) // sent once, though a killed process sent it too
	}
	var sent bus.SentMessage
	bus.StoreSent(copied, &sent)
	err := target.Topic.Send(r.last, copied)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.sent[sent.ID] = true
		r.scan.letGo(m)
		r.tally.settle(m, &r.tally.moved)
	case r.last.Err() != nil || gcerrors.Code(err) == gcerrors.DeadlineExceeded:
		r.tally.add(&r.tally.unconfirmed) // it may have been sent
	default:
		r.tally.add(&r.tally.interrupted)
		r.failed, r.app.queue = cmp.Or(r.failed, err), target.URL()
	}
}

// returned reports whether a message is one that has been sent by this command.
func (r *redrive) returned(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent[id]
}

// target returns the queue to which a dead letter goes, or nil if that is not known.
func (r *redrive) target(ctx context.Context, m bus.Peeked) (*bus.Queue, error) {
	url := r.to
	if url == "" {
		name := sourceName(m)
		if name == "" {
			var err error
			if name, err = r.onlySource(ctx); name == "" || err != nil {
				return nil, err
			}
		}
		var err error
		if url, err = r.app.beside(r.plain, name); err != nil {
			return nil, err
		}
	}
	if q := r.targets[url]; q != nil {
		return q, nil
	}
	q, err := r.app.mux.Open(ctx, url)
	if err == nil {
		r.targets[url] = q
	}
	return q, err
}

// onlySource returns the queue of which this is the dead-letter queue, if there is
// one only.
func (r *redrive) onlySource(ctx context.Context) (string, error) {
	if r.asked {
		return r.home, nil
	}
	sources, err := r.app.sources(ctx, r.queue)
	if err != nil {
		return "", err
	}
	r.asked = true
	if len(sources) == 1 {
		r.home = sources[0]
	}
	return r.home, nil
}
