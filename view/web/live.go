package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// The events of a stream, by name:
//
//	hello   what the page may do, once
//	queues  all queues with their counts, at first with what has been; again when the list changes
//	counts  the counts that have changed, by the places of their queues in that list
//	tasks   redrives under way and those that have ended lately
//	workers the workers, where there are some, and what they did last
//	trouble why there are no new counts
type (
	hello struct {
		Title    string   `json:"title"`
		ReadOnly bool     `json:"readOnly"`
		Can      []string `json:"can"`
		LookCost string   `json:"lookCost"`
		Every    int64    `json:"every"` // milliseconds
	}
	queueRow struct {
		ID          string     `json:"id"`
		Name        string     `json:"name"`
		FIFO        bool       `json:"fifo"`
		DeadLetter  string     `json:"dead"`
		MaxReceives int        `json:"maxReceives"`
		Counts      [3]int     `json:"counts"`
		Oldest      int64      `json:"oldest"`
		Points      [][4]int64 `json:"points,omitempty"`
	}
	queueList struct {
		Now    int64      `json:"now"`
		Queues []queueRow `json:"queues"`
	}
	changes struct {
		Now     int64      `json:"now"`
		Changed [][5]int64 `json:"changed"` // place, visible, in flight, delayed, oldest
	}
)

func (h *Handler) hello() hello {
	out := hello{Title: h.o.Title, ReadOnly: h.o.ReadOnly, Can: []string{}, LookCost: h.lookCost(), Every: h.o.Every.Milliseconds()}
	if h.o.ReadOnly {
		return out
	}
	out.Can = append(out.Can, "send", "purge")
	if _, ok := h.o.Source.(Remover); ok {
		out.Can = append(out.Can, "delete")
	}
	if _, ok := h.o.Source.(Redriver); ok {
		out.Can = append(out.Can, "redrive")
	}
	if _, ok := h.o.Source.(ChosenRedriver); ok {
		out.Can = append(out.Can, "redriveChosen")
	}
	return out
}

// viewer is one who watches.
type viewer struct {
	w       http.ResponseWriter
	flush   func() error
	began   bool   // a list was sent
	shape   int64  // of the list that was sent
	version int64  // of the sample that was sent
	tasks   int64  // of the tasks that were sent
	workers []byte // as they were sent
}

// live streams to one who watches until either side ends it.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	v := &viewer{w: w, flush: http.NewResponseController(w).Flush}
	if v.send("hello", h.hello()) != nil {
		return
	}
	tick := time.NewTicker(h.o.Every)
	defer tick.Stop()
	for {
		h.samples.take(r.Context())
		if h.show(v) != nil || v.flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-h.tasks.changed():
		case <-r.Context().Done():
			return
		case <-h.ended.Done():
			return
		}
	}
}

func (v *viewer) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err == nil {
		_, err = fmt.Fprintf(v.w, "event: %s\ndata: %s\n\n", event, text)
	}
	return err
}

// show sends what is new to a viewer. An event comes with each sample, so that the
// page knows that the stream lives.
func (h *Handler) show(v *viewer) error {
	if list, version := h.tasks.list(v.tasks); version != v.tasks {
		v.tasks = version
		if err := v.send("tasks", list); err != nil {
			return err
		}
	}
	if h.o.Workers != nil {
		if text, err := json.Marshal(h.o.Workers.Workers()); err != nil || !bytes.Equal(text, v.workers) {
			v.workers = text
			if err := v.send("workers", json.RawMessage(text)); err != nil {
				return err
			}
		}
	}
	event, data := h.samples.news(v)
	if event == "" {
		return nil
	}
	return v.send(event, data)
}

// news returns the event that brings a viewer up to the latest sample, "" if it is.
func (s *samples) news(v *viewer) (event string, data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.at.UnixMilli()
	switch {
	case s.err != nil && v.version != s.version:
		v.version = s.version
		return "trouble", s.err.Error()
	case v.version == s.version || s.version == 0:
		return "", nil
	case v.shape != s.shape || !v.began:
		list := queueList{now, make([]queueRow, len(s.queues))}
		for i, q := range s.queues {
			row := queueRow{
				ID: q.ID, Name: q.Name, FIFO: q.FIFO, DeadLetter: q.DeadLetter, MaxReceives: q.MaxReceives,
				Counts: [3]int{q.Counts.Visible, q.Counts.InFlight, q.Counts.Delayed}, Oldest: q.oldest,
			}
			if !v.began {
				row.Points = rows(q.since(now - spanOfAll.Milliseconds()))
			}
			list.Queues[i] = row
		}
		v.shape, v.version, v.began = s.shape, s.version, true
		return "queues", list
	}
	c := changes{now, [][5]int64{}}
	for i, q := range s.queues {
		if q.changed > v.version {
			c.Changed = append(c.Changed, [5]int64{int64(i), int64(q.Counts.Visible), int64(q.Counts.InFlight), int64(q.Counts.Delayed), q.oldest})
		}
	}
	v.version = s.version
	return "counts", c
}

// history answers the counts of one queue over all the time that is kept.
func (h *Handler) history(w http.ResponseWriter, r *http.Request) {
	points, err := h.samples.history(r.URL.Query().Get("queue"))
	answer(w, rows(points), err)
}
