//go:build unix

package sqsbus_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/driver"

	"omnibus/bus"
	"omnibus/bus/engine"
	_ "omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/workers"
)

// The benchmarks of this file compare four ways to move messages of 200 bytes
// through an SQS endpoint on loopback: a hand-written loop on the bare SDK with
// batches of ten, the Go CDK's own driver, this package's ends, and
// workers.Consumer on them. So many goroutines at once, every answer so late:
//
//	go test -run '^$' -bench Delivery ./bus/sqsbus
//
// The endpoint is a process of its own, so that cpu-µs/msg is the client's alone.

// serverEnv makes this test's program the endpoint instead. Its value is how late
// every answer is.
const serverEnv = "OMNIBUS_BENCHMARK_SERVER"

func TestMain(m *testing.M) {
	if late := os.Getenv(serverEnv); late != "" {
		serve(late)
		return
	}
	os.Exit(m.Run())
}

// serve serves until standard input ends.
func serve(late string) {
	latency, err := time.ParseDuration(late)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	queues := engine.New(&engine.Options{Lenient: true})
	server := sqsserver.New(&sqsserver.Options{Engine: queues})
	mux := http.NewServeMux()
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if latency > 0 {
			time.Sleep(latency)
		}
		server.ServeHTTP(w, r)
	}))
	mux.HandleFunc("/fill", func(w http.ResponseWriter, r *http.Request) {
		q, err := queues.Queue("donors")
		n, _ := strconv.Atoi(r.FormValue("n"))
		for range n {
			if err == nil {
				_, err = q.Send(engine.Message{Body: body})
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go http.Serve(listener, mux)
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

var body = strings.Repeat("donation ", 22) + "ab"

// An endpoint is a server process.
type endpoint struct {
	origin string
	queue  string // URL
}

// start starts an endpoint with an empty queue.
func start(b *testing.B, latency time.Duration) *endpoint {
	b.Helper()
	slog.SetLogLoggerLevel(slog.LevelError)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverEnv+"="+latency.String())
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		server.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	e := &endpoint{origin: "http://" + strings.TrimSpace(address)}
	e.queue = e.origin + "/000000000000/donors"
	if _, err := bus.Create(b.Context(), e.queue, bus.QueueSettings{}); err != nil {
		b.Fatal(err)
	}
	return e
}

// spare are messages beyond those that are counted: the bare SDK loses an answer now
// and then (see docs/traps.md), whose messages stay in flight.
const spare = 1000

// fill puts n messages into the queue.
func (e *endpoint) fill(b *testing.B, n int) {
	b.Helper()
	answer, err := http.Post(fmt.Sprintf("%s/fill?n=%d", e.origin, n), "", nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatal(err, answer)
	}
	answer.Body.Close()
}

// client returns a client of the SDK as it comes, with connections enough.
func (e *endpoint) client() *sqs.Client {
	return sqs.New(sqs.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("k", "s", ""),
		BaseEndpoint: &e.origin,
		HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 1000, 1000
		}),
	})
}

func (e *endpoint) open(b *testing.B) *bus.Queue {
	b.Helper()
	q, err := bus.Open(b.Context(), e.queue)
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// stock opens the queue with the Go CDK's own driver.
func (e *endpoint) stock() *bus.Queue {
	c := e.client()
	return bus.Wrap(
		awssnssqs.OpenSQSTopic(context.Background(), c, e.queue, nil),
		awssnssqs.OpenSubscription(context.Background(), c, e.queue, &awssnssqs.SubscriptionOptions{Raw: true, WaitTime: time.Second}),
	)
}

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs one way to move b.N messages and reports what it cost.
func measure(b *testing.B, move func()) {
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime()
	move()
	used = processorTime() - used
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/msg")
}

// each runs ways with 1 to 256 goroutines and with answers at once and 5 ms late.
func each(b *testing.B, ways map[string]func(b *testing.B, e *endpoint, concurrency int), order ...string) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		for _, concurrency := range []int{1, 16, 64, 256} {
			for _, name := range order {
				b.Run(fmt.Sprintf("late=%v/at-once=%d/%s", latency, concurrency, name), func(b *testing.B) {
					ways[name](b, start(b, latency), concurrency)
				})
			}
		}
	}
}

// together runs f in n goroutines.
func together(n int, f func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(f)
	}
	wg.Wait()
}

func BenchmarkDeliveryReceive(b *testing.B) {
	each(b, map[string]func(*testing.B, *endpoint, int){
		"bare": func(b *testing.B, e *endpoint, concurrency int) {
			e.fill(b, b.N+spare)
			c := e.client()
			var left atomic.Int64
			left.Store(int64(b.N))
			measure(b, func() {
				together(concurrency, func() {
					for left.Load() > 0 {
						n, err := receiveTen(b.Context(), c, e.queue)
						if err != nil {
							b.Error(err)
							return
						}
						left.Add(-int64(n))
					}
				})
			})
		},
		"stock": func(b *testing.B, e *endpoint, concurrency int) { receiveAll(b, e, e.stock(), concurrency) },
		"ours":  func(b *testing.B, e *endpoint, concurrency int) { receiveAll(b, e, e.open(b), concurrency) },
		"workers": func(b *testing.B, e *endpoint, concurrency int) {
			e.fill(b, b.N)
			q := e.open(b)
			c := &workers.Consumer{
				Queue: q, Concurrency: concurrency, Max: b.N,
				Handler: func(context.Context, *pubsub.Message) error { return nil },
			}
			measure(b, func() {
				if err := c.Run(b.Context()); err != nil {
					b.Error(err)
				}
				if err := q.Shutdown(b.Context()); err != nil {
					b.Error(err)
				}
			})
		},
	}, "bare", "stock", "ours", "workers")
}

// receiveTen receives and deletes up to ten messages.
func receiveTen(ctx context.Context, c *sqs.Client, queue string) (int, error) {
	out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
	if err != nil || len(out.Messages) == 0 {
		return 0, err
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &queue}
	for i, m := range out.Messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	_, err = c.DeleteMessageBatch(ctx, in)
	return len(out.Messages), err
}

// receiveAll receives and acknowledges b.N messages and shuts the queue down, which
// waits for the answers.
func receiveAll(b *testing.B, e *endpoint, q *bus.Queue, concurrency int) {
	e.fill(b, b.N+spare)
	measure(b, func() {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		var received atomic.Int64
		together(concurrency, func() {
			for {
				m, err := q.Subscription.Receive(ctx)
				if err != nil {
					if ctx.Err() == nil {
						b.Error(err)
					}
					return
				}
				m.Ack()
				if received.Add(1) == int64(b.N) {
					cancel()
				}
			}
		})
		shut, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		q.Shutdown(shut)
	})
}

func BenchmarkDeliverySend(b *testing.B) {
	each(b, map[string]func(*testing.B, *endpoint, int){
		"bare": func(b *testing.B, e *endpoint, concurrency int) {
			c := e.client()
			var left atomic.Int64
			left.Store(int64(b.N))
			measure(b, func() {
				together(concurrency, func() {
					for left.Add(-10) > -10 {
						in := &sqs.SendMessageBatchInput{QueueUrl: &e.queue}
						for i := range 10 {
							in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body})
						}
						if _, err := c.SendMessageBatch(b.Context(), in); err != nil {
							b.Error(err)
						}
					}
				})
			})
		},
		"stock": func(b *testing.B, e *endpoint, concurrency int) { sendAll(b, e.stock(), concurrency) },
		"ours":  func(b *testing.B, e *endpoint, concurrency int) { sendAll(b, e.open(b), concurrency) },
	}, "bare", "stock", "ours")
}

func sendAll(b *testing.B, q *bus.Queue, concurrency int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	measure(b, func() {
		together(concurrency, func() {
			for left.Add(-1) >= 0 {
				if err := q.Topic.Send(b.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
					b.Error(err)
				}
			}
		})
	})
	shut, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	q.Shutdown(shut)
}

// BenchmarkDeliveryPortable shows what the portable types themselves take: an end
// that has ten messages at every call and does nothing else, with the options of ours.
func BenchmarkDeliveryPortable(b *testing.B) {
	for _, concurrency := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("at-once=%d/receive", concurrency), func(b *testing.B) {
			sub := pubsub.NewSubscription(plenty{}, &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1}, &batcher.Options{MaxHandlers: 1})
			var left atomic.Int64
			left.Store(int64(b.N))
			measure(b, func() {
				together(concurrency, func() {
					for left.Add(-1) >= 0 {
						m, err := sub.Receive(b.Context())
						if err != nil {
							b.Error(err)
							return
						}
						m.Ack()
					}
				})
			})
			sub.Shutdown(context.Background())
		})
		b.Run(fmt.Sprintf("at-once=%d/send", concurrency), func(b *testing.B) {
			sendAll(b, bus.Wrap(pubsub.NewTopic(nowhere{}, &batcher.Options{MaxBatchSize: 1, MaxHandlers: 1000}), nil), concurrency)
		})
	}
}

// plenty is a subscription that always has messages.
type plenty struct{ driver.Subscription }

func (plenty) ReceiveBatch(context.Context, int) ([]*driver.Message, error) {
	ms := make([]*driver.Message, 10)
	for i := range ms {
		ms[i] = &driver.Message{Body: []byte(body), AckID: i}
	}
	return ms, nil
}
func (plenty) SendAcks(context.Context, []driver.AckID) error { return nil }
func (plenty) CanNack() bool                                  { return true }
func (plenty) IsRetryable(error) bool                         { return false }
func (plenty) Close() error                                   { return nil }

// nowhere is a topic whose messages are gone.
type nowhere struct{ driver.Topic }

func (nowhere) SendBatch(context.Context, []*driver.Message) error { return nil }
func (nowhere) IsRetryable(error) bool                             { return false }
func (nowhere) Close() error                                       { return nil }
