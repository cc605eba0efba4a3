// Command hello sends a message and receives it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/membus" // mem://
	_ "omnibus/bus/sqsbus" // http://, https://, awssqs://, awssns://
)

func main() {
	ctx := context.Background()
	q, err := bus.Open(ctx, os.Getenv("BUS_URL")) // mem://hello, or the URL of a queue on sqsd or AWS
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(ctx)

	if err := q.Topic.Send(ctx, &pubsub.Message{Body: []byte("hello")}); err != nil {
		log.Fatal(err)
	}
	m, err := q.Subscription.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, delivery %d\n", m.Body, bus.Details(m).ReceiveCount)
	m.Ack()
}
