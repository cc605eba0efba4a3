package sqsbus

import (
	"context"
	"net/url"
	"reflect"
	"testing"
	"unsafe"

	cdk "gocloud.dev/pubsub/driver"
	"gocloud.dev/pubsub/drivertest"

	"omnibus/bus/driver"
	"omnibus/bus/spec"
)

// harness lets the Go CDK's own conformance tests run on the stock driver with the
// client that this package gives it.
type harness struct {
	endpoint *endpoint
	backend  *Backend
	opened   []driver.Queue
}

func newHarness(context.Context, *testing.T) (drivertest.Harness, error) {
	e := newEndpoint()
	return &harness{endpoint: e, backend: e.backend()}, nil
}

// driverOf returns the driver of a portable end, which does not give it away.
func driverOf[D any](portable any) D {
	f := reflect.ValueOf(portable).Elem().FieldByName("driver")
	return *(*D)(unsafe.Pointer(f.UnsafeAddr()))
}

func (h *harness) open(ctx context.Context, name string) (driver.Queue, error) {
	u, err := url.Parse(testOrigin + "/000000000000/" + name)
	if err != nil {
		return nil, err
	}
	q, err := h.backend.OpenQueue(ctx, u)
	if err == nil {
		h.opened = append(h.opened, q)
	}
	return q, err
}

func (h *harness) CreateTopic(ctx context.Context, testName string) (cdk.Topic, func(), error) {
	if _, err := h.endpoint.engine.Create("conformance", spec.QueueSettings{}); err != nil {
		return nil, nil, err
	}
	q, err := h.open(ctx, "conformance")
	if err != nil {
		return nil, nil, err
	}
	return driverOf[cdk.Topic](q.Topic()), func() {}, nil
}

func (h *harness) CreateSubscription(ctx context.Context, t cdk.Topic, testName string) (cdk.Subscription, func(), error) {
	q, err := h.open(ctx, "conformance")
	if err != nil {
		return nil, nil, err
	}
	return driverOf[cdk.Subscription](q.Subscription()), func() {}, nil
}

func (h *harness) MakeNonexistentTopic(ctx context.Context) (cdk.Topic, error) {
	q, err := h.open(ctx, "nonexistent")
	return driverOf[cdk.Topic](q.Topic()), err
}

func (h *harness) MakeNonexistentSubscription(ctx context.Context) (cdk.Subscription, func(), error) {
	q, err := h.open(ctx, "nonexistent")
	return driverOf[cdk.Subscription](q.Subscription()), func() {}, err
}

func (h *harness) Close() {
	for _, q := range h.opened {
		q.Close(context.Background())
	}
}

func (h *harness) MaxBatchSizes() (int, int)           { return 1, 10 }
func (h *harness) SupportsMultipleSubscriptions() bool { return false } // an SQS queue has competing consumers

func TestDriverConformance(t *testing.T) {
	drivertest.RunConformanceTests(t, newHarness, nil)
}
