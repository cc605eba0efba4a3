package bus

import "omnibus/bus/driver"

// A RequestCount is how often an open queue has made requests of one kind.
type RequestCount = driver.RequestCount

// Requests returns how many requests this Queue has made so far, by action and sorted
// by that: all its receivers counted, and each try. It is empty where the backend makes
// none, as in memory. Each request to SQS costs money.
func (q *Queue) Requests() []RequestCount {
	if c, ok := driver.Find[driver.RequestCounter](q.impl); ok {
		return c.Requests()
	}
	return nil
}
