package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"omnibus/bus"
)

// A Monitor samples a queue's attributes, its counts above all. The backend must
// have the control "attributes".
type Monitor struct {
	Queue *bus.Queue // required

	// Every is the time from one sample to the next; 0 means 1 s. The first is
	// taken at once.
	Every time.Duration

	// OnSample is called with every sample. It is required.
	OnSample func(Sample)
}

// A Sample is what a queue's attributes were at a time.
type Sample struct {
	Time       time.Time
	Attributes bus.QueueAttributes
}

const defaultEvery = time.Second

// Run samples until ctx ends, which returns nil, or the attributes cannot be
// read.
func (m *Monitor) Run(ctx context.Context) error {
	if m.Queue == nil || m.OnSample == nil {
		return errors.New("workers: Monitor.Queue or Monitor.OnSample is missing")
	}
	if err := notNegative("Monitor", "Every", m.Every); err != nil {
		return err
	}
	every := m.Every
	if every == 0 {
		every = defaultEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		a, err := m.Queue.Attributes(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("workers: monitor: %w", err)
		}
		m.OnSample(Sample{Time: time.Now(), Attributes: a})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}
