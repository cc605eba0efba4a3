// Package omnibus is the front page of a message bus with pluggable backends, and
// holds the data of its lab.
//
// Producers and consumers are written once, against the portable types of the Go
// CDK (gocloud.dev/pubsub). A URL in an environment variable decides whether they
// run on memory in a test, on a local SQS endpoint, or on Amazon SQS.
//
// # Where to begin
//
// With package [omnibus/bus], which opens a queue by its URL, and an import for
// each backend that the program is to know:
//
//	import (
//		"omnibus/bus"
//		_ "omnibus/bus/membus" // mem://
//		_ "omnibus/bus/sqsbus" // the URLs of SQS queues
//	)
//
//	q, err := bus.Open(ctx, os.Getenv("BUS_URL"))
//
// The directory examples has programs and tests to copy. To see a queue at work,
// run the lab: go run ./cmd/omnibus lab -speed 10.
//
// # What there is
//
//   - [omnibus/bus]: the portable ends of a queue, and beside them what SQS can do
//     and they cannot say
//   - [omnibus/bus/membus], [omnibus/bus/plainbus], [omnibus/bus/sqsbus]: the
//     backends
//   - [omnibus/workers]: a producer, a consumer and a monitor
//   - [omnibus/bus/sqsserver]: an SQS endpoint for tests, as a handler and as an
//     HTTP client without a socket
//   - [omnibus/bus/driver] and [omnibus/bus/bustest]: to write a backend, and to
//     hold it to what all of them promise
//   - [omnibus/lab]: the lab in one process
//   - cmd/omnibus and cmd/sqsd: the command line, and the endpoint as a daemon
package omnibus

import _ "embed"

// The donors that the lab's producers send, fifty each: a JSON array of objects
// with name, email and donation.
var (
	//go:embed testdata/donors-fast.json
	FastDonors []byte
	//go:embed testdata/donors-slow.json
	SlowDonors []byte
)
