package lab_test

import (
	"context"
	"fmt"
	"log"

	_ "omnibus/bus/membus"
	"omnibus/lab"
)

func ExampleLab() {
	l := &lab.Lab{URL: "mem://" + lab.QueueName, Speed: 200}
	s, err := l.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Sent, s.Deleted, s.Visible, s.InFlight, s.Delayed)
	// Output: 100 100 0 0 0
}
