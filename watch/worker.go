package watch

import "time"

// The states of a worker.
const (
	StateRunning = "running"
	StatePaused  = "paused"
	StateCrashed = "crashed" // it ended with a message in hand, perhaps, and does nothing more
	StateEnded   = "ended"
)

// A Worker is what there is to say of a producer or a consumer, beside its events.
type Worker struct {
	Name     string `json:"name"`
	Queue    string `json:"queue"` // name of its queue, or of its topic
	Producer bool   `json:"producer,omitempty"`
	State    string `json:"state"`
	Done     int    `json:"done"`         // messages sent, or handled
	Of       int    `json:"of,omitempty"` // how many it has to send in all; 0 if that is not known

	Visibility time.Duration `json:"visibility_ns,omitempty"` // of a consumer's leases; 0 is the queue's own
	Work       time.Duration `json:"work_ns,omitempty"`       // how long a consumer works on a message
	Wait       time.Duration `json:"wait_ns,omitempty"`       // how long one of a consumer's receives waits
	Every      time.Duration `json:"every_ns,omitempty"`      // from one message of a producer to the next
	Delay      time.Duration `json:"delay_ns,omitempty"`      // of a producer's messages
}
