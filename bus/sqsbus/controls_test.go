package sqsbus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/gcerrors"

	"omnibus/bus"
	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

func TestWhatCreatePrintsIsWhatOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint() // which calls its host sqs.internal
		var mux bus.Mux
		e.backend().Register(&mux)
		for in, want := range map[string]string{
			"http://127.0.0.1:9324/000000000000/a":                                                     "http://127.0.0.1:9324/000000000000/a",
			"http://127.0.0.1:9324/other/b?visibility=5s&region=eu-west-1":                             "http://127.0.0.1:9324/eu-west-1/000000000000/b?region=eu-west-1",
			"awssqs://127.0.0.1:9324/000000000000/c":                                                   "http://127.0.0.1:9324/000000000000/c",
			"awssqs://sqs.eu-west-1.amazonaws.com/1/d?endpoint=http://localhost:9324&region=eu-west-1": "http://localhost:9324/eu-west-1/000000000000/d?region=eu-west-1",
			"https://sqs.eu-west-1.amazonaws.com/1/e?endpoint=http://localhost:9324/sqs":               "http://localhost:9324/eu-west-1/000000000000/e?endpoint=http%3A%2F%2Flocalhost%3A9324%2Fsqs&region=eu-west-1",
		} {
			got, err := mux.Create(t.Context(), in, bus.QueueSettings{})
			if err != nil || got != want {
				t.Errorf("creating %s gives %s, %v; want %s", in, got, err, want)
				continue
			}
			q, err := mux.Open(t.Context(), got)
			if err != nil {
				t.Fatal(err)
			}
			send(t, q, "m")
			shutDown(t, q)
		}
		for region, want := range map[string][]string{
			"":                  {"/000000000000/a", "/000000000000/c"},
			"?region=eu-west-1": {"/eu-west-1/000000000000/b", "/eu-west-1/000000000000/d", "/eu-west-1/000000000000/e"},
		} {
			urls, err := mux.List(t.Context(), testOrigin+region, "")
			slices.Sort(urls)
			for i, path := range want {
				want[i] = testOrigin + path + region
			}
			if err != nil || !slices.Equal(urls, want) {
				t.Errorf("the list is %q, %v; want %q", urls, err, want)
			}
		}
	})
}

func TestTheURLThatAQueueIsGivenOpensIt(t *testing.T) {
	const called = "https://sqs.eu-west-1.amazonaws.com/123456789012/d"
	const inside = "http://sqs.internal:9324/000000000000/d"
	for _, c := range []struct{ asked, called, want string }{
		{"https://sqs.eu-west-1.amazonaws.com/1/d?profile=p&wait=1s", called, called + "?profile=p"},
		{"https://sqs-fips.eu-west-1.amazonaws.com/1/d", called, "https://sqs-fips.eu-west-1.amazonaws.com/123456789012/d"},
		{"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/d", called, "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/d"},
		{"awssqs://sqs.eu-west-1.amazonaws.com/1/d?region=eu-west-1&profile=p", called, "awssqs://sqs.eu-west-1.amazonaws.com/123456789012/d?profile=p"},
		{"awssqs://sqs.eu-west-1.amazonaws.com/1/d?fips=true", called, "awssqs://sqs.eu-west-1.amazonaws.com/123456789012/d?fips=true"},
		{"http://host/sqs/0/d", inside, "http://host/000000000000/d"}, // requests went to http://host
		{"http://host/sqs/0/d", "http://sqs.internal/sqs/0/d", "http://host/sqs/0/d"},
		{"http://host/0/d?endpoint=http://host/sqs", inside, "http://host/000000000000/d?endpoint=http%3A%2F%2Fhost%2Fsqs"},
		{"http://host/0/d?endpoint=https://HOST/sqs/&hostname_immutable=true", "http://sqs.internal/sqs/0/d", "https://host/sqs/0/d?endpoint=https%3A%2F%2Fhost%2Fsqs"},
		{"https://sqs.eu-west-1.amazonaws.com/1/d?endpoint=http://host:1/a", inside, "http://host:1/000000000000/d?endpoint=http%3A%2F%2Fhost%3A1%2Fa&region=eu-west-1"},
	} {
		asked, err := parse(mustParse(t, c.asked), false)
		if err != nil {
			t.Errorf("%s: %v", c.asked, err)
			continue
		}
		got, err := asked.reachable(c.called)
		if err != nil || got != c.want {
			t.Errorf("%s, asked for by %s, gives %s, %v; want %s", c.called, c.asked, got, err, c.want)
			continue
		}
		opened, err := parse(mustParse(t, got), false)
		if err != nil || opened.endpoint != asked.endpoint || opened.region != asked.region ||
			opened.config.Get("fips") != asked.config.Get("fips") || opened.config.Get("profile") != asked.config.Get("profile") {
			t.Errorf("%s opens as %+v, %v; it was asked for as %+v", got, opened, err, asked)
		}
	}
	a, err := parse(mustParse(t, testQueue), false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.reachable("d"); err == nil {
		t.Errorf("an answer that is no URL gives %s", got)
	}
}

func TestFractionsOfASecondAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		d := 1500 * time.Millisecond
		check(t, "set attributes", q.SetAttributes(t.Context(), bus.QueueSettings{Delay: &d}), gcerrors.InvalidArgument)
		send(t, q, "m")
		m := receive(t, q, time.Second)
		check(t, "change visibility", q.ChangeVisibility(t.Context(), m, d), gcerrors.InvalidArgument)
		m.Ack()
	})
}

// task makes the endpoint's move task do as the test says: it is asked for the
// status, and told when it was cancelled.
func (e *endpoint) task(status func() string, cancelled *bool) {
	e.set(func() {
		e.move = func(action string) any {
			switch action {
			case "StartMessageMoveTask":
				return object{"TaskHandle": "task"}
			case "CancelMessageMoveTask":
				*cancelled = true
				return object{"ApproximateNumberOfMessagesMoved": 5}
			}
			return object{"Results": []object{{"Status": status(), "ApproximateNumberOfMessagesMoved": 5, "FailureReason": "as the test says"}}}
		}
	})
}

// dead opens the queue donors, made the dead-letter queue of another.
func (e *endpoint) dead(t *testing.T) *bus.Queue {
	e.create(t, "donors", spec.QueueSettings{})
	e.create(t, "source", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "donors", MaxReceives: 1}})
	return e.open(t, "")
}

func TestARedriveWaitsForItsTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.dead(t)
		defer shutDown(t, q)
		start := time.Now()
		var cancelled bool
		e.task(func() string {
			if time.Since(start) < time.Minute {
				return "RUNNING"
			}
			return "COMPLETED"
		}, &cancelled)
		n, err := q.Redrive(t.Context(), "", 0)
		if took := time.Since(start); n != 5 || err != nil || cancelled || took < time.Minute || took > 70*time.Second {
			t.Errorf("a redrive gives %d, %v after %v", n, err, took)
		}
		if n := e.count("ListMessageMoveTasks"); n > 25 {
			t.Errorf("%d looks at a task of a minute", n)
		}
	})
}

func TestARedriveWhoseContextEndsCancelsItsTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.dead(t)
		defer shutDown(t, q)
		var cancelled bool
		e.task(func() string {
			if cancelled {
				return "CANCELLED"
			}
			return "RUNNING"
		}, &cancelled)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		n, err := q.Redrive(ctx, "", 0)
		if n != 5 || !errors.Is(err, context.DeadlineExceeded) || !cancelled {
			t.Errorf("a redrive whose context ends gives %d, %v; cancelled: %t", n, err, cancelled)
		}
	})
}

func TestARedriveWhoseTaskFailsSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.dead(t)
		defer shutDown(t, q)
		var cancelled bool
		e.task(func() string { return "FAILED" }, &cancelled)
		if n, err := q.Redrive(t.Context(), "", 0); n != 5 || err == nil {
			t.Errorf("a redrive whose task fails gives %d, %v", n, err)
		}
	})
}

func TestANumberOfDeadLettersMovesExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.dead(t)
		defer shutDown(t, q)
		source, _ := e.engine.Queue("source")
		for range 15 {
			sendTo(t, source, foreign)
		}
		e.engineSend(t, wireMessage{MessageBody: "from nowhere"})
		for range 4 {
			if _, err := source.Receive(t.Context(), engine.ReceiveRequest{Max: 10, Visibility: new(time.Duration(0))}); err != nil {
				t.Fatal(err)
			}
		}
		e.counts(t, 16, 0, 0)
		n, err := q.Redrive(t.Context(), "", 12)
		if n != 12 || err != nil {
			t.Fatalf("a redrive of 12 gives %d, %v", n, err)
		}
		e.counts(t, 4, 0, 0)
		if a, _ := source.Attributes(); a.Visible != 12 {
			t.Errorf("12 messages were moved, of which %d came", a.Visible)
		}
	})
}

func TestTagsAndDeadLetterSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		q := e.dead(t)
		defer shutDown(t, q)
		b := e.backend()
		if err := b.SetTags(t.Context(), testQueue, map[string]string{"team": "fundraising", "stage": "test"}); err != nil {
			t.Fatal(err)
		}
		if err := b.RemoveTags(t.Context(), testQueue, "stage"); err != nil {
			t.Fatal(err)
		}
		if tags, err := b.Tags(t.Context(), testQueue); err != nil || len(tags) != 1 || tags["team"] != "fundraising" {
			t.Errorf("the tags are %v, %v", tags, err)
		}
		sources, err := b.DeadLetterSources(t.Context(), testQueue)
		if err != nil || len(sources) != 1 || sources[0] != testOrigin+"/000000000000/source" {
			t.Errorf("the sources are %q, %v", sources, err)
		}
		_, err = b.Tags(t.Context(), testOrigin+"/000000000000/nowhere")
		if !errors.Is(err, spec.QueueDoesNotExist) {
			t.Errorf("tags of a queue that does not exist: %v", err)
		}
	})
}

func TestAControlIsTriedFiveTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		e.set(func() { e.fault = func(*call) *fault { return &fault{drop: true} } })
		start := time.Now()
		if _, err := q.Attributes(t.Context()); err == nil {
			t.Error("a control that is never answered succeeds")
		}
		if n := e.count("GetQueueAttributes"); n != controlTries || time.Since(start) > 5*time.Second {
			t.Errorf("%d tries in %v; want %d", n, time.Since(start), controlTries)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err := q.Attributes(ctx)
		check(t, "a control whose context ends", err, gcerrors.DeadlineExceeded)
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("a control whose context ends took %v", took)
		}
	})
}

func TestAttributesThatMayNotBeReadDoNotEndTheSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		q := e.open(t, "")
		defer shutDown(t, q)
		e.set(func() {
			e.fault = func(c *call) *fault {
				if c.action == "GetQueueAttributes" {
					return &fault{status: 400, code: "AccessDeniedException"}
				}
				return nil
			}
		})
		send(t, q, numbered(40)...)
		for range 40 {
			m := receive(t, q, time.Second)
			if bus.Details(m).VisibleAt.IsZero() {
				t.Error("a lease whose end is not known is taken to be lost")
			}
			m.Ack()
		}
		if n := e.count("GetQueueAttributes"); n != 1 {
			t.Errorf("%d tries to read the attributes", n)
		}
		for _, c := range e.all("ReceiveMessage") {
			if n := c.in.MaxNumberOfMessages; n != 1 {
				t.Errorf("%d messages were asked for, of which nobody knows when to keep them", n)
			}
		}
	})
}

func TestMeterCountsByQueueAndAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.create(t, "donors", spec.QueueSettings{})
		b := e.backend()
		var mux bus.Mux
		b.Register(&mux)
		q, err := mux.Open(t.Context(), testQueue+"?visibility=1h")
		if err != nil {
			t.Fatal(err)
		}
		big := make([]byte, 3*chunk/2)
		for i := range big {
			big[i] = 'x'
		}
		send(t, q, string(big), "small")
		times := 1
		e.set(func() {
			e.fault = func(*call) *fault {
				if times--; times >= 0 {
					return &fault{status: 503, code: "ServiceUnavailable"}
				}
				return nil
			}
		})
		receive(t, q, time.Minute).Ack()
		shutDown(t, q)
		got := map[string]Count{}
		for _, c := range b.Meter().Counts() {
			if c.Queue != testQueue {
				t.Errorf("counted for %s", c.Queue)
			}
			got[c.Action] = c
		}
		size := int64(len(big))
		for action, want := range map[string]Count{
			"SendMessageBatch":   {Requests: 2, Messages: 2, Bytes: size + 5, Chunks: 3},
			"ReceiveMessage":     {Requests: 2, Failed: 1, Messages: 1, Bytes: size, Chunks: 3},
			"DeleteMessageBatch": {Requests: 1, Messages: 1, Chunks: 1},
		} {
			want.Queue, want.Action = testQueue, action
			if got[action] != want {
				t.Errorf("counted %+v; want %+v", got[action], want)
			}
		}
	})
}

// Messages that were sent to a dead-letter queue itself have no source to go back to.
// So many that they become visible again while others are received do not keep a
// redrive from its end.
func TestARedriveOfSomeEndsWhereMessagesCameFromNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 50 * time.Millisecond
		dead := e.create(t, "dead", spec.QueueSettings{})
		e.create(t, "donors", spec.QueueSettings{DeadLetter: &spec.DeadLetter{Queue: "dead", MaxReceives: 3}})
		const sent = 4000
		for _, body := range numbered(sent) {
			sendTo(t, dead, wireMessage{MessageBody: body})
		}
		var mux bus.Mux
		e.backend().Register(&mux)
		q, err := mux.Open(t.Context(), testOrigin+"/000000000000/dead")
		if err != nil {
			t.Fatal(err)
		}
		defer shutDown(t, q)
		start := time.Now()
		if n, err := q.Redrive(t.Context(), "", 5); n != 0 || err != nil {
			t.Errorf("%d messages redriven, %v", n, err)
		}
		if took := time.Since(start); took > 5*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
