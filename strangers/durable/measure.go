//go:build strangers

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"omnibus/strangers/process"
)

const (
	bodySize  = 200
	batchSize = 10
	patience  = 30 * time.Second // for a server to start or to stop
)

// load is how much is measured.
type load struct{ messages, theirs, clients int }

// figures are what was measured of a server.
type figures struct {
	name        string
	send, drain phase
}

// phase is a part of the load.
type phase struct {
	messages  int
	took      time.Duration
	processor time.Duration // of the server, user and system
}

func (p phase) rate() float64       { return float64(p.messages) / p.took.Seconds() }
func (p phase) perMessage() float64 { return float64(p.processor) / 1e3 / float64(p.messages) }

// server is a server to be measured.
type server struct {
	name string
	args []string
	env  []string
	flag string // that takes the address, or
	port string // the variable that takes the port

	cmd    *exec.Cmd
	client *sqs.Client
	queue  string
}

// measure starts a server, measures and ends it.
func (s *server) measure(ctx context.Context, l load) (*figures, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	defer s.stop()
	n := l.messages
	if s.port != "" {
		n = l.theirs - l.theirs%(l.clients*batchSize)
	}
	fmt.Fprintln(os.Stderr, "measuring:", s.name)
	f := &figures{name: s.name}
	var err error
	if f.send, err = s.phase(n, l.clients, func() (int, error) { return batchSize, s.sendTen(ctx) }); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	if f.drain, err = s.phase(n, l.clients, func() (int, error) { return s.drainTen(ctx) }); err != nil {
		return nil, fmt.Errorf("drain: %w", err)
	}
	return f, nil
}

func (s *server) start(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	args := s.args
	if s.flag != "" {
		args = append(args, s.flag, addr)
	}
	s.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), s.env...)
	if s.port != "" {
		_, port, _ := net.SplitHostPort(addr)
		s.cmd.Env = append(s.cmd.Env, s.port+port)
	}
	s.client = sqs.New(sqs.Options{
		BaseEndpoint: aws.String("http://" + addr),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer:      aws.NopRetryer{},
	})
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < patience; {
		out, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("durable")})
		if err == nil {
			s.queue = *out.QueueUrl
			return nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			s.stop()
			return err
		}
		time.Sleep(time.Millisecond)
	}
	s.stop()
	return fmt.Errorf("no answer after %v", patience)
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(patience, func() { s.cmd.Process.Kill() }).Stop()
	s.cmd.Wait()
}

// phase has clients take steps until n messages are done.
func (s *server) phase(n, clients int, step func() (int, error)) (phase, error) {
	before, err := s.processorTime()
	if err != nil {
		return phase{}, err
	}
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, clients)
	var all sync.WaitGroup
	begun := time.Now()
	for c := range clients {
		all.Go(func() {
			for errs[c] == nil && left.Add(-batchSize) >= 0 {
				done := 0
				if done, errs[c] = step(); done < batchSize {
					left.Add(int64(batchSize - done))
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begun)
	after, err := s.processorTime()
	return phase{n, took, after - before}, errors.Join(append(errs, err)...)
}

var body = strings.Repeat("x", bodySize)

func (s *server) sendTen(ctx context.Context) error {
	in := &sqs.SendMessageBatchInput{QueueUrl: &s.queue}
	for i := range batchSize {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body})
	}
	out, err := s.client.SendMessageBatch(ctx, in)
	if err == nil && len(out.Successful) != batchSize {
		err = fmt.Errorf("%d of %d were sent", len(out.Successful), batchSize)
	}
	return err
}

// drainTen receives and deletes up to ten messages, and returns how many.
func (s *server) drainTen(ctx context.Context) (int, error) {
	got, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.queue, MaxNumberOfMessages: batchSize})
	if err != nil || len(got.Messages) == 0 {
		return 0, err
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &s.queue}
	for i, m := range got.Messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := s.client.DeleteMessageBatch(ctx, in)
	if err == nil && len(out.Successful) != len(got.Messages) {
		err = fmt.Errorf("%d of %d were deleted", len(out.Successful), len(got.Messages))
	}
	return len(got.Messages), err
}

// processorTime returns what the server has used of processors so far.
func (s *server) processorTime() (time.Duration, error) {
	return process.ProcessorTime(s.cmd.Process.Pid)
}
