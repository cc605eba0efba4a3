// Package bus opens message queues by URL and adds to the Go CDK's portable
// types what Amazon SQS can do and they cannot say.
//
// A program sends with a *[pubsub.Topic] and receives with a
// *[pubsub.Subscription], the types of gocloud.dev/pubsub as they come; [Open]
// gives both, as the fields of a [Queue], from one URL:
//
//	q, err := bus.Open(ctx, os.Getenv("BUS_URL")) // mem://donors in a test
//	…
//	err = q.Topic.Send(ctx, &pubsub.Message{Body: []byte("hello")})
//	m, err := q.Subscription.Receive(ctx)
//	…
//	m.Ack()
//
// The escape layer is beside them: functions on messages ([Delay],
// [SetAttribute], [Group], [Details]) and methods of Queue (attributes and
// counts, visibility timeouts, purge, dead letters). It makes the same promises
// on every backend, and a backend that cannot keep one says so with
// errors.ErrUnsupported.
//
// # URLs
//
// A backend's package registers its schemes when it is imported, for example
// omnibus/bus/membus for mem://. Schemes that no backend registered go to the Go
// CDK's default mux: portable, without controls. Programs that want nothing
// global use a [Mux] of their own.
//
// # Delivery
//
// At least once: a received message that is not acknowledged before its
// visibility timeout ends is delivered again. Ack returns at once and tells
// nobody whether it came in time; [Queue.LateAcks] counts those that did not.
// Ack and Nack are to be called once, and Send's context ends the wait, not the
// sending: a Send that timed out may still be sent.
package bus
