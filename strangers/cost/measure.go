//go:build strangers

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	bodySize    = 200
	batchSize   = 10
	clockTick   = 10 * time.Millisecond // of /proc/PID/stat, on Linux
	wakeSamples = 30
)

// load is how much is measured.
type load struct {
	singles, messages int
	limit             time.Duration
}

// figures are what was measured of an endpoint.
type figures struct {
	name        string
	firstAnswer time.Duration
	idle, full  int // resident bytes
	held        int // messages in the queue when full
	single      time.Duration
	batch       time.Duration
	drain       time.Duration
	fill, empty rates
	wakeMedian  time.Duration
	wakeWorst   time.Duration
}

// rates are messages a second in the first and the last tenth of a run.
type rates struct {
	first, last float64
	done        int // messages
}

// server is a running endpoint with its client.
type server struct {
	endpoint
	pid    int
	client *sqs.Client
	queue  string
}

// measure starts an endpoint, measures it and stops it.
func measure(ctx context.Context, e endpoint, l load) (*figures, error) {
	l0, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l0.Addr().String()
	l0.Close()

	args := e.command(addr)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = os.Environ()
	if e.env != nil {
		cmd.Env = append(cmd.Env, e.env(addr)...)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}()
	s := &server{endpoint: e, pid: cmd.Process.Pid, client: newClient("http://" + addr)}
	f := &figures{name: e.name}
	if s.queue, err = s.firstAnswer(ctx, begun); err != nil {
		return nil, fmt.Errorf("no answer: %w\n%s", err, stderr.String())
	}
	f.firstAnswer = time.Since(begun)
	return f, s.figures(ctx, f, l)
}

func newClient(origin string) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &origin,
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
		Retryer:      aws.NopRetryer{},
	})
}

// firstAnswer creates the queue as soon as the endpoint answers.
func (s *server) firstAnswer(ctx context.Context, begun time.Time) (queue string, err error) {
	for time.Since(begun) < 30*time.Second {
		out, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("cost")})
		if err == nil {
			return *out.QueueUrl, nil
		}
		if ctx.Err() != nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return "", err
		}
		time.Sleep(time.Millisecond)
	}
	return "", errors.New("30 s have passed")
}

// figures measures everything after the start.
func (s *server) figures(ctx context.Context, f *figures, l load) (err error) {
	time.Sleep(time.Second) // for the start to be over
	if f.idle, err = s.resident(); err != nil {
		return err
	}
	// Singles are drained before the queue is filled, so that all of it begins
	// with an empty queue.
	if f.single, _, err = s.cost(ctx, l.singles, 1, l.limit, s.sendOne); err != nil {
		return fmt.Errorf("single sends: %w", err)
	}
	if _, _, err = s.cost(ctx, l.singles, batchSize, l.limit, s.drainTen); err != nil {
		return fmt.Errorf("drain of singles: %w", err)
	}
	if f.batch, f.fill, err = s.cost(ctx, l.messages, batchSize, l.limit, s.sendTen); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	f.held = f.fill.done
	if f.full, err = s.resident(); err != nil {
		return err
	}
	if f.drain, f.empty, err = s.cost(ctx, f.held, batchSize, l.limit, s.drainTen); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if s.holds && f.empty.done == f.held { // else messages are left that no poll would wait for
		f.wakeMedian, f.wakeWorst, err = s.wakeUp(ctx)
	}
	return err
}

// cost calls step, which handles size messages, until n are handled or the limit
// has passed. It returns the server's processor time a message, and the rates.
func (s *server) cost(ctx context.Context, n, size int, limit time.Duration, step func(context.Context) error) (time.Duration, rates, error) {
	var r rates
	before, err := s.processorTime()
	if err != nil {
		return 0, r, err
	}
	begun := time.Now()
	at := []time.Time{begun} // after each step
	for r.done < n && time.Since(begun) < limit {
		if err := step(ctx); err != nil {
			return 0, r, err
		}
		r.done += size
		at = append(at, time.Now())
	}
	after, err := s.processorTime()
	if err != nil {
		return 0, r, err
	}
	steps := len(at) - 1
	tenth := max(1, steps/10)
	r.first = float64(tenth*size) / at[tenth].Sub(at[0]).Seconds()
	r.last = float64(tenth*size) / at[steps].Sub(at[steps-tenth]).Seconds()
	return (after - before) / time.Duration(r.done), r, nil
}

var body = strings.Repeat("x", bodySize)

func (s *server) sendOne(ctx context.Context) error {
	_, err := s.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &s.queue, MessageBody: &body})
	return err
}

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

func (s *server) drainTen(ctx context.Context) error {
	got, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.queue, MaxNumberOfMessages: batchSize})
	if err != nil {
		return err
	}
	if len(got.Messages) != batchSize {
		return fmt.Errorf("a receive gave %d messages; want %d", len(got.Messages), batchSize)
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &s.queue}
	for i, m := range got.Messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := s.client.DeleteMessageBatch(ctx, in)
	if err == nil && len(out.Successful) != batchSize {
		err = fmt.Errorf("%d of %d were deleted", len(out.Successful), batchSize)
	}
	return err
}

// wakeUp measures the time from a send to the answer of a receive that waits.
func (s *server) wakeUp(ctx context.Context) (median, worst time.Duration, err error) {
	var took []time.Duration
	for range wakeSamples {
		type arrival struct {
			at  time.Time
			err error
		}
		arrived := make(chan arrival, 1)
		go func() {
			got, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.queue, WaitTimeSeconds: 20})
			at := time.Now()
			if err == nil && len(got.Messages) != 1 {
				err = fmt.Errorf("a receive that waits gave %d messages", len(got.Messages))
			}
			if err == nil {
				_, err = s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.queue, ReceiptHandle: got.Messages[0].ReceiptHandle})
			}
			arrived <- arrival{at, err}
		}()
		time.Sleep(50 * time.Millisecond) // for the receive to be waiting
		sent := time.Now()
		if err := s.sendOne(ctx); err != nil {
			return 0, 0, err
		}
		a := <-arrived
		if a.err != nil {
			return 0, 0, a.err
		}
		took = append(took, a.at.Sub(sent))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1], nil
}

// processorTime returns what the server has used of processors so far.
func (s *server) processorTime() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(text, []byte(") ")) // the name before it may hold spaces
	fields := strings.Fields(string(after))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is %q", s.pid, text)
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick, errors.Join(errUser, errSystem)
}

// resident returns the bytes of memory that the server has resident.
func (s *server) resident() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "\nVmRSS:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0, fmt.Errorf("/proc/%d/status has no VmRSS", s.pid)
	}
	kib, err := strconv.Atoi(fields[0])
	return kib << 10, err
}
