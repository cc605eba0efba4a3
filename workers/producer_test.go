package workers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
	"omnibus/workers"
)

// bodies is a source of the strings given.
func bodies(all ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range all {
			if !yield([]byte(b), nil) {
				return
			}
		}
	}
}

func TestProducerSendsAtItsPace(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		begin := time.Now()
		var at []time.Duration
		p := &workers.Producer{
			Queue: q, Source: bodies("a", "b", "c"), Every: time.Second,
			Metadata: map[string]string{"JobType": "NewDonor"},
			OnSent:   func(workers.Sent) { at = append(at, time.Since(begin)) },
		}
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("messages were sent at %v, want %v", at, want)
		}
		if p.Sent() != 3 {
			t.Errorf("Sent is %d, want 3", p.Sent())
		}
		for range 3 {
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Ack()
			if m.Metadata["JobType"] != "NewDonor" {
				t.Errorf("metadata is %v", m.Metadata)
			}
		}
	})
}

func TestSendsAreNoCloserThanEveryHoweverLongOneTakes(t *testing.T) {
	ms := time.Millisecond
	for name, c := range map[string]struct {
		concurrency          int
		slowSend, slowSource time.Duration // for the first
		want                 []time.Duration
	}{
		"a slow send":             {1, 250 * ms, 0, []time.Duration{0, 250 * ms, 350 * ms, 450 * ms}},
		"a slow source":           {1, 0, 250 * ms, []time.Duration{0, 250 * ms, 350 * ms, 450 * ms}},
		"a slow send, and others": {2, 250 * ms, 0, []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mux bus.Mux
				begin := time.Now()
				var mu sync.Mutex // guards at
				var at []time.Duration
				mux.Register(membus.Scheme, faulty.New(membus.New(nil), &faulty.Options{Fault: func(call *faulty.Call) (f faulty.Fault) {
					if call.Operation == faulty.Send {
						mu.Lock()
						defer mu.Unlock()
						if len(at) == 0 {
							f.Before = c.slowSend
						}
						at = append(at, time.Since(begin))
					}
					return f
				}}))
				source := func(yield func([]byte, error) bool) {
					for i := range 4 {
						if !yield([]byte{'0' + byte(i)}, nil) {
							return
						}
						if i == 0 {
							time.Sleep(c.slowSource)
						}
					}
				}
				p := &workers.Producer{Queue: openQueue(t, &mux, "mem://work"), Source: source, Every: 100 * ms, Concurrency: c.concurrency}
				if err := p.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(at, c.want) {
					t.Errorf("messages were sent at %v, want %v", at, c.want)
				}
			})
		})
	}
}

func TestProducerDelaysItsMessages(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("?delay=5s")
		for _, test := range []struct {
			delay *time.Duration
			want  time.Duration
		}{{nil, 5 * time.Second}, {new(time.Duration(0)), 0}, {new(10 * time.Second), 10 * time.Second}} {
			p := &workers.Producer{Queue: q, Source: bodies("a"), Delay: test.delay}
			if err := p.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Ack()
			if took := time.Since(begin); took != test.want {
				t.Errorf("the message came after %v, want %v", took, test.want)
			}
		}
	})
}

func TestProducerStopsCleanly(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &workers.Producer{Queue: open(), Source: workers.Repeat([]byte("a")), Every: time.Second}
		result := make(chan error, 1)
		go func() { result <- p.Run(ctx) }()
		time.Sleep(2500 * time.Millisecond)
		cancel()
		synctest.Wait()
		select {
		case err := <-result:
			if err != nil || p.Sent() != 3 {
				t.Errorf("Run returned %v after %d messages, want nil after 3", err, p.Sent())
			}
		default:
			t.Fatal("Run goes on after its context has ended")
		}
	})
}

// A pipe on which nobody writes, as a program's standard input may be.
func TestStoppedProducerDoesNotWaitForItsSource(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		defer w.Close()
		p := &workers.Producer{Queue: open(), Source: workers.Documents("pipe", r)}
		result := make(chan error, 1)
		go func() { result <- p.Run(ctx) }()
		w.Write([]byte("1\n"))
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		select {
		case err := <-result:
			if err != nil || p.Sent() != 1 {
				t.Errorf("Run returned %v after %d messages, want nil after 1", err, p.Sent())
			}
		default:
			t.Error("Run waits for the next line after its context has ended")
		}
	})
}

// A source that opens a file closes it before Run returns, and is not asked for
// more than is sent.
func TestProducerEndsItsSource(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		asked, ended := 0, false
		source := func(yield func([]byte, error) bool) {
			defer func() { ended = true }()
			for {
				if asked++; !yield([]byte("a"), nil) {
					return
				}
			}
		}
		p := &workers.Producer{Queue: open(""), Source: source, Count: 3}
		if err := p.Run(t.Context()); err != nil || asked != 3 || !ended {
			t.Errorf("Run returned %v, the source was asked %d times and has ended: %t; want nil, 3 and true", err, asked, ended)
		}
	})
}

// What was sent and what was counted agree: a Send in progress may go on, but not
// for ever.
func TestStoppedProducerGivesUpSendsThatAreNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := pubsub.NewTopic(silent{make(chan struct{})}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		p := &workers.Producer{Queue: bus.Wrap(topic, nil), Source: bodies("a", "b"), Concurrency: 2, DrainTimeout: 5 * time.Second}
		result := make(chan error, 1)
		go func() { result <- p.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		stopped := time.Now()
		err := <-result
		if took := time.Since(stopped); took != 5*time.Second {
			t.Errorf("Run returned %v after the stop, want 5 s", took)
		}
		if !errors.Is(err, workers.ErrUnconfirmed) || p.Sent() != 0 || p.Unconfirmed() != 2 {
			t.Errorf("Run returned %v; %d sent, %d unconfirmed; want ErrUnconfirmed, 0 and 2", err, p.Sent(), p.Unconfirmed())
		}
		expired, end := context.WithCancel(t.Context())
		end()
		topic.Shutdown(expired)
	})
}

// silent is a topic that answers no Send before it is closed.
type silent struct{ closed chan struct{} }

func (s silent) SendBatch(ctx context.Context, _ []*driver.Message) error {
	select {
	case <-s.closed:
	case <-ctx.Done():
	}
	return errors.New("no answer")
}
func (s silent) Close() error                     { close(s.closed); return nil }
func (silent) IsRetryable(error) bool             { return false }
func (silent) As(any) bool                        { return false }
func (silent) ErrorAs(error, any) bool            { return false }
func (silent) ErrorCode(error) gcerrors.ErrorCode { return gcerrors.Unknown }

func TestProducerEndsAfterCount(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		p := &workers.Producer{Queue: open(), Source: workers.Repeat([]byte("a")), Count: 7, Concurrency: 3}
		if err := p.Run(t.Context()); err != nil || p.Sent() != 7 {
			t.Errorf("Run returned %v after %d messages, want nil after 7", err, p.Sent())
		}
	})
}

func TestProducerPreparesMessages(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		p := &workers.Producer{Queue: q, Source: bodies("a"), Prepare: func(_ context.Context, n int, m *pubsub.Message) error {
			bus.SetAttribute(m, "Number", bus.Number(fmt.Sprint(n)))
			return nil
		}}
		var sent workers.Sent
		p.OnSent = func(s workers.Sent) { sent = s }
		if err := p.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		m, err := q.Subscription.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m.Ack()
		d := bus.Details(m)
		if a := d.Attributes["Number"]; a.DataType != "Number" || a.StringValue != "1" {
			t.Errorf("attribute is %+v, want the Number 1", a)
		}
		if sent.ID == "" || sent.ID != d.ID {
			t.Errorf("OnSent told id %q, the receiver %q", sent.ID, d.ID)
		}
	})
}

func TestProducerSaysWhetherAMessageMayHaveBeenSentAtATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := pubsub.NewTopic(silent{make(chan struct{})}, nil)
		slow := func(ctx context.Context, _ int, _ *pubsub.Message) error {
			<-ctx.Done() // and then goes on regardless
			return nil
		}
		for _, test := range []struct {
			prepare     func(context.Context, int, *pubsub.Message) error
			unconfirmed bool
		}{{nil, true}, {slow, false}} {
			p := &workers.Producer{Queue: bus.Wrap(topic, nil), Source: bodies("a"), SendTimeout: 3 * time.Second, Prepare: test.prepare}
			begin := time.Now()
			err := p.Run(t.Context())
			if took := time.Since(begin); took != 3*time.Second {
				t.Errorf("Run took %v, want the SendTimeout of 3 s", took)
			}
			if errors.Is(err, workers.ErrUnconfirmed) != test.unconfirmed || !errors.Is(err, context.DeadlineExceeded) || p.Unconfirmed() > 0 != test.unconfirmed {
				t.Errorf("Run returned %v, %d unconfirmed; want DeadlineExceeded, and ErrUnconfirmed: %t", err, p.Unconfirmed(), test.unconfirmed)
			}
		}
		expired, end := context.WithCancel(t.Context())
		end()
		topic.Shutdown(expired)
	})
}

func TestProducerSendsNothingThatCannotBePrepared(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		failure := errors.New("no group for it")
		p := &workers.Producer{Queue: open(), Source: bodies("a", "b", "c"), Prepare: func(_ context.Context, n int, _ *pubsub.Message) error {
			if n == 2 {
				return failure
			}
			return nil
		}}
		err := p.Run(t.Context())
		if !errors.Is(err, failure) || !strings.Contains(err.Error(), "message 2: not sent") || p.Sent() != 1 {
			t.Errorf("Run returned %v after %d messages; want Prepare's error for message 2, after 1", err, p.Sent())
		}
	})
}

func TestProducerRefusesMoreThanTenAttributes(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		metadata := map[string]string{}
		for i := range 11 {
			metadata[fmt.Sprintf("n%02d", i)] = "v"
		}
		p := &workers.Producer{Queue: open(), Source: bodies("a"), Metadata: metadata}
		err := p.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), `11 attributes, ["n00" "n01"`) || !strings.Contains(err.Error(), "at most 10") || p.Sent() != 0 {
			t.Errorf("Run returned %v after %d messages; want an error that names the attributes and what is allowed", err, p.Sent())
		}
	})
}

func TestProducerSendsInBatches(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		q := open()
		var want []string
		for i := range 25 {
			want = append(want, fmt.Sprintf("%02d", i))
		}
		var sent []workers.Sent
		p := &workers.Producer{Queue: q, Source: bodies(want...), Batch: 10, Count: 23, OnSent: func(s workers.Sent) { sent = append(sent, s) }}
		if err := p.Run(t.Context()); err != nil || p.Sent() != 23 {
			t.Fatalf("Run returned %v after %d messages, want nil after 23", err, p.Sent())
		}
		handler, handled := record()
		if err := (&workers.Consumer{Queue: q, Handler: handler, Max: 23}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := handled()
		slices.Sort(got)
		if !slices.Equal(got, want[:23]) {
			t.Errorf("handled were %q, want the first 23", got)
		}
		for i, s := range sent {
			if s.Number != i+1 || string(s.Body) != want[i] {
				t.Errorf("OnSent was told %d %q in place %d", s.Number, s.Body, i)
			}
		}
	})
}

// A line of a terminal does not wait for nine others.
func TestABatchDoesNotWaitForAWaitingSource(t *testing.T) {
	onBackends(t, func(t *testing.T, open func() *bus.Queue) {
		r, w := io.Pipe()
		var at []time.Duration
		begin := time.Now()
		p := &workers.Producer{Queue: open(), Source: workers.Documents("pipe", r), Batch: 10,
			OnSent: func(workers.Sent) { at = append(at, time.Since(begin).Round(100*time.Millisecond)) }}
		result := make(chan error, 1)
		go func() { result <- p.Run(t.Context()) }()
		w.Write([]byte("1\n2\n"))
		time.Sleep(time.Minute)
		w.Write([]byte("3\n"))
		time.Sleep(time.Minute)
		w.Close()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if want := []time.Duration{100 * time.Millisecond, 100 * time.Millisecond, time.Minute + 100*time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("messages were sent at %v, want %v", at, want)
		}
	})
}

func TestSendAndSendBatchAddWhatTheProducerSetsAndLeaveTheMessageAsItIs(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		p := &workers.Producer{Queue: q, Delay: new(10 * time.Second), Metadata: map[string]string{"JobType": "NewDonor", "Producer": "Slow"}}
		m := &pubsub.Message{Body: []byte("a"), Metadata: map[string]string{"Producer": "Fast"}}
		own := &pubsub.Message{Body: []byte("b")}
		bus.Delay(own, 5*time.Second)
		begin := time.Now()
		if err := p.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if errs := p.SendBatch(t.Context(), []*pubsub.Message{m, own}); errs != nil {
			t.Fatal(errs)
		}
		if len(m.Metadata) != 1 || m.BeforeSend != nil || p.Sent() != 3 {
			t.Errorf("%d messages were sent, and the caller's is %+v; want 3, and it left alone", p.Sent(), m)
		}
		for range 3 {
			got, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.Ack()
			producer, delay := "Fast", 10*time.Second
			if string(got.Body) == "b" {
				producer, delay = "Slow", 5*time.Second
			}
			if d := time.Since(begin); got.Metadata["JobType"] != "NewDonor" || got.Metadata["Producer"] != producer || d != delay {
				t.Errorf("%q came after %v with %v; want %v, and from %s", got.Body, d, got.Metadata, delay, producer)
			}
		}
		if err := new(workers.Producer).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "no topic") {
			t.Errorf("a producer without a queue gave %v", err)
		}
	})
}

func TestSendBatchSaysOfEachMessageWhetherItMayHaveBeenSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := pubsub.NewTopic(silent{make(chan struct{})}, nil)
		p := &workers.Producer{Queue: bus.Wrap(topic, nil), SendTimeout: 3 * time.Second}
		tooMany := map[string]string{}
		for i := range 11 {
			tooMany[fmt.Sprint(i)] = "v"
		}
		errs := p.SendBatch(t.Context(), []*pubsub.Message{{Body: []byte("a")}, {Body: []byte("b"), Metadata: tooMany}, {Body: []byte("c")}})
		for i, unconfirmed := range []bool{true, false, true} {
			if len(errs) != 3 || errs[i] == nil || errors.Is(errs[i], workers.ErrUnconfirmed) != unconfirmed {
				t.Errorf("message %d of a batch that is not answered: %v; want an error that matches ErrUnconfirmed: %t", i, errs, unconfirmed)
			}
		}
		if p.Unconfirmed() != 2 || p.Sent() != 0 {
			t.Errorf("%d sent, %d unconfirmed; want 0 and 2", p.Sent(), p.Unconfirmed())
		}
		expired, end := context.WithCancel(t.Context())
		end()
		topic.Shutdown(expired)
	})
}

func TestProducerReturnsWhatFails(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		broken := func(yield func([]byte, error) bool) {
			_ = yield([]byte("a"), nil) && yield(nil, errors.New("unreadable"))
		}
		p := &workers.Producer{Queue: q, Source: broken}
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "read message 2: unreadable") || p.Sent() != 1 {
			t.Errorf("Run returned %v after %d messages, want the source's error after 1", err, p.Sent())
		}
		p = &workers.Producer{Queue: q, Source: bodies("a", "\x00", "c")}
		err := p.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "send message 2") || gcerrors.Code(err) != gcerrors.InvalidArgument {
			t.Errorf("Run returned %v (%v), want that message 2 is refused as invalid", err, gcerrors.Code(err))
		}
	})
}

func TestProducerRefusesBadSettings(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("")
		for want, p := range map[string]*workers.Producer{
			"Queue has no topic":  {Source: bodies()},
			"Source is missing":   {Queue: q},
			"Every is -1s":        {Queue: q, Source: bodies(), Every: -time.Second},
			"Count is -1":         {Queue: q, Source: bodies(), Count: -1},
			"Batch is -1":         {Queue: q, Source: bodies(), Batch: -1},
			"Concurrency is -1":   {Queue: q, Source: bodies(), Concurrency: -1},
			"SendTimeout is -1s":  {Queue: q, Source: bodies(), SendTimeout: -time.Second},
			"DrainTimeout is -1s": {Queue: q, Source: bodies(), DrainTimeout: -time.Second},
		} {
			if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run returned %v, want an error with %q", err, want)
			}
		}
	})
}

func TestMonitorSamplesAtOnceAndThenAtItsPace(t *testing.T) {
	inMemory(t, func(t *testing.T, open func(string) *bus.Queue) {
		q := open("?delay=2s")
		send(t, q, "a", "b")
		begin := time.Now()
		var at []time.Duration
		var visible []int
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		m := &workers.Monitor{Queue: q, OnSample: func(s workers.Sample) {
			at = append(at, s.Time.Sub(begin))
			visible = append(visible, s.Attributes.Visible)
		}}
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("samples were taken at %v, want %v", at, want)
		}
		if want := []int{0, 0, 2, 2}; !slices.Equal(visible, want) {
			t.Errorf("visible messages are %v, want %v", visible, want)
		}
	})
}

func TestMonitorSaysThatAttributesAreUnsupported(t *testing.T) {
	m := &workers.Monitor{Queue: bus.Wrap(nil, nil), OnSample: func(workers.Sample) {}}
	if err := m.Run(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Run returned %v, want errors.ErrUnsupported", err)
	}
	if err := (&workers.Monitor{}).Run(t.Context()); err == nil {
		t.Error("a monitor without a queue ran")
	}
}

// A bufio.Scanner, for one, uses the memory of a line again for the next.
func TestASourceMayUseTheMemoryOfABodyAgain(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q := p.queue("work", bus.QueueSettings{})
		const sent = 300
		producer := &workers.Producer{Queue: q, Batch: 10, Concurrency: 4, Source: func(yield func([]byte, error) bool) {
			memory := make([]byte, 3)
			for i := range sent {
				copy(memory, fmt.Sprintf("%03d", i))
				if !yield(memory, nil) {
					return
				}
			}
		}}
		if err := producer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		bodies := map[string]bool{}
		for range sent {
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			bodies[string(m.Body)] = true
			m.Ack()
		}
		if len(bodies) != sent {
			t.Errorf("%d different bodies came of %d that were sent", len(bodies), sent)
		}
	})
}
