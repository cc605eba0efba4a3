// Package bus opens message queues by URL and adds to the Go CDK's portable
// types what Amazon SQS can do and they cannot say.
//
// # Opening
//
// A program sends with a *[gocloud.dev/pubsub.Topic] and receives with a
// *[gocloud.dev/pubsub.Subscription], the types of the Go CDK as they come; [Open]
// gives both, as the fields of a [Queue], from one URL:
//
//	q, err := bus.Open(ctx, os.Getenv("BUS_URL")) // mem://donors in a test
//	…
//	defer q.Shutdown(ctx)
//
// A backend's package registers its schemes when it is imported, for example
// omnibus/bus/membus for mem://. Schemes that no backend registered go to the Go
// CDK's default mux: portable, without controls. Programs that want nothing
// global use a [Mux] of their own. [Queue.Shutdown] ends within 10 s, and says
// what was not confirmed by then.
//
// # Sending
//
//	m := &pubsub.Message{Body: []byte("hello")}
//	bus.Delay(m, 10*time.Second)
//	err = q.Topic.Send(ctx, m)
//
// Functions on a message say what the portable type cannot, before Send: [Delay],
// [SetAttribute], [Group], [Deduplicate], [StoreSent]. The context of a Send ends
// the wait, not the sending: a Send that timed out may still be sent.
//
// # Receiving
//
//	m, err := q.Subscription.Receive(ctx)
//	…
//	fmt.Println(bus.Details(m).ReceiveCount)
//
// Delivery is at least once: a received message that is not settled before its
// visibility timeout ends, its lease, is delivered again. [Queue.OpenReceiver]
// opens further receivers of a queue, with visibility timeouts of their own.
//
// # Settling
//
// Every delivery is settled once. Ack deletes the message. Nack makes it visible at
// once; [Queue.GiveBack] does so after a delay, and [Queue.Bury] moves it to the
// dead-letter queue. [Queue.Renew] keeps it for longer. Ack returns at once:
// [AfterAck] tells what became of it, [Queue.LateAcks] counts those that came too
// late.
//
// # Controls
//
// What a backend may or may not have beyond the portable types is a [Control]:
// [Controls] lists them, and [Queue.Supports] tells whether a queue has one. A
// control makes the same promises on every backend. [Create], [List], and the
// methods of Queue for attributes, purge, dead letters and deletion are controls
// too.
//
// # Errors
//
// Errors name the operation and the queue, without secrets in its URL, and have a
// code of the Go CDK: see [gocloud.dev/gcerrors.Code]. What a backend lacks matches
// errors.ErrUnsupported, a delivery that does not hold its message any more
// [ErrLeaseLost], and a Shutdown that could not confirm everything
// [UnconfirmedError].
package bus
