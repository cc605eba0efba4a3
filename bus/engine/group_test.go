package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/journal"
	"omnibus/bus/journal/memdisk"
	"omnibus/bus/spec"
)

// slowDisk is one whose syncs of files take a second.
type slowDisk struct{ *memdisk.Disk }

func (d slowDisk) Create(name string) (journal.File, error) {
	f, err := d.Disk.Create(name)
	return slowFile{f}, err
}

type slowFile struct{ journal.File }

func (f slowFile) Sync() error {
	time.Sleep(time.Second)
	return f.File.Sync()
}

func TestOneSyncServesAllWhoWaitAndKeepsNobodyElseWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e, err := openOn(slowDisk{disk}, &Options{reserve: 100})
		if err != nil {
			t.Fatal(err)
		}
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		before, begun := disk.Syncs(), time.Now()
		took := make(chan time.Duration)
		const senders = 100
		for i := range senders {
			go func() {
				if _, err := q.Send(Message{Body: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
				took <- time.Since(begun)
			}()
		}
		time.Sleep(time.Second / 2)
		if a, err := q.Attributes(); err != nil || a.Visible != senders || time.Since(begun) != time.Second/2 {
			t.Errorf("under a sync, counts %+v after %v, %v", a.Counts, time.Since(begun), err)
		}
		for range senders {
			if d := <-took; d > 2*time.Second {
				t.Errorf("a send took %v, with syncs of a second", d)
			}
		}
		if n := disk.Syncs() - before; n > 2 {
			t.Errorf("%d sends took %d syncs", senders, n)
		}
	})
}

// A batch is on the disk at the cost of one message.
func TestABatchTakesOneSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memdisk.Disk{}
		e := reopen(t, disk)
		q, err := e.Create("donors", spec.QueueSettings{})
		if err != nil {
			t.Fatal(err)
		}
		before := disk.Syncs()
		err = q.Batch(func(b *Batch) {
			for i := range 10 {
				if _, err := b.Send(Message{Body: fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
			if _, err := b.Send(Message{}); err == nil {
				t.Error("a message without a body was sent")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := disk.Syncs() - before; n != 1 {
			t.Errorf("a batch took %d syncs", n)
		}
		if got := heldBodies(t, mustQueue(t, reopen(t, disk.Kill()), "donors")); len(got) != 10 {
			t.Errorf("after a kill there is %q", got)
		}
	})
}
