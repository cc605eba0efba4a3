package engine

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"omnibus/bus/journal/memdisk"
)

// A killed engine, or one whose power was cut, goes on where it was: TestModel on a
// disk, with kills between the calls.
func TestModelAcrossKills(t *testing.T) {
	for name, suffix := range map[string]string{"standard": "", "fifo": ".fifo"} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) {
				disk := &memdisk.Disk{}
				m := newMachine(t, suffix, openForTest(t, disk, rapid.Bool().Draw(t, "lenient")))
				m.disk = disk
				m.run(t, 2)
			})
		}))
	}
}

// openForTest opens an engine that writes bases often, and in small parts.
func openForTest(t *rapid.T, disk *memdisk.Disk, lenient bool) *Engine {
	e, err := openOn(disk, &Options{Lenient: lenient, reserve: 100})
	if err != nil {
		t.Fatal(err)
	}
	e.keeper.slack = int64(draw(t, "slack", 1, 1000, 10_000))
	e.keeper.chunk = draw(t, "chunk", 1, 100, 10_000)
	return e
}

// Kill ends the engine and opens another on what it has left on the disk.
func (m *machine) Kill(t *rapid.T) {
	if m.disk == nil {
		t.Skip("not on a disk")
	}
	now := m.now()
	for _, real := range m.queues { // what time has done is written, as any call would
		if _, err := real.Attributes(); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.engine.sync(); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "power cut") {
		m.disk = m.disk.Restart(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
	} else {
		m.disk = m.disk.Kill()
	}
	m.engine = openForTest(t, m.disk, m.engine.opts.Lenient)
	for q := range m.queues {
		real, err := m.engine.Queue(q.name)
		if err != nil {
			t.Fatal(err)
		}
		m.queues[q] = real
		q.killed(t, real, now)
	}
}

// killed forgets what a kill lets an engine forget: the order of waits that end at one
// time, and that in which groups became free.
func (q *model) killed(t *rapid.T, real *Queue, now int64) {
	waiting := slices.DeleteFunc(slices.Clone(q.messages), func(m *modelMessage) bool { return m.state == "ready" })
	slices.SortStableFunc(waiting, func(a, b *modelMessage) int { return cmp.Compare(a.sent, b.sent) })
	for _, m := range waiting {
		m.since, m.rank = now, q.tick()
	}
	if !q.fifo {
		return
	}
	if err := real.lock(); err != nil {
		t.Fatal(err)
	}
	defer real.unlock()
	var free []string
	for e := real.state.groups.available.Front(); e != nil; e = e.Next() {
		free = append(free, e.Value.(*group).id)
	}
	if !slices.Equal(slices.Sorted(slices.Values(free)), slices.Sorted(slices.Values(q.available))) {
		t.Fatalf("after a kill the groups %q are free, want %q", free, q.available)
	}
	q.available = free
}
