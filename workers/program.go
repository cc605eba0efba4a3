package workers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"omnibus/bus"
)

// A Worker is a part of a [Program]: a [Consumer], a [Producer], a [Schedule], a
// [Monitor], an [HTTPServer], or whatever else has such a Run.
type Worker interface {
	// Run works until ctx ends; then it finishes what is in hand and returns nil, or
	// the error of ctx. What it returns before that, other than nil, is a failure.
	Run(ctx context.Context) error
}

// Run runs workers together, as a [Program] with no other settings does.
func Run(ctx context.Context, parts ...Worker) error {
	return (&Program{Parts: parts}).Run(ctx)
}

// A Program is several workers that run together and stop in order. Run is to be
// called once.
type Program struct {
	// Parts are what runs, at least one. They start together. A [Part] says a name and
	// a stage, where those that are known by the worker's type will not do.
	Parts []Worker

	// StopTimeout is how long Run waits for the parts when they are to stop; 0 means
	// 30 s. Each part has its own DrainTimeout besides.
	StopTimeout time.Duration

	// Telemetry says where it is shown what the consumers count, as by
	// [Telemetry.Watch], and the requests of the queues of consumers and producers, as
	// by [Telemetry.WatchRequests], while Run runs; nil means the global providers.
	Telemetry *Telemetry
}

// A Stage says when a [Program] stops a worker. What brings in work stops first, and
// what others may still need stops last.
type Stage int

// The stages, in the order in which they stop. A stage that does not stop holds up the
// next one until the part of StopTimeout is over that is given here.
const (
	ByType   Stage = iota // the stage that is said below for the worker's type
	Intake                // takes work from outside: HTTPServer; a sixth
	Sending               // sends by itself: Producer, Schedule; a third
	Handling              // Consumer; five sixths
	Serving               // all others, such as a Monitor, and relays of what was stored before
)

// holds are the sixths of StopTimeout after which a stage holds up the next one no
// longer.
var holds = [...]time.Duration{Intake: 1, Sending: 2, Handling: 5, Serving: 6}

// A Part is a worker with the name that errors say, "" means one made of its type and
// its queue, and the stage in which it stops.
type Part struct {
	Worker
	Name  string
	Stage Stage
}

const defaultStopTimeout = 30 * time.Second

// Run runs all parts until ctx ends or one of them fails, with an error or a panic,
// and then stops them by stages: it ends the context of the first stage's parts, waits
// for them, and goes on to the next stage. A part that returns nil is done; the others
// go on, and Run returns nil when all are done.
//
// The error is that of the part that failed, with its name, and those of others that
// failed while they stopped, joined. One that matches context.Canceled is no failure of
// a part that is to stop. When StopTimeout is over Run returns an error that names the
// parts which have not stopped; it leaves them behind, and the process had better end.
//
// Signals are the caller's: signal.NotifyContext makes a context that ends with one.
func (p *Program) Run(ctx context.Context) error {
	if err := p.validate(); err != nil {
		return err
	}
	unwatch, err := p.watch()
	if err != nil {
		return fmt.Errorf("workers: metrics of a program: %w", err)
	}
	defer unwatch()
	r := &program{ended: make(chan ending, len(p.Parts))}
	for s := range r.stages {
		r.stages[s].running = map[string]int{}
		r.stages[s].ctx, r.stages[s].stop = context.WithCancel(context.WithoutCancel(ctx))
		defer r.stages[s].stop()
	}
	for _, w := range p.Parts {
		r.start(w)
	}
	r.wait(ctx, func() bool { return len(r.running()) == 0 || len(r.failed) > 0 })
	r.stop(ctx, cmp.Or(p.StopTimeout, defaultStopTimeout))
	return errors.Join(r.failed...)
}

func (p *Program) validate() error {
	if len(p.Parts) == 0 {
		return errors.New("workers: there are no parts to run")
	}
	seen := map[any]bool{}
	for i, w := range p.Parts {
		part, ok := w.(Part)
		if ok {
			w = part.Worker
		}
		v := reflect.ValueOf(w)
		pointer := v.Kind() == reflect.Pointer
		switch {
		case w == nil || pointer && v.IsNil():
			return fmt.Errorf("workers: part %d of %d is nil", i+1, len(p.Parts))
		case part.Stage < ByType || part.Stage > Serving:
			return fmt.Errorf("workers: part %d of %d has the stage %d; use Intake, Sending, Handling or Serving", i+1, len(p.Parts), part.Stage)
		case pointer && seen[w]:
			return fmt.Errorf("workers: part %d of %d is there twice; a worker runs once", i+1, len(p.Parts))
		case pointer:
			seen[w] = true
		}
	}
	return notNegative("Program", "StopTimeout", p.StopTimeout)
}

// A program is what one call of Program.Run has. Only the goroutine that calls Run
// reads and writes it.
type program struct {
	stages [Serving + 1]stage
	ended  chan ending // has room for all parts
	failed []error
}

type stage struct {
	ctx     context.Context // of its parts
	stop    context.CancelFunc
	running map[string]int // parts that have not ended, by name
}

// An ending is what came of a part.
type ending struct {
	name  string
	stage Stage
	err   error
}

func (r *program) start(w Worker) {
	name, at := identify(w)
	s := &r.stages[at]
	s.running[name]++
	go func() {
		e, returned := ending{name: name, stage: at}, false
		defer func() {
			if !returned {
				e.err = panicked("Run", recover())
			}
			r.ended <- e
		}()
		e.err = w.Run(s.ctx)
		returned = true
	}()
}

// wait waits until there is nothing to wait for, or ctx ends.
func (r *program) wait(ctx context.Context, over func() bool) {
	for !over() {
		select {
		case e := <-r.ended:
			r.end(e)
		case <-ctx.Done():
			return
		}
	}
}

// end records what came of a part.
func (r *program) end(e ending) {
	running := r.stages[e.stage].running
	if running[e.name]--; running[e.name] == 0 {
		delete(running, e.name)
	}
	stopped := r.stages[e.stage].ctx.Err() != nil && errors.Is(e.err, context.Canceled) && !errors.Is(e.err, ErrUnconfirmed)
	if e.err != nil && !stopped {
		r.failed = append(r.failed, fmt.Errorf("workers: the %s failed: %w", e.name, e.err))
	}
}

// stop stops the stages one after the other.
func (r *program) stop(ctx context.Context, timeout time.Duration) {
	begun := time.Now()
	for s := range r.stages {
		r.stages[s].stop()
		hold, cancel := context.WithDeadline(context.WithoutCancel(ctx), begun.Add(holds[s]*timeout/6))
		r.wait(hold, func() bool { return len(r.stages[s].running) == 0 && (s < int(Serving) || len(r.running()) == 0) })
		cancel()
	}
	if late := r.running(); len(late) > 0 {
		r.failed = append(r.failed, fmt.Errorf("workers: not stopped within %v: the %s", timeout, strings.Join(late, ", the ")))
	}
}

// running returns the names of the parts that have not ended.
func (r *program) running() (names []string) {
	for _, s := range r.stages {
		names = slices.AppendSeq(names, maps.Keys(s.running))
	}
	slices.Sort(names)
	return names
}

// identify returns the name and the stage of a part.
func identify(w Worker) (name string, at Stage) {
	if known, ok := w.(interface{ part() (string, Stage) }); ok {
		return known.part()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", w), "*"), Serving
}

func (p Part) part() (string, Stage) {
	name, at := identify(p.Worker)
	return cmp.Or(p.Name, name), cmp.Or(p.Stage, at)
}

func (s *HTTPServer) part() (string, Stage) { return "HTTP server", Intake }

func (p *Producer) part() (string, Stage) { return "producer" + named(" to ", p.Queue), Sending }

func (m *Monitor) part() (string, Stage) { return "monitor" + named(" of ", m.Queue), Serving }

func (c *Consumer) part() (string, Stage) {
	name, link := "consumer", " of "
	for _, share := range c.shares() {
		if more := named(link, share.Queue); more != "" {
			name, link = name+more, " and "
		}
	}
	return name, Handling
}

func named(link string, q *bus.Queue) string {
	if q == nil || q.Name() == "" {
		return ""
	}
	return link + q.Name()
}
