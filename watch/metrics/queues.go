package metrics

import (
	"math"
	"time"

	"omnibus/watch"
)

// Queue is the label that names a queue, as OpenTelemetry's conventions do; what
// Prometheus makes of the metrics of package workers has the same.
const Queue = "messaging_destination_name"

// Queues returns families of the latest samples of queues, one a queue.
func Queues(samples []watch.Sample) []Family {
	up := Family{Name: "omnibus_queue_up", Help: "Whether the queue's counts could be read.", Kind: Gauge}
	messages := Family{Name: "omnibus_queue_messages", Help: "Messages of the queue by state, as SQS counts them approximately.", Kind: Gauge}
	oldest := Family{Name: "omnibus_queue_oldest_message_age_seconds", Help: "Age of the oldest message in any state, 0 if there is none; not there where the backend does not tell.", Kind: Gauge}
	for _, s := range samples {
		if s.Error != "" {
			up.Add(0, Queue, s.Name)
			continue
		}
		up.Add(1, Queue, s.Name)
		messages.Add(float64(s.Visible), Queue, s.Name, "state", "visible")
		messages.Add(float64(s.InFlight), Queue, s.Name, "state", "in_flight")
		messages.Add(float64(s.Delayed), Queue, s.Name, "state", "delayed")
		if s.Oldest > 0 || s.Total() == 0 {
			oldest.Add(s.Oldest.Seconds(), Queue, s.Name)
		}
	}
	return []Family{up, messages, oldest}
}

// Scale is what is known of the consumers of a queue, for autoscalers.
type Scale struct {
	Consumers int           // how many there are, as far as is known; 0 means one
	DrainIn   time.Duration // in which a backlog is to be handled, over 0
	PerSecond float64       // messages a second that one consumer can handle; 0 if that is not known yet
}

// Families returns the backlog a consumer and the number of consumers that handle the
// backlog in time. The backlog is what is visible or in flight. The number is none for
// an empty queue, at least 1 for another, and left out while it is not known how fast a
// consumer is.
//
// An autoscaler that follows the number needs to know nothing of how fast messages come:
// if they come faster than they go, the backlog grows until the consumers are as many as
// keep up, and then a message waits for about DrainIn.
func (c Scale) Families(samples []watch.Sample) []Family {
	backlog := Family{Name: "omnibus_queue_backlog_per_consumer", Help: "Messages visible or in flight, divided by the consumers that are known.", Kind: Gauge}
	needed := Family{Name: "omnibus_queue_consumers_needed", Help: "Consumers that handle the messages visible or in flight in omnibus_queue_drain_target_seconds.", Kind: Gauge}
	target := Family{Name: "omnibus_queue_drain_target_seconds", Help: "Time in which a backlog is to be handled.", Kind: Gauge}
	for _, s := range samples {
		if s.Error != "" {
			continue
		}
		waiting := float64(s.Visible + s.InFlight)
		backlog.Add(waiting/float64(max(1, c.Consumers)), Queue, s.Name)
		target.Add(c.DrainIn.Seconds(), Queue, s.Name)
		switch {
		case waiting == 0:
			needed.Add(0, Queue, s.Name)
		case c.PerSecond > 0:
			needed.Add(math.Ceil(waiting/(c.PerSecond*c.DrainIn.Seconds())), Queue, s.Name)
		}
	}
	return []Family{backlog, needed, target}
}

// Cost returns what requests cost in dollars so far, of each queue that has made some.
func Cost(samples []watch.Sample) Family {
	f := Family{Name: "omnibus_cost_dollars_total", Help: "What the requests cost so far, at the price that the program was told.", Kind: Counter}
	for _, s := range samples {
		f.Add(s.Dollars, Queue, s.Name)
	}
	return f
}
