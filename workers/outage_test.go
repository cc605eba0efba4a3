package workers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

func TestAConsumerOutlastsAnEndpointThatIsAway(t *testing.T) {
	t.Parallel()
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 500)
		handler, handled := record()
		c := &workers.Consumer{Queue: q, Concurrency: 4, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if err := idle(ctx, time.Second); err != nil {
				return err
			}
			return handler(ctx, m)
		}}
		stop := start(t, c)
		time.Sleep(20 * time.Second)
		p.wire.lose(all)
		time.Sleep(10 * time.Minute)
		p.wire.lose(nil)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := handled()
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != 500 {
			t.Errorf("%d messages were handled, want all 500", len(got))
		}
		expect(t, q, bus.Counts{})
	})
}

// However many requests are under way, each open queue has its line when it is away, and
// one when it answers again.
func TestAConsumerAndAProducerGoOnAfterAnOutageOfTwoLinesInTheLog(t *testing.T) {
	t.Parallel()
	onSQS(t, func(t *testing.T, p *place) {
		in, out := p.queue("in", bus.QueueSettings{}), p.queue("out", bus.QueueSettings{})
		handler, handled := record()
		stop := start(t, &workers.Consumer{Queue: in, Concurrency: 16, Logger: quiet, Handler: func(ctx context.Context, m *pubsub.Message) error {
			if err := idle(ctx, time.Second); err != nil {
				return err
			}
			return handler(ctx, m)
		}})
		p.fill("in", 1000)
		producer := &workers.Producer{Queue: out, Source: workers.Repeat([]byte("a")), Count: 700, Every: time.Second, Concurrency: 8}
		sent := make(chan error, 1)
		go func() { sent <- producer.Run(t.Context()) }()
		for range 2 {
			time.Sleep(30 * time.Second)
			p.wire.lose(all)
			time.Sleep(10 * time.Minute)
			p.wire.lose(nil)
			time.Sleep(5 * time.Minute)
		}
		if err := <-sent; err != nil || producer.Sent() != 700 {
			t.Errorf("%d messages were sent: %v; want all 700", producer.Sent(), err)
		}
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		got := handled()
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != 1000 {
			t.Errorf("%d messages were handled, want all 1000", len(got))
		}
		synctest.Wait()
		for _, q := range []*bus.Queue{in, out} {
			var told []string
			for line := range strings.Lines(p.log.String()) {
				switch {
				case !strings.Contains(line, "queue="+q.URL()+" "):
				case strings.Contains(line, "does not answer") && strings.Contains(line, " action=") && strings.Contains(line, errCut.Error()):
					told = append(told, "away")
				case strings.Contains(line, "answers again") && strings.Contains(line, " away=10m"):
					told = append(told, "there")
				}
			}
			if !slices.Equal(told, []string{"away", "there", "away", "there"}) {
				t.Errorf("of %s the log says %v:\n%s\nwant two lines for each of two outages", q.Name(), told, p.log)
			}
		}
	})
}

// A consumer that was fast has fetched ahead when it slows down and the endpoint goes.
func TestLeasesThatAnOutageEndsAreOneLineInTheLog(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		p.fill("work", 2000)
		var handled atomic.Int64
		stop := start(t, &workers.Consumer{Queue: q, Logger: quiet, Handler: func(ctx context.Context, _ *pubsub.Message) error {
			if handled.Add(1) < 200 {
				return nil
			}
			return idle(ctx, 5*time.Minute)
		}})
		time.Sleep(time.Second)
		p.wire.lose(all)
		time.Sleep(4 * time.Minute)
		p.wire.lose(nil)
		if err := stop(); err != nil {
			t.Error(err)
		}
		const line = "cannot keep messages that wait"
		if strings.Count(p.log.String(), line) != 1 || strings.Contains(p.log.String(), "messages=1 ") {
			t.Errorf("the log is\n%s\nwant one line, %q, for all of several messages", p.log, line)
		}
	})
}

func TestAConsumerWaitsForAQueueThatIsGoneAndComesAgain(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		for name, visibility := range map[string]*time.Duration{"work": nil, "own": new(20 * time.Second)} {
			q := p.queue(name, bus.QueueSettings{})
			var logged bytes.Buffer
			handler, handled := record()
			c := &workers.Consumer{Queue: q, WaitForQueue: true, Visibility: visibility, Logger: slog.New(slog.NewTextHandler(&logged, nil)), Handler: handler}
			stop := start(t, c)
			for _, body := range []string{"a", "b", "c"} {
				if err := p.open(name).Topic.Send(t.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if p.wire != nil && body == "b" {
					p.wire.restart()
				} else if err := p.open(name).Delete(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				p.create(name, bus.QueueSettings{})
				time.Sleep(time.Minute)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got := handled(); !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Errorf("handled %v, want all that was sent", got)
			}
			if strings.Contains(logged.String(), ".go:") || strings.Count(logged.String(), "\n") != 6 {
				t.Errorf("the log has stack frames, or other lines:\n%s", &logged)
			}
			if gone, there := strings.Count(logged.String(), "waiting for it"), strings.Count(logged.String(), "exists again"); gone != 3 || there != 3 {
				t.Errorf("the log is\n%s\nwant a line for each of three times that the queue was gone, and was there again", &logged)
			}
		}
	})
}

// No answer but that there is no queue says that a message was not sent: it is sent
// when there is one, once.
func TestAProducerWaitsForAQueueThatIsGoneAndComesAgain(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		for name, batch := range map[string]int{"single": 1, "batches": 5, "order.fifo": 5} {
			var s bus.QueueSettings
			if strings.HasSuffix(name, ".fifo") {
				s.ContentBasedDeduplication = new(true)
			}
			q := p.queue(name, s)
			var want []string
			for i := range 100 {
				want = append(want, fmt.Sprintf("%02d", i))
			}
			var logged bytes.Buffer
			producer := &workers.Producer{
				Queue: q, Source: bodies(want...), Every: time.Duration(batch) * time.Second, Batch: batch, Concurrency: 3, WaitForQueue: true,
				Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			}
			if q.FIFO() {
				producer.Concurrency = 1
				producer.Prepare = func(_ context.Context, _ int, m *pubsub.Message) error {
					bus.Group(m, "all")
					return nil
				}
			}
			handler, handled := record()
			stop := start(t, &workers.Consumer{Queue: p.open(name), WaitForQueue: true, Logger: quiet, Handler: handler})
			sent := make(chan error, 1)
			go func() { sent <- producer.Run(t.Context()) }()
			for range 2 {
				// Sends are at whole seconds. One at the very time of Delete may be answered
				// and go with the queue, so both times are between two sends.
				time.Sleep(20*time.Second + 500*time.Millisecond)
				if err := p.open(name).Delete(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10*time.Minute + 250*time.Millisecond)
				p.create(name, s)
			}
			if err := <-sent; err != nil || producer.Sent() != len(want) || producer.Unconfirmed() != 0 {
				t.Errorf("%d messages were sent: %v; want all %d", producer.Sent(), err, len(want))
			}
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
			got := handled()
			if !q.FIFO() {
				slices.Sort(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("of %s %d messages were handled, %q; want each of %d once, and in order if it is a FIFO queue", name, len(got), got, len(want))
			}
			if gone, there := strings.Count(logged.String(), "waiting for it"), strings.Count(logged.String(), "exists again"); gone != 2 || there != 2 || strings.Count(logged.String(), "\n") != 4 {
				t.Errorf("the log is\n%s\nwant a line for each of two times that the queue was gone, and was there again", &logged)
			}
		}
	})
}

func TestAMessageThatFoundNoQueueIsNotSent(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		for _, waits := range []bool{false, true} {
			producer := &workers.Producer{Queue: p.open("work"), WaitForQueue: waits, SendTimeout: 10 * time.Second, Logger: quiet}
			err := producer.Send(t.Context(), &pubsub.Message{Body: []byte("a")})
			if gcerrors.Code(err) != gcerrors.NotFound || errors.Is(err, workers.ErrUnconfirmed) || producer.Unconfirmed() != 0 {
				t.Errorf("Send that waits (%v) for the queue returned %v, want code NotFound, and that it was not sent", waits, err)
			}
		}
	})
}

func TestAProducerThatWaitsForAQueueStopsWithinItsDrainTimeout(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		ctx, cancel := context.WithCancel(t.Context())
		producer := &workers.Producer{Queue: p.open("work"), Source: bodies("a"), WaitForQueue: true, DrainTimeout: 5 * time.Second, Logger: quiet}
		ended := make(chan error, 1)
		go func() { ended <- producer.Run(ctx) }()
		time.Sleep(time.Hour)
		cancel()
		begin := time.Now()
		if err := <-ended; gcerrors.Code(err) != gcerrors.NotFound || time.Since(begin) > 5*time.Second {
			t.Errorf("the stop took %v: %v; want code NotFound, since a message was not sent", time.Since(begin), err)
		}
	})
}

func TestAConsumerWaitsForAQueueThatDoesNotExistYet(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) { // opening it creates it on membus
		handler, handled := record()
		stop := start(t, &workers.Consumer{Queue: p.open("work"), WaitForQueue: true, Logger: quiet, Handler: handler})
		time.Sleep(time.Hour)
		send(t, p.queue("work", bus.QueueSettings{}), "a")
		time.Sleep(time.Minute)
		if err := stop(); err != nil || len(handled()) != 1 {
			t.Errorf("handled %v (%v), want the message", handled(), err)
		}
	})
}

func TestAConsumerThatWaitsForAQueueStops(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		handler, _ := record()
		stop := start(t, &workers.Consumer{Queue: p.open("work"), WaitForQueue: true, Logger: quiet, Handler: handler})
		time.Sleep(time.Hour)
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) > time.Second {
			t.Errorf("the stop took %v: %v", time.Since(begin), err)
		}
	})
}

func TestWithoutWaitForQueueAMissingQueueEndsRun(t *testing.T) {
	onSQS(t, func(t *testing.T, p *place) {
		handler, _ := record()
		err := (&workers.Consumer{Queue: p.open("work"), Handler: handler}).Run(t.Context())
		if gcerrors.Code(err) != gcerrors.NotFound {
			t.Errorf("Run returned %v, want code NotFound", err)
		}
	})
}

// The endpoint gives messages and takes no deletions.
func TestAcknowledgementsThatAreNotAnsweredDoNotFillTheMemory(t *testing.T) {
	t.Parallel()
	onSQS(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{Visibility: new(12 * time.Hour)})
		const n = 6_000
		p.fill("work", n)
		p.wire.lose(func(action string) bool { return action == "DeleteMessageBatch" })
		var handled atomic.Int64
		c := &workers.Consumer{Queue: q, Concurrency: 16, Logger: quiet, Handler: func(context.Context, *pubsub.Message) error {
			handled.Add(1)
			return nil
		}}
		stop := start(t, c)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if k := handled.Load(); k > 5000 {
			t.Errorf("%d messages are handled and not deleted, want no more than some thousand", k)
		}
		p.wire.lose(nil)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Deleted != n {
			t.Errorf("stats are %+v, want all deleted in the end", s)
		}
	})
}

func TestRunLeavesNoGoroutine(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		before := runtime.NumGoroutine()
		for range 20 {
			handler, _ := record()
			stop := start(t, &workers.Consumer{Queue: q, Visibility: new(time.Minute), Concurrency: 4, Handler: handler})
			send(t, q, "a", "b")
			time.Sleep(time.Minute)
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if after := runtime.NumGoroutine(); after > before+2 { // the Topic's own
			t.Errorf("%d goroutines before and %d after", before, after)
		}
	})
}
