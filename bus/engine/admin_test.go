package engine

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
)

func TestCreateGivesDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q.fifo", spec.QueueSettings{})
		got, err := q.Attributes()
		ok(t, err)
		want := spec.QueueAttributes{
			Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour, MaxMessageBytes: 1 << 20, FIFO: true,
			Created: got.Created, Modified: got.Created,
		}
		if !reflect.DeepEqual(got, want) || !got.Created.Equal(time.Now()) {
			t.Errorf("attributes %+v, want %+v", got, want)
		}
	})
}

func TestCreateIsIdempotentWithTheAttributesGiven(t *testing.T) {
	e := New(nil)
	create(t, e, "dead", spec.QueueSettings{})
	q := create(t, e, "q", spec.QueueSettings{Delay: new(5 * time.Second), DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 3}})
	for name, s := range map[string]spec.QueueSettings{
		"none":                 {},
		"one":                  {Delay: new(5 * time.Second)},
		"a default":            {Visibility: new(30 * time.Second)},
		"type":                 {FIFO: new(false)},
		"the same, and others": {Delay: new(5 * time.Second), Wait: new(time.Duration(0)), DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 3}},
	} {
		if again := create(t, e, "q", s); again != q {
			t.Errorf("with %s: another queue", name)
		}
	}
	for _, c := range []struct {
		s     spec.QueueSettings
		parts []string
	}{
		{spec.QueueSettings{Delay: new(time.Duration(0))}, []string{"DelaySeconds", `"5", not "0"`}},
		{spec.QueueSettings{Visibility: new(31 * time.Second)}, []string{"VisibilityTimeout", `"30", not "31"`}},
		{spec.QueueSettings{Retention: new(time.Minute)}, []string{"MessageRetentionPeriod", `"345600", not "60"`}},
		{spec.QueueSettings{Wait: new(time.Second)}, []string{"ReceiveMessageWaitTimeSeconds", `"0", not "1"`}},
		{spec.QueueSettings{MaxMessageBytes: new(1024)}, []string{"MaximumMessageSize", `"1048576", not "1024"`}},
		{spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 4}}, []string{"RedrivePolicy", "3", "4"}},
		{spec.QueueSettings{DeadLetter: &spec.DeadLetter{}}, []string{"RedrivePolicy"}},
		{spec.QueueSettings{DeadLetterSources: &spec.DeadLetterSources{Permission: spec.RedriveDenyAll}}, []string{"RedriveAllowPolicy", "denyAll"}},
		{spec.QueueSettings{Kept: map[string]string{"Policy": "{}"}}, []string{"Policy", `"", not "{}"`}},
	} {
		_, err := e.Create("q", c.s)
		wantCode(t, err, spec.QueueNameExists, append(c.parts, "A queue already exists with the same name", "queue q has")...)
	}
}

func TestCreateRefuses(t *testing.T) {
	e := New(nil)
	create(t, e, "dead", spec.QueueSettings{})
	policy := &spec.DeadLetter{Queue: "dead", MaxReceives: 1}
	for _, c := range []struct {
		name  string
		s     spec.QueueSettings
		code  spec.Code
		parts []string
	}{
		{"a b", spec.QueueSettings{}, spec.InvalidParameterValue, []string{`"a b"`, "1 to 80"}},
		{"q", spec.QueueSettings{Delay: new(901 * time.Second)}, spec.InvalidAttributeValue, []string{"DelaySeconds", "0 to 900"}},
		{"q", spec.QueueSettings{FIFO: new(true)}, spec.InvalidParameterValue, []string{"must end with .fifo suffix", `"q"`}},
		{"q.fifo", spec.QueueSettings{FIFO: new(false)}, spec.InvalidParameterValue, []string{`"q.fifo"`, "end in .fifo"}},
		{"q", spec.QueueSettings{ContentBasedDeduplication: new(false)}, spec.InvalidAttributeName, []string{"ContentBasedDeduplication", "FIFO queues only"}},
		{"q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "none", MaxReceives: 1}}, spec.InvalidParameterValue, []string{"RedrivePolicy", "none", "does not exist"}},
		{"q", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1001}}, spec.InvalidParameterValue, []string{"1001", "1 to 1000"}},
		{"q.fifo", spec.QueueSettings{DeadLetter: policy}, spec.InvalidParameterValue, []string{"RedrivePolicy", "dead", "same type of queue"}},
	} {
		_, err := e.Create(c.name, c.s)
		wantCode(t, err, c.code, c.parts...)
	}
	if names := e.List(""); !slices.Equal(names, []string{"dead"}) {
		t.Errorf("refused, and yet there are %v", names)
	}
}

func TestNameIsFreeAMinuteAfterDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		create(t, e, "q", spec.QueueSettings{})
		ok(t, e.Delete("q"))
		time.Sleep(time.Minute - 1)
		_, err := e.Create("q", spec.QueueSettings{})
		wantCode(t, err, spec.QueueDeletedRecently, "You must wait 60 seconds", "queue q")
		time.Sleep(time.Nanosecond)
		create(t, e, "q", spec.QueueSettings{})
	})
}

func TestLenientEngineFreesNamesAtOnce(t *testing.T) {
	e := New(&Options{Lenient: true})
	old := create(t, e, "q", spec.QueueSettings{})
	send(t, old, Message{Body: "m"})
	d := receive(t, old, 1, "m")[0]
	ok(t, e.Delete("q"))
	q := create(t, e, "q", spec.QueueSettings{})
	wantCounts(t, q, 0, 0, 0)
	_, err := q.Delete(d.ReceiptHandle) // of a queue that only has the same name
	wantCode(t, err, spec.ReceiptHandleIsInvalid)
}

func TestQueueAndListFindWhatThereIs(t *testing.T) {
	e := New(nil)
	for _, name := range []string{"b", "a2", "a1.fifo"} {
		create(t, e, name, spec.QueueSettings{})
	}
	if got, want := e.List(""), []string{"a1.fifo", "a2", "b"}; !slices.Equal(got, want) {
		t.Errorf("queues %v, want %v", got, want)
	}
	if got, want := e.List("a"), []string{"a1.fifo", "a2"}; !slices.Equal(got, want) {
		t.Errorf("queues of prefix a %v, want %v", got, want)
	}
	q, err := e.Queue("b")
	ok(t, err)
	if q.Name() != "b" {
		t.Errorf("queue b is named %s", q.Name())
	}
	ok(t, e.Delete("b"))
	_, err = e.Queue("b")
	wantCode(t, err, spec.QueueDoesNotExist, "queue b")
	wantCode(t, e.Delete("b"), spec.QueueDoesNotExist, "queue b")
}

func TestEveryUseOfADeletedQueueFails(t *testing.T) {
	e := New(nil)
	q := create(t, e, "q", spec.QueueSettings{})
	send(t, q, Message{Body: "m"})
	d := receive(t, q, 1, "m")[0]
	ok(t, e.Delete("q"))
	for name, use := range map[string]func() error{
		"Send":             func() error { _, err := q.Send(Message{Body: "m"}); return err },
		"Receive":          func() error { _, err := q.Receive(context.Background(), ReceiveRequest{}); return err },
		"Delete":           func() error { _, err := q.Delete(d.ReceiptHandle); return err },
		"ChangeVisibility": func() error { return q.ChangeVisibility(d.ReceiptHandle, 0) },
		"Attributes":       func() error { _, err := q.Attributes(); return err },
		"SetAttributes":    func() error { return q.SetAttributes(spec.QueueSettings{}) },
		"Purge":            func() error { return q.Purge() },
		"Peek":             func() error { _, err := q.Peek(1); return err },
		"Redrive":          func() error { _, err := q.Redrive("", 1); return err },
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, use(), spec.QueueDoesNotExist, "queue q") })
	}
	if _, held := q.VisibleAt(d.ReceiptHandle); held {
		t.Error("a deleted queue's delivery still holds its message")
	}
}

func TestSetAttributesChangesThoseGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{Delay: new(5 * time.Second)})
		send(t, q, Message{Body: "before"})
		before, err := q.Attributes()
		ok(t, err)
		time.Sleep(time.Second)
		ok(t, q.SetAttributes(spec.QueueSettings{
			Delay: new(time.Duration(0)), Visibility: new(7 * time.Second), Wait: new(3 * time.Second), MaxMessageBytes: new(1024),
		}))
		want := before
		want.Delay, want.Visibility, want.Wait, want.MaxMessageBytes = 0, 7*time.Second, 3*time.Second, 1024
		want.OldestAge, want.Modified = time.Second, before.Created.Add(time.Second)
		if got, err := q.Attributes(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("attributes %+v, %v, want %+v", got, err, want)
		}
		send(t, q, Message{Body: "after"})
		wantCounts(t, q, 1, 0, 1) // a changed delay holds for what is sent from now on
	})
}

func TestSetAttributesRefusesAndChangesNothing(t *testing.T) {
	e := New(nil)
	create(t, e, "dead.fifo", spec.QueueSettings{})
	q := create(t, e, "q", spec.QueueSettings{})
	before, err := q.Attributes()
	ok(t, err)
	for _, c := range []struct {
		s     spec.QueueSettings
		code  spec.Code
		parts []string
	}{
		{spec.QueueSettings{Visibility: new(43201 * time.Second)}, spec.InvalidAttributeValue, []string{"0 to 43200"}},
		{spec.QueueSettings{Delay: new(time.Second), FIFO: new(true)}, spec.InvalidAttributeValue, []string{"FifoQueue"}},
		{spec.QueueSettings{Delay: new(time.Second), ContentBasedDeduplication: new(true)}, spec.InvalidAttributeName, []string{"ContentBasedDeduplication"}},
		{spec.QueueSettings{Delay: new(time.Second), DeadLetter: &spec.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}}, spec.InvalidParameterValue, []string{"dead.fifo"}},
		{spec.QueueSettings{Delay: new(time.Second), DeadLetter: &spec.DeadLetter{Queue: "none", MaxReceives: 1}}, spec.InvalidParameterValue, []string{"none"}},
	} {
		wantCode(t, q.SetAttributes(c.s), c.code, c.parts...)
	}
	if got, err := q.Attributes(); err != nil || !reflect.DeepEqual(got, before) {
		t.Errorf("attributes %+v, %v, want %+v", got, err, before)
	}
}

func TestPurgeDeletesMessagesInEveryState(t *testing.T) {
	for _, suffix := range []string{"", ".fifo"} {
		synctest.Test(t, func(t *testing.T) {
			q := create(t, New(nil), "q"+suffix, spec.QueueSettings{ContentBasedDeduplication: map[string]*bool{".fifo": new(true)}[suffix]})
			send(t, q, Message{Body: "in flight", Group: "a"})
			d := receive(t, q, 1, "in flight")[0]
			send(t, q, Message{Body: "ready", Group: "a"})
			ok(t, q.SetAttributes(spec.QueueSettings{Delay: new(time.Minute)}))
			send(t, q, Message{Body: "delayed", Group: "a"})
			wantCounts(t, q, 1, 1, 1)
			ok(t, q.Purge())
			wantCounts(t, q, 0, 0, 0)
			wantDeleted(t, q, d.ReceiptHandle, false)
			time.Sleep(time.Hour)
			receive(t, q, 10, "")
			ok(t, q.SetAttributes(spec.QueueSettings{Delay: new(time.Duration(0))}))
			send(t, q, Message{Body: "new", Group: "a"})
			receive(t, q, 10, "new")
		})
	}
}

func TestPurgeWorksOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := create(t, New(nil), "q", spec.QueueSettings{})
		ok(t, q.Purge())
		send(t, q, Message{Body: "m"})
		time.Sleep(time.Minute - 1)
		wantCode(t, q.Purge(), spec.PurgeQueueInProgress, "PurgeQueue operation on q", "60 seconds", "purged 1m0s ago")
		wantCounts(t, q, 1, 0, 0)
		time.Sleep(time.Nanosecond)
		ok(t, q.Purge())
		wantCounts(t, q, 0, 0, 0)
	})
}

func TestLenientEnginePurgesAnyTime(t *testing.T) {
	q := create(t, New(&Options{Lenient: true}), "q", spec.QueueSettings{})
	ok(t, q.Purge())
	send(t, q, Message{Body: "m"})
	ok(t, q.Purge())
	wantCounts(t, q, 0, 0, 0)
}

func TestDeadLetterSourcesAreTheQueuesWithThatPolicy(t *testing.T) {
	e := New(nil)
	create(t, e, "dead", spec.QueueSettings{})
	for name := range strings.FieldsSeq("c a b") {
		create(t, e, name, spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 1}})
	}
	b, err := e.Queue("b")
	ok(t, err)
	ok(t, b.SetAttributes(spec.QueueSettings{DeadLetter: &spec.DeadLetter{}}))
	if got, want := e.DeadLetterSources("dead"), []string{"a", "c"}; !slices.Equal(got, want) {
		t.Errorf("sources %v, want %v", got, want)
	}
	if got := e.DeadLetterSources("a"); len(got) != 0 {
		t.Errorf("sources of a %v, want none", got)
	}
}
