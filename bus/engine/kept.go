package engine

import (
	"fmt"
	"maps"
	"slices"

	"omnibus/bus/spec"
)

// keep returns the kept attributes with those given put over them. The map it
// takes is not changed, since callers may hold it.
func keep(has, given map[string]string) map[string]string {
	if len(given) == 0 {
		return has
	}
	out := maps.Clone(has)
	if out == nil {
		out = map[string]string{}
	}
	for name, value := range given {
		if value == "" {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// unlikeKept names the first kept attribute given that is not as the queue has
// it, or returns "".
func unlikeKept(has, given map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if has[name] != given[name] {
			return fmt.Sprintf("%s %q, not %q", name, has[name], given[name])
		}
	}
	return ""
}

// unlikeSources compares redrive allow policies.
func unlikeSources(has spec.DeadLetterSources, given *spec.DeadLetterSources) string {
	if given == nil || has.Permission == given.Permission && slices.Equal(has.Queues, given.Queues) {
		return ""
	}
	return fmt.Sprintf("RedriveAllowPolicy %v, not %v", has, *given)
}

// admits reports that the queue's redrive allow policy keeps the queue named
// source from having it as its dead-letter queue.
func (q *queue) admits(source string) error {
	p := q.sources
	if p.Permission == spec.RedriveDenyAll || p.Permission == spec.RedriveByQueue && !slices.Contains(p.Queues, source) {
		return spec.Errorf(spec.InvalidAttributeValue, "queue %s does not allow %s to have it as its dead-letter queue", q.name, source)
	}
	return nil
}

// Policies returns the queue's redrive allow policy, and the attributes that it
// only keeps. What it returns is shared and not to be changed.
func (q *Queue) Policies() (spec.DeadLetterSources, map[string]string, error) {
	if err := q.lock(); err != nil {
		return spec.DeadLetterSources{}, nil, err
	}
	defer q.unlock()
	return q.state.sources, q.state.kept, nil
}

// Tags returns the queue's tags. The map is the caller's.
func (q *Queue) Tags() (map[string]string, error) {
	if err := q.lock(); err != nil {
		return nil, err
	}
	defer q.unlock()
	return maps.Clone(q.tags), nil
}

// Tag adds tags to the queue, or changes their values. It refuses what
// [spec.CheckTags] does, and more than 50 tags in all.
func (q *Queue) Tag(tags map[string]string) error {
	if err := spec.CheckTags(tags); err != nil {
		return err
	}
	if err := q.lock(); err != nil {
		return err
	}
	defer q.unlock()
	all := maps.Clone(q.tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, tags)
	if len(all) > spec.MaxTags {
		return spec.Errorf(spec.InvalidParameterValue, "Too many tags added for queue %s: it would have %d; at most %d are allowed.", q.Name(), len(all), spec.MaxTags)
	}
	q.tags = all
	return nil
}

// Untag removes the tags with the keys given; others are no error.
func (q *Queue) Untag(keys []string) error {
	if err := q.lock(); err != nil {
		return err
	}
	defer q.unlock()
	for _, key := range keys {
		delete(q.tags, key)
	}
	return nil
}
