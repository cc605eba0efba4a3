package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Workers are those who send to the queues and receive from them, where a program knows
// them, as a lab does. Its methods are called concurrently.
type Workers interface {
	// Workers returns all workers in the order in which they are shown.
	Workers() []Worker

	// Do has something done with a worker: one of the actions that it Can.
	Do(ctx context.Context, worker, action string) error
}

// A Worker is a worker as the page shows it.
type Worker struct {
	Name     string   `json:"name"`
	Queue    string   `json:"queue"` // ID of its queue, or the name of its topic
	Producer bool     `json:"producer"`
	State    string   `json:"state"`
	Done     int      `json:"done"` // messages sent, or handled
	Of       int      `json:"of"`   // that it has to send in all, 0 if that is not known
	Settings string   `json:"settings"`
	Can      []string `json:"can"`    // actions, in words for buttons
	Latest   []Deed   `json:"latest"` // what it did last, the newest first
}

// A Deed is what a worker did with a message. Times are in milliseconds.
type Deed struct {
	Kind       string `json:"kind"` // sent, received, handled, failed and the like
	Words      string `json:"words"`
	At         int64  `json:"at"`
	LeaseBegan int64  `json:"leaseBegan,omitempty"` // of a message in hand
	LeaseEnds  int64  `json:"leaseEnds,omitempty"`
}

// Millis returns a time as [Deed] has it, 0 for the zero time.
func Millis(t time.Time) int64 { return millis(t) }

// work has something done with a worker.
func (h *Handler) work(r *http.Request, decode func(any) error) (any, error) {
	var in struct{ Worker, Action string }
	if err := decode(&in); err != nil {
		return nil, err
	}
	if h.o.Workers == nil {
		return nil, badCall{errors.New("there are no workers here")}
	}
	return map[string]bool{"done": true}, h.o.Workers.Do(r.Context(), in.Worker, in.Action)
}
