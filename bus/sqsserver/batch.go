package sqsserver

import (
	"slices"

	"omnibus/bus/spec"
)

// The rules of batches: 1 to 10 entries with distinct ids. A batch that breaks
// one is refused as a whole; else each entry succeeds or fails by itself.

// batch is the entries of a batch, which are of a type E for each action.
type batch[E batchEntry] struct {
	entries []E // of more than ten, the first ten
	count   int // of all
}

// batchEntry is what the entries of all batches have.
type batchEntry interface{ entryID() string }

// read reads the entries, with member for the members of each. It does not keep
// those of a batch that is too large, which can be a million.
func (b *batch[E]) read(r *jsonReader, member func(e *E, name []byte, r *jsonReader)) {
	*b = batch[E]{entries: make([]E, 0, spec.MaxBatchEntries)}
	r.array(func() {
		b.count++
		if b.count > spec.MaxBatchEntries {
			r.skip()
			return
		}
		b.entries = b.entries[:b.count]
		e := &b.entries[b.count-1]
		r.object(func(name []byte) { member(e, name, r) })
	})
}

// check reports a batch that is refused as a whole. entry is the name of the
// entries in AWS's texts.
func (b *batch[E]) check(entry string) error {
	if b.count == 0 {
		return spec.Errorf(spec.EmptyBatchRequest, "There should be at least one %s in the request.", entry)
	}
	if b.count > spec.MaxBatchEntries {
		return spec.Errorf(spec.TooManyEntriesInBatchRequest, "Maximum number of entries per request are %d. You have sent %d.", spec.MaxBatchEntries, b.count)
	}
	entries := b.entries
	for i := range entries {
		id := entries[i].entryID()
		if err := spec.CheckBatchEntryID(id); err != nil {
			return err
		}
		for _, before := range entries[:i] {
			if before.entryID() == id {
				return spec.Errorf(spec.BatchEntryIdsNotDistinct, "Id %s repeated.", id)
			}
		}
	}
	return nil
}

// failures are the entries of a batch that failed.
type failures struct {
	query bool
	list  []failure
}

type failure struct {
	id  string
	err *spec.Error
}

func (f *failures) add(c *call, id string, err error) {
	f.query = c.query
	f.list = append(f.list, failure{id, asSpecError(err)})
}

// try does one entry of a batch, unless a fault fails it, and notes what failed.
func (f *failures) try(c *call, id string, do func() error) {
	err := c.fails(id)
	if err == nil {
		err = do()
	}
	if err != nil {
		f.add(c, id, err)
	}
}

func (f *failures) failed(id string) bool {
	for _, x := range f.list {
		if x.id == id {
			return true
		}
	}
	return false
}

// write writes the failures, if there are any: AWS was recorded to leave out the
// list otherwise.
func (f *failures) write(w writer) {
	if len(f.list) == 0 {
		return
	}
	w.beginList("Failed")
	for _, x := range f.list {
		w.beginItem("BatchResultErrorEntry")
		w.text("Id", x.id)
		w.boolean("SenderFault", fault(x.err.Code) == "Sender")
		code := string(x.err.Code)
		if f.query {
			code = queryCode(x.err.Code)
		}
		w.text("Code", code)
		w.text("Message", x.err.Message)
		w.endItem("BatchResultErrorEntry")
	}
	w.endList()
}

// reverse has the entries answered last first.
func (b *batch[E]) reverse() { slices.Reverse(b.entries) }

// writeIDs writes the entries that succeeded, of batches that tell no more of
// them.
func writeIDs[E batchEntry](w writer, element string, entries []E, f *failures) {
	w.beginList("Successful")
	for _, e := range entries {
		if id := e.entryID(); !f.failed(id) {
			w.beginItem(element)
			w.text("Id", id)
			w.endItem(element)
		}
	}
	w.endList()
}
