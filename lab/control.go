package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/watch"
)

// underWay returns the run under way.
func (l *Lab) underWay() (*run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under == nil {
		return nil, errors.New("lab: not under way yet")
	}
	return l.under, nil
}

// Queues returns the names of the story's queues; none before the lab is under way.
func (l *Lab) Queues() []string {
	r, err := l.underWay()
	if err != nil {
		return nil
	}
	var names []string
	for _, st := range r.stages {
		names = append(names, st.name())
	}
	return names
}

// Workers returns the workers and what they have done, the producers first; none before
// the lab is under way. Those that have been removed are not among them.
func (l *Lab) Workers() []watch.Worker {
	r, err := l.underWay()
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var ws []watch.Worker
	for _, p := range r.producers {
		w := watch.Worker{Name: p.Name, Queue: p.queue.Name(), Producer: true, State: p.state, Done: p.Sent(), Of: p.messages(), Every: p.ProducerPreset.Every}
		if p.Delay != nil {
			w.Delay = p.ProducerPreset.Delay
		}
		ws = append(ws, w)
	}
	for _, c := range r.consumers {
		if c.state == stateRemoved {
			continue
		}
		ws = append(ws, watch.Worker{
			Name: c.Name, Queue: c.queue.Name(), State: c.state, Done: c.Stats().Deleted,
			Visibility: c.ConsumerPreset.Visibility, Work: c.ConsumerPreset.Pause, Wait: c.Wait,
		})
	}
	return ws
}

const stateRemoved = "removed"

// Pause has a worker do nothing more until Resume: a producer sends nothing, a consumer
// receives nothing, and finishes what it has.
func (l *Lab) Pause(worker string) error { return l.pause(worker, true) }

// Resume has a paused worker go on.
func (l *Lab) Resume(worker string) error { return l.pause(worker, false) }

func (l *Lab) pause(worker string, paused bool) error {
	r, err := l.underWay()
	if err != nil {
		return err
	}
	from, to, kind := watch.StatePaused, watch.StateRunning, watch.Resumed
	if paused {
		from, to, kind = watch.StateRunning, watch.StatePaused, watch.Paused
	}
	r.mu.Lock()
	p, c := r.find(worker)
	queue := ""
	switch {
	case p != nil && p.state == from:
		p.state, queue = to, p.queue.Name()
		p.gate.set(paused)
	case c != nil && c.state == from:
		c.state, queue = to, c.queue.Name()
		if paused {
			c.Consumer.Pause()
		} else {
			c.Consumer.Resume()
		}
	default:
		err = r.cannot(worker, from)
	}
	r.mu.Unlock()
	if err == nil {
		r.note(kind, queue, worker, "", 0)
	}
	return err
}

// find returns the worker with a name, or neither. The caller holds mu.
func (r *run) find(name string) (*producer, *consumer) {
	for _, p := range r.producers {
		if p.Name == name {
			return p, nil
		}
	}
	for _, c := range r.consumers {
		if c.Name == name && c.state != stateRemoved {
			return nil, c
		}
	}
	return nil, nil
}

// cannot returns why something cannot be done to a worker. The caller holds mu.
func (r *run) cannot(worker, want string) error {
	p, c := r.find(worker)
	switch {
	case p != nil:
		return fmt.Errorf("lab: %s is %s; this is for one that is %s", worker, p.state, want)
	case c != nil:
		return fmt.Errorf("lab: %s is %s; this is for one that is %s", worker, c.state, want)
	}
	return fmt.Errorf("lab: there is no worker %q", worker)
}

// AddConsumer adds a consumer that is like the one named, and returns its name.
func (l *Lab) AddConsumer(ctx context.Context, like string) (string, error) {
	r, err := l.underWay()
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	_, model := r.find(like)
	running := r.group != nil && !r.ended && r.ctx.Err() == nil
	var s consuming
	if model != nil {
		s = model.consuming
		base := s.Name
		if i := strings.LastIndex(base, " #"); i > 0 {
			base = base[:i]
		}
		for n := 2; ; n++ {
			s.Name = fmt.Sprintf("%s #%d", base, n)
			if !r.named(s.Name) {
				break
			}
		}
		s.start = 0
	}
	r.mu.Unlock()
	if model == nil || !running {
		return "", fmt.Errorf("lab: there is no consumer %q to add another one like it", like)
	}
	return s.Name, r.start(ctx, s)
}

// named reports whether there is or was a consumer of that name. The caller holds mu.
func (r *run) named(name string) bool {
	for _, c := range r.consumers {
		if c.Name == name {
			return true
		}
	}
	return false
}

// start adds a consumer to those that run.
func (r *run) start(ctx context.Context, s consuming) error {
	c, err := r.openConsumer(ctx, s)
	if err != nil {
		return err
	}
	r.mu.Lock()
	ended := r.ended || r.ctx.Err() != nil
	if !ended {
		r.startConsumer(c)
	}
	r.mu.Unlock()
	if ended {
		return errors.New("lab: it has ended")
	}
	r.note(watch.Added, c.queue.Name(), s.Name, "", 0)
	return nil
}

// Remove has a consumer finish what it has, and end.
func (l *Lab) Remove(consumer string) error {
	r, err := l.underWay()
	if err != nil {
		return err
	}
	r.mu.Lock()
	_, c := r.find(consumer)
	if c == nil || c.stop == nil {
		err = r.cannot(consumer, "a consumer")
	} else {
		c.Consumer.Pause()
		if !c.busy { // else it ends when it has finished
			c.stop()
		}
		c.state = stateRemoved
	}
	r.mu.Unlock()
	if err == nil {
		r.note(watch.Removed, c.queue.Name(), consumer, "", 0)
	}
	return err
}

// Crash has a consumer do nothing more, at once: the message that it has, if any, is
// neither deleted nor given back, and comes again when its lease is over.
func (l *Lab) Crash(consumer string) error {
	r, err := l.underWay()
	if err != nil {
		return err
	}
	return r.crash(consumer)
}

func (r *run) crash(name string) (err error) {
	r.mu.Lock()
	_, c := r.find(name)
	if c == nil || c.stop == nil || c.state == watch.StateCrashed || c.state == watch.StateEnded {
		err = r.cannot(name, watch.StateRunning)
		r.mu.Unlock()
		return err
	}
	c.state = watch.StateCrashed
	c.Consumer.Pause()
	close(c.crash)
	if !c.busy {
		c.stop()
	}
	r.countPolls(c, time.Now())
	r.mu.Unlock()
	r.note(watch.Crashed, c.queue.Name(), name, "", 0)
	return nil
}

// Purge deletes all messages of the queue with a name, and returns how many there were
// just before.
func (l *Lab) Purge(ctx context.Context, queue string) (int, error) {
	r, err := l.underWay()
	if err != nil {
		return 0, err
	}
	for _, st := range r.stages {
		if st.name() != queue || st.queue == nil {
			continue
		}
		n := 0
		if st.queue.Supports(bus.ControlAttributes) {
			a, err := st.queue.Attributes(ctx)
			if err != nil {
				return 0, err
			}
			n = a.Visible + a.InFlight + a.Delayed
		}
		if err := st.queue.Purge(ctx); err != nil {
			return 0, err
		}
		r.mu.Lock()
		r.purged = true
		r.mu.Unlock()
		r.flow(queue, 0, n)
		r.note(watch.Purged, queue, "", "", n)
		r.check()
		return n, nil
	}
	return 0, fmt.Errorf("lab: there is no queue %q", queue)
}
