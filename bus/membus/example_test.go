package membus_test

import (
	"context"
	"fmt"
	"log"

	"omnibus/bus"
	"omnibus/bus/membus"
)

// A test has a set of queues of its own: the same names in other tests are other
// queues. In a testing/synctest bubble its delays and timeouts take no time.
func ExampleNew() {
	ctx := context.Background()
	var mux bus.Mux
	mux.Register(membus.Scheme, membus.New(nil))
	q, err := mux.Open(ctx, "mem://jobs?delay=5s&dlq=dead&maxreceives=3")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	a, err := q.Attributes(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Delay, a.DeadLetter.Queue, a.DeadLetter.MaxReceives)
	// Output: 5s dead 3
}
