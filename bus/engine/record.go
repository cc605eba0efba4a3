package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"omnibus/bus/spec"
)

// A record says how something is after a change, or that it is gone. Read in the order
// in which they were written, the latest of each counts, so that one more that says the
// same does no harm. A frame of the journal is a sequence of records, and what it says
// has happened at once.
type recordKind uint8

const (
	recordEngine    recordKind = 1 + iota // engineRecord, in JSON; a base begins with one
	recordQueue                           // queueRecord, in JSON
	recordNoQueue                         // noQueueRecord, in JSON
	recordMessage                         // a message that came to a queue, whole
	recordState                           // what changes of a message while it stays
	recordNoMessage                       // a message that left its queue
	recordClear                           // a queue was purged
	recordDedup                           // a deduplication id and the message that had it
	recordAttempt                         // attemptRecord, in JSON
	recordClock                           // []stepRecord, in JSON
	recordBaseEnd                         // all that a base is to say has been said
)

// engineRecord is what is of no queue.
type engineRecord struct {
	Seed         uint64
	Numbers, IDs uint64
	Deleted      map[string]int64
	Steps        []stepRecord // of the clock
	Now          int64
}

// stepRecord is a step of the clock.
type stepRecord struct{ From, Ahead int64 }

func stepRecords(steps []step) []stepRecord {
	out := make([]stepRecord, len(steps))
	for i, s := range steps {
		out[i] = stepRecord{s.from, s.ahead}
	}
	return out
}

// queueRecord is a queue without its messages.
type queueRecord struct {
	Name    string
	Number  uint64
	Numbers uint64 // the engine's
	IDs     uint64 // the engine's, which a move task takes one of, too
	Order   uint64
	Purged  int64
	Attrs   spec.QueueAttributes
	Tags    map[string]string
	Moves   []moveRecord
}

type moveRecord struct {
	MoveTask
	Begun int64
}

type noQueueRecord struct {
	Name   string
	Number uint64
	At     int64
}

type attemptRecord struct {
	Number uint64
	ID     string
	At     int64
	Taken  []attemptTaken
}

func appendJSON(b []byte, kind recordKind, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers, strings and times are all that the records hold
	}
	return appendText(append(b, byte(kind)), string(text))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Bits of a recordMessage that say what it has.
const (
	hasExtra = 1 << iota
	hasAttributes
)

// appendMessage writes a message as a whole.
func appendMessage(b []byte, number uint64, m *message) []byte {
	b = append(b, byte(recordMessage))
	b = appendState(b, number, m)
	b = binary.AppendUvarint(b, m.id)
	b = binary.AppendVarint(b, m.sent)
	var has byte
	if m.extra != nil {
		has |= hasExtra
	}
	if len(m.attrs) > 0 {
		has |= hasAttributes
	}
	b = append(b, has)
	b = appendText(b, m.body)
	if x := m.extra; x != nil {
		b = appendText(b, x.group)
		b = appendText(b, x.dedup)
		b = appendText(b, x.trace)
		b = appendText(b, x.source)
		b = binary.AppendUvarint(b, uint64(x.receivesThere))
	}
	if len(m.attrs) > 0 {
		b = binary.AppendUvarint(b, uint64(len(m.attrs)))
		for i := range m.attrs {
			a := &m.attrs[i]
			b = appendText(b, a.Name)
			b = appendText(b, a.DataType)
			b = appendText(b, a.StringValue)
			b = appendText(b, string(a.BinaryValue))
		}
	}
	return b
}

// settledBit is set in the byte of the state of a message that was given back.
const settledBit = 1 << 7

// appendState writes what changes of a message while it stays in its queue.
func appendState(b []byte, number uint64, m *message) []byte {
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.AppendUvarint(b, m.seq)
	s := byte(m.state)
	if m.settled {
		s |= settledBit
	}
	b = append(b, s)
	b = binary.AppendVarint(b, m.due)
	b = binary.AppendUvarint(b, uint64(m.receives))
	if m.receives > 0 {
		b = binary.AppendVarint(b, m.first)
		b = binary.AppendVarint(b, m.taken)
	}
	return b
}

func appendNoMessage(b []byte, number, seq uint64) []byte {
	b = append(b, byte(recordNoMessage))
	b = binary.LittleEndian.AppendUint64(b, number)
	return binary.AppendUvarint(b, seq)
}

func appendClear(b []byte, number uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, byte(recordClear)), number)
}

func appendDedup(b []byte, number uint64, key string, e dedupEntry, at int64) []byte {
	b = append(b, byte(recordDedup))
	b = binary.LittleEndian.AppendUint64(b, number)
	b = appendText(b, key)
	b = binary.AppendUvarint(b, e.id)
	b = binary.AppendUvarint(b, e.seq)
	return binary.AppendVarint(b, at)
}

// recordReader reads records. Once a read fails, all others give zero values.
type recordReader struct {
	b   []byte
	err error
}

var errShortRecord = errors.New("a record is cut short")

func (r *recordReader) fail() {
	r.b, r.err = nil, errShortRecord
}

func (r *recordReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *recordReader) fixed() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *recordReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes returns a text's bytes where they are.
func (r *recordReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	text := r.b[:n]
	r.b = r.b[n:]
	return text
}

func (r *recordReader) text() string { return string(r.bytes()) }

func (r *recordReader) json(v any) {
	text := r.bytes()
	if r.err == nil {
		if err := json.Unmarshal(text, v); err != nil {
			r.b, r.err = nil, fmt.Errorf("a record's JSON: %w", err)
		}
	}
}

// message reads what appendMessage writes behind the state.
func (r *recordReader) message(m *message) {
	m.id = r.uvarint()
	m.sent = r.varint()
	has := r.byte()
	m.body = r.text()
	if has&hasExtra != 0 {
		m.extra = &extra{group: r.text(), dedup: r.text(), trace: r.text(), source: r.text()}
		m.extra.receivesThere = int32(r.uvarint())
	}
	if has&hasAttributes != 0 {
		n := r.uvarint()
		if n > uint64(len(r.b)) {
			r.fail()
			return
		}
		m.attrs = make([]spec.NamedAttribute, n)
		for i := range m.attrs {
			a := &m.attrs[i]
			a.Name, a.DataType, a.StringValue = r.text(), r.text(), r.text()
			if value := r.bytes(); len(value) > 0 {
				a.BinaryValue = slices.Clone(value)
			}
		}
	}
}

// state reads what appendState writes behind the seq.
func (r *recordReader) state(m *message) {
	s := r.byte()
	m.settled = s&settledBit != 0
	m.state = state(s &^ settledBit)
	m.due = r.varint()
	m.receives = int32(r.uvarint())
	m.first, m.taken = 0, 0
	if m.receives > 0 {
		m.first, m.taken = r.varint(), r.varint()
	}
	if m.state >= gone {
		r.fail()
	}
}
