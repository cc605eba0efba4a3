package lab

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/watch/live"
)

// run is a lab under way.
type run struct {
	lab    *Lab
	story  *Story
	id     string // of this run, for what must differ from one to the next
	ledger watch.Ledger
	stages []*stage
	topic  *bus.Queue // or nil

	group *errgroup.Group // of all that runs
	ctx   context.Context // of the group

	mu        sync.Mutex // guards all below, and the fields of workers that say so
	producers []*producer
	consumers []*consumer
	sending   int           // producers that are not done
	telling   bool          // whether the story's script is under way
	owed      int           // deliveries that what was sent leads to
	dead      int           // dead letters
	purged    bool          // so that not all that was sent is handled
	ended     bool          // whether done is closed
	done      chan struct{} // closed when all is handled
	changed   chan struct{} // closed at the next event or sample
}

// A stage is a queue of the story.
type stage struct {
	stageQueue
	url   string
	queue *bus.Queue

	counts *watch.Counts // of the last sample; guarded by run.mu
}

func newRun(l *Lab, s *Story) *run {
	r := &run{lab: l, story: s, id: strconv.FormatInt(time.Now().UnixNano(), 36), done: make(chan struct{}), changed: make(chan struct{})}
	for _, q := range s.queues {
		r.stages = append(r.stages, &stage{stageQueue: q})
	}
	return r
}

// stage returns the queue with a suffix.
func (r *run) stage(suffix string) *stage {
	for _, st := range r.stages {
		if st.suffix == suffix {
			return st
		}
	}
	panic(fmt.Sprintf("lab: the story %s has no queue with the suffix %q", r.story.Name, suffix))
}

// able returns an error if the backend lacks what the story shows, before a queue is
// created, unless to open one creates it.
func (r *run) able(ctx context.Context) error {
	if r.story.topic != "" {
		if _, err := topicURL(r.lab.URL, r.story.topic); err != nil {
			return err
		}
	}
	if local, err := r.lab.Mux.Local(r.lab.URL); local || err != nil {
		return err
	}
	q, err := r.lab.Mux.Open(ctx, r.lab.URL)
	if err != nil {
		return err
	}
	return errors.Join(r.story.lacks(q), q.Shutdown(ctx))
}

// create creates the queues, unless the backend's come into being when they are
// opened.
func (r *run) create(ctx context.Context) error {
	for _, st := range r.stages {
		var err error
		if st.url, err = beside(r.lab.URL, st.suffix, st.fifo); err != nil {
			return err
		}
		url, err := r.lab.Mux.Create(ctx, st.url, r.settings(st))
		if errors.Is(err, errors.ErrUnsupported) && len(r.story.Needs) == 0 {
			continue
		}
		if err != nil {
			return err
		}
		r.emit(Event{Event: watch.Event{Kind: watch.Created, Queue: st.name()}, URL: bus.Redact(url)})
	}
	return nil
}

// settings returns those of a queue, at the lab's speed.
func (r *run) settings(st *stage) bus.QueueSettings {
	s := st.settings
	for _, d := range []**time.Duration{&s.Delay, &s.Retention, &s.Visibility} {
		if *d != nil {
			*d = new(**d / time.Duration(r.lab.Speed))
		}
	}
	if st.fifo {
		s.FIFO = new(true)
	}
	if st.dead != "" {
		s.DeadLetter = &bus.DeadLetter{Queue: r.stage(st.dead).name(), MaxReceives: st.receives}
	}
	return s
}

// name returns the queue's name, before it is open too.
func (st *stage) name() string { return nameOf(st.url) }

// open opens a queue for every worker, as programs of their own would, and one for the
// monitor.
func (r *run) open(ctx context.Context) error {
	for _, st := range r.stages {
		q, err := r.lab.Mux.Open(ctx, st.url)
		if err != nil {
			return err
		}
		st.queue = q
		if err := r.story.lacks(q); err != nil {
			return err
		}
	}
	if err := r.subscribe(ctx); err != nil {
		return err
	}
	for _, p := range r.story.producers {
		if err := r.addProducer(ctx, p); err != nil {
			return err
		}
	}
	for _, c := range r.story.consumers {
		if _, err := r.openConsumer(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// subscribe opens the story's topic, if it has one, and subscribes the queues that want
// something of it.
func (r *run) subscribe(ctx context.Context) error {
	if r.story.topic == "" {
		return nil
	}
	url, err := topicURL(r.lab.URL, r.story.topic)
	if err != nil {
		return err
	}
	if r.topic, err = r.lab.Mux.Open(ctx, url); err != nil {
		return err
	}
	for _, st := range r.stages {
		if st.wants == nil {
			continue
		}
		if err := st.queue.SubscribeTo(ctx, url, *st.wants); err != nil {
			return err
		}
	}
	return nil
}

// shutdownWorkers shuts down the workers' queues, all at a time, since they share the
// drain timeout.
func (r *run) shutdownWorkers(ctx context.Context) error {
	var queues []*bus.Queue
	r.mu.Lock()
	for _, p := range r.producers {
		if p.opened {
			queues = append(queues, p.queue)
		}
	}
	for _, c := range r.consumers {
		queues = append(queues, c.queue)
	}
	r.mu.Unlock()
	return shutdown(ctx, queues)
}

// shutdownStages shuts down the monitor's queues and the topic.
func (r *run) shutdownStages(ctx context.Context) error {
	var queues []*bus.Queue
	for _, st := range r.stages {
		queues = append(queues, st.queue)
	}
	return shutdown(ctx, append(queues, r.topic))
}

func shutdown(ctx context.Context, queues []*bus.Queue) error {
	errs := make([]error, len(queues))
	var wg sync.WaitGroup
	for i, q := range queues {
		if q != nil {
			wg.Go(func() { errs[i] = q.Shutdown(ctx) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// work runs all workers until the lab is done, ctx ends or one of them fails.
func (r *run) work(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	r.mu.Lock()
	r.group, r.ctx = g, ctx
	r.sending = len(r.producers)
	r.telling = r.story.script != nil
	for _, p := range r.producers {
		g.Go(func() error { return r.produce(ctx, p) })
	}
	for _, c := range r.consumers {
		r.startConsumer(c)
	}
	r.mu.Unlock()
	if r.stages[0].queue.Supports(bus.ControlAttributes) {
		r.watch(ctx)
	}
	if r.telling {
		g.Go(func() error {
			err := r.story.script(ctx, r)
			r.mu.Lock()
			r.telling = false
			r.mu.Unlock()
			r.check()
			if ctx.Err() != nil {
				return nil
			}
			return err
		})
	}
	g.Go(func() error {
		select {
		case <-r.done:
			stop()
		case <-ctx.Done():
		}
		return nil
	})
	return g.Wait()
}

// watch has all queues sampled, and looks at the samples.
func (r *run) watch(ctx context.Context) {
	samples := r.lab.Samples
	if samples == nil {
		samples = watch.NewStream[watch.Sample](64)
	}
	p := &live.Poller{
		Samples: samples, Every: time.Second / time.Duration(r.lab.Speed),
		Price: r.lab.Price, Account: r.sampled,
	}
	for _, st := range r.stages {
		p.Add(st.queue)
	}
	viewer := samples.Follow(0)
	r.group.Go(func() error { return p.Run(ctx) })
	r.group.Go(func() error {
		for {
			got, _, err := viewer.Next(ctx)
			if err != nil {
				return nil
			}
			for _, s := range got {
				if s.Error != "" {
					return errors.New("lab: " + s.Error)
				}
				r.look(s)
			}
		}
	})
}

// look takes note of a sample.
func (r *run) look(s watch.Sample) {
	r.mu.Lock()
	for _, st := range r.stages {
		if st.queue.Name() == s.Name {
			st.counts = &s.Counts
		}
	}
	r.mu.Unlock()
	e := Event{Event: watch.Event{Kind: EventStatus, Time: s.Time}, Counts: &s.Counts}
	if len(r.stages) > 1 {
		e.Queue = s.Name
	}
	r.emit(e)
	r.check()
}

// check ends the lab when everything sent is handled and, where the queues can be asked,
// the counts are zero. It wakes those who wait for something to become true.
func (r *run) check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
	if r.ended || r.sending > 0 || r.telling {
		return
	}
	if asks := r.stages[0].queue.Supports(bus.ControlAttributes); asks && !r.empty() {
		return
	}
	if r.deleted() < r.owed && !r.purged {
		return
	}
	r.ended = true
	close(r.done)
}

// empty reports whether the last samples of all queues show no message. The caller
// holds mu.
func (r *run) empty() bool {
	for _, st := range r.stages {
		if st.counts == nil || *st.counts != (watch.Counts{}) {
			return false
		}
	}
	return true
}

// deleted returns how many messages were handled. The caller holds mu.
func (r *run) deleted() int {
	n := 0
	for _, c := range r.consumers {
		n += c.Stats().Deleted
	}
	return n
}

// await waits until condition holds, which is called with mu held, or until ctx ends.
func (r *run) await(ctx context.Context, condition func() bool) bool {
	for {
		r.mu.Lock()
		ok, changed := condition(), r.changed
		r.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// sleep waits for a time of the story, or until ctx ends.
func (r *run) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d / time.Duration(r.lab.Speed))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
