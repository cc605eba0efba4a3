package plainbus_test

import (
	"context"
	"fmt"
	"log"

	"omnibus/bus"
	_ "omnibus/bus/plainbus"
)

func Example() {
	ctx := context.Background()
	q, err := bus.Open(ctx, "mempubsub://example")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)
	for _, c := range bus.Controls() {
		if q.Supports(c) {
			fmt.Println(c)
		}
	}
	// Output:
	// delay
	// typed-attributes
	// release
}
