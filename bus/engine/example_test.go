package engine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// A backend keeps one engine and hands its calls on. Errors carry the SQS code.
func Example() {
	ctx := context.Background()
	e := engine.New(nil)
	q, err := e.Create("donors", spec.QueueSettings{Visibility: new(20 * time.Second)})
	if err != nil {
		fmt.Println(err)
		return
	}

	if _, err := q.Send(engine.Message{
		Body: `{"name": "Harper Pierce", "donation": 97.5}`,
		Attributes: []spec.NamedAttribute{
			{Name: "JobType", Attribute: spec.Attribute{DataType: "String", StringValue: "NewDonor"}},
		},
	}); err != nil {
		fmt.Println(err)
	}

	got, err := q.Receive(ctx, engine.ReceiveRequest{Max: 10, Wait: new(10 * time.Second)})
	if err != nil {
		fmt.Println(err)
	}
	for _, d := range got {
		fmt.Println(d.Attributes[0].StringValue, d.Body, "receive", d.ReceiveCount)
		if _, err := q.Delete(d.ReceiptHandle); err != nil {
			fmt.Println(err)
		}
	}

	err = q.ChangeVisibility(got[0].ReceiptHandle, 13*time.Hour)
	fmt.Println(errors.Is(err, spec.InvalidParameterValue), err)
	// Output:
	// NewDonor {"name": "Harper Pierce", "donation": 97.5} receive 1
	// true InvalidParameterValue: Value 46800 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.
}

// A message that was received as often as the redrive policy allows goes to the
// dead-letter queue at the next receive, and a redrive brings it back.
func ExampleQueue_Redrive() {
	ctx := context.Background()
	e := engine.New(nil)
	dead, err := e.Create("dead", spec.QueueSettings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q, err := e.Create("donors", spec.QueueSettings{
		Visibility: new(time.Duration(0)), // at once visible again
		DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 2},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := q.Send(engine.Message{Body: "Lois Huber"}); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		got, err := q.Receive(ctx, engine.ReceiveRequest{})
		fmt.Println(len(got), err)
	}
	waiting, _ := dead.Peek(10)
	fmt.Println(waiting[0].Body, "from", waiting[0].DeadLetterSource)
	moved, err := dead.Redrive("", 10)
	fmt.Println(moved, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 0 <nil>
	// Lois Huber from donors
	// 1 <nil>
}
