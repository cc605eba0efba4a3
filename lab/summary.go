package lab

import (
	"context"
	"errors"

	"omnibus/bus"
	"omnibus/watch"
)

// A Summary is what came of a run, in all of the story's queues.
type Summary struct {
	Event       string `json:"event"` // "summary"
	Story       string `json:"story"`
	Sent        int    `json:"sent"`
	Received    int    `json:"received"`
	Deleted     int    `json:"deleted"`
	Redelivered int    `json:"redelivered"` // received before
	Lost        int    `json:"lost"`        // leases that ended before the message was handled
	Dead        int    `json:"dead"`        // went to a dead-letter queue
	watch.Counts
	Requests int64   `json:"requests"` // all actions
	Dollars  float64 `json:"dollars"`  // what those cost
}

func (r *run) summary(ctx context.Context) (Summary, error) {
	s := Summary{Event: "summary", Story: r.story.Name}
	r.mu.Lock()
	for _, p := range r.producers {
		s.Sent += p.Sent()
	}
	for _, c := range r.consumers {
		stats := c.Stats()
		s.Received += stats.Received
		s.Deleted += stats.Deleted
		s.Redelivered += stats.Redelivered
		s.Lost += stats.Lost
	}
	s.Dead = r.dead
	r.mu.Unlock()
	var errs []error
	for _, st := range r.stages {
		a := r.account(st.queue)
		for _, request := range a.Requests {
			s.Requests += request.Count
		}
		s.Dollars += r.lab.Price.Dollars(a.Requests, st.queue.FIFO())
		if !st.queue.Supports(bus.ControlAttributes) {
			continue
		}
		attributes, err := st.queue.Attributes(ctx)
		errs = append(errs, err)
		s.Visible += attributes.Visible
		s.InFlight += attributes.InFlight
		s.Delayed += attributes.Delayed
	}
	return s, errors.Join(errs...)
}
