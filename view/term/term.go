// Package term draws the streams of package watch on a terminal: the three counts of a
// queue as a chart, what each worker does, and what happens, with keys to act on them.
//
// [Run] is the whole of it. A [Model] is the picture alone, for Bubble Tea and for tests: it
// is right at any size, and without colours.
package term

import (
	"cmp"
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"omnibus/watch"
)

// A Stage is a lab whose workers the keys act on. It is omnibus/lab.Lab, and safe for
// concurrent use.
type Stage interface {
	Workers() []watch.Worker
	Pause(worker string) error
	Resume(worker string) error
	AddConsumer(ctx context.Context, like string) (string, error)
	Remove(consumer string) error
	Crash(consumer string) error
}

// Options say what is drawn.
type Options struct {
	Title  string   // in a few words
	About  []string // what to look for, in the help
	Queues []string // names, in the order in which to show them; others come after those, sorted

	// Speed is how many times faster than the clock the stage runs; 0 means 1. Times and
	// rates are those of the stage.
	Speed int

	// Sent is how many messages are to be sent, and Handled how many are to be handled, for
	// bars that show how far that is; 0 means that nobody knows.
	Sent, Handled int

	// Window is how much of the past the chart shows; 0 means all.
	Window time.Duration

	// Stage has the workers; nil means that there are none.
	Stage Stage

	// Purge deletes the messages of the queue with a name, and returns how many there
	// were; nil means that there is no key for it. It is called in a goroutine of its own.
	Purge func(ctx context.Context, queue string) (int, error)

	// Visible makes text harmless for a terminal: it writes control characters as others.
	// It is required, and applied to all that messages, queues and errors say.
	Visible func(string) string

	// Plain is for a terminal without colours.
	Plain bool
}

// A Model is the picture. Its methods are Bubble Tea's.
type Model struct {
	o    Options
	ctx  context.Context // of what keys do
	stop func()          // ends all

	width, height int
	start, now    time.Time
	ended         bool // the work has ended

	queues   []string
	current  int // of queues
	series   map[string]*series
	workers  []watch.Worker
	doing    map[string]*doing
	selected string // worker
	log      []watch.Event
	sent     int
	handled  int

	help     bool
	purging  string // name of the queue of which it is asked whether to purge it
	notice   string // what came of the last key
	noticed  time.Time
	stopping bool
}

// New returns a model at its beginning. stop is called when the person quits.
func New(ctx context.Context, o Options, start time.Time, stop func()) *Model {
	o.Speed = max(1, o.Speed)
	return &Model{
		o: o, ctx: ctx, stop: stop, width: 80, height: 24, start: start, now: start,
		queues: slices.Clone(o.Queues), series: map[string]*series{}, doing: map[string]*doing{},
	}
}

// Messages to the model.
type (
	// Samples are new samples, oldest first.
	Samples []watch.Sample

	// Events are new events, oldest first.
	Events []watch.Event

	// Tick is the time that it is now.
	Tick time.Time

	// Ended says that the work has ended.
	Ended struct{}

	notice string
)

// noticeTime is how long it is to be read what came of a key.
const noticeTime = 5 * time.Second

// tickEvery is how often the picture changes by itself.
const tickEvery = 100 * time.Millisecond

func tick() tea.Cmd { return tea.Tick(tickEvery, func(t time.Time) tea.Msg { return Tick(t) }) }

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return tick() }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.ColorProfileMsg:
		if p := msg.String(); p == "Ascii" || p == "NoTTY" {
			m.o.Plain = true
		}
	case Tick:
		m.now = time.Time(msg)
		if m.now.Sub(m.noticed) > noticeTime {
			m.notice = ""
		}
		m.look()
		return m, tick()
	case Samples:
		for _, s := range msg {
			m.sample(s)
		}
	case Events:
		for _, e := range msg {
			m.event(e)
		}
		m.look()
	case Ended:
		m.ended = true
	case notice:
		m.notice, m.noticed = m.o.Visible(string(msg)), m.now
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

// look looks at what the workers do.
func (m *Model) look() {
	if m.o.Stage != nil {
		m.workers = m.o.Stage.Workers()
	}
}

// sample takes note of a sample.
func (m *Model) sample(s watch.Sample) {
	if !slices.Contains(m.queues, s.Name) {
		current := m.queue()
		m.queues = append(m.queues, s.Name)
		slices.Sort(m.queues[len(m.o.Queues):])
		m.current = max(0, slices.Index(m.queues, current))
	}
	of := m.series[s.Name]
	if of == nil {
		of = &series{window: m.o.Window}
		m.series[s.Name] = of
	}
	of.add(s)
}

// mostLog is how many events are kept for the log.
const mostLog = 256

// event takes note of an event.
func (m *Model) event(e watch.Event) {
	if m.log = append(m.log, e); len(m.log) > mostLog {
		m.log = slices.Delete(m.log, 0, len(m.log)-mostLog)
	}
	if e.Worker == "" {
		return
	}
	d := m.doing[e.Worker]
	if d == nil {
		d = new(doing)
		m.doing[e.Worker] = d
	}
	d.event(e)
	switch e.Kind {
	case watch.Sent:
		m.sent++
	case watch.Handled:
		m.handled++
	}
}

// doing is what a worker does and has done.
type doing struct {
	inHand *watch.Event
	latest []watch.Event // of messages it is done with, newest first
}

// mostLatest is how many events are kept of each worker.
const mostLatest = 64

func (d *doing) event(e watch.Event) {
	switch e.Kind {
	case watch.Received, watch.Redelivered:
		d.inHand = &e
		return
	case watch.Handled, watch.Failed, watch.Lost, watch.Dead:
		d.inHand = nil
	case watch.Sent:
	default:
		return
	}
	d.latest = slices.Insert(d.latest, 0, e)
	d.latest = d.latest[:min(len(d.latest), mostLatest)]
}

// queue returns the name of the queue that is drawn, "" before there is one.
func (m *Model) queue() string {
	if len(m.queues) == 0 {
		return ""
	}
	return m.queues[m.current%len(m.queues)]
}

// last returns the last sample of a queue that was read.
func (m *Model) last(queue string) watch.Sample {
	if s := m.series[queue]; s != nil {
		return s.last
	}
	return watch.Sample{}
}

// elapsed returns the time of the stage since the start.
func (m *Model) elapsed(t time.Time) time.Duration {
	return t.Sub(m.start) * time.Duration(cmp.Or(m.o.Speed, 1))
}

// A series is the past of one queue.
type series struct {
	window  time.Duration
	samples []watch.Sample
	last    watch.Sample
	err     string // of the last sample, if it could not be read
}

// mostSamples is how many samples are kept: more than any terminal has columns. When
// there are more, each two become one, so that the past gets coarser and not shorter.
const mostSamples = 2048

func (s *series) add(x watch.Sample) {
	s.err = x.Error
	if x.Error != "" {
		s.last.Requests, s.last.Dollars = x.Requests, x.Dollars
		return
	}
	s.last = x
	s.samples = append(s.samples, x)
	if s.window > 0 {
		from := x.Time.Add(-s.window)
		i, _ := slices.BinarySearchFunc(s.samples, from, func(x watch.Sample, t time.Time) int { return x.Time.Compare(t) })
		s.samples = slices.Delete(s.samples, 0, i)
	}
	if len(s.samples) < mostSamples {
		return
	}
	half := s.samples[:0]
	for i := 0; i+1 < len(s.samples); i += 2 {
		x := s.samples[i]
		x.Counts = most(x.Counts, s.samples[i+1].Counts)
		half = append(half, x)
	}
	s.samples = half
}

// most returns the greater of each count.
func most(a, b watch.Counts) watch.Counts {
	return watch.Counts{Visible: max(a.Visible, b.Visible), InFlight: max(a.InFlight, b.InFlight), Delayed: max(a.Delayed, b.Delayed)}
}
