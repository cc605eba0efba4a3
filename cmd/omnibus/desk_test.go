package main

import (
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/sqsbus"
	"omnibus/bus/sqsserver"
)

// newDeskWorld returns a world whose queues are on an SQS endpoint in this process.
// Its BUS_URL names the queue mynewq there.
func newDeskWorld(t *testing.T) *world {
	w := newWorld(t)
	w.mux = &bus.Mux{}
	w.sqs = sqsbus.New(&sqsbus.Options{HTTPClient: sqsserver.New(nil).Client()})
	w.sqs.Register(w.mux)
	w.env["BUS_URL"] = "http://127.0.0.1/000000000000/mynewq"
	return w
}

// names are the URL, the name and the ARN of one queue, and what of the environment
// each needs.
var names = []struct {
	env   map[string]string
	queue string
}{
	{nil, "http://127.0.0.1/000000000000/other"},
	{map[string]string{"BUS_URL": "http://127.0.0.1/000000000000/mynewq"}, "other"},
	{map[string]string{"BUS_URL": "http://127.0.0.1"}, "other"},
	{map[string]string{"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1"}, "other"},
	{map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1/"}, "other"},
	{map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1", "BUS_URL": "other"}, ""},
	{map[string]string{"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1"}, "arn:aws:sqs:us-east-1:000000000000:other"},
}

func TestAQueueIsNamedByURLByNameOrByARN(t *testing.T) {
	for _, test := range names {
		t.Run(test.queue, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeskWorld(t)
				w.run("create", "-queue", "other", "-delay", "7s")
				w.env = test.env
				args := []string{"attributes", "delay"}
				if test.queue != "" {
					args = append(args, "-queue", test.queue)
				}
				w.wantOK(w.run(args...), "delay=7s\n")
			})
		})
	}
}

func TestNamesAreResolvedWhereTheyAre(t *testing.T) {
	a := &app{}
	for _, test := range []struct{ at, queue, want string }{
		{"https://sqs.eu-west-1.amazonaws.com/123456789012/x", "y.fifo", "https://sqs.eu-west-1.amazonaws.com/123456789012/y.fifo"},
		{"https://sqs.eu-west-1.amazonaws.com/123456789012/x", "arn:aws:sqs:us-east-1:210987654321:y", "https://sqs.us-east-1.amazonaws.com/210987654321/y"},
		{"https://sqs.eu-west-1.amazonaws.com", "y", ""},
		{"http://127.0.0.1:9324/000000000000/x?region=eu-west-1", "y", "http://127.0.0.1:9324/000000000000/y?region=eu-west-1"},
		{"http://127.0.0.1:9324", "arn:aws:sqs:eu-west-1:123456789012:y", "http://127.0.0.1:9324/123456789012/y?region=eu-west-1"},
		{"http://127.0.0.1:9324", "arn:aws:sns:eu-west-1:123456789012:y", "arn:aws:sns:eu-west-1:123456789012:y"},
		{"", "y", ""},
	} {
		a.getenv = func(name string) string { return map[string]string{"BUS_URL": test.at}[name] }
		got, err := a.resolve(test.queue)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s at %s is %s, %v; want %s", test.queue, test.at, got, err, test.want)
		}
	}
}

func TestTheDeskKeepsQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeskWorld(t)
		w.run("create", "-delay", "0s")
		w.run("create", "-queue", "dead")
		w.run("produce", "-preset", "fast", "-count", "3", "-every", "0s", "-delay", "0s")
		w.wantOK(w.run("list"), "http://127.0.0.1/000000000000/dead\nhttp://127.0.0.1/000000000000/mynewq\n")
		w.wantOK(w.run("list", "-prefix", "my", "-counts", "-json"), `{"event":"queue","name":"mynewq","url":"http://127.0.0.1/000000000000/mynewq","ApproximateNumberOfMessages":3,"ApproximateNumberOfMessagesNotVisible":0,"ApproximateNumberOfMessagesDelayed":0}`)
		w.wantOK(w.run("list", "-prefix", "my", "-counts"), "3 visible        0 in flight        0 delayed  http://127.0.0.1/000000000000/mynewq\n")

		w.wantOK(w.run("attributes", "delay=9s", "VisibilityTimeout=44", "dlq=dead", "max-receives=5"), "set VisibilityTimeout, delay, dlq, max-receives of")
		w.wantOK(w.run("attributes", "-json", "delay", "dlq"), `{"DelaySeconds":"9","RedrivePolicy":"{\"deadLetterTargetArn\":\"dead\",\"maxReceiveCount\":5}"}`)
		w.wantOK(w.run("attributes", "max-receives=6"), "set max-receives")
		w.wantOK(w.run("attributes", "delay", "visibility", "dlq", "max-receives", "visible", "DelaySeconds"), "delay=9s\nvisibility=44s\ndlq=dead\nmax-receives=6\nvisible=3\nDelaySeconds=9\n")
		w.wantOK(w.run("attributes", "dlq="), "set dlq")
		if all := w.run("attributes").stdout; strings.Contains(all, "RedrivePolicy") || !strings.Contains(all, "MessageRetentionPeriod=86400\n") {
			t.Errorf("all attributes are\n%s\nwant them without a redrive policy", all)
		}

		w.wantOK(w.run("tag", "team=fundraising", "stage=test"), "2 set and 0 removed")
		w.wantOK(w.run("tag", "-remove", "stage"), "0 set and 1 removed")
		w.wantOK(w.run("tag"), "team=fundraising\n")
		w.wantOK(w.run("tag", "-json"), `{"team":"fundraising"}`)

		w.wantOK(w.run("delete", "-queue", "dead", "-json"), `{"event":"deleted","url":"http://127.0.0.1/000000000000/dead"}`)
		w.wantFailure(w.run("delete", "-queue", "dead"), exitFailed, "create it with omnibus create -queue http://127.0.0.1/000000000000/dead, or see what there is: omnibus list")
	})
}

func TestDeleteAsksOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("produce", "-preset", "fast", "-count", "2", "-every", "0s", "-delay", "0s")
		w.tty, w.stdin = true, "\n"
		w.wantFailure(w.run("delete"), exitFailed, "Delete the queue shared://mynewq and its messages, 2 visible, 0 in flight and 0 delayed? [y/N] ")
		w.wantOK(w.run("list"), "mem://mynewq\n")
		w.stdin = "y\n"
		if r := w.run("delete"); r.status != 0 {
			t.Errorf("delete after a yes: status %d, %s", r.status, r.stderr)
		}
		if left := w.run("list").stdout; left != "" {
			t.Errorf("after delete there is %s", left)
		}
	})
}

func TestTypingErrorsSuggestWhatIsNear(t *testing.T) {
	known := []string{"produce", "consume", "create", "tag", "dlq list"}
	for name, want := range map[string]string{
		"produec": "; did you mean produce?", "cosume": "; did you mean consume?", "crate": "; did you mean create?",
		"tga": "; did you mean tag?", "frobnicate": "", "x": "", "": "",
	} {
		if got := didYouMean("", name, known); got != want {
			t.Errorf("%q is answered with %q, want %q", name, got, want)
		}
	}
}

func TestTheVersionTellsTheRevision(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: time.Unix(0, 0).UTC().Format(time.RFC3339)}, {Key: "vcs.modified", Value: "true"},
	}}
	if got, want := versionText(info), "omnibus v1.2.3, revision abc of 1970-01-01T00:00:00Z with changes, go1.26.8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := versionText(&debug.BuildInfo{GoVersion: "go1.26.8"}), "omnibus (devel), go1.26.8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
