package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

// openWithDead opens an engine with a dead-letter queue that holds n messages of a
// kilobyte.
func openWithDead(t *testing.T, disk *memdisk.Disk, n int) (e *Engine, q, dead *Queue) {
	t.Helper()
	e = reopen(t, disk)
	dead = create(t, e, "dead", spec.QueueSettings{})
	q = create(t, e, "q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	for range n {
		send(t, dead, Message{Body: strings.Repeat("x", 1000)})
	}
	return e, q, dead
}

// longestFrame returns the length of the longest frame on a disk.
func longestFrame(t *testing.T, disk *memdisk.Disk) (n int) {
	t.Helper()
	_, err := journal.Open(disk, journal.Options{}, func(content []byte) error {
		n = max(n, len(content))
		return nil
	})
	ok(t, err)
	return n
}

// A frame must not become longer than can be read again, however much is moved.
func TestARedriveIsWrittenInParts(t *testing.T) {
	for name, redrive := range map[string]func(*Queue) (int, error){
		"the first": func(dead *Queue) (int, error) { return dead.Redrive("q", 40) },
		"chosen": func(dead *Queue) (int, error) {
			found, err := dead.Look(Visible, 40)
			if err != nil {
				return 0, err
			}
			var ids []string
			for _, m := range found {
				ids = append(ids, m.ID)
			}
			return dead.RedriveChosen("q", ids)
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := &memdisk.Disk{}
			e, q, dead := openWithDead(t, disk, 50)
			e.keeper.part = 5000
			if n, err := redrive(dead); n != 40 || err != nil {
				t.Fatalf("moved %d, %v; want 40", n, err)
			}
			wantCounts(t, q, 40, 0, 0)
			wantCounts(t, dead, 10, 0, 0)
			disk = disk.Kill()
			if n := longestFrame(t, disk); n > 7000 {
				t.Errorf("a frame has %d bytes", n)
			}
			e = reopen(t, disk.Kill())
			wantCounts(t, mustQueue(t, e, "q"), 40, 0, 0)
			wantCounts(t, mustQueue(t, e, "dead"), 10, 0, 0)
		})
	}
}

func TestAMoveTaskWritesEachStepAndNoneThatIsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e, _, dead := openWithDead(t, disk, 50)
		e.keeper.part = 5000
		_, err := dead.StartMove("q", 500)
		ok(t, err)
		time.Sleep(moveInterval + time.Millisecond)
		moved := 50 - len(heldBodies(t, dead))
		if moved == 0 || moved > 6 {
			t.Errorf("the first step moved %d", moved)
		}
		disk = disk.Kill() // nobody has made a call meanwhile
		e = reopen(t, disk)
		e.keeper.part = 5000
		wantCounts(t, mustQueue(t, e, "q"), moved, 0, 0)
		time.Sleep(time.Minute)
		wantMove(t, mustQueue(t, e, "dead"), MoveCompleted, 50)
		if n := longestFrame(t, disk.Kill()); n > 7000 {
			t.Errorf("a frame has %d bytes", n)
		}
	})
}

func TestAMoveTaskPausesWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		_, q, dead := openWithDead(t, disk, 40)
		_, err := dead.StartMove("q", 10)
		ok(t, err)
		disk.SetRoom(5000)
		time.Sleep(time.Minute)
		moves, err := dead.Moves()
		ok(t, err)
		moved := moves[0].Moved
		if moved == 0 || moved > 10 {
			t.Fatalf("on a full disk %d were moved", moved)
		}
		wantCounts(t, q, moved, 0, 0)
		disk.SetRoom(1_000_000)
		time.Sleep(2 * time.Second)
		if moves, err = dead.Moves(); err != nil || moves[0].Status != MoveRunning || moves[0].Moved > moved+20 {
			t.Errorf("with room again: %+v, %v; its rate is 10 a second", moves, err)
		}
		time.Sleep(time.Minute)
		wantMove(t, dead, MoveCompleted, 40)
	})
}

// A change that is too long for a frame is written as all that is held, in parts.
func TestAChangeTooLongForAFrameIsWrittenAsABase(t *testing.T) {
	for name, room := range map[string]int{"at once": 1 << 30, "when the disk has room": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &memdisk.Disk{}
				e := reopen(t, disk)
				q := create(t, e, "q", spec.QueueSettings{})
				send(t, q, Message{Body: "before"})
				e.keeper.most = 3 << 20
				disk.SetRoom(room)
				err := q.Batch(func(b *Batch) {
					for i := range 10 {
						if _, err := b.Send(Message{Body: fmt.Sprint(i, strings.Repeat("x", 500_000))}); err != nil {
							t.Error(err)
						}
					}
				})
				if room > 0 {
					ok(t, err)
				} else {
					wantCode(t, err, spec.ServiceUnavailable)
				}
				disk.SetRoom(1 << 30)
				time.Sleep(retryEvery)
				send(t, q, Message{Body: "after"})
				want := heldBodies(t, q)
				disk = disk.Kill()
				if n := longestFrame(t, disk); n > 3<<20 {
					t.Errorf("a frame has %d bytes", n)
				}
				if got := heldBodies(t, mustQueue(t, reopen(t, disk.Kill()), "q")); len(got) != 12 || !slices.Equal(got, want) {
					t.Errorf("%d messages are back, want 12", len(got))
				}
			})
		})
	}
}
