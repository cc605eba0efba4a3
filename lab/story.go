package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// A Story is a chapter of the lab: queues, workers, and what happens to them.
type Story struct {
	Name     string
	Title    string
	Question string   // to think about before
	Look     []string // what to look for
	Answer   string   // what it showed
	Needs    []bus.Control

	queues    []stageQueue
	topic     string // name's suffix of the topic that producers send to; "" is none
	producers []producing
	consumers []consuming
	owes      func(number int, body []byte) int       // how many deliveries a producer's n-th message leads to; nil is one
	script    func(ctx context.Context, r *run) error // runs beside the workers; nil is none
}

// A stageQueue is a queue of a story.
type stageQueue struct {
	suffix   string // of the name
	fifo     bool
	settings bus.QueueSettings
	dead     string                    // suffix of its dead-letter queue, which is also in the story; "" is none
	receives int                       // with dead
	wants    *bus.SubscriptionSettings // of the topic's messages; nil is not subscribed
}

// producing is a producer of a story. Its delay is that of the preset unless the queue's
// own applies.
type producing struct {
	ProducerPreset
	queue    string // suffix
	count    int    // 0 is all of Data
	start    time.Duration
	ownDelay bool // the queue's
	prepare  func(run string, number int, m *pubsub.Message)
}

// consuming is a consumer of a story.
type consuming struct {
	ConsumerPreset
	queue   string // suffix
	start   time.Duration
	hurdles func(m *pubsub.Message, receives int) hurdle
}

// A hurdle is what is special about a message for a consumer.
type hurdle struct {
	work   time.Duration // if not 0, how long it takes in place of the consumer's pause
	failed string        // if not "", how it fails
}

// FindStory returns a story by its name.
func FindStory(name string) (*Story, error) {
	var names []string
	for _, s := range Stories() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, fmt.Errorf("lab: unknown story %q; known are %s", name, strings.Join(names, ", "))
}

// lacks returns an error if a queue lacks a control that the story needs.
func (s *Story) lacks(q *bus.Queue) error {
	for _, need := range s.Needs {
		if !q.Supports(need) {
			return fmt.Errorf("lab: the story %s shows the control %s, which %s lacks: %w", s.Name, need, bus.Redact(q.URL()), errors.ErrUnsupported)
		}
	}
	return nil
}

// Messages returns how many messages the story's producers send.
func (s *Story) Messages() int {
	n := 0
	for _, p := range s.producers {
		n += p.messages()
	}
	return n
}

// Deliveries returns how many messages are handled in the end: those that are sent, each
// once in every queue that gets it.
func (s *Story) Deliveries() int {
	n := 0
	for _, p := range s.producers {
		number := 0
		for body := range workers.Documents(p.DataName, bytes.NewReader(p.Data)) {
			if number++; number > p.messages() {
				break
			}
			if s.owes != nil {
				n += s.owes(number, body)
			} else {
				n++
			}
		}
	}
	return n
}

func (p *producing) messages() int {
	if p.count > 0 {
		return p.count
	}
	return donorsEach
}

// receives returns how often a queue has a message received before it is a dead letter, 0 if
// it has no dead-letter queue.
func (s *Story) receives(suffix string) int {
	if i := slices.IndexFunc(s.queues, func(q stageQueue) bool { return q.suffix == suffix }); i >= 0 {
		return s.queues[i].receives
	}
	return 0
}

// beside returns the URL of a queue beside another one: with a suffix to its name.
func beside(rawURL, suffix string, fifo bool) (string, error) {
	if suffix == "" && !fifo {
		return rawURL, nil
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	name := &u.Path
	if strings.Trim(u.Path, "/") == "" {
		name, u.Path = &u.Host, ""
	}
	*name = strings.TrimSuffix(*name, ".fifo") + suffix
	if fifo {
		*name += ".fifo"
	}
	u.RawPath = ""
	return u.String(), nil
}

// nameOf returns the name of the queue that a URL names.
func nameOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	if name := path.Base(u.Path); strings.Trim(u.Path, "/") != "" {
		return name
	}
	return u.Host
}

// topicScheme is the scheme of topics beside queues whose URLs name a topic as they name a
// queue, by the scheme of the queues. Topics of SNS have ARNs instead, which no URL of a
// queue tells.
var topicScheme = map[string]string{"mem": "memsns"}

// topicURL returns the URL of a topic beside a queue.
func topicURL(rawURL, suffix string) (string, error) {
	sibling, err := beside(rawURL, suffix, false)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(sibling)
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	scheme, ok := topicScheme[u.Scheme]
	if !ok {
		return "", fmt.Errorf("lab: there is no topic beside %s that a URL names; a story with a topic runs on mem://: %w", bus.Redact(rawURL), errors.ErrUnsupported)
	}
	u.Scheme = scheme
	u.RawQuery = ""
	return u.String(), nil
}
