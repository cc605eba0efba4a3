package main

import (
	"fmt"
	"strings"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
	"omnibus/watch"
)

// addPrice adds the flag -price, and returns what is read of it once the flags are
// parsed.
func (f *flagSet) addPrice() func() (watch.Price, error) {
	list := watch.ListPrice()
	price := f.Float64("price", list.Standard, fmt.Sprintf("`dollars` for a million requests, 0 to 1000; without the flag %.2f for standard and %.2f for\nFIFO queues: %s", list.Standard, list.FIFO, list.Source))
	return func() (watch.Price, error) {
		if !f.given("price") {
			return list, nil
		}
		if !(*price >= 0 && *price <= 1000) { // NaN is neither
			return list, usagef("-price is %v; allowed are 0 to 1000 dollars for a million requests", *price)
		}
		return watch.Price{Standard: *price, FIFO: *price, Source: "-price"}, nil
	}
}

// requests returns what this process has asked SQS for about a queue; nil if the queue is
// not on SQS.
func requests(q *bus.Queue) []watch.Request {
	var rs []watch.Request
	name := withoutScheme(q.URL())
	for _, c := range sqsbus.Default().Meter().Counts() {
		if withoutScheme(c.Queue) == name {
			rs = append(rs, watch.Request{Action: c.Action, Count: c.Requests, Billed: c.Chunks})
		}
	}
	return rs
}

func withoutScheme(rawURL string) string {
	_, rest, _ := strings.Cut(withoutParams(rawURL), "://")
	return rest
}
