package faulty_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"gocloud.dev/pubsub"
	"golang.org/x/sync/errgroup"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

var queues = flag.Int("queues", 100, "how many `queues` are opened, used and shut down to see that nothing leaks")

// A holding is what a process holds that could leak.
type holding struct {
	goroutines, descriptors int
	heap                    uint64 // bytes
}

// hold returns what the process holds when nothing is at work any more.
func hold() (h holding) {
	for range 2 { // what finalizers free goes in the second
		runtime.GC()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	open, _ := os.ReadDir("/proc/self/fd") // where there is none, descriptors are not counted
	return holding{runtime.NumGoroutine(), len(open), mem.HeapAlloc}
}

// A queue that is shut down leaves no goroutine, no descriptor and no memory, but for
// the counts of its requests by sqsbus's Meter: of a thousand names, used again.
func TestOpenedAndShutQueuesLeaveNothing(t *testing.T) {
	lenient := engine.New(&engine.Options{Lenient: true})
	endpoint := httptest.NewServer(sqsserver.New(&sqsserver.Options{Engine: engine.New(&engine.Options{Lenient: true})}))
	defer endpoint.Close()
	mux := new(bus.Mux)
	membus.New(&membus.Options{Engine: lenient}).Register(mux)
	config := &aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	sqsbus.New(&sqsbus.Options{Logger: slog.New(slog.DiscardHandler), Config: config}).Register(mux)
	for name, url := range map[string]string{"mem": "mem://donors", "SQS": endpoint.URL + "/000000000000/donors"} {
		t.Run(name, func(t *testing.T) {
			use(t, mux, url, 50) // until caches and pools are full
			before := hold()
			use(t, mux, url, *queues)
			var after holding
			for range 100 { // connections that were closed are gone a little later
				if after = hold(); after.goroutines <= before.goroutines && after.descriptors <= before.descriptors {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Logf("%d queues: %d goroutines before, %d after; %d descriptors, %d; %d KiB of heap, %d",
				*queues, before.goroutines, after.goroutines, before.descriptors, after.descriptors, before.heap>>10, after.heap>>10)
			if after.goroutines > before.goroutines || after.descriptors > before.descriptors {
				t.Errorf("what is held has grown from %+v to %+v", before, after)
			}
			if grown := int64(after.heap) - int64(before.heap); grown > 1<<20+64*int64(*queues) {
				t.Errorf("the heap has grown by %d bytes, %d for each queue", grown, grown/int64(*queues))
			}
		})
	}
}

// use opens queues, some at a time, and shuts them down.
func use(t *testing.T, mux *bus.Mux, url string, n int) {
	t.Helper()
	var atWork errgroup.Group
	atWork.SetLimit(16)
	for i := range n {
		atWork.Go(func() error { return openUseShut(t.Context(), mux, fmt.Sprint(url, i%1000)) })
	}
	if err := atWork.Wait(); err != nil {
		t.Fatal(err)
	}
}

// openUseShut creates a queue, passes a message through it, deletes it and shuts it down.
func openUseShut(ctx context.Context, mux *bus.Mux, url string) error {
	created, err := mux.Create(ctx, url, bus.QueueSettings{})
	if err != nil {
		return err
	}
	q, err := mux.Open(ctx, created)
	if err != nil {
		return err
	}
	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("m")}); err != nil {
		return err
	}
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		return err
	}
	acked := make(chan error, 1)
	bus.AfterAck(m, func(err error) { acked <- err })
	m.Ack()
	return errors.Join(<-acked, q.Delete(ctx), q.Shutdown(ctx))
}
