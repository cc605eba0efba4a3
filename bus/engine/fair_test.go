package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// sendTenant sends n messages of a group to a standard queue, with the group as
// the body.
func sendTenant(t *testing.T, q *Queue, group string, n int) {
	t.Helper()
	for range n {
		send(t, q, Message{Body: group, Group: group})
	}
}

func times(n int, body string) string { return strings.TrimSuffix(strings.Repeat(body+" ", n), " ") }

func TestNoisyTenantYieldsToQuietOnes(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	sendTenant(t, q, "loud", 50)
	for range 3 {
		receive(t, q, 10, times(10, "loud"))
	}
	sendTenant(t, q, "b", 1)
	send(t, q, Message{Body: "alone"}) // a message without a group is a tenant of its own
	sendTenant(t, q, "loud", 1)
	sendTenant(t, q, "c", 1)
	receive(t, q, 4, "b alone c loud")
	wantCounts(t, q, 20, 34, 0)
	receive(t, q, 10, times(10, "loud"))
	receive(t, q, 10, times(10, "loud"))
	receive(t, q, 10, "")
}

func TestTenantIsQuietWith29InFlightOrATenth(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	sendTenant(t, q, "a", 31)
	sendTenant(t, q, "b", 1)
	receive(t, q, 10, times(10, "a"))
	receive(t, q, 10, times(10, "a"))
	receive(t, q, 9, times(9, "a"))
	receive(t, q, 2, "a b") // the 30th made it noisy

	q = create(t, New(nil), "tenth", spec.QueueSettings{})
	for range 300 {
		send(t, q, Message{Body: "x"})
	}
	sendTenant(t, q, "a", 32)
	send(t, q, Message{Body: "y"})
	for range 30 {
		receive(t, q, 10, times(10, "x"))
	}
	for range 3 { // 30 of 330 are less than a tenth
		receive(t, q, 10, times(10, "a"))
	}
	receive(t, q, 2, "a a")
}

func TestNoisyTenantWithFewestInFlightComesFirst(t *testing.T) {
	q := create(t, New(nil), "q", spec.QueueSettings{})
	sendTenant(t, q, "a", 40)
	for range 4 {
		receive(t, q, 10, times(10, "a"))
	}
	sendTenant(t, q, "b", 30)
	for range 3 {
		receive(t, q, 10, times(10, "b"))
	}
	sendTenant(t, q, "a", 2)
	sendTenant(t, q, "b", 2)
	receive(t, q, 10, "b b a a")
}

func TestTenantIsQuietAgain(t *testing.T) {
	for name, c := range map[string]struct {
		quiet func(t *testing.T, q *Queue, got []Delivery)
		want  string
	}{
		"when its messages are deleted": {func(t *testing.T, q *Queue, got []Delivery) {
			wantDeleted(t, q, got[0].ReceiptHandle, true)
		}, "a y"}, // its next message makes it noisy again
		"after five minutes without sending": {func(*testing.T, *Queue, []Delivery) { time.Sleep(5 * time.Minute) }, "a a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := create(t, New(nil), "q", spec.QueueSettings{Visibility: new(time.Hour)})
				sendTenant(t, q, "a", 32)
				var got []Delivery
				for range 3 {
					got = append(got, receive(t, q, 10, times(10, "a"))...)
				}
				send(t, q, Message{Body: "x"})
				receive(t, q, 1, "x") // passes over the two that wait
				send(t, q, Message{Body: "y"})
				c.quiet(t, q, got)
				receive(t, q, 2, c.want) // what was passed over came before y
			})
		})
	}
}

// TestParkedMessagesAreOrdinaryOnes has messages that a receive passed over
// expire, be purged, looked at and redriven.
func TestParkedMessagesAreOrdinaryOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&Options{Lenient: true})
		q := create(t, e, "q", spec.QueueSettings{Visibility: new(time.Hour), Retention: new(2 * time.Minute)})
		create(t, e, "source", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "q", MaxReceives: 1}})
		to := create(t, e, "to", spec.QueueSettings{})
		park := func() {
			t.Helper()
			sendTenant(t, q, "a", 33)
			for range 3 {
				receive(t, q, 10, times(10, "a"))
			}
			send(t, q, Message{Body: "x"})
			receive(t, q, 1, "x")
			wantCounts(t, q, 3, 31, 0)
		}
		park()
		got, err := q.Peek(10)
		ok(t, err)
		if bodies(got) != "a a a" {
			t.Errorf("peek saw %s", bodies(got))
		}
		if n, err := q.Redrive(to.Name(), 1); n != 1 || err != nil {
			t.Errorf("redrive: %d, %v", n, err)
		}
		receive(t, to, 10, "a")
		time.Sleep(2 * time.Minute)
		wantCounts(t, q, 0, 0, 0)
		park()
		ok(t, q.Purge())
		wantCounts(t, q, 0, 0, 0)
		park()
		receive(t, q, 10, "a a a")
		receive(t, q, 10, "")
	})
}
