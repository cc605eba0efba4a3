package membus

import (
	"context"
	"testing"

	cdk "gocloud.dev/pubsub/driver"
	"gocloud.dev/pubsub/drivertest"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// harness lets the Go CDK's own conformance tests run on the driver.
type harness struct{ engine *engine.Engine }

func newHarness(context.Context, *testing.T) (drivertest.Harness, error) {
	return &harness{engine.New(nil)}, nil
}

func (h *harness) CreateTopic(ctx context.Context, testName string) (cdk.Topic, func(), error) {
	q, err := h.engine.Create("conformance", spec.QueueSettings{})
	return &topic{newHandle(h.engine, q)}, func() {}, err
}

func (h *harness) CreateSubscription(ctx context.Context, t cdk.Topic, testName string) (cdk.Subscription, func(), error) {
	return newSubscription(t.(*topic).q, nil, spec.MaxWait), func() {}, nil
}

// nonexistent returns a handle to a queue that has been deleted.
func (h *harness) nonexistent() (*engine.Queue, error) {
	q, err := h.engine.Create("nonexistent", spec.QueueSettings{})
	if err == nil {
		err = h.engine.Delete("nonexistent")
	}
	return q, err
}

func (h *harness) MakeNonexistentTopic(context.Context) (cdk.Topic, error) {
	h.engine = engine.New(nil)
	q, err := h.nonexistent()
	return &topic{newHandle(h.engine, q)}, err
}

func (h *harness) MakeNonexistentSubscription(context.Context) (cdk.Subscription, func(), error) {
	h.engine = engine.New(nil)
	q, err := h.nonexistent()
	return newSubscription(newHandle(h.engine, q), nil, spec.MaxWait), func() {}, err
}

func (h *harness) Close()                              {}
func (h *harness) MaxBatchSizes() (int, int)           { return 0, 0 }
func (h *harness) SupportsMultipleSubscriptions() bool { return false } // an SQS queue has competing consumers

func TestDriverConformance(t *testing.T) {
	drivertest.RunConformanceTests(t, newHarness, nil)
}
