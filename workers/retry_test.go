package workers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

var errNoRoom = errors.New("no room")

// outcomes are what a handler may do, and what becomes of its message.
var outcomes = []struct {
	name    string
	handler workers.Handler
	retried bool   // the message is delivered again
	logged  string // in the log
	dead    string // the reason with which it is buried, where there are dead letters
}{
	{"success", func(context.Context, *pubsub.Message) error { return nil }, false, "", ""},
	{"error", func(context.Context, *pubsub.Message) error { return errNoRoom }, true, "no room", ""},
	{"delay", func(context.Context, *pubsub.Message) error { return workers.RetryAfter(errNoRoom, 3*time.Second) }, true, "no room", ""},
	{"permanent", func(context.Context, *pubsub.Message) error {
		return fmt.Errorf("donor: %w", workers.Permanent(errNoRoom))
	}, false, "donor: no room", "donor: no room"},
	{"drop", func(context.Context, *pubsub.Message) error { return workers.Drop(errNoRoom) }, false, "no room", ""},
	{"panic", func(context.Context, *pubsub.Message) error { panic("upside down") }, true, "retry_test.go", ""},
	{"panic with an error", func(context.Context, *pubsub.Message) error { panic(workers.Permanent(errNoRoom)) }, false, "retry_test.go", "the handler panicked: no room"},
	{"goexit", func(context.Context, *pubsub.Message) error { runtime.Goexit(); return nil }, true, "retry_test.go", ""},
}

func TestOutcomesOfAHandlerAreTheSameOnEveryBackend(t *testing.T) {
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			onBackends(t, func(t *testing.T, open func() *bus.Queue) {
				logged := captureLog(t)
				q := open()
				send(t, q, "a")
				calls := 0
				c := &workers.Consumer{Queue: q, Handler: func(ctx context.Context, m *pubsub.Message) error {
					if calls++; calls == 1 {
						return o.handler(ctx, m)
					}
					return nil
				}}
				stop := start(t, c)
				time.Sleep(time.Minute)
				if err := stop(); err != nil {
					t.Error(err)
				}
				want := workers.ConsumerStats{Received: 1, Deleted: 1}
				if o.retried || o.dead != "" { // there is nowhere to bury it
					want.Received, want.Failed = 2, 1
				}
				if q.Supports(bus.ControlDetails) {
					want.Redelivered = want.Failed
				}
				if o.name == "drop" {
					want.Dropped = 1
				}
				if s := c.Stats(); s != want || calls != want.Received {
					t.Errorf("%d calls, stats %+v; want %+v", calls, s, want)
				}
				if o.logged == "" && logged.Len() > 0 || !strings.Contains(logged.String(), o.logged) {
					t.Errorf("the log is %q, want %q in it", logged, o.logged)
				}
			})
		})
	}
}

func TestPermanentFailuresAreBuriedAtOnceAndWhole(t *testing.T) {
	for _, o := range outcomes {
		if o.dead == "" {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			for _, own := range []bool{false, true} {
				onPlaces(t, func(t *testing.T, p *place) {
					dead := p.queue("dead", bus.QueueSettings{})
					settings := bus.QueueSettings{DeadLetter: &bus.DeadLetter{Queue: "dead", MaxReceives: 5}}
					if own {
						settings.DeadLetter = nil
					}
					q := p.queue("work", settings)
					if !own && !q.Supports(bus.ControlBury) {
						return
					}
					m := &pubsub.Message{Body: []byte("a\xff"), Metadata: map[string]string{"Job Type": "new 100%"}}
					bus.SetAttribute(m, "amount", bus.Number("97.50"))
					if err := q.Topic.Send(t.Context(), m); err != nil {
						t.Fatal(err)
					}
					sent := time.Now()
					time.Sleep(time.Second)
					var told []workers.Dead
					c := &workers.Consumer{Queue: q, Max: 1, Logger: quiet, Handler: o.handler, OnDead: func(d workers.Dead) { told = append(told, d) }}
					if own {
						c.DeadLetter = dead
					}
					if err := c.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					expect(t, q, bus.Counts{})
					expect(t, dead, bus.Counts{Visible: 1})
					if s := c.Stats(); s.Dead != 1 || s.Failed != 1 || s.Deleted != 0 || s.InHand != 0 {
						t.Errorf("stats are %+v, want one failed and dead", s)
					}
					if len(told) != 1 || told[0].Receives != 1 || !errors.Is(told[0].Err, errNoRoom) {
						t.Errorf("OnDead was told %+v", told)
					}
					got := receiveOne(t, dead)
					d := bus.Details(got)
					if string(got.Body) != "a\xff" || got.Metadata["Job Type"] != "new 100%" || !reflect.DeepEqual(d.Attributes["amount"], bus.Number("97.50")) {
						t.Errorf("the buried message is %q, %v", got.Body, d.Attributes)
					}
					for name, want := range map[string]bus.Attribute{
						bus.DeadLetterReason:       bus.String(o.dead),
						bus.DeadLetterSource:       bus.String("work"),
						bus.DeadLetterReceiveCount: bus.Number("1"),
						bus.DeadLetterSent:         bus.String(sent.UTC().Format("2006-01-02T15:04:05.000Z07:00")),
					} {
						if !reflect.DeepEqual(d.Attributes[name], want) {
							t.Errorf("attribute %s is %+v, want %+v", name, d.Attributes[name], want)
						}
					}
				})
			}
		})
	}
}

func TestAMessageIsBuriedAfterMaxReceives(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		for _, suffix := range []string{"", ".fifo"} {
			dead, q := p.queue("dead"+suffix, bus.QueueSettings{}), p.queue("work"+suffix, bus.QueueSettings{})
			m := &pubsub.Message{Body: []byte("a")}
			if suffix != "" {
				bus.Group(m, "g")
				bus.Deduplicate(m, "1")
			}
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			c := &workers.Consumer{Queue: q, DeadLetter: dead, MaxReceives: 3, Logger: quiet,
				Handler: func(context.Context, *pubsub.Message) error { return errNoRoom }}
			stop := start(t, c)
			time.Sleep(time.Hour)
			if err := stop(); err != nil {
				t.Error(err)
			}
			if s := c.Stats(); s.Received != 3 || s.Dead != 1 || s.Failed != 3 {
				t.Errorf("stats are %+v; want three deliveries failed, the last of them dead", s)
			}
			expect(t, q, bus.Counts{})
			d := bus.Details(receiveOne(t, dead))
			if d.Attributes[bus.DeadLetterReason].StringValue != "no room" || d.Attributes[bus.DeadLetterReceiveCount].StringValue != "3" {
				t.Errorf("the buried message has %v", d.Attributes)
			}
		}
	})
}

// A message may end its process before there is a failure to count.
func TestAMessageReceivedTooOftenIsBuriedUnhandled(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		dead, q := p.queue("dead", bus.QueueSettings{}), p.queue("work", bus.QueueSettings{})
		send(t, q, "a")
		for range 2 {
			if _, err := q.Subscription.Receive(t.Context()); err != nil { // and dies
				t.Fatal(err)
			}
		}
		handler, handled := record()
		c := &workers.Consumer{Queue: q, DeadLetter: dead, MaxReceives: 2, Max: 1, Logger: quiet, Handler: handler}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := handled(); len(got) != 0 || c.Stats().Dead != 1 {
			t.Errorf("handled %v, stats %+v; want the message buried", got, c.Stats())
		}
		expect(t, dead, bus.Counts{Visible: 1})
	})
}

func TestAMessageThatCannotBeBuriedIsKept(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		dead, q := p.queue("dead", bus.QueueSettings{}), p.queue("work", bus.QueueSettings{})
		if err := dead.Delete(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, q, "a")
		c := &workers.Consumer{Queue: q, DeadLetter: dead, Logger: quiet,
			Handler: func(context.Context, *pubsub.Message) error { return workers.Permanent(errNoRoom) }}
		stop := start(t, c)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := c.Stats(); s.Dead != 0 || s.Failed < 4 || s.Failed > 40 {
			t.Errorf("stats are %+v; want the message retried some ten times in an hour", s)
		}
		expect(t, q, bus.Counts{InFlight: 1})
	})
}

func TestThreeSecondsOfAFailingDatabaseCostNoDeadLetter(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		dead := p.queue("dead", bus.QueueSettings{})
		q := p.queue("work", bus.QueueSettings{DeadLetter: &bus.DeadLetter{Queue: "dead", MaxReceives: 5}})
		const n = 1000
		p.fill("work", n)
		down := time.Now().Add(3 * time.Second)
		c := &workers.Consumer{Queue: q, Concurrency: 16, Logger: quiet, Handler: func(context.Context, *pubsub.Message) error {
			if time.Now().Before(down) {
				return errors.New("database is down")
			}
			return nil
		}}
		stop := start(t, c)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Error(err)
		}
		expect(t, dead, bus.Counts{})
		expect(t, q, bus.Counts{})
		if s := c.Stats(); s.Deleted != n || s.Failed == 0 {
			t.Errorf("stats are %+v; want all %d handled, after some failures", s, n)
		}
	})
}

func TestARetryComesAfterTheDelayOfThePolicyOrOfTheError(t *testing.T) {
	t.Parallel()
	onPlaces(t, func(t *testing.T, p *place) {
		for name, kind := range map[string]struct {
			policy func(error, int) time.Duration
			err    error
			want   []time.Duration
		}{
			"policy":   {func(err error, n int) time.Duration { return time.Duration(n) * time.Minute }, errNoRoom, []time.Duration{time.Minute, 2 * time.Minute}},
			"error":    {nil, workers.RetryAfter(errNoRoom, 90*time.Second), []time.Duration{90 * time.Second, 90 * time.Second}},
			"rounded":  {nil, workers.RetryAfter(errNoRoom, 1100*time.Millisecond), []time.Duration{2 * time.Second, 2 * time.Second}},
			"negative": {nil, workers.RetryAfter(errNoRoom, -time.Second), []time.Duration{0, 0}},
			"too long": {nil, workers.RetryAfter(errNoRoom, 20*time.Hour), []time.Duration{12 * time.Hour, 12 * time.Hour}},
			"for ever": {nil, workers.RetryAfter(errNoRoom, math.MaxInt64), []time.Duration{12 * time.Hour, 12 * time.Hour}},
		} {
			q := p.queue(strings.ReplaceAll(name, " ", "-"), bus.QueueSettings{})
			send(t, q, "a")
			var times []time.Time
			c := &workers.Consumer{Queue: q, Max: 3, Retry: kind.policy, Logger: quiet, Handler: func(context.Context, *pubsub.Message) error {
				times = append(times, time.Now())
				return kind.err
			}}
			if err := c.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, want := range kind.want {
				if got := times[i+1].Sub(times[i]); got != want {
					t.Errorf("%s: retry %d came after %v, want %v", name, i+1, got, want)
				}
			}
		}
	})
}

func TestBackoffGrowsAtRandomUpToItsMost(t *testing.T) {
	retry := workers.Backoff(time.Second, 15*time.Minute)
	for receives, top := range map[int]time.Duration{
		1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 9: 512 * time.Second, 10: 15 * time.Minute, 100: 15 * time.Minute, 1 << 40: 15 * time.Minute,
	} {
		least, most := top, time.Duration(0)
		for range 1000 {
			d := retry(nil, receives)
			least, most = min(least, d), max(most, d)
		}
		if least < time.Second || most > top || most-least < (top-time.Second)*9/10 {
			t.Errorf("after %d receives delays are from %v to %v, want them all over 1s to %v", receives, least, most, top)
		}
	}
	for _, bad := range [][2]time.Duration{{0, time.Second}, {2 * time.Second, time.Second}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Backoff(%v, %v) did not panic", bad[0], bad[1])
				}
			}()
			workers.Backoff(bad[0], bad[1])
		}()
	}
}

func TestAMarkedErrorIsStillTheErrorThatWasMarked(t *testing.T) {
	for name, mark := range map[string]func(error) error{
		"Permanent":  workers.Permanent,
		"Drop":       workers.Drop,
		"RetryAfter": func(err error) error { return workers.RetryAfter(err, time.Second) },
	} {
		err := mark(&fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist})
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, new(*fs.PathError)) || err.Error() != "open a: file does not exist" {
			t.Errorf("%s of an error is %v, and the error is not found in it", name, err)
		}
		if err := mark(nil); err != nil {
			t.Errorf("%s of nil is %v", name, err)
		}
	}
}

func TestEachBuriedMessageIsOneLineInTheLog(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		q, dead := p.queue("work", bus.QueueSettings{}), p.queue("dead", bus.QueueSettings{})
		send(t, q, "a")
		framed := q.Topic.Send(t.Context(), new(pubsub.Message)) // an error that has frames, for %+v
		var logged bytes.Buffer
		var id string
		c := &workers.Consumer{Queue: q, DeadLetter: dead, Max: 1, Logger: slog.New(slog.NewTextHandler(&logged, nil)), Handler: func(_ context.Context, m *pubsub.Message) error {
			id = bus.Details(m).ID
			return workers.Permanent(fmt.Errorf("no such donor: %w", framed))
		}}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		line := logged.String()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, `msg="workers: a message was buried" id=`+id+` receive_count=1 reason=`) {
			t.Errorf("the log is\n%s\nwant one line with id, count and reason", line)
		}
	})
}

func TestADeadLetterQueueOfTheOtherTypeIsRefusedAtTheStart(t *testing.T) {
	onPlaces(t, func(t *testing.T, p *place) {
		standard, fifo := p.queue("work", bus.QueueSettings{}), p.queue("work.fifo", bus.QueueSettings{})
		for _, c := range []*workers.Consumer{
			{Queue: standard, DeadLetter: fifo},
			{Queue: fifo, DeadLetter: standard},
			{Queues: []workers.Share{{Queue: standard}, {Queue: fifo}}, DeadLetter: p.queue("dead", bus.QueueSettings{})},
		} {
			c.Handler, _ = record()
			err := c.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "the dead-letter queue of a FIFO queue must be a FIFO queue") {
				t.Errorf("%s to %s: %v; want an error that says what is allowed", c.DeadLetter.Name(), "the other type", err)
			}
		}
	})
}
