package sqsbus

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// Every setting that is given at creation, or set, comes back with the attributes.
// The codec of package spec proves that it has all fields; this, that it is used.
func TestNoSettingIsDroppedOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "dead.fifo", spec.QueueSettings{})
		e.create(t, "a.fifo", spec.QueueSettings{})
		var mux bus.Mux
		e.backend().Register(&mux)
		full := spec.QueueSettings{
			Delay: new(5 * time.Second), Visibility: new(17 * time.Second), Retention: new(2 * time.Hour), Wait: new(3 * time.Second),
			MaxMessageBytes: new(2048), FIFO: new(true), ContentBasedDeduplication: new(true), GroupDeduplication: new(true),
			DeadLetter:        &spec.DeadLetter{Queue: "dead.fifo", MaxReceives: 7},
			DeadLetterSources: &spec.DeadLetterSources{Permission: spec.RedriveByQueue, Queues: []string{"a.fifo"}},
			Kept:              map[string]string{"Policy": `{"a":1}`, "KmsMasterKeyId": "key", "SqsManagedSseEnabled": "false", "FifoThroughputLimit": "perMessageGroupId"},
		}
		for url, create := range map[string]bus.QueueSettings{testOrigin + "/1/whole.fifo": full, testOrigin + "/1/later.fifo": {}} {
			url, err := mux.Create(t.Context(), url, create)
			if err != nil {
				t.Fatal(err)
			}
			q, err := mux.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.SetAttributes(t.Context(), full); err != nil { // again, which changes nothing
				t.Fatal(err)
			}
			a, err := q.Attributes(t.Context())
			if got := a.Settings(); err != nil || !reflect.DeepEqual(got, full) {
				t.Errorf("%s has %+v, %v; want %+v", url, got, err, full)
			}
			shutDown(t, q)
		}

		// A policy that names queues needs the ARN of one.
		sources := bus.QueueSettings{DeadLetterSources: &spec.DeadLetterSources{Permission: spec.RedriveByQueue, Queues: []string{"none.fifo", "a.fifo"}}}
		if _, err := mux.Create(t.Context(), testOrigin+"/1/sink.fifo", sources); err != nil {
			t.Errorf("a policy that names a queue: %v", err)
		}
		sources.DeadLetterSources.Queues = []string{"none.fifo"}
		_, err := mux.Create(t.Context(), testOrigin+"/1/other.fifo", sources)
		check(t, "a policy that names no queue that exists", err, gcerrors.NotFound)
	})
}

// Attributes that only another endpoint has are left out and logged, once each.
func TestOddAttributesAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{Delay: new(5 * time.Second)})
		e.odd = map[string]string{"CreatedTimestamp": "1700000000.25", "RedrivePolicy": "None"}
		var mux bus.Mux
		New(&Options{HTTPClient: e, Logger: slog.New(slog.NewTextHandler(&log, nil))}).Register(&mux)
		q, err := mux.Open(t.Context(), testQueue)
		if err != nil {
			t.Fatal(err)
		}
		defer shutDown(t, q)
		for range 3 {
			a, err := q.Attributes(t.Context())
			if err != nil || a.Delay != 5*time.Second || !a.Created.IsZero() || a.DeadLetter != (bus.DeadLetter{}) {
				t.Errorf("%+v, %v", a, err)
			}
		}
		for name, value := range e.odd {
			if n := strings.Count(log.String(), "attribute="+name+" value="+value); n != 1 {
				t.Errorf("%s is logged %d times:\n%s", name, n, log.String())
			}
		}
	})
}
