package sqsbus_test

import (
	"context"
	"fmt"
	"os"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
)

// A program that is given its queue's address imports the backend and opens the
// address. Messages go to SQS, or to a local endpoint, as the address says.
func Example() {
	ctx := context.Background()
	q, err := bus.Open(ctx, os.Getenv("BUS_URL")) // such as http://127.0.0.1:9324/000000000000/donors?visibility=5s
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Shutdown(ctx)

	m := &pubsub.Message{Body: []byte(`{"name": "Harper Pierce", "donation": 97.5}`)}
	bus.SetAttribute(m, "Donation", bus.Number("97.5"))
	if err := q.Topic.Send(ctx, m); err != nil {
		fmt.Println(err)
	}
}

// A backend of its own has a logger, an HTTP client and a meter of its own.
func ExampleNew() {
	meter := new(sqsbus.Meter)
	var mux bus.Mux
	sqsbus.New(&sqsbus.Options{Meter: meter}).Register(&mux)
	q, err := mux.Open(context.Background(), "http://127.0.0.1:9324/000000000000/donors?wait=10s")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer q.Shutdown(context.Background())
	// …
	for _, c := range meter.Counts() {
		fmt.Println(c.Action, c.Requests, c.Chunks)
	}
}

// A URL is checked when it is opened, and the error says what is allowed.
func ExampleBackend_OpenQueue() {
	_, err := bus.Open(context.Background(), "http://127.0.0.1:9324/000000000000/donors?wait=21s")
	fmt.Println(err)
	// Output:
	// bus: open http://127.0.0.1:9324/000000000000/donors?wait=21s: parameter wait=21s: InvalidParameterValue: Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.
}
