package engine

import (
	"slices"
	"testing"

	"omnibus/bus/spec"
)

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
