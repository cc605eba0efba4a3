package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"omnibus/bus"
	"omnibus/bus/spec"
)

func runTag(ctx context.Context, a *app, args []string) error {
	f := newFlags(a, "tag",
		"Print the tags of the queue, one KEY=VALUE a line; or set those given, and remove\nthose of -remove. SQS counts at most 50 a queue.",
		"omnibus tag -queue http://127.0.0.1:9324/000000000000/mynewq\nomnibus tag team=fundraising stage=test\nomnibus tag -remove stage")
	f.takes = "[KEY=VALUE...]"
	var remove []string
	f.Func("remove", "`KEY` of a tag to remove; may be given several times", func(key string) error {
		if key == "" {
			return fmt.Errorf("want the key of a tag, which is not empty")
		}
		remove = append(remove, key)
		return nil
	})
	asJSON := f.Bool("json", false, "print one JSON object")
	if err := f.parse(args); err != nil {
		return err
	}
	if err := f.needQueue(); err != nil {
		return err
	}
	set := map[string]string{}
	for _, word := range f.words {
		key, value, ok := strings.Cut(word, "=")
		if _, twice := set[key]; !ok || twice || slices.Contains(remove, key) {
			return usagef("%q is not a tag to set; want KEY=VALUE, each key once, or omnibus tag alone to see them", bus.Redact(word))
		}
		set[key] = value
	}
	if err := spec.CheckTags(set); err != nil {
		return usageError{err}
	}
	if !onSQS(f.queue) {
		return fmt.Errorf("%s has no tags: only queues on SQS have", bus.Redact(f.queue))
	}
	out := printer{a.out, *asJSON}
	if len(set)+len(remove) == 0 {
		return f.showTags(ctx, out)
	}
	if len(set) > 0 {
		if err := a.sqs.SetTags(ctx, f.queue, set); err != nil {
			return err
		}
	}
	if len(remove) > 0 {
		if err := a.sqs.RemoveTags(ctx, f.queue, remove...); err != nil {
			return err
		}
	}
	return out.print(struct {
		Event   string `json:"event"`
		URL     string `json:"url"`
		Set     int    `json:"set"`
		Removed int    `json:"removed"`
	}{"tagged", bus.Redact(f.queue), len(set), len(remove)}, "%d set and %d removed of %s", len(set), len(remove), bus.Redact(f.queue))
}

// showTags prints the tags by their keys.
func (f *flagSet) showTags(ctx context.Context, out printer) error {
	tags, err := f.app.sqs.Tags(ctx, f.queue)
	if err != nil {
		return err
	}
	if out.json {
		if tags == nil {
			tags = map[string]string{}
		}
		return out.object(tags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := out.print(nil, "%s=%s", key, tags[key]); err != nil {
			return err
		}
	}
	return nil
}
