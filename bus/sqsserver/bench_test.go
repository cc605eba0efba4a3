//go:build unix

package sqsserver

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

// The benchmarks call handlers directly, each beside a handler that does nothing
// but parse the same request, with encoding/json, and write the same answer.
// cpu-ns/message is the processor time of the whole process for a message, garbage
// collection and what the queue keeps included, which other load on the machine
// does not disturb as it does the time that passes.
//
//	go test -bench . -run '^$' ./bus/sqsserver

var benchBody = strings.Repeat("donor ", 33) // about 200 bytes

func BenchmarkSend(b *testing.B) {
	body := jsonText(map[string]any{"QueueUrl": benchURL, "MessageBody": benchBody})
	compare(b, 1, func(h *bench) { h.call("SendMessage", body) })
}

func BenchmarkSendBatch(b *testing.B) {
	var entries []map[string]any
	for i := range 10 {
		entries = append(entries, map[string]any{"Id": fmt.Sprint(i), "MessageBody": benchBody})
	}
	body := jsonText(map[string]any{"QueueUrl": benchURL, "Entries": entries})
	compare(b, 10, func(h *bench) { h.call("SendMessageBatch", body) })
}

// BenchmarkDrain receives ten messages and deletes them in a batch.
func BenchmarkDrain(b *testing.B) {
	receive := jsonText(map[string]any{"QueueUrl": benchURL, "MaxNumberOfMessages": 10})
	compare(b, 10, func(h *bench) { h.drain(receive) })
}

// compare runs do, which deals with so many messages, on the server and on the
// handler that does nothing.
func compare(b *testing.B, messages int, do func(*bench)) {
	b.Run("server", func(b *testing.B) {
		s := New(&Options{Engine: engine.New(&engine.Options{Lenient: true})})
		q, err := s.Engine().Create("bench", spec.QueueSettings{})
		if err != nil {
			b.Fatal(err)
		}
		measure(b, &bench{handler: s, queue: q}, messages, do)
	})
	b.Run("nothing", func(b *testing.B) {
		measure(b, &bench{handler: http.HandlerFunc(doNothing)}, messages, do)
	})
}

func measure(b *testing.B, h *bench, messages int, do func(*bench)) {
	var spent time.Duration
	i := 0
	for b.Loop() {
		if i%10_000 == 0 {
			b.StopTimer()
			spent += h.reset(b)
			b.StartTimer()
		}
		i++
		do(h)
	}
	spent += processorTime() - h.since
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*messages), "cpu-ns/message")
}

// reset has the queue hold 100,000 messages, and returns the processor time
// since the last reset.
func (h *bench) reset(b *testing.B) time.Duration {
	spent := time.Duration(0)
	if h.since > 0 {
		spent = processorTime() - h.since
	}
	if h.queue != nil {
		if err := h.queue.Purge(); err != nil {
			b.Fatal(err)
		}
		for range 100_000 {
			if _, err := h.queue.Send(engine.Message{Body: benchBody}); err != nil {
				b.Fatal(err)
			}
		}
	}
	h.since = processorTime()
	return spent
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var rootURL = &url.URL{Path: "/"}

const benchURL = "http://sqs.test/000000000000/bench"

// bench is a handler with what it takes to call it cheaply.
type bench struct {
	handler http.Handler
	queue   *engine.Queue // nil for the handler that does nothing
	since   time.Duration
	w       recorder
}

func (h *bench) call(action, body string) []byte {
	r := &http.Request{
		Method: http.MethodPost, Host: "sqs.test", URL: rootURL, ContentLength: int64(len(body)),
		Header: http.Header{"X-Amz-Target": {"AmazonSQS." + action}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
	h.w.header = http.Header{}
	h.w.body.Reset()
	h.w.status = 200
	h.handler.ServeHTTP(&h.w, r)
	if h.w.status != 200 {
		panic(h.w.body.String())
	}
	return h.w.body.Bytes()
}

// drain receives and deletes, with a client that does next to nothing itself.
func (h *bench) drain(receive string) {
	answer := h.call("ReceiveMessage", receive)
	var del bytes.Buffer
	del.WriteString(`{"QueueUrl":"` + benchURL + `","Entries":[`)
	for i := range 10 {
		const mark = `"ReceiptHandle":"`
		_, rest, _ := bytes.Cut(answer, []byte(mark))
		handle, rest, _ := bytes.Cut(rest, []byte(`"`))
		answer = rest
		if i > 0 {
			del.WriteByte(',')
		}
		fmt.Fprintf(&del, `{"Id":"%d","ReceiptHandle":"%s"}`, i, handle)
	}
	del.WriteString("]}")
	h.call("DeleteMessageBatch", del.String())
}

// doNothing is the limit: a server in which parsing and answering is all there
// is.
func doNothing(w http.ResponseWriter, r *http.Request) {
	var answer any
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	parse := func(to any) {
		if err := json.Unmarshal(body, to); err != nil {
			panic(err)
		}
	}
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.SendMessage":
		var in struct{ QueueUrl, MessageBody string }
		parse(&in)
		answer = nothingSent{MD5OfMessageBody: md5Hex(in.MessageBody), MessageId: nothingID}
	case "AmazonSQS.SendMessageBatch":
		var in struct {
			QueueUrl string
			Entries  []struct{ Id, MessageBody string }
		}
		parse(&in)
		var out struct {
			Successful []nothingSent
			Failed     []struct{}
		}
		for _, e := range in.Entries {
			out.Successful = append(out.Successful, nothingSent{Id: e.Id, MD5OfMessageBody: md5Hex(e.MessageBody), MessageId: nothingID})
		}
		answer = out
	case "AmazonSQS.ReceiveMessage":
		var in struct {
			QueueUrl            string
			MaxNumberOfMessages int
		}
		parse(&in)
		var out struct{ Messages []nothingMessage }
		for range in.MaxNumberOfMessages {
			out.Messages = append(out.Messages, nothingMessage{nothingID, "AAAAAAAAAAAAAAAAAAAAAAAAAAA", nothingMD5, benchBody})
		}
		answer = out
	case "AmazonSQS.DeleteMessageBatch":
		var in struct {
			QueueUrl string
			Entries  []struct{ Id, ReceiptHandle string }
		}
		parse(&in)
		var out struct {
			Successful []struct{ Id string }
			Failed     []struct{}
		}
		for _, e := range in.Entries {
			out.Successful = append(out.Successful, struct{ Id string }{e.Id})
		}
		answer = out
	}
	b, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Write(b)
}

const nothingID = "5fea7756-0ea4-451a-a703-a558b933e274"

var nothingMD5 = md5Hex(benchBody)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

type nothingSent struct {
	Id               string `json:",omitempty"`
	MD5OfMessageBody string
	MessageId        string
}

type nothingMessage struct{ MessageId, ReceiptHandle, MD5OfBody, Body string }
