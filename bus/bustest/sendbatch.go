package bustest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// keepsSendBatch sends more messages at a time than one request of SQS carries.
func keepsSendBatch(t *trial) {
	const n = 25
	q := t.plain()
	refusal := errors.New("not this one")
	ids := make([]bus.SentMessage, n)
	errs := q.sendBatch(n, func(i int, m *pubsub.Message) {
		bus.StoreSent(m, &ids[i])
		if i == 7 {
			m.BeforeSend = func(func(any) bool) error { return refusal }
		}
	})
	for i := range n {
		var err error
		if errs != nil {
			err = errs[i]
		}
		if (i == 7) != errors.Is(err, refusal) || (i != 7 && err != nil) {
			t.Errorf("message %d of %d gave %v; want an error for message 7 alone, which was refused", i, n, err)
		}
	}
	came := map[string]string{}
	for range n - 1 {
		m := q.take()
		came[string(m.Body)] = m.about.ID
		m.Ack()
	}
	for i := range n {
		id, ok := came[fmt.Sprint("m", i)]
		if ok == (i == 7) {
			t.Errorf("message %d of %d came: %t; want all but message 7", i, n, ok)
		}
		if t.has(details) && id != ids[i].ID {
			t.Errorf("message %d came with the id %q; its sender was told %q", i, id, ids[i].ID)
		}
	}
	q.none(1 * time.Second)
	if errs := q.sendBatch(0, nil); errs != nil {
		t.Errorf("a batch of no messages gave %v", errs)
	}
}

func keepsSendBatchOrder(t *trial) {
	const n = 25
	q := t.fifo(bus.QueueSettings{})
	errs := q.sendBatch(n, func(i int, m *pubsub.Message) {
		bus.Group(m, "a")
		bus.Deduplicate(m, string(m.Body))
	})
	if errs != nil {
		t.Fatalf("a batch to a FIFO queue: %v", errors.Join(errs...))
	}
	var want, got []string
	for i := range n {
		want = append(want, fmt.Sprint("m", i))
		m := q.take()
		got = append(got, string(m.Body))
		m.Ack()
	}
	if !slices.Equal(got, want) {
		t.Errorf("a batch came in the order %q; it was sent as %q", got, want)
	}
}

// sendBatch sends n messages with the bodies m0, m1 and so on.
func (q *queue) sendBatch(n int, prepare func(i int, m *pubsub.Message)) []error {
	ms := make([]*pubsub.Message, n)
	for i := range ms {
		ms[i] = &pubsub.Message{Body: fmt.Append(nil, "m", i)}
		prepare(i, ms[i])
	}
	return q.SendBatch(q.t.ctx, ms)
}
