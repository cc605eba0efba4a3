package sqsbus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub/awssnssqs"

	"omnibus/bus"
	"omnibus/bus/spec"
)

// cost sends n messages from so many senders to as many handlers, one receiver
// before them, with requests and handlers that take 5 ms. It returns the requests
// of each action for a message, and in all.
func (e *endpoint) cost(t *testing.T, q *bus.Queue, concurrency, n int) (all float64, text string) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var next, handled atomic.Int64
	for range concurrency {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				send(t, q, "a donor")
			}
		})
	}
	free := make(chan bool, concurrency)
	wg.Go(func() {
		var handlers sync.WaitGroup
		defer handlers.Wait()
		for {
			free <- true
			m, err := q.Subscription.Receive(ctx)
			if err != nil {
				return
			}
			handlers.Go(func() {
				time.Sleep(5 * time.Millisecond)
				m.Ack()
				<-free
				if handled.Add(1) == int64(n) {
					cancel()
				}
			})
		}
	})
	wg.Wait()
	cancel()
	time.Sleep(time.Second) // the last acknowledgements
	for _, action := range []string{"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch"} {
		text += fmt.Sprintf(" %s %.3f", action, float64(e.count(action))/float64(n))
	}
	return float64(e.count("")) / float64(n), text
}

func TestRequestsForAMessage(t *testing.T) {
	for _, c := range []struct {
		concurrency int
		most        float64
	}{{256, 0.32}, {16, 0.40}} {
		t.Run(fmt.Sprint(c.concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.open(t, "?visibility=1h")
				all, text := e.cost(t, q, c.concurrency, 1500)
				t.Logf("%.3f requests a message:%s", all, text)
				if all > c.most {
					t.Errorf("%.3f requests a message; want %.2f at most", all, c.most)
				}
				shutDown(t, q)
				e.counts(t, 0, 0, 0)
			})
		})
	}
}

func TestStockRequestsForAMessage(t *testing.T) {
	for _, concurrency := range []int{256, 16} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.latency = 5 * time.Millisecond
				e.create(t, "donors", spec.QueueSettings{})
				q := e.stock(awssnssqs.SubscriptionOptions{WaitTime: 20 * time.Second})
				all, text := e.cost(t, q, concurrency, 500)
				t.Logf("%.3f requests a message:%s", all, text)
				if all < 0.5 {
					t.Errorf("%.3f requests a message: a trap less", all)
				}
				e.stop(q)
			})
		})
	}
}
