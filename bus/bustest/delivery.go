package bustest

import (
	"context"
	"fmt"
	"sync"
)

// delivered are messages that something on the way may want to change: bodies
// that look like an encoding or an envelope, and names and values that SQS does
// not allow as they are. Bodies have no characters that SQS refuses.
var delivered = []struct {
	body     string
	metadata map[string]string
}{
	{`{"name": "Harper Pierce", "donation": 97.5}`, nil},
	{"with metadata", map[string]string{"JobType": "NewDonor", "Producer": "Slow"}},
	{" leading and trailing \t\r\n", nil},
	{"zażółć gęślą jaźń 日本 🎁 \uFFFD", nil},
	{"\xff\xfe\x00\x80 is not UTF-8", nil},
	{"aGVsbG8=", nil}, // base64 of its own
	{"100% %25 a%2Fb a+b", nil},
	{`<a href="x">&amp;</a> "quotes" \ and 'more'`, nil},
	{`{"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": "an envelope of SNS", "MessageAttributes": {"a": {"Type": "String", "Value": "b"}}}`, nil},
	{"names", map[string]string{
		"with space": "1", "ключ": "2", ".dots..and": "3", "semi;colon=": "4", "__0x41__": "5", "a/b?c%20": "6", "UPPER": "7", "🎁": "8",
	}},
	{"values", map[string]string{
		"percent": "100%", "escaped": "%25", "plus": "a+b c", "unicode": "naïve — 日本 🎁", "lines": "a\nb\r\n\tc", "quotes": `"'\<&>`, "spaces": "  x  ",
	}},
}

func keepsDelivery(t *trial) {
	q := t.plain()
	want := map[string]map[string]string{}
	for _, m := range delivered {
		q.send(m.body, metadata(m.metadata))
		want[m.body] = m.metadata
	}
	for range delivered {
		m := q.take()
		md, ok := want[string(m.Body)]
		if !ok {
			t.Fatalf("%v came, which was not sent, or came before", m)
		}
		t.carries(m, md)
		delete(want, string(m.Body))
		m.Ack()
	}
	q.none(t.quiet())
}

const (
	manySenders   = 8
	manyReceivers = 8
	manyEach      = 16 // messages of each sender
)

func keepsConcurrentDelivery(t *trial) {
	q := t.plain()
	for i := range manySenders {
		t.Go(func() {
			for j := range manyEach {
				if _, err := q.trySend(fmt.Sprintf("%d of sender %d", j, i)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	t.collect(manySenders*manyEach, manyReceivers, q)
	q.none(t.quiet())
}

// collect receives and acknowledges n different messages, with so many receivers
// on each of the queues, and checks that none comes twice.
func (t *trial) collect(n, receivers int, queues ...*queue) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	var mu sync.Mutex // guards all below
	seen := map[string]bool{}
	giveUp := t.after(t.patience(), cancel)
	defer func() { giveUp() }()
	var wg sync.WaitGroup
	for i := range receivers * len(queues) {
		q := queues[i%len(queues)]
		wg.Go(func() {
			for {
				m, err := q.next(ctx)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("receive: %v", err)
					}
					return
				}
				m.Ack()
				mu.Lock()
				giveUp()
				giveUp = t.after(t.patience(), cancel)
				if seen[string(m.Body)] {
					t.Errorf("%v came twice", m)
				}
				seen[string(m.Body)] = true
				if len(seen) == n {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d messages came of %d sent", len(seen), n)
	}
	for _, q := range queues {
		q.release()
	}
}

func keepsCompetingConsumers(t *trial) {
	a := t.plain()
	b := a.another()
	for _, from := range []*queue{a, b} {
		for _, to := range []*queue{a, b} {
			from.send("shared")
			to.receive().Ack()
		}
	}
	for i := range 20 {
		a.send(fmt.Sprintf("shared %d", i))
	}
	t.collect(20, 2, a, b)
}

func keepsNack(t *trial) {
	q := t.plain()
	q.send("given back")
	m := q.receive()
	if !m.Nackable() {
		t.Logf("the backend's messages are not nackable")
		return
	}
	given := span{from: t.now()}
	m.Nack()
	given.by = t.now()
	again := q.receive()
	t.is(again, "given back")
	t.came(again, given, 0)
	if n := again.about.ReceiveCount; t.has(details) && n != 2 {
		t.Errorf("the message has the receive count %d at its second delivery; want 2", n)
	}
	again.Ack()
	q.none(t.quiet())
}

func keepsNackOthers(t *trial) {
	a := t.plain()
	b := a.another()
	a.send("given back")
	m := a.receive()
	wait := b.begin()
	t.settle()
	given := span{from: t.now()}
	m.Nack()
	given.by = t.now()
	again := wait()
	t.came(again, given, 0)
	again.Ack()
}
