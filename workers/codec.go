package workers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"strings"

	"gocloud.dev/pubsub"
)

// ContentType is the metadata key, and so the message attribute, that names the
// encoding of a message's body, as "application/json". It is the ContentType of
// the [Codec] that wrote it.
const ContentType = "Content-Type"

// A Codec writes values as bodies of messages and reads them back. Its functions
// must be safe for concurrent use.
type Codec struct {
	ContentType string // a media type without parameters
	Marshal     func(v any) ([]byte, error)
	Unmarshal   func(body []byte, v any) error // v is a pointer
}

// JSONCodec returns the codec of encoding/json, application/json.
func JSONCodec() Codec {
	return Codec{ContentType: "application/json", Marshal: json.Marshal, Unmarshal: json.Unmarshal}
}

// maxUnzipped bounds the memory that a compressed body takes. SQS carries 1 MiB;
// gzip could make that of a GiB.
const maxUnzipped = 16 << 20

// Gzip returns a codec that compresses what c writes. Its ContentType is that of c
// with "+gzip" added. It refuses bodies that grow to over 16 MiB.
func Gzip(c Codec) Codec {
	return Codec{
		ContentType: c.ContentType + "+gzip",
		Marshal: func(v any) ([]byte, error) {
			plain, err := c.Marshal(v)
			if err != nil {
				return nil, err
			}
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			if _, err := w.Write(plain); err != nil {
				return nil, err
			}
			err = w.Close()
			return b.Bytes(), err
		},
		Unmarshal: func(body []byte, v any) error {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				return err
			}
			plain, err := io.ReadAll(io.LimitReader(r, maxUnzipped+1))
			if err != nil {
				return err
			}
			if len(plain) > maxUnzipped {
				return fmt.Errorf("the body is over %d bytes when it is decompressed", maxUnzipped)
			}
			return c.Unmarshal(plain, v)
		},
	}
}

// Message returns a message with v as its body that names the codec, for
// [Producer.Send] or for a Topic.
func (c Codec) Message(v any) (*pubsub.Message, error) {
	body, err := c.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("workers: encode a %T as %s: %w", v, c.ContentType, err)
	}
	return &pubsub.Message{Body: body, Metadata: map[string]string{ContentType: c.ContentType}}, nil
}

// Values returns a source of the bodies that a codec writes of values. Set
// Producer.Metadata to name the codec, unless it is JSON:
//
//	Metadata: map[string]string{workers.ContentType: c.ContentType}
func Values[T any](values iter.Seq2[T, error], c Codec) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for v, err := range values {
			var body []byte
			if err == nil {
				body, err = c.Marshal(v)
			}
			if !yield(body, err) || err != nil {
				return
			}
		}
	}
}

// Decode returns the value in a message's body, read by the one of codecs that the
// message's [ContentType] names, or by the first of them if it names none. Without
// codecs that is JSON. Parameters of the content type, as a charset, do not matter.
func Decode[T any](m *pubsub.Message, codecs ...Codec) (T, error) {
	var v T
	c, err := codecOf(m, codecs)
	if err == nil {
		err = c.Unmarshal(m.Body, &v)
	}
	if err != nil {
		return v, fmt.Errorf("workers: decode a %T: %w", v, err)
	}
	return v, nil
}

// codecOf returns the codec that a message names.
func codecOf(m *pubsub.Message, codecs []Codec) (Codec, error) {
	if len(codecs) == 0 {
		codecs = []Codec{JSONCodec()}
	}
	named := m.Metadata[ContentType]
	if named == "" {
		return codecs[0], nil
	}
	mediaType, _, err := mime.ParseMediaType(named)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return Codec{}, fmt.Errorf("the attribute %s is %q: %w", ContentType, named, err)
	}
	var known []string
	for _, c := range codecs {
		if strings.EqualFold(c.ContentType, mediaType) {
			return c, nil
		}
		known = append(known, c.ContentType)
	}
	return Codec{}, fmt.Errorf("the attribute %s is %q; there are codecs for %q", ContentType, named, known)
}
