package topics_test

import (
	"fmt"

	"omnibus/bus/engine"
	"omnibus/bus/topics"
)

// queues is the simplest kind of topics.Queues.
type queues func(arn string, m engine.Message) error

func (f queues) SendTo(arn string, m engine.Message) error { return f(arn, m) }

// Two queues subscribe to a topic.
func Example() {
	e := topics.New(topics.Options{Queues: queues(func(arn string, m engine.Message) error {
		fmt.Println(arn, m.Body)
		return nil
	})})
	topic := topics.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "000000000000", Resource: "donors"}
	if err := e.CreateTopic(topic, nil, nil); err != nil {
		panic(err)
	}
	for _, queue := range []string{"mail", "audit"} {
		_, err := e.Subscribe(topics.SubscribeRequest{
			TopicARN: topic.String(), Account: topic.Account,
			Protocol: "sqs", Endpoint: "arn:aws:sqs:us-east-1:000000000000:" + queue,
			Attributes: map[string]string{"RawMessageDelivery": "true"},
		})
		if err != nil {
			panic(err)
		}
	}
	if _, err := e.Publish(topic.String(), "", topics.Message{Body: "Harper"}); err != nil {
		panic(err)
	}
	// Output:
	// arn:aws:sqs:us-east-1:000000000000:mail Harper
	// arn:aws:sqs:us-east-1:000000000000:audit Harper
}
