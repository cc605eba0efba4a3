package watch

import "time"

// A Sample is what a queue was like at a time.
type Sample struct {
	Time  time.Time `json:"time"`
	Queue string    `json:"queue"` // its URL, without secrets
	Name  string    `json:"name"`  // of the queue, as its URL has it
	FIFO  bool      `json:"fifo,omitempty"`
	Counts

	// Oldest is the age of the oldest message in any state, 0 when there is none or
	// the backend does not tell.
	Oldest time.Duration `json:"oldest_ns,omitempty"`

	// In and Out are the messages that came and went a second, since the queue's
	// sample before. They are exact if those who send and delete tell; else they are
	// what the counts show: only one of them is not 0, and it is the least that it
	// can be.
	In    float64 `json:"in"`
	Out   float64 `json:"out"`
	Exact bool    `json:"exact,omitempty"`

	Requests []Request `json:"requests,omitempty"` // so far, by action
	Dollars  float64   `json:"dollars"`            // what those cost

	DeadLetter string `json:"dead_letter,omitempty"` // name of the queue's dead-letter queue, if it has one

	// Error says why there are no counts; all fields from Counts on are 0 then.
	Error string `json:"error,omitempty"`
}

// Counts are the numbers of a queue's messages by state. SQS calls them approximate.
type Counts struct {
	Visible  int `json:"visible"`   // ApproximateNumberOfMessages: a receive would find them
	InFlight int `json:"in_flight"` // ApproximateNumberOfMessagesNotVisible: received, not yet deleted
	Delayed  int `json:"delayed"`   // ApproximateNumberOfMessagesDelayed: sent, not yet visible
}

// Total returns the sum of the counts.
func (c Counts) Total() int { return c.Visible + c.InFlight + c.Delayed }

// An Account is what is known of a queue beside its attributes: what passed through
// it, and the requests that were made for it.
type Account struct {
	Told     bool  // whether In and Out are known
	In       int64 // messages sent to the queue so far
	Out      int64 // messages deleted from it so far
	Requests []Request
}

// rates fills in the rates of a sample. Before is the queue's sample before it, and
// was the account then.
func (s *Sample) rates(before *Sample, was, is Account) {
	s.Exact = was.Told && is.Told
	seconds := s.Time.Sub(before.Time).Seconds()
	if seconds <= 0 {
		return
	}
	if s.Exact {
		s.In, s.Out = float64(is.In-was.In)/seconds, float64(is.Out-was.Out)/seconds
		return
	}
	grown := float64(s.Total()-before.Total()) / seconds
	s.In, s.Out = max(0, grown), max(0, -grown)
}

// A Series makes the samples of one queue. The zero value is ready.
type Series struct {
	last  *Sample
	known Account
}

// Next returns s with its rates, requests and cost, by the account of the queue at the
// time and by what Next was told before.
func (r *Series) Next(s Sample, a Account, p Price) Sample {
	s.Requests = a.Requests
	s.Dollars = p.Dollars(a.Requests, s.FIFO)
	if s.Error != "" {
		return s
	}
	if r.last != nil {
		s.rates(r.last, r.known, a)
	} else {
		s.Exact = a.Told
	}
	last := s
	r.last, r.known = &last, a
	return s
}
