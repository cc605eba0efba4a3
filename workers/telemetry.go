package workers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"gocloud.dev/gcerrors"

	"omnibus/bus"
)

// Telemetry says where the spans and metrics of workers go, which are those of
// OpenTelemetry. Names follow its conventions for messaging:
// https://opentelemetry.io/docs/specs/semconv/messaging/.
//
// A producer makes a span "send QUEUE" of each message, whose trace context travels
// in the message as the attributes traceparent and tracestate of the W3C, if there is
// room for them among the ten, and as SQS's AWSTraceHeader, but not to a topic of SNS; a
// message that has a traceparent already keeps it. A consumer with the middleware [Trace] makes a span
// "process QUEUE" of each delivery, with a link to the span that the message names.
// The Go CDK's own spans are beneath those. Around a [BatchHandler], [TraceBatch] makes
// one span of a batch, with a link to the span of each of its messages.
//
// The metrics, each with the queue as messaging.destination.name, of a producer, of the
// middleware [Metrics] and [MetricsBatch], of [Telemetry.Watch], and of
// [Telemetry.WatchRequests], the last two of which a [Program] calls for its parts:
//
//	messaging.client.sent.messages        messages sent, or tried to; error.type if they were not
//	messaging.client.operation.duration   seconds that a send took
//	messaging.client.consumed.messages    messages that were passed to a handler
//	messaging.process.duration            seconds that a handler took; error.type if it failed
//	omnibus.queue.duration                seconds from sending a message to handling it, by the two clocks
//	omnibus.consumer.received             messages received
//	omnibus.consumer.redelivered          of those, ones that had been received before
//	omnibus.consumer.handled              messages handled and acknowledged
//	omnibus.consumer.failed               messages whose handler failed
//	omnibus.consumer.retried              of those, ones given back to be tried again
//	omnibus.consumer.dead                 of those, ones that were buried
//	omnibus.consumer.leases.renewed       leases renewed
//	omnibus.consumer.leases.lost          leases lost before the message was handled or acknowledged
//	omnibus.consumer.in_hand              messages received and not settled yet
//	omnibus.requests                      requests made, with the action as rpc.method
//	omnibus.requests.failed               of those, ones answered with an error or not at all
type Telemetry struct {
	TracerProvider trace.TracerProvider // nil means the global one, otel.GetTracerProvider()
	MeterProvider  metric.MeterProvider // nil means the global one, otel.GetMeterProvider()
}

// scope is the name of the instrumentation.
const scope = "omnibus/workers"

// Keys and values of the conventions.
const (
	systemKey        = attribute.Key("messaging.system")
	destinationKey   = attribute.Key("messaging.destination.name")
	operationNameKey = attribute.Key("messaging.operation.name")
	operationTypeKey = attribute.Key("messaging.operation.type")
	messageIDKey     = attribute.Key("messaging.message.id")
	bodySizeKey      = attribute.Key("messaging.message.body.size")
	batchCountKey    = attribute.Key("messaging.batch.message_count")
	serverAddressKey = attribute.Key("server.address")
	serverPortKey    = attribute.Key("server.port")
	errorTypeKey     = attribute.Key("error.type")
	actionKey        = attribute.Key("rpc.method")
)

func (t *Telemetry) tracer() trace.Tracer {
	if t != nil && t.TracerProvider != nil {
		return t.TracerProvider.Tracer(scope)
	}
	return otel.Tracer(scope)
}

func (t *Telemetry) meter() metric.Meter {
	if t != nil && t.MeterProvider != nil {
		return t.MeterProvider.Meter(scope)
	}
	return otel.Meter(scope)
}

// An operation is something that is done with messages of one queue, as its spans
// and metrics name it.
type operation struct {
	tracer     trace.Tracer
	span       string // name
	attributes []attribute.KeyValue
	succeeded  metric.MeasurementOption
}

func (t *Telemetry) operation(q *bus.Queue, name string) operation {
	attrs := append(describe(q), operationNameKey.String(name), operationTypeKey.String(name))
	o := operation{tracer: t.tracer(), span: name, attributes: attrs}
	if queue := q.Name(); queue != "" {
		o.span += " " + queue
	}
	o.succeeded = metric.WithAttributeSet(attribute.NewSet(attrs...))
	return o
}

// outcome returns the attributes of a measurement.
func (o *operation) outcome(err error) metric.MeasurementOption {
	if err == nil {
		return o.succeeded
	}
	attrs := append(o.attributes[:len(o.attributes):len(o.attributes)], errorTypeKey.String(errorType(err)))
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

// describe returns what spans and metrics say of a queue.
func describe(q *bus.Queue) []attribute.KeyValue {
	u, err := url.Parse(q.URL())
	if err != nil {
		u = new(url.URL)
	}
	attrs := []attribute.KeyValue{systemKey.String(system(u.Scheme))}
	if name := q.Name(); name != "" {
		attrs = append(attrs, destinationKey.String(name))
	}
	if strings.HasPrefix(u.Scheme, "http") {
		attrs = append(attrs, serverAddressKey.String(u.Hostname()))
		if port, err := strconv.Atoi(u.Port()); err == nil {
			attrs = append(attrs, serverPortKey.Int(port))
		}
	}
	return attrs
}

// system returns the conventions' name for what is behind a URL, by its scheme.
func system(scheme string) string {
	switch scheme {
	case "http", "https", "awssqs":
		return "aws_sqs"
	case "awssns":
		return "aws.sns"
	case "":
		return "gocloud"
	}
	return scheme
}

// errorType returns a word for a class of errors, for metrics: the Go CDK's code if
// there is one, else the type of the error that is the cause.
func errorType(err error) string {
	if code := gcerrors.Code(err); code != gcerrors.Unknown {
		return code.String()
	}
	name := "_OTHER"
	for ; err != nil; err = errors.Unwrap(err) {
		t := reflect.TypeOf(err)
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if p := t.PkgPath(); p != "errors" && p != "fmt" && p != scope {
			name = fmt.Sprintf("%T", err)
		}
	}
	return name
}

// finish ends a span with what came of its operation.
func finish(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetAttributes(errorTypeKey.String(errorType(err)))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// noSpan reports whether a context has no trace to carry on.
func noSpan(ctx context.Context) bool { return !trace.SpanContextFromContext(ctx).IsValid() }
