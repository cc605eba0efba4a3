package membus

import (
	"net/url"
	"strconv"
	"time"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// params is what a URL says.
type params struct {
	name       string
	settings   spec.QueueSettings // of the queue
	visibility *time.Duration     // of the one who opens it
	wait       time.Duration
	dir        string // where the queue is kept; "" is in memory
}

var paramNames = []string{"delay", "retention", "fifo", "contentdedup", "dlq", "maxreceives", "visibility", "wait", "dir"}

func parse(u *url.URL) (params, error) {
	p := params{name: u.Host + u.Path, wait: spec.MaxWait}
	if err := spec.CheckQueueName(p.name); err != nil {
		return p, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return p, spec.Errorf(spec.InvalidParameterValue, "the parameters do not parse: %v", err)
	}
	if err := driver.EachParameter(query, paramNames, p.set); err != nil {
		return p, err
	}
	if query.Has("dlq") != query.Has("maxreceives") {
		return p, spec.Errorf(spec.InvalidParameterValue, "dlq and maxreceives go together: one names the dead-letter queue, the other after how many deliveries")
	}
	return p, p.settings.Check()
}

// set takes one parameter. Ranges of the queue's settings are checked together
// afterwards.
func (p *params) set(name, value string) (err error) {
	s := &p.settings
	switch name {
	case "delay":
		s.Delay, err = duration(value)
	case "retention":
		s.Retention, err = duration(value)
	case "fifo":
		s.FIFO, err = boolean(value)
	case "contentdedup":
		s.ContentBasedDeduplication, err = boolean(value)
	case "dlq":
		p.deadLetter().Queue = value
		err = spec.CheckQueueName(value)
	case "maxreceives":
		p.deadLetter().MaxReceives, err = strconv.Atoi(value)
		if err != nil {
			err = spec.Errorf(spec.InvalidParameterValue, "want a number from %d to %d", spec.MinReceives, spec.MaxReceives)
		}
	case "dir":
		if p.dir = value; value == "" {
			err = spec.Errorf(spec.InvalidParameterValue, "want the path of a directory")
		}
	case "visibility":
		if p.visibility, err = duration(value); err == nil {
			err = spec.CheckVisibility(*p.visibility)
		}
	case "wait":
		var wait *time.Duration
		if wait, err = duration(value); err == nil {
			p.wait = *wait
			err = spec.CheckWait(p.wait)
		}
	}
	return err
}

func (p *params) deadLetter() *spec.DeadLetter {
	if p.settings.DeadLetter == nil {
		p.settings.DeadLetter = &spec.DeadLetter{}
	}
	return p.settings.DeadLetter
}

func duration(value string) (*time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return nil, spec.Errorf(spec.InvalidParameterValue, "want a duration such as 500ms, 5s or 1.5h")
	}
	return &d, nil
}

func boolean(value string) (*bool, error) {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return nil, spec.Errorf(spec.InvalidParameterValue, "want true or false")
	}
	return &b, nil
}
