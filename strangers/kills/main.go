//go:build strangers

// Command kills shows that consumers lose nothing when their processes are killed: it
// sends messages to the local endpoint while processes that consume them are ended
// with SIGKILL at random, and others take their place. Then it counts.
//
// Every message must have been handled, and one that was handled again must each time
// have been handled before by a process that was killed before the next one had it.
//
//	go run -tags strangers ./strangers/kills                    # 100,000 messages
//	go run -tags strangers ./strangers/kills -messages 2000     # seconds
//
// It runs on loopback, ends its own processes only, and those end when it does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"omnibus/bus"
	_ "omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/workers"
)

func main() {
	var c campaign
	flag.IntVar(&c.messages, "messages", 100_000, "messages to send")
	flag.IntVar(&c.processes, "processes", 4, "consumer processes at a time")
	flag.DurationVar(&c.every, "every", 400*time.Millisecond, "mean `time` between kills")
	flag.DurationVar(&c.visibility, "visibility", 5*time.Second, "visibility timeout: how long a killed process's messages are hidden")
	limit := flag.Duration("timeout", 10*time.Minute, "`time` after which to give up")
	consume := flag.String("consume", "", "be a consumer process of the queue with this `URL`")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	run := c.run
	if *consume != "" {
		run = func(ctx context.Context) error { return beConsumer(ctx, *consume) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1)
	}
}

// A campaign is one run of the command.
type campaign struct {
	messages   int
	processes  int
	every      time.Duration
	visibility time.Duration

	record record
}

func (c *campaign) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: sqsserver.New(nil)}
	go server.Serve(listener)
	defer server.Close()
	url, err := bus.Create(ctx, "http://"+listener.Addr().String()+"/000000000000/kills", bus.QueueSettings{Visibility: &c.visibility})
	if err != nil {
		return err
	}
	q, err := bus.Open(ctx, url)
	if err != nil {
		return err
	}
	defer q.Shutdown(context.WithoutCancel(ctx))

	began := time.Now()
	working, stop := context.WithCancel(ctx)
	defer stop()
	killed := make(chan error, 1)
	go func() { killed <- c.kill(working, url) }()
	if err := c.send(ctx, q); err != nil {
		return err
	}
	err = c.drained(ctx, q)
	stop()
	if err = errors.Join(err, <-killed); err != nil {
		return err
	}
	return c.record.report(os.Stdout, c.messages, time.Since(began))
}

// send sends the messages, with their numbers as bodies.
func (c *campaign) send(ctx context.Context, q *bus.Queue) error {
	p := &workers.Producer{Queue: q, Batch: 10, Concurrency: 4, Source: func(yield func([]byte, error) bool) {
		for i := range c.messages {
			if !yield(fmt.Append(nil, i), nil) {
				return
			}
		}
	}}
	if err := p.Run(ctx); err != nil {
		return err
	}
	if p.Sent() != c.messages {
		return fmt.Errorf("%d of %d messages were sent", p.Sent(), c.messages)
	}
	return nil
}

// drained returns when the queue holds no message any more.
func (c *campaign) drained(ctx context.Context, q *bus.Queue) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	var last bus.Counts
	m := &workers.Monitor{Queue: q, Every: 100 * time.Millisecond, OnSample: func(s workers.Sample) {
		if last = s.Attributes.Counts; last == (bus.Counts{}) {
			done()
		}
	}}
	if err := m.Run(ctx); err != nil {
		return err
	}
	if last != (bus.Counts{}) {
		return fmt.Errorf("the time is over, and the queue holds %+v", last)
	}
	return nil
}

// kill keeps processes running and kills one of them now and then, until ctx ends. Then
// it stops them all.
func (c *campaign) kill(ctx context.Context, url string) error {
	running := make([]*process, c.processes)
	defer func() {
		for _, p := range running {
			if p != nil {
				p.stop()
			}
		}
	}()
	for i := range running {
		var err error
		if running[i], err = c.record.start(url); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(c.every))):
		}
		i := rand.IntN(len(running))
		running[i].kill()
		var err error
		if running[i], err = c.record.start(url); err != nil {
			return err
		}
	}
}
