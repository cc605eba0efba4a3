package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// ownNames are the short names of attributes by those of SQS: the flags of create and
// the parameters of memory queues are called so.
var ownNames = map[string]string{
	"visibility":   "VisibilityTimeout",
	"retention":    "MessageRetentionPeriod",
	"delay":        "DelaySeconds",
	"wait":         "ReceiveMessageWaitTimeSeconds",
	"max-bytes":    "MaximumMessageSize",
	"contentdedup": "ContentBasedDeduplication",
	"dlq":          redrivePolicy,
	"max-receives": redrivePolicy,
	"visible":      "ApproximateNumberOfMessages",
	"in-flight":    "ApproximateNumberOfMessagesNotVisible",
	"delayed":      "ApproximateNumberOfMessagesDelayed",
}

const redrivePolicy = "RedrivePolicy"

// durations are those whose short forms are durations, as in delay=5s.
var durations = []string{"visibility", "retention", "delay", "wait"}

func runAttributes(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "attributes",
		"Print the attributes of the queue, all or those named, one NAME=VALUE a line; or set\nthose given as NAME=VALUE. Names are SQS's, or shorter ones:\n"+
			"  visibility, retention, delay, wait   as durations, 30s or 4h\n  max-bytes, contentdedup              as SQS writes them\n  dlq, max-receives                    a dead-letter queue by name and the receives\n                                       before it; dlq= ends it\n  visible, in-flight, delayed          the counts, which nobody sets\nPolicies show queues by their names.",
		"omnibus attributes -queue http://127.0.0.1:9324/000000000000/mynewq\nomnibus attributes visibility VisibilityTimeout\nomnibus attributes delay=5s dlq=mynewq-dead max-receives=3")
	f.takes = "[NAME... | NAME=VALUE...]"
	f.addDrainTimeout()
	asJSON := f.Bool("json", false, "print one JSON object, by SQS's names")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	values := map[string]string{}
	for _, word := range f.words {
		name, value, set := strings.Cut(word, "=")
		if _, twice := values[name]; twice {
			return usagef("attribute %s is given twice; give it once", bus.Redact(name))
		}
		if set != strings.Contains(f.words[0], "=") {
			return usagef("NAME is to show and NAME=VALUE to set an attribute; give one kind of them, not %s and %s", bus.Redact(f.words[0]), bus.Redact(word))
		}
		if err := checkAttributeName(name, set); err != nil {
			return err
		}
		values[name] = value
	}
	if len(f.words) > 0 && strings.Contains(f.words[0], "=") {
		return f.setAttributes(ctx, values, printer{a.out, *asJSON})
	}
	return f.open(ctx, func(q *bus.Queue) error {
		attributes, err := q.Attributes(ctx)
		if err != nil {
			return err
		}
		return showAttributes(attributes, f.words, printer{a.out, *asJSON})
	}, nil)
}

// checkAttributeName reports a name that no attribute has, or one that cannot be set.
func checkAttributeName(name string, set bool) error {
	known := slices.Sorted(maps.Keys(ownNames))
	for _, n := range spec.QueueAttributeNames() {
		if n != spec.QueueArn {
			known = append(known, n)
		}
	}
	if !slices.Contains(known, name) {
		shown := bus.Redact(name)
		return usagef("unknown attribute %q%s; known are %s", shown, didYouMean("", shown, known), strings.Join(known, ", "))
	}
	full := cmp.Or(ownNames[name], name)
	if set && (full == "FifoQueue" || strings.HasPrefix(full, "ApproximateNumber") || strings.HasSuffix(full, "Timestamp")) {
		return usagef("%s is not for anybody to set; it is the queue's own", name)
	}
	return nil
}

// showAttributes prints the attributes named, or all.
func showAttributes(a bus.QueueAttributes, names []string, out printer) error {
	wire := a.Wire(byName{})
	if len(names) == 0 {
		for _, name := range spec.QueueAttributeNames() {
			if _, has := wire[name]; has {
				names = append(names, name)
			}
		}
	}
	if out.json {
		chosen := map[string]string{}
		for _, name := range names {
			if full := cmp.Or(ownNames[name], name); wire[full] != "" {
				chosen[full] = wire[full]
			}
		}
		return out.object(chosen)
	}
	for _, name := range names {
		value := wire[cmp.Or(ownNames[name], name)]
		switch {
		case slices.Contains(durations, name):
			seconds, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("the endpoint says that %s is %q, which is no number of seconds", ownNames[name], value)
			}
			value = (time.Duration(seconds) * time.Second).String()
		case name == "dlq":
			value = a.DeadLetter.Queue
		case name == "max-receives":
			value = strconv.Itoa(a.DeadLetter.MaxReceives)
		}
		if err := out.print(nil, "%s=%s", name, value); err != nil {
			return err
		}
	}
	return nil
}

// setAttributes sets attributes, given by SQS's names or ours.
func (f *flagSet) setAttributes(ctx context.Context, values map[string]string, out printer) error {
	wire := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value, full := values[name], cmp.Or(ownNames[name], name)
		_, twice := values[full]
		switch {
		case name != full && twice:
			return usagef("%s and %s are the same attribute; give one", name, full)
		case full == redrivePolicy && name != full:
			continue
		case slices.Contains(durations, name):
			d, err := time.ParseDuration(value)
			if err != nil || d%time.Second != 0 {
				return usagef("%s=%s is no duration in whole seconds; give one like 30s or 4h", name, value)
			}
			value = spec.SecondsText(d)
		}
		wire[full] = value
	}
	settings, err := spec.ParseQueueSettings(queueName(f.queue), wire, byName{})
	if err != nil {
		return usageError{err}
	}
	return f.open(ctx, func(q *bus.Queue) error {
		deadLetter, err := deadLetterOf(ctx, q, values)
		if err != nil {
			return err
		}
		if deadLetter != nil {
			settings.DeadLetter = deadLetter
			if err := settings.CheckFor(q.Name()); err != nil {
				return usageError{err}
			}
		}
		if err := q.SetAttributes(ctx, settings); err != nil {
			return err
		}
		return out.print(struct {
			Event string `json:"event"`
			URL   string `json:"url"`
		}{"set", bus.Redact(f.queue)}, "set %s of %s", strings.Join(slices.Sorted(maps.Keys(values)), ", "), bus.Redact(f.queue))
	}, nil)
}

// deadLetterOf returns the redrive policy that dlq= and max-receives= say, with what
// they leave out as the queue has it; nil if neither is given.
func deadLetterOf(ctx context.Context, q *bus.Queue, values map[string]string) (*bus.DeadLetter, error) {
	queue, given := values["dlq"]
	most, counted := values["max-receives"]
	switch {
	case !given && !counted:
		return nil, nil
	case given && queue == "" && counted:
		return nil, usagef("dlq= ends the policy, and max-receives=%s says when it applies; give one of them", most)
	case given && queue == "":
		return &bus.DeadLetter{}, nil
	}
	attributes, err := q.Attributes(ctx)
	if err != nil {
		return nil, err
	}
	policy := attributes.DeadLetter
	if given {
		policy.Queue = queue
	}
	if counted {
		if policy.MaxReceives, err = strconv.Atoi(most); err != nil {
			return nil, usagef("max-receives=%s is no number; allowed are 1 to 1000", most)
		}
	}
	if policy.Queue == "" {
		return nil, usagef("max-receives=%s has no dead-letter queue to go with; add dlq=NAME", most)
	}
	if policy.MaxReceives == 0 {
		return nil, usagef("dlq=%s does not say after how many receives; add max-receives=N, 1 to 1000", queue)
	}
	return &policy, nil
}
