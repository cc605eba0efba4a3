//go:build strangers

package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
	"omnibus/workers"
)

// A ledger is what a producer and a consumer have sent, handled and logged.
type ledger struct {
	began    time.Time
	producer *workers.Producer
	ends     [2]*bus.Queue
	stop     [2]context.CancelFunc // of the producer, and of the consumer
	ended    [2]chan error

	mu      sync.Mutex // guards all below
	sent    map[int]bool
	handled map[int]int
	lines   map[string][]string // that were logged, by end
	heap    uint64              // the most, in bytes
	threads int                 // the most goroutines
}

// every is the time between two messages.
const every = 10 * time.Millisecond

// begin starts a producer and a consumer, each with a queue of its own to log about.
func begin(ctx context.Context, w *way) (*ledger, error) {
	l := &ledger{began: time.Now(), sent: map[int]bool{}, handled: map[int]int{}, lines: map[string][]string{}}
	for i, end := range []string{"producer", "consumer"} {
		var mux bus.Mux
		sqsbus.New(&sqsbus.Options{HTTPClient: w.client(), Logger: slog.New(lines{l, end})}).Register(&mux)
		url, err := mux.Create(ctx, "http://127.0.0.1:9324/000000000000/outages", bus.QueueSettings{})
		if err != nil {
			return nil, err
		}
		if l.ends[i], err = mux.Open(ctx, url); err != nil {
			return nil, err
		}
		l.ended[i] = make(chan error, 1)
	}
	l.producer = &workers.Producer{
		Queue: l.ends[0], Every: every, Concurrency: 16, Source: numbers, Logger: slog.New(lines{l, "producer"}),
		OnSent: func(s workers.Sent) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.sent[s.Number] = true
		},
	}
	consumer := &workers.Consumer{Queue: l.ends[1], Concurrency: 16, Logger: slog.New(lines{l, "consumer"}), Handler: l.handle, OnDone: func(workers.Done) {}}
	for i, run := range []func(context.Context) error{l.producer.Run, consumer.Run} {
		ctx, stop := context.WithCancel(ctx)
		l.stop[i] = stop
		go func() { l.ended[i] <- run(ctx) }()
	}
	go l.watch(ctx)
	return l, nil
}

func numbers(yield func([]byte, error) bool) {
	for n := 1; yield(strconv.AppendInt(nil, int64(n), 10), nil); n++ {
	}
}

func (l *ledger) handle(_ context.Context, m *pubsub.Message) error {
	n, err := strconv.Atoi(string(m.Body))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[n]++
	return err
}

// watch keeps the most memory and goroutines.
func (l *ledger) watch(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		l.mu.Lock()
		l.heap, l.threads = max(l.heap, m.HeapAlloc), max(l.threads, runtime.NumGoroutine())
		l.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// lines is a slog.Handler that prints what one end logs, and keeps it.
type lines struct {
	l   *ledger
	end string
}

func (h lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (h lines) WithAttrs([]slog.Attr) slog.Handler               { return h }
func (h lines) WithGroup(string) slog.Handler                    { return h }

func (h lines) Handle(_ context.Context, r slog.Record) error {
	text := fmt.Sprintf("%-8s %s %s", h.end, r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "queue" {
			text += fmt.Sprintf(" %s=%.90v", a.Key, a.Value)
		}
		return true
	})
	h.l.print("  " + text)
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.l.lines[h.end] = append(h.l.lines[h.end], r.Message)
	return nil
}

func (l *ledger) print(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Printf("%6.1fs  %6d sent %6d handled  %s\n", time.Since(l.began).Seconds(), len(l.sent), len(l.handled), text)
}

// goesOn returns when what has been sent by now is handled, and more is sent.
func (l *ledger) goesOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Second)
	defer cancel()
	target := 0
	for {
		l.mu.Lock()
		if target == 0 {
			target = len(l.sent) + 200
		}
		there := len(l.sent) >= target && len(l.handled) >= target
		l.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case err := <-l.ended[0]:
			return fmt.Errorf("the producer has ended: %v", err)
		case err := <-l.ended[1]:
			return fmt.Errorf("the consumer has ended: %v", err)
		case <-ctx.Done():
			l.print("stands still")
			return fmt.Errorf("they do not go on: %w", ctx.Err())
		}
	}
}

// mark returns how much each end has logged.
func (l *ledger) mark() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return map[string]int{"producer": len(l.lines["producer"]), "consumer": len(l.lines["consumer"])}
}

// check checks what each end has logged of an outage: one line when the endpoint was away
// and one when it was there again, in turn. want is how many, or -1. Lines about single
// messages, such as those that were acknowledged too late, do not count.
func (l *ledger) check(before map[string]int, want int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for end, from := range before {
		told := slices.DeleteFunc(slices.Clone(l.lines[end][from:]), func(line string) bool { return !strings.Contains(line, "answer") })
		away := 0
		for _, line := range told {
			switch {
			case strings.Contains(line, "does not answer"):
				away++
			case strings.Contains(line, "answers again"):
				away--
			}
			if away < 0 || away > 1 {
				return fmt.Errorf("the lines of the %s are not in turn: %q", end, told)
			}
		}
		if away != 0 || want >= 0 && len(told) != want {
			return fmt.Errorf("the %s logs %d lines, want %d: %q", end, len(told), want, told)
		}
	}
	return nil
}

// finish stops the producer, waits until all is handled, stops the consumer and counts.
func (l *ledger) finish(ctx context.Context) error {
	l.stop[0]()
	if err := <-l.ended[0]; err != nil {
		return fmt.Errorf("the producer: %w", err)
	}
	for {
		a, err := l.ends[0].Attributes(ctx)
		if err != nil {
			return err
		}
		if a.Visible+a.InFlight+a.Delayed == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.stop[1]()
	if err := <-l.ended[1]; err != nil {
		return fmt.Errorf("the consumer: %w", err)
	}
	for _, q := range l.ends {
		if err := q.Shutdown(ctx); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, again := 0, 0
	for n := range l.sent {
		if l.handled[n] == 0 {
			lost++
		}
	}
	for _, times := range l.handled {
		again += times - 1
	}
	fmt.Printf("%d outages in %v: %d messages sent, %d lost, %d handled again; at most %d MiB of heap, %d goroutines\n",
		len(outages), time.Since(l.began).Round(time.Second), len(l.sent), lost, again, l.heap>>20, l.threads)
	switch {
	case lost > 0:
		return fmt.Errorf("%d messages were lost", lost)
	case l.heap > 64<<20 || l.threads > 1000:
		return fmt.Errorf("memory is not bounded")
	}
	return nil
}
