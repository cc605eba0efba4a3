package engine

import (
	"errors"
	"fmt"
	"time"

	"omnibus/bus/journal"
)

// Open returns an engine that keeps what it holds in a directory, with what is there
// already. What a call has returned without an error is then still so after the end of
// the process, at whatever moment, and unless Options.NoSync is set after a power cut:
// messages with their delays, visibility timeouts, receipt handles and receive counts,
// queues with their attributes and tags, deduplication, and move tasks, which go on.
// Time goes on meanwhile. Waiting receives end.
//
// Calls that change something return when that is on the disk; one sync serves all that
// wait. When the disk does not take it they fail with ServiceUnavailable, and whether
// the change will last is unknown. From then on changes are refused with that code until
// the disk takes them again, which is tried with each refused call, once a second. Of a
// disk that is full, sends and new queues are refused at once, other changes when the
// reserve of [journal.DefaultReserve] bytes is used up, too. Calls that change nothing are answered
// always; what they show need not be on the disk yet.
//
// One engine at a time can have a directory. [Engine.Close] gives it back.
func Open(dir string, opts *Options) (*Engine, error) {
	d, err := journal.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("engine: open %s: %w", dir, err)
	}
	e, err := openOn(d, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("engine: open %s: %w", dir, err), d.Close())
	}
	e.dir = d
	return e, nil
}

// openOn opens an engine that is kept in a file system.
func openOn(fs journal.FS, opts *Options) (*Engine, error) {
	e := New(opts)
	report := e.opts.Report
	if report == nil {
		report = func(string) {}
	}
	r := &restorer{}
	began := time.Now()
	log, err := journal.Open(fs, journal.Options{NoSync: e.opts.NoSync, Reserve: e.opts.reserve, Check: r.check, Report: report}, r.read)
	if err != nil {
		return nil, err
	}
	k := newKeeper(e, report)
	k.log = log
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keeper = k // before there are move tasks, whose steps read it
	if r.begun {
		r.restore(e)
		k.baseSize = r.bytes
		if n := e.held(); n > 0 || time.Since(began) > time.Second {
			report(fmt.Sprintf("%d queues with %d messages are back, in %v", len(e.queues), n, time.Since(began).Round(time.Millisecond)))
		}
	} else {
		e.clock.tick()
	}
	if !r.begun {
		frame := append(make([]byte, journal.FrameHead), appendBase(e)...)
		if err := log.Append(frame); err != nil {
			return nil, errors.Join(err, log.Close())
		}
	}
	return e, nil
}

// appendBase returns the base of an engine without queues.
func appendBase(e *Engine) []byte {
	return append(appendJSON(nil, recordEngine, e.record()), byte(recordBaseEnd))
}

// held returns how many messages the engine holds. e.mu is held.
func (e *Engine) held() int {
	n := 0
	for _, q := range e.queues {
		for _, c := range q.state.count {
			n += c
		}
	}
	return n
}

// Close writes what is left to be written and gives the directory back. Calls that
// change something fail from now on. An engine without a directory needs no Close.
func (e *Engine) Close() error {
	if e.keeper == nil {
		return nil
	}
	e.mu.Lock()
	for _, q := range e.queues {
		q.stopMoves()
	}
	e.mu.Unlock()
	err := e.keeper.close()
	if e.dir != nil {
		err = errors.Join(err, e.dir.Close())
	}
	if err != nil {
		return fmt.Errorf("engine: close: %w", err)
	}
	return nil
}

// record returns what is of no queue. e.mu is held.
func (e *Engine) record() engineRecord {
	return engineRecord{e.seed, e.numbers, e.ids, e.deleted, stepRecords(e.clock.steps), e.clock.now}
}

// record returns the queue without its messages. The engine's lock is held.
func (q *Queue) record() queueRecord {
	r := queueRecord{
		Name: q.state.name, Number: q.state.number, Numbers: q.engine.numbers, IDs: q.engine.ids,
		Order: q.state.order, Purged: q.state.purged, Attrs: q.state.attrs, Tags: q.tags,
	}
	for _, m := range q.moves {
		r.Moves = append(r.Moves, moveRecord{m.MoveTask, m.begun})
	}
	return r
}
