package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

// Power is cut in the middle of a random call of the disk while several clients send,
// receive, change and delete; some syncs, of files and of the directory, fail before. What
// was answered is so afterwards.
func TestWhatWasAnsweredSurvivesPowerCuts(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			l := &ledger{sent: map[string]bool{}, deleted: map[string]bool{}, unsure: map[string]bool{}}
			disk := &memdisk.Disk{}
			for round := range 5 {
				disk.CutPower(20 + random.IntN(400))
				if random.IntN(3) == 0 {
					disk.FailSyncs(1)
				}
				if random.IntN(2) == 0 {
					disk.FailDirSync(1 + random.IntN(6))
				}
				if e, err := openOn(disk, &Options{reserve: 100}); err == nil {
					e.keeper.slack, e.keeper.chunk = 2000, 100
					l.use(t, e, seed, round)
				}
				disk = disk.Restart(random)
			}
			e, err := openOn(disk, &Options{reserve: 100})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			l.check(t, e, seed)
		})
	}
}

// ledger is what clients were answered.
type ledger struct {
	mu                    sync.Mutex // guards all below
	sent, deleted, unsure map[string]bool
}

func (l *ledger) note(of map[string]bool, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of[body] = true
}

// use has clients use the engine until it fails.
func (l *ledger) use(t *testing.T, e *Engine, seed uint64, round int) {
	var clients sync.WaitGroup
	for c := range 4 {
		random := rand.New(rand.NewPCG(seed, uint64(round*10+c)))
		clients.Go(func() {
			for i := 0; ; i++ {
				if err := l.call(e, random, fmt.Sprintf("%d.%d.%d", round, c, i)); err != nil {
					if errors.Is(err, spec.ServiceUnavailable) && strings.Contains(err.Error(), memdisk.ErrSync.Error()) {
						time.Sleep(retryEvery) // it works again then
						continue
					}
					return
				}
			}
		})
	}
	clients.Wait()
}

// call makes one call at random.
func (l *ledger) call(e *Engine, random *rand.Rand, body string) error {
	q, err := e.Create("donors", spec.QueueSettings{Visibility: new(time.Duration)})
	if err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		if _, err := q.Send(Message{Body: body, Group: fmt.Sprint(random.IntN(3))}); err != nil {
			l.note(l.unsure, body)
			return err
		}
		l.note(l.sent, body)
		return nil
	}
	got, err := q.Receive(context.Background(), ReceiveRequest{Max: 1 + random.IntN(3), Visibility: new(time.Minute)})
	if err != nil {
		return err
	}
	for _, d := range got {
		switch random.IntN(3) {
		case 0:
			if err := q.ChangeVisibility(d.ReceiptHandle, time.Duration(random.IntN(2))*time.Hour); err != nil {
				return err
			}
		default:
			l.note(l.unsure, d.Body)
			if _, err := q.Delete(d.ReceiptHandle); err != nil {
				return err
			}
			l.note(l.deleted, d.Body)
		}
	}
	return nil
}

func (l *ledger) check(t *testing.T, e *Engine, seed uint64) {
	there := map[string]bool{}
	if q, err := e.Queue("donors"); err == nil {
		for _, s := range []State{Visible, InFlight, Delayed} {
			found, err := q.Look(s, MaxLook)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found {
				if there[m.Body] {
					t.Errorf("seed %d: %s is there twice", seed, m.Body)
				}
				there[m.Body] = true
			}
		}
	}
	for body := range maps.Keys(l.sent) {
		if !there[body] && !l.deleted[body] && !l.unsure[body] {
			t.Errorf("seed %d: %s was sent and is lost", seed, body)
		}
	}
	for body := range maps.Keys(l.deleted) {
		if there[body] {
			t.Errorf("seed %d: %s was deleted and is back", seed, body)
		}
	}
	if len(l.sent) == 0 || len(l.deleted) == 0 {
		t.Errorf("seed %d: %d were sent and %d deleted", seed, len(l.sent), len(l.deleted))
	}
}

// heldBodies returns what a queue holds.
func heldBodies(t *testing.T, q *Queue) (out []string) {
	t.Helper()
	for _, s := range []State{Visible, InFlight, Delayed} {
		found, err := q.Look(s, MaxLook)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found {
			out = append(out, m.Body)
		}
	}
	return out
}

func TestAFullDiskRefusesSendsServesTheRestAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		var reports []string
		e, err := openOn(disk, &Options{reserve: 2000, Report: func(line string) { reports = append(reports, line) }})
		if err != nil {
			t.Fatal(err)
		}
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		disk.SetRoom(1000)
		sent := 0
		for ; ; sent++ {
			if _, err = q.Send(Message{Body: "body"}); err != nil {
				break
			}
		}
		if !errors.Is(err, spec.ServiceUnavailable) || !strings.Contains(err.Error(), "the disk is full") || sent < 10 {
			t.Fatalf("after %d sends: %v", sent, err)
		}
		got, err := q.Receive(t.Context(), ReceiveRequest{Max: 10})
		if err != nil || len(got) != 10 {
			t.Fatalf("a receive gave %d, %v", len(got), err)
		}
		if _, err := q.Delete(got[0].ReceiptHandle); err != nil {
			t.Fatal(err)
		}
		if a, err := q.Attributes(); err != nil || a.Visible != sent-10 || a.InFlight != 9 {
			t.Fatalf("counts %+v, %v; %d were sent", a.Counts, err, sent)
		}
		if q, err = e.Create("donors", spec.QueueSettings{}); err != nil {
			t.Fatalf("a queue that exists: %v", err)
		}
		if _, err := e.Create("others", spec.QueueSettings{}); !errors.Is(err, spec.ServiceUnavailable) {
			t.Fatalf("a new queue: %v", err)
		}
		disk.SetRoom(100_000)
		time.Sleep(retryEvery)
		if _, err := q.Send(Message{Body: "body"}); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		if len(reports) != 2 || !strings.Contains(reports[0], "full") || !strings.Contains(reports[1], "room again") {
			t.Fatalf("reports %q", reports)
		}
		again := reopen(t, disk.Restart(rand.New(rand.NewPCG(1, 1))))
		if n := len(heldBodies(t, mustQueue(t, again, "donors"))); n != sent {
			t.Fatalf("%d messages are back, want %d", n, sent)
		}
	})
}

// A disk that is full of what is not needed any more is not so for long.
func TestADiskFullOfHistoryIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e, err := openOn(disk, &Options{reserve: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		disk.SetRoom(30_000)
		for err == nil {
			_, err = q.Send(Message{Body: strings.Repeat("x", 1000)})
		}
		for {
			got, err := q.Take(t.Context(), ReceiveRequest{Max: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			for i := range got {
				if err := q.DeleteTaken([]*Taken{&got[i]}); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(retryEvery)
		if _, err = q.Send(Message{Body: "again"}); err != nil {
			t.Fatalf("with all messages deleted: %v", err)
		}
		if got := heldBodies(t, mustQueue(t, reopen(t, disk.Kill()), "donors")); len(got) != 1 {
			t.Errorf("after a kill there is %q", got)
		}
	})
}

func TestADiskFullToTheLastRefusesAllChangesAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e, err := openOn(disk, &Options{reserve: 1})
		if err != nil {
			t.Fatal(err)
		}
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Send(Message{Body: "first"}); err != nil {
			t.Fatal(err)
		}
		disk.SetRoom(10)
		for range 2 { // the second is refused without a try
			if _, err := q.Send(Message{Body: "second"}); !errors.Is(err, spec.ServiceUnavailable) {
				t.Fatalf("a send: %v", err)
			}
		}
		if _, err := q.Receive(t.Context(), ReceiveRequest{}); !errors.Is(err, spec.ServiceUnavailable) {
			t.Fatalf("a receive: %v", err)
		}
		if _, err := q.Attributes(); err != nil {
			t.Fatalf("counts: %v", err)
		}
		disk.SetRoom(100_000)
		time.Sleep(retryEvery)
		if _, err := q.Send(Message{Body: "third"}); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		again := heldBodies(t, mustQueue(t, reopen(t, disk.Kill()), "donors"))
		if len(again) != 3 { // the second was answered with an error, which may mean either
			t.Fatalf("back are %q", again)
		}
	})
}

func TestAFailedSyncRefusesChangesUntilABaseIsOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e := reopen(t, disk)
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Send(Message{Body: "first"}); err != nil {
			t.Fatal(err)
		}
		disk.FailSyncs(1)
		if _, err := q.Send(Message{Body: "second"}); !errors.Is(err, spec.ServiceUnavailable) {
			t.Fatalf("a send whose sync failed: %v", err)
		}
		if _, err := q.Send(Message{Body: "refused"}); !errors.Is(err, spec.ServiceUnavailable) {
			t.Fatalf("a send after it: %v", err)
		}
		time.Sleep(retryEvery)
		if _, err := q.Send(Message{Body: "third"}); err != nil {
			t.Fatalf("a second later: %v", err)
		}
		got := heldBodies(t, mustQueue(t, reopen(t, disk.Restart(rand.New(rand.NewPCG(1, 1)))), "donors"))
		if strings.Join(got, " ") != "first second third" {
			t.Fatalf("back are %q", got)
		}
	})
}

// Where a mark may be on the disk, and the base that it is of would be gone or written over,
// a power cut loses what was answered.
func TestAFailedSyncOfTheDirectoryAfterOneOfTheFileLosesNothing(t *testing.T) {
	for name, more := range map[string]func(*memdisk.Disk, *Queue){
		"killed": func(*memdisk.Disk, *Queue) {},
		"power cut in the next base": func(disk *memdisk.Disk, q *Queue) {
			time.Sleep(retryEvery)
			disk.CutPower(8)
			if _, err := q.Send(Message{Body: "c"}); !errors.Is(err, spec.ServiceUnavailable) {
				t.Errorf("a send as power is cut: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &memdisk.Disk{}
				q := create(t, reopen(t, disk), "q", spec.QueueSettings{})
				for range 5 {
					send(t, q, Message{Body: strings.Repeat("x", 1<<20)})
				}
				disk.FailSyncs(1)
				if _, err := q.Send(Message{Body: "a"}); !errors.Is(err, spec.ServiceUnavailable) {
					t.Fatalf("a send whose sync failed: %v", err)
				}
				disk.FailDirSync(2) // that of the mark, after that of the segment
				time.Sleep(retryEvery)
				if _, err := q.Send(Message{Body: "b"}); !errors.Is(err, spec.ServiceUnavailable) || !strings.Contains(err.Error(), "mark") {
					t.Fatalf("a send whose base could not be marked: %v", err)
				}
				more(disk, q)
				if n := len(heldBodies(t, mustQueue(t, reopen(t, disk.Kill()), "q"))); n < 5 {
					t.Errorf("%d messages are back; 5 were answered", n)
				}
			})
		})
	}
}

func TestALogThatBeginsWithPartOfABaseIsRefused(t *testing.T) {
	e := New(nil)
	e.clock.tick()
	q := newHandle(e, "q", 1)
	for name, records := range map[string][]byte{
		"a base without an end": appendJSON(appendJSON(nil, recordEngine, e.record()), recordQueue, q.record()),
		"no base":               appendJSON(nil, recordQueue, q.record()),
	} {
		disk := &memdisk.Disk{}
		log, err := journal.Open(disk, journal.Options{}, nil)
		ok(t, err)
		ok(t, log.Append(append(make([]byte, journal.FrameHead), records...)))
		if _, err := openOn(disk.Kill(), nil); err == nil || !strings.Contains(err.Error(), "0000000001.log") || !strings.Contains(err.Error(), "restore the directory from a copy") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func reopen(t *testing.T, disk *memdisk.Disk) *Engine {
	t.Helper()
	e, err := openOn(disk, &Options{reserve: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustQueue(t *testing.T, e *Engine, name string) *Queue {
	t.Helper()
	q, err := e.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
