package lab

import (
	"time"

	"omnibus/watch"
	"omnibus/watch/live"
)

// EventStatus is the kind of an Event that is a sample. All others are those of package
// watch.
const EventStatus watch.Kind = "status"

// An Event is something that happens in the lab, with the message it is of. Fields that a
// kind of event does not have are zero.
type Event struct {
	watch.Event
	URL      string `json:"url,omitempty"` // created
	Producer string `json:"producer,omitempty"`
	JobType  string `json:"job_type,omitempty"`
	Body
	Counts *watch.Counts `json:"counts,omitempty"` // status
}

// emit tells all who listen of an event.
func (r *run) emit(e Event) {
	l := r.lab
	l.emitting.Lock()
	defer l.emitting.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if l.Events != nil && e.Kind != EventStatus {
		l.Events.Publish(e.Event)
	}
	if l.OnEvent != nil {
		l.OnEvent(e)
	}
}

// note emits an event of the lab's own.
func (r *run) note(kind watch.Kind, queue, worker, words string, number int) {
	r.emit(Event{Event: watch.Event{Kind: kind, Queue: queue, Worker: worker, Words: words, Number: number}})
}

// tell emits an event of a consumer's message, and counts it.
func (r *run) tell(t live.Told) {
	e := Event{Event: t.Event}
	m := t.Message
	e.Producer, e.JobType, e.Body = m.Metadata["Producer"], m.Metadata["JobType"], NewBody(m.Body)
	r.count(e.Event, len(m.Body))
	r.emit(e)
	r.check()
}
