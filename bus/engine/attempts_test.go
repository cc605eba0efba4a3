package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

// TestReceiveAgainWithItsAttemptID makes a receive again whose answer was lost.
func TestReceiveAgainWithItsAttemptID(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, q *Queue, first []Delivery) // between the two receives
		want   string                                         // of the second: "same", "none" or "new"
	}{
		{"gets the same", func(*testing.T, *Queue, []Delivery) {}, "same"},
		{"begins the timeout anew", func(*testing.T, *Queue, []Delivery) { time.Sleep(29 * time.Second) }, "same"},
		{"finds nothing after a delete", func(t *testing.T, q *Queue, first []Delivery) {
			wantDeleted(t, q, first[0].ReceiptHandle, true)
		}, "none"},
		{"finds nothing after a change of visibility", func(t *testing.T, q *Queue, first []Delivery) {
			ok(t, q.ChangeVisibility(first[0].ReceiptHandle, time.Hour))
		}, "none"},
		{"is a new receive after the timeout", func(*testing.T, *Queue, []Delivery) { time.Sleep(30 * time.Second) }, "new"},
		{"finds nothing after five minutes", func(t *testing.T, q *Queue, _ []Delivery) {
			for range 11 { // the lease must live on for it to matter
				time.Sleep(28 * time.Second)
				receiveAttempt(t, q)
			}
		}, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := create(t, New(nil), "q.fifo", spec.QueueSettings{})
				send(t, create(t, q.engine, "other", spec.QueueSettings{}), Message{Body: "m"}) // ids and places in the queue differ
				sendGroups(t, q, "a0 a1")
				first := receiveAttempt(t, q)
				if len(first) != 2 {
					t.Fatalf("first receive: %v", first)
				}
				c.before(t, q, first)
				again := receiveAttempt(t, q)
				got := "none"
				if len(again) == 2 {
					got = "new"
					if again[0].ReceiptHandle == first[0].ReceiptHandle && again[1].ReceiptHandle == first[1].ReceiptHandle {
						got = "same"
						if left := time.Until(again[0].VisibleAt); left != 30*time.Second {
							t.Errorf("the timeout ends in %v, want 30s", left)
						}
					}
				}
				if got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

func receiveAttempt(t *testing.T, q *Queue) []Delivery {
	t.Helper()
	out, err := q.Receive(t.Context(), ReceiveRequest{Max: 10, Attempt: "id"})
	ok(t, err)
	return out
}
