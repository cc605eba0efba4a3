//go:build strangers

// Command restarts shows that sqsd -data loses nothing when it is killed: clients send,
// receive, hide and delete messages while it is ended with SIGKILL at random and started
// again on the same directory. Each client keeps a ledger of what it was answered. In the
// end all that is left is received, and the ledgers must agree with it.
//
//	go run -tags strangers ./strangers/restarts                  # 200 kills
//	go run -tags strangers ./strangers/restarts -kills 20        # seconds
//
// It builds sqsd, runs it on loopback, and ends what it started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

func main() {
	var c campaign
	flag.IntVar(&c.kills, "kills", 200, "times that sqsd is killed")
	flag.IntVar(&c.clients, "clients", 6, "clients that send, and as many that receive")
	flag.DurationVar(&c.every, "every", 150*time.Millisecond, "mean `time` between a start and a kill")
	flag.BoolVar(&c.sync, "sync", true, "have sqsd sync; a kill loses nothing without, too")
	limit := flag.Duration("timeout", 10*time.Minute, "`time` after which to give up")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "restarts:", err)
		os.Exit(1)
	}
}

// A campaign is one run of the command.
type campaign struct {
	kills   int
	clients int
	every   time.Duration
	sync    bool

	ledger ledger
}

func (c *campaign) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "restarts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &server{data: filepath.Join(dir, "data"), sync: c.sync}
	if err := s.build(ctx, dir); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { s.kill() }()
	began := time.Now()
	queue, err := create(ctx, s.address)
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	for i := range c.clients {
		clients.Go(func() { c.ledger.send(working, newClient(s.address, queue), i) })
		clients.Go(func() { c.ledger.receive(working, newClient(s.address, queue)) })
	}
	err = c.kill(ctx, s)
	stop()
	clients.Wait()
	if err != nil {
		return err
	}
	left, err := c.ledger.drain(ctx, newClient(s.address, queue))
	if err != nil {
		return err
	}
	return c.ledger.report(os.Stdout, c, s, left, time.Since(began))
}

// kill ends the server again and again, and leaves it running.
func (c *campaign) kill(ctx context.Context, s *server) error {
	for range c.kills {
		select {
		case <-ctx.Done():
			return errors.New("the time is over")
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(c.every))):
		}
		s.kill()
		if err := s.start(ctx); err != nil {
			return err
		}
	}
	return nil
}
