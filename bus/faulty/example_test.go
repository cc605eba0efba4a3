package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
	"omnibus/workers"
)

// The answer to the first message does not arrive: it was sent, and the sender must
// take it as unconfirmed.
func Example() {
	ctx := context.Background()
	var sends atomic.Int32
	mux := new(bus.Mux)
	mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{
		Fault: func(c *faulty.Call) (f faulty.Fault) {
			if c.Operation == faulty.Send && sends.Add(1) == 1 {
				f.Lose = faulty.ErrLost
			}
			return f
		},
	}))
	q, err := mux.Open(ctx, "mem://donors")
	if err != nil {
		panic(err)
	}
	defer q.Shutdown(ctx)

	p := &workers.Producer{Queue: q}
	err = p.Send(ctx, &pubsub.Message{Body: []byte("a donor")})
	fmt.Println("unconfirmed:", errors.Is(err, workers.ErrUnconfirmed))
	a, err := q.Attributes(ctx)
	fmt.Println("messages:", a.Visible, err)
	// Output:
	// unconfirmed: true
	// messages: 1 <nil>
}
