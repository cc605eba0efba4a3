package claimcheck_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	_ "omnibus/bus/membus"
	"omnibus/workers"
	"omnibus/workers/claimcheck"
)

// A body of 2 MiB travels through a queue that takes 1 MiB. In production the bucket is
// s3://my-bucket?region=us-east-1, of package gocloud.dev/blob/s3blob.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	bucket, err := blob.OpenBucket(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	bodies := &claimcheck.Bodies{Bucket: bucket, Name: "my-bucket", Remove: true}
	defer bodies.Shutdown(context.Background())
	q, err := bus.Open(ctx, "mem://example-claimcheck")
	if err != nil {
		log.Fatal(err)
	}
	defer q.Shutdown(context.Background())

	m := &pubsub.Message{Body: []byte(strings.Repeat("0123456789abcdef", 2<<20/16))}
	if err := bodies.Offload(ctx, m); err != nil {
		log.Fatal(err)
	}
	if err := q.Topic.Send(ctx, m); err != nil {
		log.Fatal(err)
	}
	c := &workers.Consumer{
		Queue:      q,
		Middleware: []workers.Middleware{bodies.Restore()},
		Handler: func(_ context.Context, m *pubsub.Message) error {
			fmt.Println(len(m.Body))
			stop()
			return nil
		},
	}
	if err := c.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: 2097152
}
