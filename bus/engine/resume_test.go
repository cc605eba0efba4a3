package engine

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

// Time goes on while the process does not, and ends what it would have ended.
func TestDelaysVisibilityAndDeduplicationGoOnAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e := reopen(t, disk)
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		fifo, err := e.Create("donors.fifo", spec.QueueSettings{FIFO: new(true)})
		if err != nil {
			t.Fatal(err)
		}
		mustSend(t, q, Message{Body: "in flight"})
		held, err := q.Receive(t.Context(), ReceiveRequest{Visibility: new(20 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		mustSend(t, q, Message{Body: "delayed", Delay: new(10 * time.Second)})
		first := mustSend(t, fifo, Message{Body: "a", Group: "g", Deduplication: "x"})
		attempt, err := fifo.Receive(t.Context(), ReceiveRequest{Attempt: "try"})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()

		disk = disk.Kill()
		time.Sleep(4 * time.Second)
		e = reopen(t, disk)
		q, fifo = mustQueue(t, e, "donors"), mustQueue(t, e, "donors.fifo")
		if again := mustSend(t, fifo, Message{Body: "a", Group: "g", Deduplication: "x"}); !again.Duplicate || again.ID != first.ID {
			t.Errorf("a second send with the deduplication id: %+v, want a duplicate of %s", again, first.ID)
		}
		mustSend(t, fifo, Message{Body: "behind", Group: "g", Deduplication: "y"})
		if got, err := fifo.Receive(t.Context(), ReceiveRequest{}); err != nil || len(got) > 0 {
			t.Errorf("the locked group gave %v, %v", got, err)
		}
		if got, err := fifo.Receive(t.Context(), ReceiveRequest{Attempt: "try"}); err != nil || len(got) != 1 || got[0].ReceiptHandle != attempt[0].ReceiptHandle {
			t.Errorf("the attempt made again gave %v, %v", got, err)
		}
		for _, want := range []struct {
			body  string
			after time.Duration
			count int
		}{{"delayed", 10 * time.Second, 1}, {"in flight", 20 * time.Second, 2}} {
			got, err := q.Receive(t.Context(), ReceiveRequest{Wait: new(20 * time.Second), Visibility: new(time.Hour)})
			if err != nil || len(got) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			if d := got[0]; d.Body != want.body || time.Since(begun) != want.after || d.ReceiveCount != want.count {
				t.Errorf("got %s after %v, received %d times; want %s after %v, %d times", d.Body, time.Since(begun), d.ReceiveCount, want.body, want.after, want.count)
			}
		}
		if deleted, err := q.Delete(held[0].ReceiptHandle); deleted || err != nil {
			t.Errorf("the superseded receipt handle deleted: %t, %v", deleted, err)
		}
	})
}

func mustSend(t *testing.T, q *Queue, m Message) Sent {
	t.Helper()
	sent, err := q.Send(m)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestQueuesTagsWaitsAndMoveTasksGoOnAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e := reopen(t, disk)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		dead, err := e.Create("dead", spec.QueueSettings{})
		must(err)
		q, err := e.CreateTagged("donors", spec.QueueSettings{Delay: new(time.Second), DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 2}}, map[string]string{"team": "blue"})
		must(err)
		must(q.Tag(map[string]string{"cost": "low"}))
		must(q.Untag([]string{"team"}))
		must(q.Purge())
		_, err = e.Create("gone", spec.QueueSettings{})
		must(err)
		must(e.Delete("gone"))
		for range 20 {
			mustSend(t, dead, Message{Body: "dead"})
		}
		task, err := dead.StartMove("donors", 2)
		must(err)
		time.Sleep(5*time.Second + time.Millisecond)
		before, err := dead.Moves()
		must(err)
		attrs, err := q.Attributes()
		must(err)

		e = reopen(t, disk.Kill())
		q, dead = mustQueue(t, e, "donors"), mustQueue(t, e, "dead")
		if tags, err := q.Tags(); err != nil || len(tags) != 1 || tags["cost"] != "low" {
			t.Errorf("tags %v, %v", tags, err)
		}
		got, err := q.Attributes()
		must(err)
		if got.Delay != attrs.Delay || got.DeadLetter != attrs.DeadLetter || !got.Created.Equal(attrs.Created) || !got.Modified.Equal(attrs.Modified) || got.Counts != attrs.Counts {
			t.Errorf("attributes %+v, want %+v", got, attrs)
		}
		if err := q.Purge(); !errors.Is(err, spec.PurgeQueueInProgress) {
			t.Errorf("a second purge: %v", err)
		}
		if _, err := e.Create("gone", spec.QueueSettings{}); !errors.Is(err, spec.QueueDeletedRecently) {
			t.Errorf("the name of a deleted queue: %v", err)
		}
		after, err := dead.Moves()
		must(err)
		if len(after) != 1 || after[0].ID != task.ID || after[0].Moved != before[0].Moved || after[0].Status != MoveRunning {
			t.Errorf("move tasks %+v, want %+v", after, before)
		}
		time.Sleep(time.Minute)
		if after, err = dead.Moves(); err != nil || after[0].Status != MoveCompleted || after[0].Moved != 20 {
			t.Errorf("at the end %+v, %v", after, err)
		}
		must(q.Purge())
		_, err = e.Create("gone", spec.QueueSettings{})
		must(err)
	})
}

// The wall clock may have been set while the process was away.
func TestAWallClockThatWasSetBackDoesNotTurnTimeBack(t *testing.T) {
	disk := &memdisk.Disk{}
	e := reopen(t, disk)
	q, err := e.Create("donors", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, q, Message{Body: "a"})
	e.mu.Lock()
	at := e.clock.now
	e.mu.Unlock()
	var c clock
	wall := time.Unix(0, at-int64(time.Hour))
	c.read = func() (int64, time.Time) { return 0, wall }
	c.restore([]stepRecord{{From: at - 1000, Ahead: 0}}, at)
	if c.now != at || !c.future(at+1000).Equal(wall.Add(1000)) {
		t.Errorf("time went on from %d, want %d", c.now, at)
	}
}

// What records hold does not change with the names of this program's types, or the
// directories of those who have an earlier one cannot be opened any more.
func TestADirectoryOfAnEarlierProgramIsRead(t *testing.T) {
	const golden = "testdata/version1"
	if *update {
		writeGolden(t, golden)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	e, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	// Looked at where it is: by now a call would find its messages too old.
	want := map[string][]string{"donors": {"rich", "delayed"}, "donors.fifo": {"first"}}
	for name, bodies := range want {
		var got []string
		for m := e.queues[name].state.age.byKey[restoredLane].head; m != nil; m = m.links[bySent].next {
			got = append(got, m.body)
			if x := m.extras(); m.body == "rich" && (len(m.attrs) != 2 || string(m.attrs[1].BinaryValue) != "\x00\xff" || x.group != "tenant" || x.trace != "Root=1") {
				t.Errorf("the rich message is %+v, %+v", m, x)
			}
		}
		if !slices.Equal(got, bodies) {
			t.Errorf("%s has %q, want %q", name, got, bodies)
		}
	}
	if f := e.queues["donors.fifo"].state; len(f.dedup.byID) != 1 || len(f.attempts.byID) != 1 || f.count[inFlight] != 1 {
		t.Errorf("%d deduplication ids, %d attempts, %v", len(f.dedup.byID), len(f.attempts.byID), f.count)
	}
	if names := e.List(""); !slices.Equal(names, []string{"dead", "donors", "donors.fifo"}) {
		t.Fatalf("queues %q", names)
	}
	q := mustQueue(t, e, "donors")
	a, err := q.Attributes()
	if err != nil {
		t.Fatal(err)
	}
	tags, err := q.Tags()
	if err != nil {
		t.Fatal(err)
	}
	if a.Visibility != 12*time.Hour || a.Retention != spec.MaxRetention || a.DeadLetter != (spec.DeadLetter{Queue: "dead", MaxReceives: 3}) || tags["team"] != "blue" || a.Kept["Policy"] == "" {
		t.Errorf("attributes %+v, tags %v", a, tags)
	}
	r := e.record()
	if r.Seed == 0 || r.Numbers != 3 || r.IDs != 4 {
		t.Errorf("the engine's record is %+v", r)
	}
}

var update = flag.Bool("update", false, "write testdata anew: for a new version of the format only")

// writeGolden writes a directory that has all kinds of records. Its messages are gone by
// the time it is read: their retention period is over.
func writeGolden(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	e, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = e.Create("dead", spec.QueueSettings{})
	must(err)
	q, err := e.CreateTagged("donors", spec.QueueSettings{
		Visibility: new(12 * time.Hour), Retention: new(spec.MaxRetention), DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 3},
		Kept: map[string]string{"Policy": `{"Version":"2012-10-17"}`},
	}, map[string]string{"team": "blue"})
	must(err)
	fifo, err := e.Create("donors.fifo", spec.QueueSettings{FIFO: new(true)})
	must(err)
	mustSend(t, q, Message{Body: "plain"})
	mustSend(t, q, Message{Body: "rich", Group: "tenant", TraceHeader: "Root=1", Attributes: []spec.NamedAttribute{
		{Name: "s", Attribute: spec.Attribute{DataType: "String", StringValue: "text"}},
		{Name: "b", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte{0, 255}}},
	}})
	mustSend(t, q, Message{Body: "delayed", Delay: new(time.Minute)})
	mustSend(t, fifo, Message{Body: "first", Group: "g", Deduplication: "x"})
	got, err := q.Receive(t.Context(), ReceiveRequest{})
	must(err)
	_, err = q.Delete(got[0].ReceiptHandle)
	must(err)
	_, err = fifo.Receive(t.Context(), ReceiveRequest{Attempt: "try"})
	must(err)
	must(e.Close())
	for _, name := range []string{"lock", "reserve"} {
		must(os.Remove(filepath.Join(dir, name)))
	}
}
