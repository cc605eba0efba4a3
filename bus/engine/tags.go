package engine

import (
	"maps"

	"omnibus/bus/spec"
)

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
func (q *Queue) Tag(tags map[string]string) (err error) {
	if err := spec.CheckTags(tags); err != nil {
		return err
	}
	if err := q.lockTo(adds); err != nil {
		return err
	}
	defer q.finish(&err)
	all := maps.Clone(q.tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, tags)
	if len(all) > spec.MaxTags {
		return spec.Errorf(spec.InvalidParameterValue, "Too many tags added for queue %s: it would have %d; at most %d are allowed.", spec.PlainName(q.Name()), len(all), spec.MaxTags)
	}
	q.tags = all
	q.engine.keeper.queue(q)
	return nil
}

// Untag removes the tags with the keys given; others are no error.
func (q *Queue) Untag(keys []string) (err error) {
	if err := q.lockTo(changes); err != nil {
		return err
	}
	defer q.finish(&err)
	for _, key := range keys {
		delete(q.tags, key)
	}
	q.engine.keeper.queue(q)
	return nil
}
