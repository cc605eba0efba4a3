package workers

import (
	"context"

	"gocloud.dev/pubsub"
)

// JSON returns a handler that gets each message's body as a T, beside the message
// itself. The body is JSON, unless the message's [ContentType] names one of the
// others. A body that cannot be decoded is a [Permanent] error: it will not get
// better.
func JSON[T any](handle func(ctx context.Context, v T, m *pubsub.Message) error, others ...Codec) Handler {
	return Typed(handle, append([]Codec{JSONCodec()}, others...)...)
}

// Typed is [JSON] with the codecs given; see [Decode].
func Typed[T any](handle func(ctx context.Context, v T, m *pubsub.Message) error, codecs ...Codec) Handler {
	return func(ctx context.Context, m *pubsub.Message) error {
		v, err := Decode[T](m, codecs...)
		if err != nil {
			return Permanent(err)
		}
		return handle(ctx, v, m)
	}
}
