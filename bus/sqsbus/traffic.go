package sqsbus

import "omnibus/bus/driver"

// A traffic is what is known of the requests of one open queue, or topic, whatever
// client makes them.
type traffic struct {
	queue  string // URL or ARN
	meter  Meter
	outage outage
}

func (b *Backend) traffic(queue string) *traffic {
	return &traffic{queue: queue, outage: outage{log: b.logger(), queue: queue}}
}

func (t *traffic) requests() []driver.RequestCount {
	var rs []driver.RequestCount
	for _, c := range t.meter.Counts() {
		rs = append(rs, driver.RequestCount{Action: c.Action, Requests: c.Requests, Failed: c.Failed, Chunks: c.Chunks})
	}
	return rs
}

// Requests tells of the requests of all receivers of the queue, and of its sending end.
func (q *queue) Requests() []driver.RequestCount { return q.traffic.requests() }

// Requests tells of the requests of the topic.
func (t *topic) Requests() []driver.RequestCount { return t.traffic.requests() }

// Requests tells of the calls of the stock driver, each counted once however often the
// SDK tried it, and of the controls' requests.
func (s *stock) Requests() []driver.RequestCount { return s.controls.Requests() }
