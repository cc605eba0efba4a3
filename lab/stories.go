package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gocloud.dev/pubsub"

	"omnibus"
	"omnibus/bus"
	"omnibus/watch"
)

// Stories returns the chapters of the lab, in the order in which to see them. Each takes
// ten minutes at most, most of them about one.
func Stories() []*Story {
	return []*Story{theLab(), visibility(), deadLetters(), delay(), polling(), fifo(), fanOut()}
}

// donors is a producer of the first donors, which the stories share.
func donors(name string, count int, every time.Duration) producing {
	return producing{
		ProducerPreset: ProducerPreset{
			Name: name, DataName: "donors-fast.json", Data: omnibus.FastDonors, Every: every,
			Metadata: map[string]string{"JobType": "NewDonor", "Producer": "Fast"},
		},
		count: count,
	}
}

// named reports whether a message is a donor's.
func named(m *pubsub.Message, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(m.Body, []byte(`"`+name+`"`)) })
}

func theLab() *Story {
	return &Story{
		Name:     "lab",
		Title:    "Two producers, two consumers, one queue",
		Question: "Two producers send a message a second each; one consumer takes 2 s for a message, the other 8 s. Where will the messages be after half a minute?",
		Look: []string{
			"what is sent is delayed first: by 2 s or 10 s, as its producer says, and not by the queue's own 5 s",
			"what is being worked on is in flight: hidden, not gone, and never more than there are consumers",
			"the queue grows while the producers send, and shrinks to nothing after that",
		},
		Answer:    "In the queue, visible: 2 messages a second come, and 0.6 are handled. A queue takes up the difference, so that producers need not wait for consumers. To keep up there would have to be four fast consumers.",
		queues:    []stageQueue{{settings: QueueSettings()}},
		producers: []producing{{ProducerPreset: Producers["slow"]}, {ProducerPreset: Producers["fast"]}},
		consumers: []consuming{{ConsumerPreset: Consumers["slow"]}, {ConsumerPreset: Consumers["fast"]}},
	}
}

func visibility() *Story {
	const short, long = "short lease", "long lease"
	return &Story{
		Name:     "visibility",
		Title:    "Leases, a crash, and messages that come again",
		Question: "A consumer crashes with a message in hand. Nobody tells the queue. Is the message lost?",
		Look: []string{
			"the first message takes longer than the lease of 5 s: it is delivered again, though nobody crashed",
			"a consumer with a lease of 5 s crashes: what it had is visible again within 5 s",
			"one with a lease of 20 s crashes: what it had stays in flight, with nobody at work on it, for up to 20 s",
		},
		Answer: "No. A received message is hidden for its visibility timeout, the lease, and not deleted; when that is over it is visible again. A short lease brings it back soon and must outlast the work; a long one is safe for slow work and slow to recover. So handling a message twice must do no harm.",
		Needs:  []bus.Control{bus.ControlCreate, bus.ControlAttributes, bus.ControlReceivers, bus.ControlDetails},
		queues: []stageQueue{{suffix: "-visibility"}},
		producers: []producing{func() producing {
			p := donors("producer", 18, time.Second)
			p.queue = "-visibility"
			return p
		}()},
		consumers: []consuming{
			{
				ConsumerPreset: ConsumerPreset{Name: short, Visibility: 5 * time.Second, Wait: 20 * time.Second, Pause: 3 * time.Second},
				queue:          "-visibility",
				hurdles: func(m *pubsub.Message, receives int) hurdle {
					if named(m, "Harper Pierce") && receives == 1 {
						return hurdle{work: 8 * time.Second}
					}
					return hurdle{}
				},
			},
			{
				ConsumerPreset: ConsumerPreset{Name: long, Visibility: 20 * time.Second, Wait: 20 * time.Second, Pause: 3 * time.Second},
				queue:          "-visibility", start: 4 * time.Second,
			},
		},
		script: func(ctx context.Context, r *run) error {
			for _, crash := range []struct {
				name string
				at   time.Duration // after what was before
			}{{short, 12 * time.Second}, {long, 4 * time.Second}} {
				if err := r.crashBusy(ctx, crash.name, crash.at); err != nil {
					return err
				}
				if !r.sleep(ctx, 6*time.Second) {
					return nil
				}
				if err := r.restart(ctx, crash.name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// crashBusy waits for a time and then until a consumer has had a message in hand for a
// second, and crashes it. If none is left to wait for it does nothing.
func (r *run) crashBusy(ctx context.Context, name string, after time.Duration) error {
	handled := func() bool { return r.sending == 0 && r.deleted() >= r.owed || r.purged }
	busy := func() bool { _, c := r.find(name); return c != nil && c.busy }
	if !r.sleep(ctx, after) || !r.await(ctx, func() bool { return !busy() }) || !r.await(ctx, func() bool { return busy() || handled() }) {
		return nil
	}
	r.mu.Lock()
	ok := busy()
	r.mu.Unlock()
	if !ok || !r.sleep(ctx, time.Second) {
		return nil
	}
	_ = r.crash(name) // it fails if somebody has removed or crashed it meanwhile
	return nil
}

// restart starts a consumer that has crashed again, under its name.
func (r *run) restart(ctx context.Context, name string) error {
	r.mu.Lock()
	_, c := r.find(name)
	if c == nil || c.state != watch.StateCrashed {
		r.mu.Unlock()
		return nil // somebody has removed it, or it has not crashed
	}
	c.state = stateRemoved
	s := c.consuming
	r.mu.Unlock()
	s.start = 0
	return r.start(ctx, s)
}

func deadLetters() *Story {
	const queue, dead = "-deadletters", "-deadletters-dead"
	mended := make(chan struct{})
	return &Story{
		Name:     "deadletters",
		Title:    "Messages that cannot be handled",
		Question: "Two of ten messages can never be handled, for a bug in the consumer. Will they keep it from handling the others for ever?",
		Look: []string{
			"a message that fails comes again, with a receive count that is one higher",
			"after 3 receives it is not delivered again: it moves to the dead-letter queue",
			"when the bug is mended the dead letters are redriven: they go back to their queue, and are handled",
		},
		Answer: "No. The queue's redrive policy gives up on a message after a number of receives, here 3, and moves it to the dead-letter queue, where it waits for somebody to look at it. It is late then, and not lost.",
		Needs:  []bus.Control{bus.ControlCreate, bus.ControlAttributes, bus.ControlReceivers, bus.ControlDetails, bus.ControlDeadLetter, bus.ControlGiveBack, bus.ControlRedrive},
		queues: []stageQueue{{suffix: dead}, {suffix: queue, dead: dead, receives: 3}},
		producers: []producing{func() producing {
			p := donors("producer", 10, time.Second)
			p.queue = queue
			return p
		}()},
		consumers: []consuming{{
			ConsumerPreset: ConsumerPreset{Name: "consumer", Visibility: 5 * time.Second, Wait: 20 * time.Second, Pause: 1500 * time.Millisecond},
			queue:          queue,
			hurdles: func(m *pubsub.Message, _ int) hurdle {
				select {
				case <-mended:
					return hurdle{}
				default:
				}
				if named(m, "Lois Huber", "Cecile Hickman") {
					return hurdle{failed: "no such account"}
				}
				return hurdle{}
			},
		}},
		script: func(ctx context.Context, r *run) error {
			letters := r.stage(dead)
			if !r.await(ctx, func() bool {
				return r.sending == 0 && r.deleted() >= r.owed-2 && letters.counts != nil && letters.counts.Visible == 2 || r.purged
			}) {
				return nil
			}
			if !r.sleep(ctx, 3*time.Second) {
				return nil
			}
			close(mended)
			r.note(watch.Note, "", "", "somebody mends the bug", 0)
			if !r.sleep(ctx, 3*time.Second) {
				return nil
			}
			moved, err := letters.queue.Redrive(ctx, "", 0)
			if err != nil {
				return err
			}
			r.flow(letters.queue.Name(), 0, moved)
			r.flow(r.stage(queue).queue.Name(), moved, 0)
			r.note(watch.Redriven, letters.queue.Name(), "", "", moved)
			return nil
		},
	}
}

func delay() *Story {
	from := func(name string, delay time.Duration, own bool) producing {
		p := donors(name, 6, time.Second)
		p.queue, p.ProducerPreset.Delay, p.ownDelay = "-delay", delay, own
		return p
	}
	return &Story{
		Name:     "delay",
		Title:    "Messages that wait before anybody sees them",
		Question: "The queue delays messages by 5 s. One producer asks for no delay, one for 15 s, one says nothing. Whose message comes first?",
		Look: []string{
			"delayed messages are counted apart: no receive finds them",
			"a message's own delay replaces the queue's, and is not added to it",
			"the messages come in the order in which their delays end, not in that in which they were sent",
		},
		Answer: "That of the producer that asked for none, at once; the queue's own 5 s are for messages that say nothing; what asked for 15 s comes last. Up to 15 minutes a message can wait so. On a FIFO queue only the queue's own delay applies.",
		Needs:  []bus.Control{bus.ControlCreate, bus.ControlAttributes, bus.ControlReceivers, bus.ControlDelay},
		queues: []stageQueue{{suffix: "-delay", settings: bus.QueueSettings{Delay: new(5 * time.Second)}}},
		producers: []producing{
			from("no delay", 0, false),
			from("says nothing", 0, true),
			from("15 s delay", 15*time.Second, false),
		},
		consumers: []consuming{{
			ConsumerPreset: ConsumerPreset{Name: "consumer", Visibility: 10 * time.Second, Wait: 20 * time.Second, Pause: time.Second},
			queue:          "-delay",
		}},
	}
}

func polling() *Story {
	const short, long = "-short", "-long"
	from := func(queue string) producing {
		p := donors("producer to"+strings.ReplaceAll(queue, "-", " "), 6, 10*time.Second)
		p.queue = queue
		return p
	}
	to := func(queue string, wait time.Duration) consuming {
		return consuming{
			ConsumerPreset: ConsumerPreset{Name: queue[1:] + " polling", Visibility: 10 * time.Second, Wait: wait, Pause: time.Second},
			queue:          queue,
		}
	}
	return &Story{
		Name:     "polling",
		Title:    "Short against long polling, in requests and dollars",
		Question: "A message comes every ten seconds. One consumer asks four times a second whether there is one, the other waits at the queue for up to 20 s. What does each cost?",
		Look: []string{
			"both handle the same messages at about the same time",
			"the requests of short polling grow whether there are messages or not",
			"those of long polling grow with the messages",
		},
		Answer: "With a wait of 20 s SQS answers as soon as there is a message, and an idle consumer makes three requests a minute. Without it most requests find nothing, and each is billed.",
		Needs:  []bus.Control{bus.ControlCreate, bus.ControlAttributes, bus.ControlReceivers},
		queues: []stageQueue{{suffix: short}, {suffix: long}},
		producers: []producing{
			from(short), from(long),
		},
		consumers: []consuming{to(short, 0), to(long, 20*time.Second)},
		script: func(ctx context.Context, r *run) error {
			start := time.Now()
			if !r.sleep(ctx, time.Minute) || !r.await(ctx, func() bool { return r.sending == 0 && r.deleted() >= r.owed }) {
				return nil
			}
			took := time.Since(start) * time.Duration(r.lab.Speed)
			for _, suffix := range []string{short, long} {
				q := r.stage(suffix).queue
				var receives []watch.Request
				for _, request := range r.sampled(q).Requests {
					if request.Action == "ReceiveMessage" {
						receives = append(receives, request)
					}
				}
				if len(receives) == 0 {
					continue
				}
				const month = 30 * 24 * time.Hour
				dollars := r.lab.Price.Dollars(receives, false) * float64(month) / float64(took)
				r.note(watch.Note, q.Name(), "", fmt.Sprintf("%s polling: %d ReceiveMessage in %v, which is $%.2f a month for each consumer", suffix[1:], receives[0].Count, took.Round(time.Second), dollars), 0)
			}
			return nil
		},
	}
}

func fifo() *Story {
	const suffix = "-groups"
	groups := []string{"red", "green", "blue"}
	consumer := func(n int) consuming {
		return consuming{
			ConsumerPreset: ConsumerPreset{Name: fmt.Sprintf("consumer %d", n), Visibility: 10 * time.Second, Wait: 20 * time.Second, Pause: 2 * time.Second},
			queue:          suffix,
			hurdles: func(m *pubsub.Message, receives int) hurdle {
				if named(m, fifoFails) && receives == 1 {
					return hurdle{failed: "the bank does not answer"}
				}
				return hurdle{}
			},
		}
	}
	p := donors("producer", 16, 500*time.Millisecond)
	p.queue, p.ownDelay = suffix, true
	p.prepare = func(run string, number int, m *pubsub.Message) {
		bus.Group(m, groups[number%len(groups)])
		if number == fifoTwice {
			number-- // and its group, so that it is the one before once more
			bus.Group(m, groups[number%len(groups)])
		}
		bus.Deduplicate(m, fmt.Sprintf("%s-%d", run, number))
	}
	return &Story{
		Name:     "fifo",
		Title:    "Groups in order, and side by side",
		Question: "Two consumers handle messages of three groups, each of which must stay in order. One message fails the first time. Must all others wait?",
		Look: []string{
			"within a group one message comes after the other, whoever handles it",
			"two groups are handled side by side, and never two messages of one",
			"the message that fails comes again before the next of its group; other groups go on",
			"one message is sent twice with the same deduplication id: it is accepted, and not delivered",
		},
		Answer:    "Only those of its own group. A FIFO queue keeps the order within a group, and gives out nothing more of a group while one of its messages is in flight; so groups are what can be done in parallel.",
		Needs:     []bus.Control{bus.ControlCreate, bus.ControlAttributes, bus.ControlReceivers, bus.ControlGroups, bus.ControlGiveBack},
		queues:    []stageQueue{{suffix: suffix, fifo: true}},
		producers: []producing{p},
		consumers: []consuming{consumer(1), consumer(2)},
		owes: func(number int, _ []byte) int {
			if number == fifoTwice {
				return 0
			}
			return 1
		},
	}
}

const (
	fifoTwice = 9            // the producer's message that has the deduplication id of the one before
	fifoFails = "Lois Huber" // the donor whose message fails the first time
)

func fanOut() *Story {
	const all, large, least = "-receipts", "-calls", 50
	p := donors("producer", 16, time.Second)
	p.ownDelay = true
	return &Story{
		Name:     "fanout",
		Title:    "One message, several queues",
		Question: "Every donor gets a receipt, and who gives 50 or more is called besides. The calls take long. Must the receipts wait for them?",
		Look: []string{
			"the producer sends each message once, to a topic",
			"the queue of receipts gets all of them, that of calls only donations of 50 or more: a filter at the topic sorts them",
			"the calls pile up, and the receipts do not",
		},
		Answer: "No. A topic puts a copy of each message into every queue whose filter wants it. Each queue has its own consumers, its own pace and its own failures.",
		Needs:  []bus.Control{bus.ControlTopics, bus.ControlAttributes, bus.ControlReceivers},
		topic:  "-donations",
		queues: []stageQueue{
			{suffix: all, wants: &bus.SubscriptionSettings{}},
			{suffix: large, wants: &bus.SubscriptionSettings{Filter: fmt.Sprintf(`{"donation": [{"numeric": [">=", %d]}]}`, least), FilterBody: true}},
		},
		producers: []producing{p},
		consumers: []consuming{
			{ConsumerPreset: ConsumerPreset{Name: "receipts", Visibility: 10 * time.Second, Wait: 20 * time.Second, Pause: 500 * time.Millisecond}, queue: all},
			{ConsumerPreset: ConsumerPreset{Name: "calls", Visibility: 20 * time.Second, Wait: 20 * time.Second, Pause: 4 * time.Second}, queue: large},
		},
		owes: func(_ int, body []byte) int {
			var donor struct{ Donation float64 }
			if json.Unmarshal(body, &donor) == nil && donor.Donation >= least {
				return 2
			}
			return 1
		},
	}
}
