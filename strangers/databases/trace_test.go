package main

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// traced returns a context of a trace, and the trace's id.
func traced(ctx context.Context) (context.Context, string) {
	state, _ := trace.ParseTraceState("a=1,b=2")
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, TraceState: state,
	})
	return trace.ContextWithSpanContext(ctx, sc), sc.TraceID().String()
}
