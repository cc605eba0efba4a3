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
