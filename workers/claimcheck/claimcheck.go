// Package claimcheck lets messages be larger than a queue takes: a body above a limit is
// stored in a bucket, and what travels is a reference to it. The bucket is one of
// gocloud.dev/blob: in memory or in files in tests, S3 in production.
//
//	bodies := &claimcheck.Bodies{Bucket: bucket, Name: "my-bucket", Remove: true}
//	defer bodies.Shutdown(ctx)
//
//	p := &workers.Producer{Queue: q, Source: source, Prepare: bodies.Prepare}
//
//	c := &workers.Consumer{Queue: q, Middleware: []workers.Middleware{bodies.Restore()}, Handler: handler}
//
// For a message that a program sends by itself call [Bodies.Offload] before; it is what
// Relay.Prepare of package outbox takes too.
//
// # The form of a reference
//
// It is that of Amazon's extended clients for SQS and SNS, so that either side may be
// theirs: a body that is a JSON array of the name of a class and an object with the
// members s3BucketName and s3Key, and an attribute ExtendedPayloadSize of type Number with
// the body's size in bytes. Older ones name another class, and the attribute is
// SQSLargePayloadSize. Both are read; see [Bodies.Legacy] for what is sent.
//
// The extended clients read bodies as UTF-8. One that is not, which without this package
// travels in base64, is stored as it is.
//
// Sources: https://github.com/awslabs/amazon-sqs-java-extended-client-lib and
// https://github.com/awslabs/amazon-sqs-python-extended-client-lib.
//
// # What may go wrong
//
// A body whose message is not sent, or not acknowledged, or moved to a dead-letter queue,
// stays in the bucket. Give the bucket a rule that deletes what is older than the
// retention period of queue and dead-letter queue together, with Remove or without. A body
// that is gone is an error marked with [workers.Permanent], so that the message is buried
// with that reason.
package claimcheck

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
	"omnibus/bus/spec"
	"omnibus/workers"
)

// Bodies are message bodies in a bucket. Set the fields before the first use and keep
// them. The methods are safe for concurrent use.
type Bodies struct {
	Bucket *blob.Bucket // required

	// Name is the name of the bucket in references, required: on S3 its own. A message
	// that refers to another bucket is refused, whoever sent it.
	Name string

	// Prefix begins the keys of what is stored, as "orders/"; the rest is a UUID.
	Prefix string

	// Limit is how large a message may be, body and attributes together in bytes, for
	// its body not to be stored; 0 means 1 MiB, which is what SQS takes, and a negative
	// one stores every body.
	Limit int

	// Most is how large a body may be that is read, in bytes; 0 means 256 MiB. A larger
	// one is an error marked with [workers.Permanent].
	Most int64

	// Remove removes a body from the bucket when the queue has confirmed that its
	// message is deleted, handled or dropped (see [workers.Drop]). A message that was
	// sent twice refers to the same body twice: then put [workers.Deduplicate] before
	// Restore, or leave it to a rule of the bucket. A queue that does not confirm, see
	// [bus.AfterAck], has none removed.
	Remove bool

	// Legacy sends references as the first extended clients read them: those before
	// version 1.1 of the one for Java.
	Legacy bool

	// OnRemoveError, if not nil, is told of bodies that could not be removed. It is
	// called from any goroutine.
	OnRemoveError func(key string, err error)

	removals sync.WaitGroup
}

// The attributes that mark a message whose body is a reference.
const (
	SizeAttribute       = "ExtendedPayloadSize"
	LegacySizeAttribute = "SQSLargePayloadSize"
)

const (
	defaultMost = 256 << 20
	removeTime  = 30 * time.Second // for one body
	mostOwn     = spec.MaxAttributes - 1
)

// Prepare is Producer.Prepare: see [Bodies.Offload].
func (b *Bodies) Prepare(ctx context.Context, _ int, m *pubsub.Message) error {
	return b.Offload(ctx, m)
}

// Offload stores the body of a message that is about to be sent and puts the reference in
// its place, if the message is above the limit. Such a message may have nine attributes of
// its own. Call it after the message's attributes are set. A message that is a reference
// already is left as it is.
func (b *Bodies) Offload(ctx context.Context, m *pubsub.Message) error {
	if err := b.check(); err != nil {
		return err
	}
	size, names := measure(m)
	limit := b.Limit
	if limit == 0 {
		limit = spec.MaxMessageBytes
	}
	if size <= limit {
		return nil
	}
	for _, mark := range []string{SizeAttribute, LegacySizeAttribute} {
		if !slices.Contains(names, mark) {
			continue
		}
		if _, err := parse(m.Body); err == nil {
			return nil // it was called before
		}
		return workers.Permanent(fmt.Errorf("claimcheck: the message has the attribute %s, which is that of a reference, and another body", mark))
	}
	if len(names) > mostOwn {
		return workers.Permanent(fmt.Errorf("claimcheck: the message is large and has %d attributes; %d are allowed, beside %s", len(names), mostOwn, SizeAttribute))
	}
	var id [16]byte
	rand.Read(id[:])
	r := reference{bucket: b.Name, key: b.Prefix + spec.ID(id, 4)}
	if err := b.Bucket.WriteAll(ctx, r.key, m.Body, nil); err != nil {
		return fmt.Errorf("claimcheck: store a body of %d bytes: %w", len(m.Body), err)
	}
	mark := SizeAttribute
	if b.Legacy {
		mark = LegacySizeAttribute
	}
	bus.SetAttribute(m, mark, bus.Number(strconv.Itoa(len(m.Body))))
	m.Body = r.text(b.Legacy)
	return nil
}

// measure returns the size of a message as SQS counts it, and the names of its
// attributes. What a BeforeSend sets that knows other types than those of package bus does
// not count.
func measure(m *pubsub.Message) (size int, names []string) {
	o, _ := driver.CollectSendOptions(m.BeforeSend)
	body, attrs := driver.Encode(m.Body, m.Metadata, &o)
	names = slices.Collect(maps.Keys(m.Metadata))
	for _, a := range o.Attributes {
		names = append(names, a.Name)
	}
	return spec.MessageSize(body, append(attrs, o.Attributes...)), names
}

// Restore returns middleware that lets handlers see bodies where references travelled,
// without the attribute that marks those. Others pass as they are. When the handler has
// returned, the message is again what was received, so that it is buried as a reference.
// Put Restore first, but after [workers.Deduplicate].
func (b *Bodies) Restore() workers.Middleware {
	return func(next workers.Handler) workers.Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			if !isReference(m) {
				return next(ctx, m)
			}
			r, body, err := b.fetch(ctx, m)
			if err != nil {
				return err
			}
			err = b.with(m, body, func() error { return next(ctx, m) })
			if b.Remove && settles(err) {
				b.removeAfterAck(m, r.key)
			}
			return err
		}
	}
}

// settles reports whether a message is acknowledged after a handler's error, and so its
// body is not needed any more.
func settles(err error) bool { return err == nil || workers.IsDrop(err) }

// with calls handle while the message has another body, and no mark.
func (b *Bodies) with(m *pubsub.Message, body []byte, handle func() error) error {
	received, metadata := m.Body, m.Metadata
	defer func() { m.Body, m.Metadata = received, metadata }()
	m.Body, m.Metadata = body, maps.Clone(metadata)
	delete(m.Metadata, SizeAttribute)
	delete(m.Metadata, LegacySizeAttribute)
	return handle()
}

// isReference reports whether a received message's body is a reference.
func isReference(m *pubsub.Message) bool {
	_, current := m.Metadata[SizeAttribute]
	_, legacy := m.Metadata[LegacySizeAttribute]
	return current || legacy
}

// fetch returns the body that a received message refers to.
func (b *Bodies) fetch(ctx context.Context, m *pubsub.Message) (reference, []byte, error) {
	if err := b.check(); err != nil {
		return reference{}, nil, err
	}
	r, err := parse(m.Body)
	if err != nil {
		return r, nil, workers.Permanent(fmt.Errorf("claimcheck: the message is marked as a reference, and is none: %w", err))
	}
	if r.bucket != b.Name {
		return r, nil, workers.Permanent(fmt.Errorf("claimcheck: the message refers to the bucket %q; %q is allowed", r.bucket, b.Name))
	}
	body, err := b.read(ctx, r.key)
	switch {
	case err == nil:
		return r, body, nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return r, nil, workers.Permanent(fmt.Errorf("claimcheck: the body of the message is missing: there is no %q in the bucket %q: %w", r.key, r.bucket, err))
	}
	return r, nil, fmt.Errorf("claimcheck: read the body %q in the bucket %q: %w", r.key, r.bucket, err)
}

func (b *Bodies) read(ctx context.Context, key string) ([]byte, error) {
	most := b.Most
	if most == 0 {
		most = defaultMost
	}
	in, err := b.Bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if in.Size() > most {
		return nil, workers.Permanent(fmt.Errorf("it has %d bytes; %d are allowed", in.Size(), most))
	}
	return io.ReadAll(in)
}

// removeAfterAck removes a body when the queue has confirmed that its message is deleted.
func (b *Bodies) removeAfterAck(m *pubsub.Message, key string) {
	bus.AfterAck(m, func(err error) {
		if err != nil {
			return // the message comes again
		}
		b.removals.Go(func() { // since AfterAck must not block
			ctx, cancel := context.WithTimeout(context.Background(), removeTime)
			defer cancel()
			err := b.Bucket.Delete(ctx, key)
			if err != nil && gcerrors.Code(err) != gcerrors.NotFound && b.OnRemoveError != nil {
				b.OnRemoveError(key, err)
			}
		})
	})
}

// Shutdown waits for removals in progress, until ctx ends. Call it when the queue is shut
// down, and close the bucket after it.
func (b *Bodies) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	go func() { b.removals.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("claimcheck: bodies are still being removed: %w", context.Cause(ctx))
	}
}

func (b *Bodies) check() error {
	if b.Bucket == nil || b.Name == "" {
		return errors.New("claimcheck: Bodies needs a Bucket and its Name")
	}
	return nil
}
