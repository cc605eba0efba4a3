package workers_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
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
		p := &workers.Producer{Queue: q, Source: bodies("a"), Prepare: func(n int, m *pubsub.Message) {
			bus.SetAttribute(m, "Number", bus.Number(fmt.Sprint(n)))
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
			"Queue has no topic": {Source: bodies()},
			"Source is missing":  {Queue: q},
			"Every is -1s":       {Queue: q, Source: bodies(), Every: -time.Second},
			"Count is -1":        {Queue: q, Source: bodies(), Count: -1},
			"Concurrency is -1":  {Queue: q, Source: bodies(), Concurrency: -1},
			"SendTimeout is -1s": {Queue: q, Source: bodies(), SendTimeout: -time.Second},
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
