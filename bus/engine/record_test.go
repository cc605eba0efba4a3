package engine

import (
	"slices"
	"testing"

	"omnibus/bus/spec"
)

// Directories that an earlier version wrote have some, and can be opened.
func TestRecordsOfADeletedQueueAreSkippedAndThoseOfAnUnknownOneRefused(t *testing.T) {
	e := New(nil)
	q := newHandle(e, "donors", 7)
	m := &message{id: 1, seq: 2, body: "body"}
	begin := appendJSON(appendBase(e), recordQueue, q.record())
	begin = appendMessage(begin, 7, m)
	begin = appendJSON(begin, recordNoQueue, noQueueRecord{"donors", 7, 1})
	for _, c := range []struct {
		number uint64
		want   error
	}{{7, nil}, {8, errUnknown}} {
		for name, record := range map[string][]byte{
			"message":    appendMessage(nil, c.number, m),
			"state":      appendState([]byte{byte(recordState)}, c.number, m),
			"no message": appendNoMessage(nil, c.number, 2),
			"clear":      appendClear(nil, c.number),
			"dedup":      appendDedup(nil, c.number, "d", dedupEntry{1, 2}, 3),
		} {
			r := new(restorer)
			if err := r.read(slices.Concat(begin, record)); err != c.want || len(r.queues) > 0 {
				t.Errorf("a record %q of queue %d: %v, want %v; %d queues", name, c.number, err, c.want, len(r.queues))
			}
		}
	}
}

// What a damaged disk has in the place of records is an error, and nothing worse.
func FuzzRecordsOfADamagedDisk(f *testing.F) {
	e := New(nil)
	q := newHandle(e, "donors.fifo", 7)
	m := &message{id: 1, seq: 2, body: "body", receives: 1, state: inFlight, extra: &extra{group: "g", dedup: "d"},
		attrs: []spec.NamedAttribute{{Name: "n", Attribute: spec.Attribute{DataType: "Binary", BinaryValue: []byte{1}}}}}
	records := appendJSON(nil, recordEngine, e.record())
	records = appendJSON(records, recordQueue, q.record())
	records = appendMessage(records, 7, m)
	records = appendState(append(records, byte(recordState)), 7, m)
	records = appendDedup(records, 7, "d", dedupEntry{1, 2}, 3)
	records = appendJSON(records, recordAttempt, attemptRecord{7, "a", 1, []attemptTaken{{2, 1, 3, 4}}})
	records = append(records, byte(recordBaseEnd))
	records = appendNoMessage(records, 7, 2)
	records = appendClear(records, 7)
	f.Add(records)
	for i := range records {
		f.Add(slices.Concat(records[:i], records[i+1:]))
	}
	if err := new(restorer).read(records); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		_ = new(restorer).read(content) // an error or none
	})
}
