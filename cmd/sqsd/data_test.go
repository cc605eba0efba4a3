package main

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"omnibus/bus/engine"
)

func TestQueuesAndMessagesOutlastSqsdWithData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	d := start(t, "-data", dir)
	d.call(d.base, "Action=CreateQueue&QueueName=dead")
	d.call(d.base, "Action=CreateQueue&QueueName=orders&Attribute.1.Name=RedrivePolicy&Attribute.1.Value="+
		url.QueryEscape(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":3}`))
	d.call(d.base+"/000000000000/orders", "Action=SendMessage&MessageBody=hello")
	if status, answer := d.do(http.MethodPost, "/reset"); status != http.StatusConflict || !strings.Contains(answer, "-data") {
		t.Errorf("reset: %d, %s", status, answer)
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-data", dir}, &out, &out); status != exitFailed || !strings.Contains(out.String(), "in use by another process") {
		t.Errorf("a second sqsd: status %d, %s", status, &out)
	}
	d.end()

	d = start(t, "-data", dir)
	if name := path.Base(d.bus); name != "orders" {
		t.Errorf("it names the queue %s; want the one that is no dead-letter queue", name)
	}
	if _, got := d.get("/messages?QueueUrl=orders"); !strings.Contains(got, "hello") {
		t.Errorf("after a restart there is %s", got)
	}
	d.end()
}

// end has sqsd end, and waits for it.
func (d *daemon) end() {
	d.stop()
	<-d.done
}

// A queue of the file that is there stays as it is: it may have been changed since.
func TestTheQueueFileMakesWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "queues.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("donors: {VisibilityTimeout: 60}\n")
	d := start(t, "-data", filepath.Join(dir, "data"), "-queues", file)
	d.end()
	write("donors: {VisibilityTimeout: 70}\nothers: {}\n")
	d = start(t, "-data", filepath.Join(dir, "data"), "-queues", file)
	_, got := d.get("/queues")
	if !strings.Contains(got, `"VisibilityTimeout":"60"`) && !strings.Contains(got, `"VisibilityTimeout": "60"`) && !strings.Contains(got, `"VisibilityTimeout": 60`) || !strings.Contains(got, "others") {
		t.Errorf("there are %s", got)
	}
	d.end()
}

// What a start with an error in the file has left would stay as it is at the next one.
func TestAStartThatFailsMakesNoQueue(t *testing.T) {
	for _, bad := range []string{
		"donors: {dlq: dead, maxReceiveCount: 4}\nother: {VisibilityTimeout: -5}\ndead: {}",
		"donors: {dlq: dead, maxReceiveCount: 4}\ndead: {}\nother: {dlq: nobody, maxReceiveCount: 3}",
		"donors: {}\ndead.fifo: {}\ndead: {}\nother: {dlq: dead.fifo, maxReceiveCount: 3}",
		"queues:\n  donors: {dlq: dead, maxReceiveCount: 4}\n  dead: {}\ntopics:\n  news: {Colour: red}",
	} {
		data := filepath.Join(t.TempDir(), "data")
		var out bytes.Buffer
		if status := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-data", data, "-queues", write(t, bad)}, &out, &out); status != exitFailed {
			t.Fatalf("%s: status %d, %s", bad, status, &out)
		}
		d := start(t, "-data", data, "-queues", write(t, "donors: {dlq: dead, maxReceiveCount: 3}\nother: {VisibilityTimeout: 5}\ndead: {}"))
		if got := d.dump(); !strings.Contains(got, `"maxReceiveCount": 3`) || strings.Contains(got, "fifo") {
			t.Errorf("after %s the mended file makes %s", bad, got)
		}
		d.end()
	}
}

// A queue is made with its redrive policy: if the process ends between two queues, the
// next start need not know that something is missing.
func TestQueuesOfTheFileAreMadeWithTheirDeadLetterQueues(t *testing.T) {
	f, err := parseQueueFile([]byte(`
a: {dlq: b, maxReceiveCount: 1}
b: {dlq: c, maxReceiveCount: 1}
one: {dlq: two, maxReceiveCount: 1}
two: {dlq: three, maxReceiveCount: 1}
three: {dlq: one, maxReceiveCount: 1}
self: {dlq: self, maxReceiveCount: 1}
by-arn: {RedrivePolicy: {deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:d", maxReceiveCount: 1}}
d:
c:
`))
	if err != nil {
		t.Fatal(err)
	}
	server := newEndpoint(&config{region: "us-east-1", account: "000000000000"}, engine.New(nil))
	queues, err := f.newQueues(t.Context(), server, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range queues {
		name := q.name
		if q.late {
			name += " late"
		}
		got = append(got, name)
	}
	if want := "c, b, a, three late, two, one, self, d, by-arn"; strings.Join(got, ", ") != want {
		t.Errorf("%s; want %s", strings.Join(got, ", "), want)
	}
	if err := createQueues(t.Context(), server, queues[:3]); err != nil {
		t.Fatal(err)
	}
	if err := f.create(t.Context(), server, true); err != nil {
		t.Fatal(err)
	}
	text, err := dump(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), `"maxReceiveCount": 1`); n != 7 {
		t.Errorf("%d redrive policies in %s", n, text)
	}
}
