package engine

import (
	"cmp"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

// TestModel runs random calls on a queue and its dead-letter queue beside the
// plain model, in virtual time, and compares all that the calls return.
func TestModel(t *testing.T) {
	for name, suffix := range map[string]string{"standard": "", "fifo": ".fifo"} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) {
				newMachine(t, suffix, New(&Options{Lenient: rapid.Bool().Draw(t, "lenient")})).run(t, 20) // a longer run than Repeat makes by itself
			})
		}))
	}
}

func (m *machine) run(t *rapid.T, rounds int) {
	for range rounds {
		t.Repeat(rapid.StateMachineActions(m))
	}
	m.end(t)
}

// machine holds a queue and its dead-letter queue, twice: in the engine and as
// models.
type machine struct {
	engine  *Engine
	disk    *memdisk.Disk // what the engine is kept on, or nil
	queues  map[*model]*Queue
	main    *model
	dead    *model
	handles []handle
	ids     map[string]bool // of all messages seen
	bodies  int
}

// handle is the receipt handle of the n-th delivery of a message.
type handle struct {
	receipt string
	queue   *model
	message *modelMessage
	n       int
}

func newMachine(t *rapid.T, suffix string, e *Engine) *machine {
	fifo := suffix != ""
	m := &machine{
		engine: e,
		queues: map[*model]*Queue{},
		ids:    map[string]bool{},
	}
	ticks := 0
	create := func(name string, delay, visibility, retention time.Duration) *model {
		q, err := m.engine.Create(name+suffix, spec.QueueSettings{
			Delay: &delay, Visibility: &visibility, Retention: &retention,
		})
		if err != nil {
			t.Fatal(err)
		}
		model := &model{
			name: name + suffix, fifo: fifo, ticks: &ticks, sent: map[string]modelSent{},
			delay: delay, visibility: visibility, retention: retention,
		}
		m.queues[model] = q
		return model
	}
	m.dead = create("dead", 0, 30*time.Second, 4*24*time.Hour)
	m.main = create("main", 0, 10*time.Second, time.Hour)
	m.main.dead = m.dead
	m.setMaxReceives(t, 2)
	return m
}

func (m *machine) setMaxReceives(t *rapid.T, n int) {
	d := spec.DeadLetter{}
	if n > 0 {
		d = spec.DeadLetter{Queue: m.dead.name, MaxReceives: n}
	}
	if err := m.queues[m.main].SetAttributes(spec.QueueSettings{DeadLetter: &d}); err != nil {
		t.Fatal(err)
	}
	m.main.maxReceives = n
}

// now brings the models up to the present.
func (m *machine) now() int64 {
	now := time.Now().UnixNano()
	m.main.advance(now)
	m.dead.advance(now)
	return now
}

// queue draws one of the two queues, oftener the main one.
func (m *machine) queue(t *rapid.T) (*model, *Queue) {
	q := m.main
	if rapid.IntRange(0, 2).Draw(t, "dead-letter queue") == 2 {
		q = m.dead
	}
	return q, m.queues[q]
}

func draw[T any](t *rapid.T, label string, of ...T) T { return rapid.SampledFrom(of).Draw(t, label) }

func sameCode(t *rapid.T, what string, err error, want spec.Code) {
	t.Helper()
	got := spec.Code("")
	if err != nil && !errors.As(err, &got) {
		t.Fatalf("%s: %v, which has no code", what, err)
	}
	if got != want {
		t.Fatalf("%s: error %v, want code %q", what, err, want)
	}
}

// learn notes the id of a message that the model does not know yet.
func (m *machine) learn(t *rapid.T, d Delivery, x *modelMessage) {
	if x.id == "" {
		if m.ids[d.ID] {
			t.Fatalf("a redriven message has the id %s of an earlier one", d.ID)
		}
		m.ids[d.ID] = true
		x.id = d.ID
	}
	x.sequence = cmp.Or(x.sequence, d.SequenceNumber)
}

func (m *machine) compare(t *rapid.T, what string, q *model, got []Delivery, want []*modelMessage) {
	t.Helper()
	bodies := func(ms []*modelMessage) (out []string) {
		for _, x := range ms {
			out = append(out, x.body)
		}
		return out
	}
	if len(got) != len(want) {
		t.Fatalf("%s on %s: %d messages %v, want %d: %v", what, q.name, len(got), got, len(want), bodies(want))
	}
	for i, d := range got {
		m.learn(t, d, want[i])
		if diff := q.matches(d, want[i]); diff != "" {
			t.Fatalf("%s on %s: message %d has %s (all wanted: %v)", what, q.name, i, diff, bodies(want))
		}
	}
}

// Check compares the counts after most calls: not after all, so that the engine
// also gets to catch up with several events at once.
func (m *machine) Check(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "look") > 0 {
		m.look(t)
	}
}

func (m *machine) look(t *rapid.T) {
	now := m.now()
	for q, real := range m.queues {
		a, err := real.Attributes()
		if err != nil {
			t.Fatal(err)
		}
		want := spec.Counts{Visible: q.number("ready"), InFlight: q.number("in flight"), Delayed: q.number("delayed"), OldestAge: q.oldest(now)}
		if a.Counts != want {
			t.Fatalf("%s has %+v, want %+v", q.name, a.Counts, want)
		}
	}
}

// end lets all messages outlive the retention period. Then the queues must hold
// nothing at all.
func (m *machine) end(t *rapid.T) {
	m.look(t)
	time.Sleep(spec.MaxRetention)
	m.look(t)
	for _, real := range m.queues {
		q := real.state
		left := len(q.due.byKey) + len(q.due.heads.lanes) + len(q.age.byKey) + len(q.age.heads.lanes) + len(q.taken) +
			len(q.groups.byID) + q.groups.available.Len() + real.waiters.Len() + len(q.dedup.byID) + len(q.dedup.ids)
		if left != 0 || q.visible.head != nil || q.visible.tail != nil || real.timer != nil {
			t.Fatalf("the empty queue %s still holds %+v", q.name, q)
		}
	}
}
