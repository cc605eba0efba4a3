package bustest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
)

func keepsRenew(t *trial) {
	a := t.leased(4 * time.Second)
	b := a.another()
	const n = 3
	for i := range n {
		a.send(fmt.Sprint("renewed ", i))
	}
	var ms []*pubsub.Message
	var held []*message
	for range n {
		m := a.receive()
		held, ms = append(held, m), append(ms, m.Message)
	}
	var renewed span
	for range 3 {
		t.sleep(a.lease / 2)
		renewed = span{from: t.now()}
		if errs := a.Renew(t.ctx, ms...); errs != nil {
			t.Fatalf("renewing %d messages gave the errors %v; want nil", n, errs)
		}
		renewed.by = t.now()
	}
	if t.has(details) {
		t.at(bus.Details(ms[0]).VisibleAt, renewed, a.lease, "VisibleAt of a renewed message")
	}
	if t.has(visibility) { // which Renew does not go by
		a.change(held[0], 1*time.Hour)
		renewed = span{from: t.now()}
		if errs := a.Renew(t.ctx, ms...); errs != nil {
			t.Fatalf("renewing %d messages gave the errors %v; want nil", n, errs)
		}
		renewed.by = t.now()
	}
	lost := b.receive()
	t.came(lost, renewed, a.lease)
	for range n - 1 {
		m := b.receive()
		t.came(m, renewed, a.lease)
		m.Ack()
	}
	a.send("still held")
	still := a.receive()
	t.sleepUntil(renewed, a.lease) // by the clock of who held it, which begins with the answer
	errs := a.Renew(t.ctx, ms[0], still.Message)
	if len(errs) != 2 || !errors.Is(errs[0], bus.ErrLeaseLost) || errs[1] != nil {
		t.Errorf("renewing a delivery that is lost and one that is not gave the errors %v; want ErrLeaseLost for the first only", errs)
	}
	if errs := a.Renew(t.ctx); errs != nil {
		t.Errorf("renewing nothing gave the errors %v", errs)
	}
	lost.Ack()
	still.Ack()
	b.none(t.quiet())
}

func keepsGiveBack(t *trial) {
	q := t.plain()
	after := t.either(5*time.Minute, 3*time.Second)
	give := func(m *message, after time.Duration) span {
		s := span{from: t.now()}
		if err := q.GiveBack(t.ctx, m.Message, after); err != nil {
			t.Fatalf("give back %v after %v: %v", m, after, err)
		}
		s.by = t.now()
		return s
	}
	q.send("given back")
	m := q.receive()
	for _, settle := range []struct {
		by    string
		after time.Duration
		do    func(*message)
	}{
		{"Nack", after, func(m *message) {
			if m.Nackable() {
				m.Nack()
			}
		}},
		{"Ack", after, (*message).Ack},
		{"Ack", 0, (*message).Ack},
	} {
		given := give(m, settle.after)
		settle.do(m)
		t.settle()
		q.settlesNothing(m, "a delivery that was given back, followed by "+settle.by)
		again := q.receive()
		t.is(again, "given back")
		t.came(again, given, settle.after)
		m = again
	}
	for _, d := range []time.Duration{-1 * time.Second, 12*time.Hour + time.Second} {
		t.denied(q.GiveBack(t.ctx, m.Message, d), gcerrors.InvalidArgument, fmt.Sprintf("giving back after %v", d), q.URL())
	}
	given := t.instant()
	if errs := q.GiveBackBatch(t.ctx, []*pubsub.Message{m.Message}, 1*time.Second); errs != nil { // not settled by what was refused
		t.Fatalf("giving back a batch of one gave the errors %v", errs)
	}
	given.by = t.now()
	again := q.receive()
	t.came(again, given, 1*time.Second)
	again.Ack()
	q.none(t.quiet())
}

func keepsBury(t *trial) {
	source, dead := t.deadLetters(5)
	md := map[string]string{"JobType": "NewDonor", "a key": "100%"}
	source.send("hopeless", metadata(md))
	m := source.receive()
	wait := dead.begin()
	t.settle()
	buried := span{from: t.now()}
	const reason = "no such donor: 100% of them – gone"
	if err := source.Bury(t.ctx, m.Message, reason); err != nil {
		t.Fatalf("bury: %v", err)
	}
	buried.by = t.now()
	got := wait()
	t.is(got, "hopeless")
	t.came(got, buried, 0)
	for key, want := range md {
		if got.Metadata[key] != want {
			t.Errorf("the buried message has %q for the metadata %q; want %q", got.Metadata[key], key, want)
		}
	}
	for name, want := range map[string]bus.Attribute{
		bus.DeadLetterReason:       bus.String(reason),
		bus.DeadLetterReceiveCount: bus.Number("1"),
	} {
		if a := got.about.Attributes[name]; a.StringValue != want.StringValue || t.has(types) && a.DataType != want.DataType {
			t.Errorf("the buried message has the attribute %s %+v; want %+v", name, a, want)
		}
	}
	if s := got.about.Attributes[bus.DeadLetterSource].StringValue; !strings.HasSuffix(s, t.full("source")) {
		t.Errorf("the buried message is of the queue %q; want %q", s, t.full("source"))
	}
	if _, err := time.Parse(time.RFC3339, got.about.Attributes[bus.DeadLetterSent].StringValue); err != nil {
		t.Errorf("the buried message does not say when it was sent: %v", err)
	}
	source.settlesNothing(m, "a buried delivery")
	m.Nack()
	t.settle()
	if t.has(attributes) {
		source.counts(0, 0, 0)
	}
	got.Ack()
	source.none(t.quiet())
	dead.none(t.quiet())
}

func keepsBuryLimits(t *trial) {
	source, dead := t.deadLetters(5)
	for n, reason := range map[int]string{
		10: "no room for it",
		9:  strings.Repeat("a long reason ", 1000),
		8:  "",
		2:  "a\x00b\xff\uffff",
	} {
		want := map[string]bus.Attribute{"Picture": {DataType: "Binary.png", BinaryValue: []byte("\x89PNG")}}
		for i := range n - 1 {
			want[fmt.Sprint("name", i)] = bus.Attribute{DataType: "Number.price", StringValue: fmt.Sprint(i)}
		}
		var opts []option
		for name, a := range want {
			opts = append(opts, attribute(name, a))
		}
		body := fmt.Sprint("with attributes: ", n)
		source.send(body, opts...)
		m := source.receive()
		if err := source.Bury(t.ctx, m.Message, reason); err != nil {
			t.Fatalf("bury a message with %d attributes for %s: %v", n, brief(reason), err)
		}
		m.Nack()
		got := dead.receive()
		t.is(got, body)
		for name, w := range want {
			if a := got.about.Attributes[name]; a.DataType != w.DataType || a.StringValue != w.StringValue || !bytes.Equal(a.BinaryValue, w.BinaryValue) {
				t.Errorf("the attribute %s of the buried message is %+v; want %+v", name, a, w)
			}
		}
		if _, ok := got.about.Attributes[bus.DeadLetterReason]; ok != (n < 10 && reason != "") {
			t.Errorf("a message with %d attributes, buried for %s, has a reason: %t", n, brief(reason), ok)
		}
		got.Ack()
	}
	// Without a dead-letter queue nothing happens.
	dead.send("stays")
	m := dead.receive()
	err := dead.Bury(t.ctx, m.Message, "no dead-letter queue")
	t.denied(err, gcerrors.FailedPrecondition, "burying in a queue without a dead-letter queue", dead.URL())
	if errors.Is(err, bus.ErrLeaseLost) {
		t.Errorf("burying in a queue without a dead-letter queue says that the lease is lost: %v", err)
	}
	given := t.instant()
	m.Nack()
	m = dead.receive()
	t.is(m, "stays")
	t.came(m, given, 0)
	m.Ack()
	source.none(1 * time.Second)
}

// told are the answers to acknowledgements, by message.
type told struct {
	mu   sync.Mutex // guards errs
	errs map[string][]error
}

// ask has the answer to an acknowledgement of m noted.
func (a *told) ask(t *trial, m *message) {
	body := string(m.Body)
	if !bus.AfterAck(m.Message, func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.errs == nil {
			a.errs = map[string][]error{}
		}
		a.errs[body] = append(a.errs[body], err)
	}) {
		t.Fatalf("AfterAck reports that the backend does not tell")
	}
}

// lost waits until it has been told that the acknowledgement of a message was too
// late, or was not.
func (a *told) lost(t *trial, body string, lost bool) {
	t.eventually(func() string {
		a.mu.Lock()
		defer a.mu.Unlock()
		switch errs := a.errs[body]; {
		case len(errs) != 1:
			return fmt.Sprintf("of the acknowledgement of %s was told %v; want one answer", brief(body), errs)
		case !lost && errs[0] != nil:
			return fmt.Sprintf("of the acknowledgement of %s, in time, was told %v", brief(body), errs[0])
		case lost && (!errors.Is(errs[0], bus.ErrLeaseLost) || gcerrors.Code(errs[0]) != gcerrors.FailedPrecondition):
			return fmt.Sprintf("of the acknowledgement of %s, too late, was told %v; want ErrLeaseLost, of code FailedPrecondition", brief(body), errs[0])
		}
		return ""
	})
}

func keepsAckResults(t *trial) {
	a := t.leased(4 * time.Second)
	b := a.another()
	var answers told
	a.send("in time")
	m := a.receive()
	answers.ask(t, m)
	t.settle()
	if n := len(answers.errs); n != 0 {
		t.Errorf("%d answers came before an acknowledgement", n)
	}
	m.Ack()
	answers.lost(t, "in time", false)

	a.send("too late")
	m = a.receive()
	answers.ask(t, m)
	held := b.receiveAgain(m)
	t.sleepUntil(m.span, a.lease) // over by a's clock too, on whose side of the wire it may be kept
	m.Ack()
	answers.lost(t, "too late", true)
	answers.ask(t, held)
	answers.mu.Lock()
	delete(answers.errs, "too late")
	answers.mu.Unlock()
	held.Ack()
	answers.lost(t, "too late", false)

	a.send("given back")
	m = a.receive()
	answers.ask(t, m)
	if m.Nackable() {
		m.Nack()
		m = a.receive()
	}
	if t.has(giveBack) {
		answers.ask(t, m)
		if err := a.GiveBack(t.ctx, m.Message, 0); err != nil {
			t.Fatalf("give back: %v", err)
		}
		m.Ack()
		answers.lost(t, "given back", true)
		m = a.receive()
	}
	m.Ack()
	a.none(t.quiet())
	if n := len(answers.errs["given back"]); n > 1 || n == 1 && !t.has(giveBack) {
		t.Errorf("a Nack is answered as an acknowledgement: %v", answers.errs["given back"])
	}
}
