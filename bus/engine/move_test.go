package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func wantMove(t *testing.T, q *Queue, status MoveStatus, moved int) MoveTask {
	t.Helper()
	moves, err := q.Moves()
	ok(t, err)
	if len(moves) == 0 || moves[0].Status != status || moves[0].Moved != moved {
		t.Fatalf("move tasks %+v, want the latest %s with %d moved", moves, status, moved)
	}
	return moves[0]
}

func TestMoveTaskKeepsItsRate(t *testing.T) {
	for _, rate := range []int{1, 3, 7, 10, 60, 499, 500} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _, dead := createWithDead(t, "", 1)
				to := create(t, e, "to", spec.QueueSettings{})
				for range 2 * rate {
					send(t, dead, Message{Body: "m"})
				}
				_, err := dead.StartMove("to", rate)
				ok(t, err)
				time.Sleep(time.Second + time.Millisecond)
				if m := wantMove(t, dead, MoveRunning, rate); m.ToMove != 2*rate {
					t.Errorf("%d to move, want %d", m.ToMove, 2*rate)
				}
				time.Sleep(2100 * time.Millisecond)
				wantMove(t, dead, MoveCompleted, 2*rate)
				wantCounts(t, to, 2*rate, 0, 0)
			})
		})
	}
}

func TestMoveTaskWakesThoseWhoWaitForItsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, dead := createWithDead(t, "", 1)
		to := create(t, e, "to", spec.QueueSettings{})
		send(t, dead, Message{Body: "m"})
		_, err := dead.StartMove("to", 1)
		ok(t, err)
		start := time.Now()
		got, err := to.Receive(t.Context(), ReceiveRequest{Wait: new(20 * time.Second)})
		if err != nil || len(got) != 1 || time.Since(start) != time.Second {
			t.Errorf("%v, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestMoveTaskFailsOnMessagesWithoutASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, q, dead := createWithDead(t, "", 1)
		send(t, q, Message{Body: "moved"})
		receive(t, q, 1, "moved")
		time.Sleep(10 * time.Second)
		receive(t, q, 1, "")
		send(t, dead, Message{Body: "sent here"})
		_, err := dead.StartMove("", 0)
		ok(t, err)
		time.Sleep(time.Second)
		if m := wantMove(t, dead, MoveFailed, 1); m.FailureReason != "CouldNotDetermineMessageSource" {
			t.Errorf("reason %s", m.FailureReason)
		}
		receive(t, q, 10, "moved")
		receive(t, dead, 10, "sent here")
	})
}

func TestTenMoveTasksAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, dead := createWithDead(t, "", 1)
		for i := range 12 {
			_, err := dead.StartMove("", i+1)
			ok(t, err)
			time.Sleep(2 * time.Second)
		}
		moves, err := dead.Moves()
		ok(t, err)
		if len(moves) != 10 || moves[0].Rate != 12 || moves[9].Rate != 3 {
			t.Errorf("%d tasks: %+v", len(moves), moves)
		}
	})
}

func TestDeletingAQueueEndsItsMoveTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, q, dead := createWithDead(t, "", 1)
		send(t, dead, Message{Body: "m"})
		_, err := dead.StartMove(q.Name(), 1)
		ok(t, err)
		ok(t, e.Delete(dead.Name()))
		time.Sleep(time.Minute)
		wantCounts(t, q, 0, 0, 0)
		_, err = dead.Moves()
		wantCode(t, err, spec.QueueDoesNotExist)
	})
}

func TestRedriveAllowPolicy(t *testing.T) {
	e := New(nil)
	for _, c := range []struct {
		policy spec.DeadLetterSources
		want   spec.Code
	}{
		{spec.DeadLetterSources{}, ""},
		{spec.DeadLetterSources{Permission: spec.RedriveAllowAll}, ""},
		{spec.DeadLetterSources{Permission: spec.RedriveDenyAll}, spec.InvalidParameterValue},
		{spec.DeadLetterSources{Permission: spec.RedriveByQueue, Queues: []string{"a", "q"}}, ""},
		{spec.DeadLetterSources{Permission: spec.RedriveByQueue, Queues: []string{"a"}}, spec.InvalidParameterValue},
	} {
		dead := create(t, e, "dead", spec.QueueSettings{})
		q := create(t, e, "q", spec.QueueSettings{})
		ok(t, dead.SetAttributes(spec.QueueSettings{DeadLetterSources: &c.policy}))
		err := q.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
		if c.want == "" {
			ok(t, err)
		} else {
			wantCode(t, err, c.want)
		}
	}
	for _, bad := range []spec.DeadLetterSources{
		{Permission: "some"}, {Permission: spec.RedriveByQueue}, {Permission: spec.RedriveDenyAll, Queues: []string{"a"}},
		{Permission: spec.RedriveByQueue, Queues: make([]string, 11)},
	} {
		wantCode(t, spec.QueueSettings{DeadLetterSources: &bad}.Check(), spec.InvalidAttributeValue)
	}
}
