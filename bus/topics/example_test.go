package topics_test

import (
	"context"
	"fmt"
	"strings"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
	"omnibus/bus/topics"
)

// queues are the queues of an engine, by the names that end their ARNs.
type queues struct{ *engine.Engine }

func (q queues) Queue(arn string) (*engine.Queue, error) {
	return q.Engine.Queue(arn[strings.LastIndexByte(arn, ':')+1:])
}

// Two queues subscribe to a topic.
func Example() {
	q := queues{engine.New(nil)}
	e := topics.New(topics.Options{Queues: q})
	topic := topics.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "000000000000", Resource: "donors"}
	if err := e.CreateTopic(topic, nil, nil); err != nil {
		panic(err)
	}
	for _, name := range []string{"mail", "audit"} {
		if _, err := q.Create(name, spec.QueueSettings{}); err != nil {
			panic(err)
		}
		_, err := e.Subscribe(topics.SubscribeRequest{
			TopicARN: topic.String(), Account: topic.Account,
			Protocol: "sqs", Endpoint: "arn:aws:sqs:us-east-1:000000000000:" + name,
			Attributes: map[string]string{"RawMessageDelivery": "true"},
		})
		if err != nil {
			panic(err)
		}
	}
	if _, err := e.Publish(topic.String(), "", topics.Message{Body: "Harper"}); err != nil {
		panic(err)
	}
	for _, name := range q.List("") {
		queue, err := q.Engine.Queue(name)
		if err != nil {
			panic(err)
		}
		ds, err := queue.Receive(context.Background(), engine.ReceiveRequest{})
		if err != nil {
			panic(err)
		}
		fmt.Println(name, ds[0].Body)
	}
	// Output:
	// audit Harper
	// mail Harper
}
