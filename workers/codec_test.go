package workers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/gob"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

type donor struct {
	Name     string  `json:"name"`
	Donation float64 `json:"donation"`
}

var gobCodec = workers.Codec{
	ContentType: "application/x-gob",
	Marshal: func(v any) ([]byte, error) {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		return b.Bytes(), err
	},
	Unmarshal: func(body []byte, v any) error { return gob.NewDecoder(bytes.NewReader(body)).Decode(v) },
}

func TestTypedHandlerGetsWhatEachCodecWrote(t *testing.T) {
	zipped := workers.Gzip(workers.JSONCodec())
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		send(t, q, `{"name": "no codec named", "donation": 1}`)
		want := []donor{{"no codec named", 1}}
		for _, c := range []workers.Codec{workers.JSONCodec(), zipped, gobCodec} {
			d := donor{"by " + c.ContentType, 2.5}
			want = append(want, d)
			m, err := c.Message(d)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		var got []donor
		c := &workers.Consumer{Queue: q, Max: len(want), Handler: workers.JSON(func(_ context.Context, d donor, m *pubsub.Message) error {
			if m.Metadata[workers.ContentType] == "" && d.Donation != 1 {
				t.Errorf("the message %q is not the one that was decoded", m.Body)
			}
			got = append(got, d)
			return nil
		}, zipped, gobCodec)}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		byName := func(a, b donor) int { return strings.Compare(a.Name, b.Name) }
		slices.SortFunc(got, byName)
		slices.SortFunc(want, byName)
		if !slices.Equal(got, want) {
			t.Errorf("handled were %v, want %v", got, want)
		}
	})
}

func TestABodyThatCannotBeDecodedIsAPermanentError(t *testing.T) {
	handled := false
	handler := workers.JSON(func(context.Context, donor, *pubsub.Message) error {
		handled = true
		return errors.New("try again")
	}, workers.Gzip(workers.JSONCodec()))
	for _, test := range []struct{ contentType, body, want string }{
		{"", `{"name": `, "decode a workers_test.donor: unexpected end of JSON input"},
		{"", `{"name": 5}`, "cannot unmarshal number"},
		{"", "", "unexpected end"},
		{"application/json+gzip", `{"name": "A"}`, "invalid header"},
		{"text/csv", "A,1", `is "text/csv"; there are codecs for ["application/json" "application/json+gzip"]`},
		{"no media type/;", "A,1", `is "no media type/;"`},
	} {
		m := &pubsub.Message{Body: []byte(test.body), Metadata: map[string]string{workers.ContentType: test.contentType}}
		if err := handler(t.Context(), m); !workers.IsPermanent(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q of type %q gave %v; want a permanent error with %q", test.body, test.contentType, err, test.want)
		}
	}
	if handled {
		t.Error("the handler was called with what could not be decoded")
	}
	m := &pubsub.Message{Body: []byte(`{}`), Metadata: map[string]string{workers.ContentType: "Application/JSON; charset=utf-8"}}
	if err := handler(t.Context(), m); !handled || workers.IsPermanent(err) {
		t.Errorf("the handler was called: %t, its error %v is permanent; want neither its own error changed nor a charset in the way", handled, err)
	}
}

func TestACompressedBodyThatGrowsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range 17 << 10 {
		w.Write(make([]byte, 1<<10))
	}
	w.Close()
	m := &pubsub.Message{Body: b.Bytes(), Metadata: map[string]string{workers.ContentType: "application/json+gzip"}}
	_, err := workers.Decode[string](m, workers.Gzip(workers.JSONCodec()))
	if err == nil || !strings.Contains(err.Error(), "over 16777216 bytes") {
		t.Errorf("%d bytes that decompress to 17 MiB gave %v; want an error with the limit", b.Len(), err)
	}
}

func TestProducerSendsTypedValues(t *testing.T) {
	donors := func(all ...donor) iter.Seq2[donor, error] {
		return func(yield func(donor, error) bool) {
			for _, d := range all {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		p := &workers.Producer{
			Queue:    q,
			Source:   workers.Values(donors(donor{"A", 1}, donor{"B", 2}), gobCodec),
			Metadata: map[string]string{workers.ContentType: gobCodec.ContentType},
		}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		c := &workers.Consumer{Queue: q, Max: 2, Handler: workers.Typed(func(_ context.Context, d *donor, _ *pubsub.Message) error {
			sum += d.Donation
			return nil
		}, gobCodec)}
		if err := c.Run(t.Context()); err != nil || sum != 3 {
			t.Errorf("the values sent add up to %v, %v; want 3", sum, err)
		}
	})
}

func TestAValueThatCannotBeEncodedEndsItsSource(t *testing.T) {
	source := workers.Values(func(yield func(any, error) bool) {
		_ = yield(1, nil) && yield(func() {}, nil) && yield(3, nil)
	}, workers.JSONCodec())
	got, err := read(source)
	if err == nil || !slices.Equal(got, []string{"1"}) {
		t.Errorf("the source gave %q, %v; want 1 and an error", got, err)
	}
	if _, err := workers.JSONCodec().Message(func() {}); err == nil || !strings.Contains(err.Error(), "encode a func() as application/json") {
		t.Errorf("a message of a function: %v", err)
	}
}
