package membus

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	cdk "gocloud.dev/pubsub/driver"
	"gocloud.dev/pubsub/mempubsub"

	"omnibus/bus"
)

// newQueues are the ways to pass a message that the benchmarks compare.
var newQueues = map[string]func(b *testing.B) *bus.Queue{
	"membus":    newMembus,
	"mempubsub": newMempubsub,
	"nothing":   newNothing,
}

func newMembus(b *testing.B) *bus.Queue {
	var mux bus.Mux
	mux.Register(Scheme, New(nil))
	q, err := mux.Open(b.Context(), "mem://bench")
	if err != nil {
		b.Fatal(err)
	}
	return q
}

func newMempubsub(b *testing.B) *bus.Queue {
	topic := mempubsub.NewTopic()
	return bus.Wrap(topic, mempubsub.NewSubscription(topic, time.Minute))
}

// nothing is a driver that does nothing but hand messages over, with the batches
// of membus.
type nothing chan *cdk.Message

func newNothing(*testing.B) *bus.Queue {
	d := make(nothing, mostBehind)
	return bus.Wrap(pubsub.NewTopic(d, sendBatches), pubsub.NewSubscription(d, receiveBatches, nil))
}

func (d nothing) SendBatch(_ context.Context, ms []*cdk.Message) error {
	for _, m := range ms {
		d <- m
	}
	return nil
}

// ReceiveBatch returns what is there, up to a hundred messages, and at least one.
func (d nothing) ReceiveBatch(ctx context.Context, _ int) ([]*cdk.Message, error) {
	ms := make([]*cdk.Message, 0, mostAhead)
	select {
	case m := <-d:
		ms = append(ms, m)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(ms) < mostAhead {
		select {
		case m := <-d:
			ms = append(ms, m)
		default:
			return ms, nil
		}
	}
	return ms, nil
}

func (d nothing) SendAcks(context.Context, []cdk.AckID) error  { return nil }
func (d nothing) SendNacks(context.Context, []cdk.AckID) error { return nil }
func (d nothing) CanNack() bool                                { return true }
func (d nothing) As(any) bool                                  { return false }
func (d nothing) ErrorAs(error, any) bool                      { return false }
func (d nothing) IsRetryable(error) bool                       { return false }
func (d nothing) ErrorCode(error) gcerrors.ErrorCode           { return gcerrors.Unknown }
func (d nothing) Close() error                                 { return nil }

// mostBehind is by how many messages the receivers may be behind the senders. A
// channel has such a limit; without one of their own, queues would be measured with a
// backlog of hundreds of thousands, which the garbage collector goes through.
const mostBehind = 1000

// BenchmarkEndToEnd passes messages through the portable types, one Send,
// Receive and Ack each, from n senders to n receivers at the same time. The row
// of a driver that does nothing is what the portable types take, that of the
// channel what Go itself takes to hand a message over.
func BenchmarkEndToEnd(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		for _, name := range []string{"membus", "mempubsub", "nothing"} {
			b.Run(fmt.Sprintf("queue=%s/workers=%d", name, n), func(b *testing.B) {
				q := newQueues[name](b)
				defer q.Shutdown(context.Background())
				b.ReportAllocs()
				b.ResetTimer()
				behind := make(chan struct{}, mostBehind)
				pass(b, n, func() error {
					behind <- struct{}{}
					return q.Topic.Send(b.Context(), &pubsub.Message{Body: benchBody})
				}, func() error {
					m, err := q.Subscription.Receive(b.Context())
					if err == nil {
						m.Ack()
						<-behind
					}
					return err
				})
			})
		}
		b.Run(fmt.Sprintf("queue=channel/workers=%d", n), func(b *testing.B) {
			ch := make(chan []byte, 1024)
			pass(b, n, func() error { ch <- benchBody; return nil }, func() error { <-ch; return nil })
		})
	}
}

var benchBody = []byte(`{"name": "Harper Pierce", "email": "harper@example.com", "donation": 97.5}`)

// pass runs b.N sends and b.N receives, each from n goroutines.
func pass(b *testing.B, n int, send, receive func() error) {
	var wg sync.WaitGroup
	for i := range n {
		share := b.N / n
		if i < b.N%n {
			share++
		}
		for _, f := range []func() error{send, receive} {
			wg.Go(func() {
				for range share {
					if err := f(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// BenchmarkKeptSends sends from 64 goroutines to a queue that is kept in a directory.
func BenchmarkKeptSends(b *testing.B) {
	var mux bus.Mux
	New(nil).Register(&mux)
	q, err := mux.Open(b.Context(), Scheme+"://bench?dir="+url.QueryEscape(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	defer q.Shutdown(context.Background())
	b.ResetTimer()
	pass(b, 64, func() error {
		return q.Topic.Send(b.Context(), &pubsub.Message{Body: benchBody})
	}, func() error { return nil })
}

// BenchmarkWakeUp measures how long a Receive that waits goes on waiting after
// the Send of its message.
func BenchmarkWakeUp(b *testing.B) {
	for _, name := range []string{"membus", "mempubsub"} {
		b.Run("queue="+name, func(b *testing.B) {
			q := newQueues[name](b)
			defer q.Shutdown(context.Background())
			received := make(chan time.Time)
			go func() {
				for {
					m, err := q.Subscription.Receive(b.Context())
					if err != nil {
						return
					}
					received <- time.Now()
					m.Ack()
				}
			}()
			var total, worst time.Duration
			for i := range b.N {
				time.Sleep(time.Duration(i%7) * time.Millisecond) // the receiver waits, at no fixed phase
				start := time.Now()
				if err := q.Topic.Send(b.Context(), &pubsub.Message{Body: benchBody}); err != nil {
					b.Fatal(err)
				}
				took := (<-received).Sub(start)
				total += took
				worst = max(worst, took)
			}
			b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/wakeup")
			b.ReportMetric(float64(worst.Microseconds()), "µs/worst")
		})
	}
}

// BenchmarkBacklog drains a queue that was filled before, with one receiver.
func BenchmarkBacklog(b *testing.B) {
	const held = 20_000
	for _, name := range []string{"membus", "mempubsub"} {
		b.Run(fmt.Sprintf("queue=%s/held=%d", name, held), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				q := newQueues[name](b)
				for range held {
					if err := q.Topic.Send(b.Context(), &pubsub.Message{Body: benchBody}); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				for range held {
					m, err := q.Subscription.Receive(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					m.Ack()
				}
				b.StopTimer()
				q.Shutdown(context.Background())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*held), "ns/message")
		})
	}
}
