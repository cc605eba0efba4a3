package lab

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/watch"
	"omnibus/watch/live"
	"omnibus/workers"
)

// A consumer is one of the story's, or one that was added, under way.
type consumer struct {
	consuming
	queue *bus.Queue
	*workers.Consumer

	crash chan struct{} // closed when it crashes

	// Guarded by run.mu:
	state  string
	busy   bool               // with a message
	polled time.Time          // from when on its receives have not been counted; zero while it is busy
	stop   context.CancelFunc // ends its Run; nil before
}

// openConsumer opens a consumer's queue. On a backend where a receiver has no
// visibility timeout of its own it goes without.
func (r *run) openConsumer(ctx context.Context, s consuming) (*consumer, error) {
	st := r.stage(s.queue)
	receivers := st.queue.Supports(bus.ControlReceivers)
	url := st.url
	if receivers {
		url = withWait(url, s.Wait/time.Duration(r.lab.Speed))
	}
	q, err := r.lab.Mux.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	c := &consumer{consuming: s, queue: q, crash: make(chan struct{}), state: watch.StateRunning}
	c.Consumer = &workers.Consumer{
		Queue: q, DrainTimeout: r.lab.DrainTimeout / 2,
		MaxLease: 1, // shorter than any lease, so that none is renewed and all run down
		Retry:    func(error, int) time.Duration { return 0 },
		Handler:  func(ctx context.Context, m *pubsub.Message) error { return r.handle(ctx, c, m) },
		Logger:   quiet, // events tell of it
	}
	if r.lab.AsInTheNotes {
		c.Rest = s.Pause / time.Duration(r.lab.Speed)
	}
	if receivers {
		c.Consumer.Visibility = new(s.ConsumerPreset.Visibility / time.Duration(r.lab.Speed))
	}
	live.Watch(c.Consumer, s.Name, r.story.receives(s.queue), r.tell)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.consumers = append(r.consumers, c)
	return c, nil
}

// withWait returns the URL with how long a receive waits, unless it says that itself.
func withWait(rawURL string, wait time.Duration) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Query().Has("wait") || u.Query().Has("waittime") {
		return rawURL
	}
	q := u.Query()
	q.Set("wait", wait.String())
	u.RawQuery = q.Encode()
	return u.String()
}

// startConsumer has a consumer run. The caller holds mu.
func (r *run) startConsumer(c *consumer) {
	ctx, stop := context.WithCancel(r.ctx)
	c.stop = stop
	r.group.Go(func() error {
		defer stop()
		if !r.sleep(ctx, c.start) {
			return nil
		}
		r.mu.Lock()
		c.polled = time.Now()
		r.mu.Unlock()
		err := c.Run(ctx)
		r.mu.Lock()
		r.countPolls(c, time.Now())
		c.polled = time.Time{}
		ended := c.state == watch.StateRunning || c.state == watch.StatePaused
		if ended {
			c.state = watch.StateEnded
		}
		r.mu.Unlock()
		if err != nil || !ended {
			return err
		}
		r.note(watch.Finished, c.queue.Name(), c.Name, "", c.Stats().Deleted)
		return nil
	})
}

// quiet is a logger for what events tell.
var quiet = slog.New(slog.DiscardHandler)

var (
	errCrashed  = errors.New("the consumer crashed")
	errStopping = errors.New("the lab stops")
)

// handle works on a message: for as long as the preset's pause.
func (r *run) handle(ctx context.Context, c *consumer, m *pubsub.Message) error {
	r.mu.Lock()
	c.busy = true
	r.mu.Unlock()
	r.check()
	defer func() {
		r.mu.Lock()
		c.busy = false
		removed := c.state == stateRemoved
		r.mu.Unlock()
		if removed {
			c.stop()
		}
	}()
	var h hurdle
	if c.hurdles != nil {
		h = c.hurdles(m, bus.Details(m).ReceiveCount)
	}
	if r.lab.AsInTheNotes {
		return nil
	}
	work := c.ConsumerPreset.Pause
	if h.work > 0 {
		work = h.work
	}
	t := time.NewTimer(work / time.Duration(r.lab.Speed))
	defer t.Stop()
	select {
	case <-t.C:
		if h.failed != "" {
			return errors.New(h.failed)
		}
		return nil
	case <-c.crash:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// What has crashed does nothing more: it neither deletes the message nor gives it
	// back. So the queue waits until the lease is over.
	select {
	case <-ctx.Done():
		c.stop()
		return errCrashed
	case <-r.ctx.Done():
		return errStopping
	}
}
