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

	"omnibus/strangers/process"
)

const (
	bodySize     = 200
	batchSize    = 10
	wakeSamples  = 30
	startSamples = 5
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
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	client  *sqs.Client
	queue   string
	held    int // messages that were sent and are not deleted
	figures figures
}

// measure starts the endpoints and measures them, taking turns.
func measure(ctx context.Context, endpoints []endpoint, l load) ([]*figures, error) {
	var servers []*server
	var all []*figures
	for _, e := range endpoints {
		s, err := start(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		defer s.stop()
		servers = append(servers, s)
		all = append(all, &s.figures)
	}
	return all, measureAll(ctx, servers, l)
}

// start starts an endpoint a few times, for the median of the times to its first
// answer, and leaves the last running.
func start(ctx context.Context, e endpoint) (*server, error) {
	var took []time.Duration
	for {
		s, err := startOnce(ctx, e)
		if err != nil {
			return nil, err
		}
		took = append(took, s.figures.firstAnswer)
		if len(took) == startSamples {
			slices.Sort(took)
			s.figures.firstAnswer = took[len(took)/2]
			return s, nil
		}
		s.stop()
	}
}

func startOnce(ctx context.Context, e endpoint) (*server, error) {
	l0, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l0.Addr().String()
	l0.Close()

	args := e.command(addr)
	s := &server{endpoint: e, cmd: exec.CommandContext(ctx, args[0], args[1:]...), client: newClient("http://" + addr), figures: figures{name: e.name}}
	s.cmd.Env = os.Environ()
	if e.env != nil {
		s.cmd.Env = append(s.cmd.Env, e.env(addr)...)
	}
	s.cmd.Stderr = &s.stderr
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if s.queue, err = s.firstAnswer(ctx, begun); err != nil {
		s.stop()
		return nil, fmt.Errorf("no answer: %w\n%s", err, s.stderr.String())
	}
	s.figures.firstAnswer = time.Since(begun)
	return s, nil
}

// patience is how long a server may take to stop.
const patience = 10 * time.Second

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	defer time.AfterFunc(patience, func() { s.cmd.Process.Kill() }).Stop()
	s.cmd.Wait()
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

// measureAll measures everything after the start.
func measureAll(ctx context.Context, servers []*server, l load) error {
	time.Sleep(time.Second) // until the start is over
	for _, s := range servers {
		if err := s.resident(&s.figures.idle); err != nil {
			return err
		}
	}
	// Singles are drained before the queue is filled, so that all of it begins
	// with an empty queue.
	for _, p := range []phase{
		{"single sends", l.singles, 1, (*server).sendOne, func(f *figures) (*time.Duration, *rates) { return &f.single, new(rates) }},
		{"drain of singles", 0, -batchSize, (*server).drainTen, func(f *figures) (*time.Duration, *rates) { return new(time.Duration), new(rates) }},
		{"fill", l.messages, batchSize, (*server).sendTen, func(f *figures) (*time.Duration, *rates) { return &f.batch, &f.fill }},
		{"drain", 0, -batchSize, (*server).drainTen, func(f *figures) (*time.Duration, *rates) { return &f.drain, &f.empty }},
	} {
		fmt.Fprintln(os.Stderr, "measuring:", p.name)
		if err := p.run(ctx, servers, l.limit); err != nil {
			return err
		}
		if p.name == "fill" {
			for _, s := range servers {
				if err := s.resident(&s.figures.full); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range servers {
		f := &s.figures
		if s.holds && s.held == 0 { // else messages are left that no poll would wait for
			var err error
			if f.wakeMedian, f.wakeWorst, err = s.wakeUp(ctx); err != nil {
				return fmt.Errorf("%s: a waiting receive: %w", s.name, err)
			}
		}
	}
	return nil
}

// phase is a kind of load, in steps that change the number of messages held by
// size until it is n.
type phase struct {
	name    string
	n, size int
	step    func(*server, context.Context) error
	result  func(*figures) (costs *time.Duration, rates *rates)
}

// turn is how many steps of a phase a server gets before the next has its turn, so
// that all have their share of whatever else the machine does. They are whole
// batches.
const turn = 5 * batchSize

// run puts the load on each server until it holds n messages or the limit has passed
// in its turns.
func (p *phase) run(ctx context.Context, servers []*server, limit time.Duration) error {
	before := make([]time.Duration, len(servers))
	steps := make([][]time.Duration, len(servers))
	spent := make([]time.Duration, len(servers))
	for i, s := range servers {
		var err error
		if before[i], err = s.processorTime(); err != nil {
			return err
		}
	}
	for busy := true; busy; {
		busy = false
		for i, s := range servers {
			if spent[i] >= limit && len(steps[i]) > 0 {
				continue
			}
			for range turn {
				if s.held == p.n {
					break
				}
				busy = true
				begun := time.Now()
				if err := p.step(s, ctx); err != nil {
					return fmt.Errorf("%s: %s: %w", s.name, p.name, err)
				}
				took := time.Since(begun)
				s.held += p.size
				steps[i] = append(steps[i], took)
				spent[i] += took
			}
		}
	}
	for i, s := range servers {
		after, err := s.processorTime()
		if err != nil {
			return err
		}
		costs, r := p.result(&s.figures)
		r.done = len(steps[i]) * p.messages()
		*costs = (after - before[i]) / time.Duration(r.done)
		tenth := max(1, len(steps[i])/10)
		r.first = p.rate(steps[i][:tenth])
		r.last = p.rate(steps[i][len(steps[i])-tenth:])
	}
	return nil
}

// messages returns how many messages a step handles.
func (p *phase) messages() int { return max(p.size, -p.size) }

// rate returns the messages a second of some steps.
func (p *phase) rate(steps []time.Duration) float64 {
	var all time.Duration
	for _, d := range steps {
		all += d
	}
	return float64(len(steps)*p.messages()) / all.Seconds()
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
		time.Sleep(50 * time.Millisecond) // until the receive waits
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
	return process.ProcessorTime(s.cmd.Process.Pid)
}

// resident reads how many bytes of memory the server has resident.
func (s *server) resident(bytes *int) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return err
	}
	_, after, _ := strings.Cut(string(text), "\nVmRSS:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return fmt.Errorf("/proc/%d/status has no VmRSS", s.cmd.Process.Pid)
	}
	kib, err := strconv.Atoi(fields[0])
	*bytes = kib << 10
	return err
}
