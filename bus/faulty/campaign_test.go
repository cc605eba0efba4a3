package faulty_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/faulty"
	"omnibus/bus/membus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
	"omnibus/workers"
)

// The campaign: producers and consumers of all kinds on queues with which all kinds of
// things go wrong, at random by a seed, in virtual time. Each seed is one run on mem://
// and one on SQS, and what must not happen is written in campaignledger_test.go.
//
//	go test -run TestCampaign -v ./bus/faulty                                 # a few seconds
//	go test -run TestCampaign -v ./bus/faulty -seeds 1-250 -messages 2000     # 1,000,000 messages
//	go test -run TestCampaign -v ./bus/faulty -seeds 17                       # seed 17 again

var (
	seeds    = flag.String("seeds", "1-2", "`range` of seeds of the campaign: 1-100, or 17")
	messages = flag.Int("messages", 250, "messages of the campaign for each seed and backend")
)

// share is how many of all calls something goes wrong with.
const share = 0.1

func TestCampaign(t *testing.T) {
	first, last := seedRange(t, *seeds)
	var total tally
	begin := time.Now()
	for seed := first; seed <= last; seed++ {
		for _, backend := range []string{"mem", "SQS"} {
			name := fmt.Sprintf("seed=%d,%s", seed, backend)
			passed := t.Run(name, func(t *testing.T) {
				broken, counted := campaign{seed: seed, backend: backend, messages: *messages}.run(t)
				for _, what := range broken {
					t.Error(what)
				}
				total.add(counted)
			})
			if !passed {
				t.Errorf("go test -run 'TestCampaign/%s$' ./bus/faulty -seeds %d -messages %d", name, seed, *messages)
			}
		}
	}
	t.Logf("seeds %d to %d on mem:// and SQS: %v, in %v", first, last, &total, time.Since(begin).Round(time.Millisecond))
}

func seedRange(t *testing.T, text string) (first, last uint64) {
	if n, _ := fmt.Sscanf(text, "%d-%d", &first, &last); n == 1 {
		last = first
	}
	if first == 0 || last < first {
		t.Fatalf("-seeds %s: want one seed or a range, from 1 on, such as 1-100", text)
	}
	return first, last
}

// A campaign is one run.
type campaign struct {
	seed     uint64
	backend  string // mem or SQS
	messages int
	sabotage workers.Middleware // around the handler, to see that the ledger finds out; or nil
}

// world is what a run has.
type world struct {
	campaign
	*ledger
	t      *testing.T
	mux    *bus.Mux
	base   string // of URLs
	engine *engine.Engine

	mu    sync.Mutex     // guards tries
	tries map[string]int // how often something was tried, by name
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// run runs the campaign, and returns what went wrong that must not.
func (c campaign) run(t *testing.T) (broken []string, counted tally) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{campaign: c, ledger: newLedger(), t: t, mux: new(bus.Mux), engine: engine.New(nil), tries: map[string]int{}}
		if c.backend == "mem" {
			w.base = "mem://"
			random := faulty.Random(c.seed, share)
			w.mux.Register(membus.Scheme, faulty.New(membus.New(&membus.Options{Engine: w.engine}), &faulty.Options{
				Fault: func(call *faulty.Call) faulty.Fault {
					f := random(call)
					w.ledger.sawFault(call, f)
					return f
				},
			}))
		} else {
			w.base = "http://127.0.0.1:9324/000000000000/"
			server := sqsserver.New(&sqsserver.Options{Engine: w.engine, Fault: w.fault})
			sqsbus.New(&sqsbus.Options{HTTPClient: server.Client(), Logger: quiet}).Register(w.mux)
		}
		w.again = c.backend == "SQS" && c.seed%2 == 0
		w.play()
		broken, counted = w.ledger.close(w.dead()), w.ledger.tally
	})
	return broken, counted
}

// draw returns a generator for something that is tried, a new one for each try.
func (w *world) draw(what string) *rand.Rand {
	w.mu.Lock()
	w.tries[what]++
	try := w.tries[what]
	w.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, what, try)
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

const groups = 8

// play sends and handles all messages.
func (w *world) play() {
	for name, s := range map[string]bus.QueueSettings{"dead": {}, "work": {}, "orders.fifo": {FIFO: new(true), ContentBasedDeduplication: new(true)}} {
		if _, err := w.engine.Create(name, s); err != nil {
			w.t.Fatal(err)
		}
	}
	var work, orders []string
	for i := range w.messages {
		if i%4 == 3 {
			orders = append(orders, fmt.Sprintf("order %d of group %d", i, i/4%groups))
		} else {
			work = append(work, fmt.Sprintf("work %d", i))
		}
	}
	ctx, stop := context.WithCancel(w.t.Context())
	var consumers, producers sync.WaitGroup
	dead := w.open("dead")
	for i := range 2 {
		consumers.Go(func() {
			w.consume(ctx, i, "work", &workers.Consumer{Concurrency: 8, DeadLetter: dead, Handler: w.handle})
		})
		consumers.Go(func() { w.consume(ctx, i, "orders.fifo", &workers.Consumer{Concurrency: 4, Handler: w.handle}) })
	}
	consumers.Go(func() {
		w.consume(ctx, 2, "work", &workers.Consumer{Concurrency: 2, DeadLetter: dead, BatchHandler: w.handleBatch, Visibility: new(time.Minute)})
	})
	out, fifo := w.open("work"), w.open("orders.fifo")
	half := len(work) / 2
	single, batch := &workers.Producer{Queue: out}, &workers.Producer{Queue: out, SendTimeout: 10 * time.Second}
	for part := range slices.Chunk(work[:half], max(1, half/8)) {
		producers.Go(func() { w.produce(single, part, 1) })
	}
	producers.Go(func() { w.produce(batch, work[half:], 10) })
	inOrder := &workers.Producer{Queue: fifo}
	for g := range groups {
		producers.Go(func() {
			w.produce(inOrder, slices.DeleteFunc(slices.Clone(orders), func(o string) bool { return group(o) != g }), 1)
		})
	}
	producers.Wait()
	for start := time.Now(); !w.empty() && time.Since(start) < 24*time.Hour; {
		time.Sleep(10 * time.Second)
	}
	stop()
	consumers.Wait()
	for _, q := range []*bus.Queue{dead, out, fifo} {
		w.shut(q)
	}
}

func group(body string) int {
	var n, g int
	if _, err := fmt.Sscanf(body, "order %d of group %d", &n, &g); err != nil {
		return -1
	}
	return g
}

func (w *world) open(name string) *bus.Queue {
	q, err := w.mux.Open(w.t.Context(), w.base+name)
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

// shut shuts a queue down, which may end before all is answered.
func (w *world) shut(q *bus.Queue) {
	if err := q.Shutdown(context.Background()); err != nil && gcerrors.Code(err) != gcerrors.DeadlineExceeded {
		w.fail("shut down: %v", err)
	}
}

// empty reports whether nothing is left to be handled.
func (w *world) empty() bool {
	for _, name := range []string{"work", "orders.fifo"} {
		q, err := w.engine.Queue(name)
		if err != nil {
			w.t.Fatal(err)
		}
		if a, _ := q.Attributes(); a.Visible+a.InFlight+a.Delayed > 0 {
			return false
		}
	}
	return true
}

// dead returns the bodies of dead letters.
func (w *world) dead() (bodies []string) {
	q, err := w.engine.Queue("dead")
	if err != nil {
		w.t.Fatal(err)
	}
	letters, err := q.Peek(2 * w.messages)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range letters {
		bodies = append(bodies, d.Body)
	}
	return bodies
}

// produce sends bodies, so many at a time, and sends again what failed.
func (w *world) produce(p *workers.Producer, bodies []string, batch int) {
	for left := slices.Clone(bodies); len(left) > 0; {
		now := left[:min(batch, len(left))]
		left = left[len(now):]
		var ms []*pubsub.Message
		for _, body := range now {
			m := &pubsub.Message{Body: []byte(body)}
			if g := group(body); g >= 0 {
				bus.Group(m, fmt.Sprint(g))
			}
			ms = append(ms, m)
			w.sending(body)
		}
		var errs []error
		if batch == 1 {
			errs = []error{p.Send(w.t.Context(), ms[0])}
		} else if errs = p.SendBatch(w.t.Context(), ms); errs == nil {
			errs = make([]error, len(ms))
		}
		var again []string
		for i, body := range now {
			if !w.answered(body, errs[i]) {
				again = append(again, body)
			}
		}
		left = append(again, left...)
	}
}

// consume runs a consumer that comes and goes.
func (w *world) consume(ctx context.Context, number int, name string, like *workers.Consumer) {
	for ctx.Err() == nil {
		life := time.Minute + time.Duration(w.draw(fmt.Sprint("life of ", number, name)).Int64N(int64(10*time.Minute)))
		run, cancel := context.WithTimeout(ctx, life)
		q := w.open(name)
		c := &workers.Consumer{
			Queue: q, Concurrency: like.Concurrency, DeadLetter: like.DeadLetter, Visibility: like.Visibility,
			Handler: like.Handler, BatchHandler: like.BatchHandler, Logger: quiet, OnDone: func(workers.Done) {},
		}
		if c.DeadLetter != nil {
			c.MaxReceives = 1000
		}
		if err := c.Run(run); err != nil {
			w.fail("a consumer ended: %v", err)
		}
		cancel()
		w.shut(q)
	}
}

func (w *world) handle(ctx context.Context, m *pubsub.Message) error {
	if w.sabotage != nil {
		return w.sabotage(w.soundly)(ctx, m)
	}
	return w.soundly(ctx, m)
}

// soundly handles a message, or fails to, as the seed says.
func (w *world) soundly(ctx context.Context, m *pubsub.Message) error {
	body, id := string(m.Body), bus.Details(m).ID
	w.began(body, id)
	if poisoned(body) {
		return workers.Permanent(errors.New("poison"))
	}
	draw := w.draw("handle " + body)
	switch n := draw.IntN(100); {
	case n < 4:
		select {
		case <-time.After(time.Duration(draw.Int64N(int64(90 * time.Second)))):
		case <-ctx.Done():
			return ctx.Err()
		}
	case n < 10:
		return errors.New("as the seed says")
	case n < 11:
		panic("as the seed says")
	}
	if !bus.AfterAck(m, func(err error) { w.acknowledged(id, err) }) {
		w.fail("acknowledgements tell nothing")
	}
	w.handled(body, id)
	return nil
}

func (w *world) handleBatch(ctx context.Context, ms []*pubsub.Message) []error {
	errs := make([]error, len(ms))
	for i, m := range ms {
		func() {
			defer func() {
				if e := recover(); e != nil {
					errs[i] = fmt.Errorf("panic: %v", e)
				}
			}()
			errs[i] = w.handle(ctx, m)
		}()
	}
	return errs
}

// A consumer that acknowledges what it has not handled is found out, and by the same seed
// again.
func TestCampaignFindsWhatIsLost(t *testing.T) {
	lazy := func(next workers.Handler) workers.Handler {
		return func(ctx context.Context, m *pubsub.Message) error {
			if h := fnv.New64a(); !poisoned(string(m.Body)) {
				h.Write(m.Body)
				if h.Sum64()%20 == 0 {
					return nil
				}
			}
			return next(ctx, m)
		}
	}
	for _, backend := range []string{"mem", "SQS"} {
		first, _ := campaign{seed: 1, backend: backend, messages: 100, sabotage: lazy}.run(t)
		again, _ := campaign{seed: 1, backend: backend, messages: 100, sabotage: lazy}.run(t)
		lost := func(what string) bool { return !strings.HasSuffix(what, " is lost") }
		first, again = slices.DeleteFunc(first, lost), slices.DeleteFunc(again, lost)
		if len(first) == 0 || !slices.Equal(first, again) {
			t.Errorf("on %s the ledger finds %q, and with the same seed %q", backend, first, again)
		}
	}
}

// poisoned reports whether a message cannot be handled.
func poisoned(body string) bool {
	h := fnv.New64a()
	io.WriteString(h, body)
	return group(body) < 0 && h.Sum64()%50 == 0
}
