package sqsserver

import (
	"maps"
	"slices"

	"omnibus/bus/spec"
)

// ListQueueTags, TagQueue and UntagQueue.
//
// Supported: 50 tags a queue, with keys of 128 and values of 256 characters, of
// those that AWS allows, and no key that begins with aws:.

type listQueueTags struct {
	queueAction
	tags map[string]string
}

func (a *listQueueTags) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	a.tags, err = q.Tags()
	return err
}

func (a *listQueueTags) answer(w writer) {
	if len(a.tags) == 0 {
		return
	}
	w.beginMap("Tags")
	for _, key := range slices.Sorted(maps.Keys(a.tags)) {
		w.textEntry("Tag", "Key", key, a.tags[key])
	}
	w.endMap()
}

type tagQueue struct {
	queueAction
	tags map[string]string
}

func (a *tagQueue) member(name []byte, r *jsonReader) {
	if string(name) == "Tags" {
		a.tags = r.textMap()
		return
	}
	a.queueAction.member(name, r)
}

func (a *tagQueue) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if len(a.tags) == 0 {
		return spec.Missing("Tags")
	}
	return q.Tag(a.tags)
}

type untagQueue struct {
	queueAction
	keys []string
}

func (a *untagQueue) member(name []byte, r *jsonReader) {
	if string(name) == "TagKeys" {
		a.keys = r.texts()
		return
	}
	a.queueAction.member(name, r)
}

func (a *untagQueue) run(c *call) error {
	q, err := c.queue(a.queueURL)
	if err != nil {
		return err
	}
	if len(a.keys) == 0 {
		return spec.Missing("TagKeys")
	}
	return q.Untag(a.keys)
}
