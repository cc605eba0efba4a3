package bus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"
	"golang.org/x/sync/errgroup"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// SendBatch sends messages in as few requests as the backend can. It returns nil if
// all were sent, or one error for each message, nil for those that were: one that is
// refused fails alone. To a FIFO queue they go in their order, in requests one after
// the other. On SQS a fault of its own may hit one message of a request; that one is sent
// again, behind up to nine that were accepted. Who cannot have that sends one by one.
// As with Topic.Send, when ctx ends a message may have been sent, or may be yet. It must
// not be called after Shutdown.
func (q *Queue) SendBatch(ctx context.Context, ms []*pubsub.Message) []error {
	if len(ms) == 0 {
		return nil
	}
	const op = "send a batch to"
	errs := make([]error, len(ms))
	sender, ok := driver.Find[driver.BatchSender](q.impl)
	if q.Topic == nil || !ok {
		q.sendEach(ctx, ms, errs)
		return driver.AllNil(errs)
	}
	var batch []*cdk.Message
	var places []int
	for i, m := range ms {
		if errs[i] = checkPortable(m); errs[i] != nil {
			errs[i] = newError(op, q.url, gcerrors.InvalidArgument, errs[i])
			continue
		}
		batch = append(batch, &cdk.Message{Body: m.Body, Metadata: m.Metadata, BeforeSend: m.BeforeSend, AfterSend: m.AfterSend})
		places = append(places, i)
	}
	for i, err := range sender.SendBatch(ctx, batch) {
		if err != nil {
			errs[places[i]] = q.wrap(op, err)
		}
	}
	return driver.AllNil(errs)
}

// atATime is how many sends of a batch are in progress where the backend sends one by
// one and keeps no order.
const atATime = 64

func (q *Queue) sendEach(ctx context.Context, ms []*pubsub.Message, errs []error) {
	var sends errgroup.Group
	sends.SetLimit(atATime)
	if u, err := url.Parse(q.url); err == nil && spec.IsFIFOName(u.Host+u.Path) {
		sends.SetLimit(1) // so that groups keep their order
	}
	for i, m := range ms {
		if q.Topic == nil {
			errs[i] = errors.New("bus: the queue has no topic to send to")
			continue
		}
		sends.Go(func() error {
			errs[i] = q.Topic.Send(ctx, m)
			return nil
		})
	}
	_ = sends.Wait() // each has its own error
}

// checkPortable reports what a Topic refuses in a message.
func checkPortable(m *pubsub.Message) error {
	if m.LoggableID != "" {
		return fmt.Errorf("the message has the LoggableID %q of one that was received", m.LoggableID)
	}
	for k, v := range m.Metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("the metadata %q: %q is not UTF-8", k, v)
		}
	}
	return nil
}
