package bustest

import (
	"maps"
	"slices"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// topic opens a topic.
func (t *trial) topic(name string) *queue {
	return t.open(name, t.backend.Topic(t.full(name)))
}

// subscribe subscribes the queue to a topic.
func (q *queue) subscribe(topic *queue, s bus.SubscriptionSettings) {
	if err := q.SubscribeTo(q.t.ctx, topic.URL(), s); err != nil {
		q.t.Fatalf("subscribe: %v", err)
	}
}

// gets receives as many messages as there are bodies, in any order, and checks that
// they are those, and that none follows.
func (q *queue) gets(bodies ...string) map[string]*message {
	got := map[string]*message{}
	for range bodies {
		m := q.receive()
		got[string(m.Body)] = m
		m.Ack()
	}
	has := slices.Sorted(maps.Keys(got))
	if slices.Sort(bodies); !slices.Equal(has, bodies) {
		q.t.Fatalf("queue %s got %q of the topic; want %q", q.name, has, bodies)
	}
	q.none(q.t.quiet())
	return got
}

func keepsTopics(t *trial) {
	news := t.topic("news")
	all, large, other := t.queue("all", bus.QueueSettings{}), t.queue("large", bus.QueueSettings{}), t.queue("other", bus.QueueSettings{})
	news.send("before anybody subscribed")
	all.subscribe(news, bus.SubscriptionSettings{})
	large.subscribe(news, bus.SubscriptionSettings{Filter: `{"kind": ["large", "huge"]}`})

	beside := map[string]string{"a key": "100% of a value"}
	image := bus.Binary([]byte{0, 255})
	news.send("small", attribute("kind", bus.String("small")))
	news.send("large", attribute("kind", bus.String("large")), attribute("image", image), metadata(beside))
	all.gets("small", "large")
	m := large.gets("large")["large"]
	if got := m.Metadata["a key"]; got != beside["a key"] {
		t.Errorf("metadata came as %q through a topic; want %q", got, beside["a key"])
	}
	for name, want := range map[string]bus.Attribute{"kind": bus.String("large"), "image": image} {
		got := m.about.Attributes[name]
		if got.DataType != want.DataType || got.StringValue != want.StringValue || string(got.BinaryValue) != string(want.BinaryValue) {
			t.Errorf("attribute %s came as %+v through a topic; want %+v", name, got, want)
		}
	}
	other.none(t.quiet())
}

func keepsTopicFilters(t *trial) {
	news := t.topic("news")
	q := t.queue("filtered", bus.QueueSettings{})
	q.subscribe(news, bus.SubscriptionSettings{Filter: `{"kind": ["large"]}`})
	err := q.SubscribeTo(t.ctx, news.URL(), bus.SubscriptionSettings{Filter: `{"kind": "large"}`})
	t.denied(err, gcerrors.InvalidArgument, "a filter that is none", q.URL())
	news.send("metadata are attributes", metadata(map[string]string{"kind": "large"}))
	news.send("no attributes")
	q.gets("metadata are attributes")

	q.subscribe(news, bus.SubscriptionSettings{Filter: `{"donor": {"amount": [{"numeric": [">=", 1000]}]}}`, FilterBody: true})
	const small, large = `{"donor": {"amount": 999}}`, `{"donor": {"amount": 1000}}`
	news.send(small)
	news.send(large)
	news.send("no object", metadata(map[string]string{"kind": "large"}))
	q.gets(large)

	q.subscribe(news, bus.SubscriptionSettings{})
	news.send(small)
	q.gets(small)
}
