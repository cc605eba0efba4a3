package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// Concurrent operations look as if each happened at one moment between its call and its
// return: their histories are checked against a sequential model with porcupine.

var histories = flag.Int("histories", 50, "how many `histories` of each type of queue are checked for linearizability")

// mostMessages is how many messages a history has.
const mostMessages = 24

// A kept is what the model knows of a message, whose body is its place.
type kept struct {
	state    byte // absent, ready, held or done
	receives byte
}

const (
	absent byte = iota
	ready
	held
	done
)

type modelState [mostMessages]kept

// An operation is what a client asks for. Those on a delivery name it by message and
// receive count.
type operation struct {
	kind             string // send, receive, delete, give back, count
	message, receive int
	most             int // messages of a receive
}

// An outcome is what the queue answers.
type outcome struct {
	got               [][2]int // message and receive count of what was received
	ok                bool     // whether a deletion deleted, a message was given back
	visible, inFlight int
}

// model returns the sequential queue. That of a FIFO queue has groups: messages with the
// same remainder.
func model(groups int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return modelState{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(modelState), input.(operation), output.(outcome)
			m := &s[in.message]
			switch in.kind {
			case "send":
				legal := m.state == absent
				m.state = ready
				return legal, s
			case "receive":
				return s.receive(in, out, groups), s
			case "delete":
				deletes := m.state == held && int(m.receives) == in.receive || m.state == ready && groups == 0
				if deletes {
					m.state = done
				}
				return out.ok == deletes, s
			case "give back":
				gives := m.state == held && int(m.receives) == in.receive
				if gives {
					m.state = ready
				}
				return out.ok == gives, s
			}
			visible, inFlight := 0, 0
			for _, m := range s {
				switch m.state {
				case ready:
					visible++
				case held:
					inFlight++
				}
			}
			return out.visible == visible && out.inFlight == inFlight, s
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
	}
}

// receive takes what was received, and reports whether it could be had, and more could
// not.
func (s *modelState) receive(in operation, out outcome, groups int) bool {
	var now [mostMessages]bool // received by this call
	// A FIFO queue gives a message when all before it in its group are deleted, or come
	// in the same answer.
	available := func(i int) bool {
		for before := i - groups; groups > 0 && before >= 0; before -= groups {
			if s[before].state != done && !now[before] {
				return false
			}
		}
		return s[i].state == ready
	}
	for _, got := range out.got {
		m := &s[got[0]]
		if !available(got[0]) || int(m.receives)+1 != got[1] {
			return false
		}
		*m = kept{held, m.receives + 1}
		now[got[0]] = true
	}
	for i := range s {
		if len(out.got) < in.most && available(i) {
			return false
		}
	}
	return true
}

// A client makes operations on a queue and writes their history down.
type client struct {
	id     int
	q      *engine.Queue
	clock  *atomic.Int64
	draw   *rand.Rand
	mine   []int // messages to send, in order
	groups int
	held   []engine.Delivery
	log    []porcupine.Operation
}

func (c *client) do(in operation, f func() outcome) {
	call := c.clock.Add(1)
	runtime.Gosched() // so that calls overlap
	out := f()
	c.log = append(c.log, porcupine.Operation{ClientId: c.id, Input: in, Call: call, Output: out, Return: c.clock.Add(1)})
}

func number(d engine.Delivery) int {
	n, _ := strconv.Atoi(d.Body)
	return n
}

func (c *client) step(t *testing.T) {
	switch n := c.draw.IntN(10); {
	case n < 3 && len(c.mine) > 0:
		message := c.mine[0]
		c.mine = c.mine[1:]
		m := engine.Message{Body: strconv.Itoa(message)}
		if c.groups > 0 {
			m.Group = strconv.Itoa(message % c.groups)
		}
		c.do(operation{kind: "send", message: message}, func() outcome {
			if _, err := c.q.Send(m); err != nil {
				t.Error(err)
			}
			return outcome{}
		})
	case n < 6:
		most := 1 + c.draw.IntN(3)
		wait := time.Duration(0)
		c.do(operation{kind: "receive", most: most}, func() (out outcome) {
			ds, err := c.q.Receive(context.Background(), engine.ReceiveRequest{Max: most, Wait: &wait, Visibility: new(time.Hour)})
			if err != nil {
				t.Error(err)
			}
			for _, d := range ds {
				out.got = append(out.got, [2]int{number(d), d.ReceiveCount})
			}
			c.held = append(c.held, ds...)
			return out
		})
	case n < 9 && len(c.held) > 0:
		d := c.held[c.draw.IntN(len(c.held))] // which may have been settled
		in := operation{kind: "delete", message: number(d), receive: d.ReceiveCount}
		if n == 8 {
			in.kind = "give back"
			c.do(in, func() outcome { return outcome{ok: c.q.ChangeHeld(d.ReceiptHandle, 0) == nil} })
			return
		}
		c.do(in, func() outcome {
			deleted, err := c.q.Delete(d.ReceiptHandle)
			if err != nil && (c.groups == 0 || !errors.Is(err, spec.InvalidParameterValue)) { // the latter of one that is not held any more
				t.Error(err)
			}
			return outcome{ok: deleted}
		})
	default:
		c.do(operation{kind: "count"}, func() outcome {
			a, err := c.q.Attributes()
			if err != nil {
				t.Error(err)
			}
			return outcome{visible: a.Visible, inFlight: a.InFlight}
		})
	}
}

// history has clients at work on a new queue at the same time, and returns what they did.
func history(t *testing.T, seed uint64, groups int) (log []porcupine.Operation) {
	name, settings := "donors", spec.QueueSettings{}
	if groups > 0 {
		name, settings = "donors.fifo", spec.QueueSettings{FIFO: new(true), ContentBasedDeduplication: new(true)}
	}
	q, err := engine.New(nil).Create(name, settings)
	if err != nil {
		t.Fatal(err)
	}
	const clients, steps = 4, 30
	var clock atomic.Int64
	var all [clients]*client
	var atWork sync.WaitGroup
	for id := range clients {
		c := &client{id: id, q: q, clock: &clock, groups: groups, draw: rand.New(rand.NewPCG(seed, uint64(id)))}
		for m := range mostMessages {
			if m%clients == id { // so that all of a group are one client's, in order
				c.mine = append(c.mine, m)
			}
		}
		all[id] = c
		atWork.Go(func() {
			for range steps {
				c.step(t)
			}
		})
	}
	atWork.Wait()
	for _, c := range all {
		log = append(log, c.log...)
	}
	return log
}

func TestConcurrentOperationsAreLinearizable(t *testing.T) {
	operations, overlapping := 0, 0
	for _, groups := range []int{0, 4} {
		for seed := range uint64(*histories) {
			log := history(t, seed, groups)
			operations += len(log)
			overlapping += overlaps(log)
			if result := porcupine.CheckOperationsTimeout(model(groups), log, 30*time.Second); result != porcupine.Ok {
				t.Errorf("a history of %d operations with %d groups, seed %d: %v", len(log), groups, seed, result)
			}
		}
	}
	if overlapping == 0 {
		t.Error("no operation began before another had ended: there was nothing to check")
	}
	t.Logf("%d histories, %d operations, %d of them while others were under way", 2**histories, operations, overlapping)
}

// overlaps returns how many operations began while others were under way.
func overlaps(log []porcupine.Operation) (n int) {
	log = slices.Clone(log)
	slices.SortFunc(log, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var end int64
	for _, o := range log {
		if o.Call < end {
			n++
		}
		end = max(end, o.Return)
	}
	return n
}

// The check finds an answer that is wrong.
func TestAHistoryWithAWrongAnswerIsNotLinearizable(t *testing.T) {
	for _, groups := range []int{0, 4} {
		for _, kind := range []string{"receive", "delete", "give back", "count"} {
			log := history(t, 1, groups)
			at := slices.IndexFunc(log, func(o porcupine.Operation) bool {
				out := o.Output.(outcome)
				return o.Input.(operation).kind == kind && (kind == "count" || out.ok || len(out.got) > 0)
			})
			if at < 0 {
				t.Fatalf("no %s in %d operations", kind, len(log))
			}
			out := log[at].Output.(outcome)
			switch kind {
			case "receive":
				out.got = slices.Clone(out.got)
				out.got[0][1]++ // a delivery too many
			case "count":
				out.inFlight += mostMessages
			default:
				out.ok = false
			}
			log[at].Output = out
			if result := porcupine.CheckOperationsTimeout(model(groups), log, 30*time.Second); result != porcupine.Illegal {
				t.Errorf("with a wrong %s, groups %d: %v", kind, groups, result)
			}
		}
	}
}
