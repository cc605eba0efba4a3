package engine

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func TestATakenDeliveryTellsWhatAReceiveTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := createFIFO(t, spec.QueueSettings{})
		send(t, q, Message{Body: "m", Group: "g", Deduplication: "d", TraceHeader: "trace", Attributes: []spec.NamedAttribute{{Name: "a", Attribute: spec.Attribute{DataType: "String", StringValue: "v"}}}})
		taken, err := q.Take(context.Background(), ReceiveRequest{})
		if err != nil || len(taken) != 1 {
			t.Fatal(taken, err)
		}
		d := taken[0].Delivery()
		if d.ID != taken[0].ID() || d.ReceiptHandle != taken[0].ReceiptHandle() || !d.VisibleAt.Equal(taken[0].VisibleAt()) {
			t.Errorf("%+v is not of the delivery %s, %s, until %v", d, taken[0].ID(), taken[0].ReceiptHandle(), taken[0].VisibleAt())
		}
		if err := q.ChangeVisibility(d.ReceiptHandle, 0); err != nil {
			t.Fatal(err)
		}
		again := receive(t, q, 1, "m")[0]
		d.ReceiveCount++
		d.ReceiptHandle, d.VisibleAt = again.ReceiptHandle, again.VisibleAt
		if !reflect.DeepEqual(d, again) {
			t.Errorf("taken as\n%+v, received again as\n%+v", d, again)
		}
	})
}

func TestTakenDeliveriesAreDeletedWhereTheyHoldTheirMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		q, other := create(t, e, "q", spec.QueueSettings{}), create(t, e, "other", spec.QueueSettings{})
		send(t, q, Message{Body: "late"})
		send(t, q, Message{Body: "held"})
		send(t, other, Message{Body: "foreign"})
		take := func(q *Queue, n int) []Taken {
			taken, err := q.Take(context.Background(), ReceiveRequest{Max: n})
			if err != nil || len(taken) != n {
				t.Fatal(taken, err)
			}
			return taken
		}
		late, foreign := take(q, 1), take(other, 1)
		time.Sleep(31 * time.Second) // late is visible again
		held := take(q, 2)
		if err := q.DeleteTaken([]*Taken{&late[0], &held[0], &foreign[0]}); err != nil {
			t.Fatal(err)
		}
		if late[0].Deleted || !held[0].Deleted || foreign[0].Deleted {
			t.Errorf("deleted late %t, held %t, foreign %t; want only the one that holds its message", late[0].Deleted, held[0].Deleted, foreign[0].Deleted)
		}
		wantCounts(t, q, 0, 1, 0)
		wantCounts(t, other, 1, 0, 0)
	})
}
