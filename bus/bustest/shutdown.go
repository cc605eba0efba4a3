package bustest

import (
	"context"
	"fmt"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
)

func keepsShutdown(t *trial) {
	q := t.plain()
	q.send("handled")
	q.take().Ack()
	q.cancelled(1 * time.Second) // leaves a fetch behind
	if t.has(release) {          // else the portable type itself may wait for ever to hand it out
		q.send("left")
		t.settle()
	}
	q.shutdown()
	_, err := q.trySend("too late")
	t.refused(err, gcerrors.FailedPrecondition, "a send after the shutdown")
	ctx, cancel := t.timeout(t.ctx, t.patience())
	defer cancel()
	if m, err := q.next(ctx); err == nil || ctx.Err() != nil { // what error, the portable type leaves to chance
		t.Errorf("a receive after the shutdown gives %v, %v; want an error at once", m, err)
	}
}

func keepsShutdownFlush(t *trial) {
	a := t.leased(4 * time.Second)
	b := a.another()

	// Acknowledgements: Ack returns before they are sent.
	const n = 10
	for i := range n {
		a.send(fmt.Sprint("handled ", i))
	}
	var ms []*message
	for range n {
		ms = append(ms, a.take())
	}
	for _, m := range ms {
		m.Ack()
	}
	a.shutdown()
	b.none(b.lease + 1*time.Second)

	// A send whose sender no longer waits for it, and whose message is held up on
	// its way.
	c := a.another()
	ctx, cancel := context.WithCancel(t.ctx)
	held, let := make(chan bool), make(chan bool)
	result := make(chan error, 1)
	t.Go(func() { result <- c.Topic.Send(ctx, heldUp("on its way", held, let)) })
	select {
	case <-held:
	case err := <-result:
		t.Fatalf("a send returned %v before its message was sent", err)
	}
	cancel()
	<-result
	down := make(chan bool)
	t.Go(func() {
		c.shutdown()
		close(down)
	})
	t.settle()
	close(let)
	<-down
	m := b.receive()
	t.is(m, "on its way")
	m.Ack()
}

// heldUp returns a message that, once it is being sent, says so on held and goes
// on when let is closed.
func heldUp(body string, held chan<- bool, let <-chan bool) *pubsub.Message {
	return &pubsub.Message{Body: []byte(body), BeforeSend: func(func(any) bool) error {
		held <- true
		<-let
		return nil
	}}
}

func keepsShutdownRelease(t *trial) {
	a := t.plain()
	b := a.another()
	a.givesBack(a.shutdown, b)
}
