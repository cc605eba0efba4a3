package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// inStates returns a queue with two messages in each state.
func inStates(t *testing.T) *Queue {
	t.Helper()
	q, err := New(nil).Create("q", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"taken 1", "taken 2"} {
		send(t, q, Message{Body: body})
	}
	if got, err := q.Receive(t.Context(), ReceiveRequest{Max: 2}); err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	send(t, q, Message{Body: "later", Delay: new(time.Minute)})
	send(t, q, Message{Body: "soon", Delay: new(10 * time.Second)})
	send(t, q, Message{Body: "first"})
	send(t, q, Message{Body: "second"})
	return q
}

func look(t *testing.T, q *Queue, s State, n int) (bodies []string) {
	t.Helper()
	ms, err := q.Look(s, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		bodies = append(bodies, m.Body)
	}
	return bodies
}

func TestALookShowsEachStateAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := inStates(t)
		before, err := q.Attributes()
		if err != nil {
			t.Fatal(err)
		}
		for s, want := range map[State][]string{
			Visible: {"first", "second"}, InFlight: {"taken 1", "taken 2"}, Delayed: {"soon", "later"},
		} {
			for n := range 4 {
				if got := look(t, q, s, n); !slices.Equal(got, want[:min(n, 2)]) {
					t.Errorf("%s, %d: %q", s, n, got)
				}
			}
		}
		ms, err := q.Look(InFlight, 1)
		if err != nil || ms[0].ReceiptHandle != "" || ms[0].ReceiveCount != 1 || !ms[0].VisibleAt.Equal(ms[0].Since.Add(spec.DefaultVisibility)) {
			t.Errorf("%+v, %v", ms, err)
		}
		if after, err := q.Attributes(); err != nil || after.Counts != before.Counts {
			t.Errorf("%+v, %v; before %+v", after.Counts, err, before.Counts)
		}
		if _, err := q.Look("nowhere", 1); err == nil {
			t.Error("there is no such state")
		}
	})
}

// However many messages a queue holds, a look takes the lock for the first of them only.
func TestALookIsBounded(t *testing.T) {
	q, err := New(nil).Create("q", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2*MaxLook + 1 {
		send(t, q, Message{Body: fmt.Sprint(i), Delay: new(time.Duration(i%2) * time.Minute)})
	}
	for _, s := range []State{Visible, Delayed} {
		if got := look(t, q, s, 1_000_000); len(got) != MaxLook {
			t.Errorf("%s: %d messages", s, len(got))
		}
	}
}

func TestRemoveDeletesWhateverTheState(t *testing.T) {
	q := inStates(t)
	ids := []string{"none such"}
	for _, s := range []State{Visible, InFlight, Delayed} {
		ms, err := q.Look(s, 1)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ms[0].ID)
	}
	if n, err := q.Remove(ids); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	a, err := q.Attributes()
	if err != nil || a.Visible != 1 || a.InFlight != 1 || a.Delayed != 1 {
		t.Errorf("%+v, %v", a.Counts, err)
	}
	if got := look(t, q, Visible, 10); !slices.Equal(got, []string{"second"}) {
		t.Errorf("%q is left", got)
	}
}

func TestRedriveChosenMovesThoseAlone(t *testing.T) {
	e := New(nil)
	dead, err := e.Create("dead", spec.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := e.Create("q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"a", "b", "c"} {
		send(t, q, Message{Body: body})
	}
	for range 2 { // the second gives them up
		if _, err := q.Receive(t.Context(), ReceiveRequest{Max: 10, Visibility: new(time.Duration(0)), Wait: new(time.Duration(0))}); err != nil {
			t.Fatal(err)
		}
	}
	ms, err := dead.Look(Visible, 10)
	if err != nil || len(ms) != 3 {
		t.Fatal(ms, err)
	}
	if n, err := dead.RedriveChosen("", []string{ms[1].ID, "none such"}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if back, left := look(t, q, Visible, 10), look(t, dead, Visible, 10); !slices.Equal(back, []string{"b"}) || !slices.Equal(left, []string{"a", "c"}) {
		t.Errorf("%q came back, %q stayed", back, left)
	}
	if _, err := q.RedriveChosen("", nil); err == nil {
		t.Error("a queue that is no dead-letter queue was redriven")
	}
}
