package workers

import (
	"context"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

// A message carries the context of the trace in which it was sent, so that whoever
// handles it can name it: as the W3C writes it, https://www.w3.org/TR/trace-context/,
// and as AWS X-Ray does, in SQS's own attribute for it.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

var w3c propagation.TraceContext

// CarryTrace has a message carry the trace context of ctx, as a [Producer] does, in its
// metadata if there is room: for a message that is kept, to be sent by somebody else. A
// message that carries one keeps it, when a Producer sends it too.
func CarryTrace(ctx context.Context, m *pubsub.Message) { inject(ctx, false, m) }

// inject has a message carry the trace context of ctx, as typed attributes or as
// metadata. A message that carries one keeps it.
func inject(ctx context.Context, typed bool, m *pubsub.Message) {
	if noSpan(ctx) || m.Metadata[traceParent] != "" {
		return
	}
	headers := propagation.MapCarrier{}
	w3c.Inject(ctx, headers)
	for _, name := range []string{traceParent, traceState} {
		switch value := headers[name]; {
		case value == "":
		case typed:
			bus.OfferAttribute(m, name, bus.String(value))
		case len(m.Metadata) < maxAttributes:
			m.Metadata = maps.Clone(m.Metadata)
			if m.Metadata == nil {
				m.Metadata = map[string]string{}
			}
			m.Metadata[name] = value
		}
	}
	bus.TraceHeader(m, xrayHeader(trace.SpanContextFromContext(ctx)))
}

// extract returns the span that a received message names. It is not valid if the
// message names none.
func extract(m *pubsub.Message) trace.SpanContext {
	d := bus.Details(m)
	// As attributes travelled: metadata is read as if its values had escapes.
	if sc := carried(d.Attributes[traceParent].StringValue, d.Attributes[traceState].StringValue); sc.IsValid() {
		return sc
	}
	return fromXRay(d.TraceHeader)
}

// carried returns the span that a message's attributes name.
func carried(parent, state string) trace.SpanContext {
	if parent == "" {
		return trace.SpanContext{}
	}
	ctx := w3c.Extract(context.Background(), propagation.MapCarrier{traceParent: parent, traceState: state})
	return trace.SpanContextFromContext(ctx)
}

// xrayHeader returns a span's context as X-Ray writes it: the trace's id with its
// first eight digits, which are to be a time, apart.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func xrayHeader(sc trace.SpanContext) string {
	id, sampled := sc.TraceID().String(), "0"
	if sc.IsSampled() {
		sampled = "1"
	}
	return "Root=1-" + id[:8] + "-" + id[8:] + ";Parent=" + sc.SpanID().String() + ";Sampled=" + sampled
}

// fromXRay reverses xrayHeader. Fields that it does not know it passes over.
func fromXRay(header string) trace.SpanContext {
	c := trace.SpanContextConfig{Remote: true}
	for field := range strings.SplitSeq(header, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch key {
		case "Root":
			c.TraceID, _ = trace.TraceIDFromHex(strings.ReplaceAll(strings.TrimPrefix(value, "1-"), "-", ""))
		case "Parent":
			c.SpanID, _ = trace.SpanIDFromHex(value)
		case "Sampled":
			c.TraceFlags = c.TraceFlags.WithSampled(value == "1")
		}
	}
	return trace.NewSpanContext(c)
}
