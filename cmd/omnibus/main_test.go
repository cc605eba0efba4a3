package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus"
	"omnibus/bus/membus"
	"omnibus/bus/plainbus"
	"omnibus/bus/sqsbus"
	_ "omnibus/internal/cleanenv"
)

// shared is a memory backend that claims to be seen by other processes, so that
// the commands can be tested one by one in this one.
type shared struct{ *membus.Backend }

func (shared) Local() bool { return false }

const sharedURL = "shared://mynewq"

// world is what the commands of one test share.
type world struct {
	t     *testing.T
	mux   *bus.Mux
	sqs   *sqsbus.Backend
	env   map[string]string
	stdin string
	tty   bool

	input  io.Reader // if not nil, used instead of stdin
	output io.Writer // if not nil, used instead of what result shows
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, mux: &bus.Mux{}, env: map[string]string{"BUS_URL": sharedURL}}
	memory := membus.New(nil) // which both schemes open, as created and listed queues are called mem://
	w.mux.Register("shared", shared{memory})
	memory.Register(w.mux)
	w.mux.Register(plainbus.Scheme, plainbus.New())
	return w
}

// result is what a command left behind.
type result struct {
	status         int
	stdout, stderr string
}

// run runs a command line to its end.
func (w *world) run(args ...string) result { return w.start(args...)() }

// start starts a command line. The function it returns waits for it, after
// sending it Ctrl-C if it says so.
func (w *world) start(args ...string) (wait func(interrupt ...bool) result) {
	wait, _ = w.startLogged(args...)
	return wait
}

// startLogged does so, and returns what takes standard error besides.
func (w *world) startLogged(args ...string) (wait func(interrupt ...bool) result, stderr *syncBuffer) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var out, err syncBuffer
	done := make(chan int, 1)
	a := &app{
		mux:      w.mux,
		sqs:      w.sqs,
		getenv:   func(k string) string { return w.env[k] },
		stdin:    w.input,
		stdout:   w.output,
		stderr:   &err,
		terminal: w.tty,
	}
	if a.stdin == nil {
		a.stdin = strings.NewReader(w.stdin)
	}
	if a.stdout == nil {
		a.stdout = &out
	}
	go func() { done <- a.run(ctx, args) }()
	return func(interrupt ...bool) result {
		if len(interrupt) > 0 {
			cancel()
		}
		status := <-done
		cancel()
		return result{status, out.String(), err.String()}
	}, &err
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wantOK fails the test unless the command succeeded and printed the text.
func (w *world) wantOK(r result, stdout string) {
	w.t.Helper()
	if r.status != 0 || r.stderr != "" || !strings.Contains(r.stdout, stdout) {
		w.t.Errorf("status %d, errors %q, output\n%s\nwant success and %q", r.status, r.stderr, r.stdout, stdout)
	}
}

func (w *world) wantFailure(r result, status int, stderr string) {
	w.t.Helper()
	if r.status != status || !strings.Contains(r.stderr, stderr) {
		w.t.Errorf("status %d, errors\n%s\nwant status %d and %q", r.status, r.stderr, status, stderr)
	}
}

// The lab by its single commands: create, produce, status, consume, purge.
func TestCommandsPlayTheLab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantOK(w.run("create"), "mem://mynewq\n")
		status := w.start("status", "-json")
		slow, fast := w.start("produce", "-preset", "slow", "-count", "20"), w.start("produce", "-preset", "fast", "-count", "20")
		eat1, eat2 := w.start("consume", "-preset", "slow"), w.start("consume", "-preset", "fast")
		w.wantOK(slow(), "20 messages sent")
		w.wantOK(fast(), "20 messages sent")
		time.Sleep(2 * time.Minute)
		one, two := eat1(true), eat2(true)
		w.wantOK(one, "Producer: Slow, JobType: NewDonor, Body: {")
		w.wantOK(two, "Producer: Fast, JobType: NewDonor, Body: {")
		if n := strings.Count(one.stdout+two.stdout, "Producer: "); n != 40 {
			t.Errorf("the consumers printed %d messages, want 40", n)
		}
		lines := strings.Split(strings.TrimSpace(status(true).stdout), "\n")
		most := statusLine{}
		var last statusLine
		for _, line := range lines {
			last = statusLine{}
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			most.Visible = max(most.Visible, last.Visible)
			most.Delayed = max(most.Delayed, last.Delayed)
		}
		if len(lines) < 120 || most.Visible == 0 || most.Delayed == 0 {
			t.Errorf("status printed %d lines with at most %+v; want one a second, and counts that rise", len(lines), most)
		}
		if last.Visible+last.InFlight+last.Delayed != 0 {
			t.Errorf("the last status is %+v, want zeros", last)
		}
		w.wantOK(w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s"), "50 messages sent")
		w.wantOK(w.run("status", "-once"), "50 ApproximateNumberOfMessages\n0 ApproximateNumberOfMessagesNotVisible\n0 ApproximateNumberOfMessagesDelayed\n")
		w.wantOK(w.run("purge"), "purged "+sharedURL)
		w.wantOK(w.run("status", "-once"), "0 ApproximateNumberOfMessages\n")
	})
}

func TestFlagOverridesEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantOK(w.run("create", "-queue", "shared://other"), "mem://other\n")
	})
}

// Any attribute of SQS can be given, over what the other flags say.
func TestCreateTakesAttributesAsSQSSpellsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantOK(w.run("create", "-queue", "shared://dead.fifo", "-fifo"), "mem://dead.fifo\n")
		w.wantOK(w.run("create", "-queue", "shared://q.fifo", "-fifo", "-attr", "DelaySeconds=7", "-attr", "DeduplicationScope=messageGroup",
			"-attr", `RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead.fifo","maxReceiveCount":3}`), "mem://q.fifo\n")
		q, err := w.mux.Open(t.Context(), "shared://q.fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Shutdown(t.Context())
		a, err := q.Attributes(t.Context())
		if err != nil || a.Delay != 7*time.Second || !a.GroupDeduplication || a.DeadLetter != (bus.DeadLetter{Queue: "dead.fifo", MaxReceives: 3}) {
			t.Errorf("%+v, %v", a, err)
		}
		w.wantFailure(w.run("create", "-attr", "Colour=red"), exitUsage, "Unknown Attribute Colour.")
		w.wantFailure(w.run("create", "-attr", "DelaySeconds"), exitUsage, "want NAME=VALUE")
		w.wantFailure(w.run("create", "-attr", "DelaySeconds=1", "-attr", "DelaySeconds=2"), exitUsage, "each name once")
	})
}

func TestProduceReadsFilesAndStandardInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(file, []byte(`[{"a": 1}, {"a": 2}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(broken, []byte("{\"a\": 1}\n{\"a\": nope}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantOK(w.run("produce", "-data", file, "-attr", "JobType=Test", "-attr", "Producer=Me"), "sent 2 {\"a\":2}\n2 messages sent\n")
		w.stdin = "{\"b\": 1}\n"
		w.wantOK(w.run("produce", "-data", "-", "-json"), `"body":{"b":1}}`+"\n"+`{"event":"summary","sent":1,"unconfirmed":0}`)
		w.wantOK(w.run("consume", "-max", "3"), "Producer: Me, JobType: Test, Body: {\"a\":1}\n")
		r := w.run("produce", "-data", broken)
		w.wantFailure(r, exitFailed, broken+": line 2, offset 16: invalid character 'o' in literal null (expecting 'u')")
		if !strings.Contains(r.stdout, "1 message sent") {
			t.Errorf("output %q does not say what was sent before the error", r.stdout)
		}
		w.wantFailure(w.run("produce", "-data", file+".no"), exitFailed, "no such file")
	})
}

func TestProduceReadsAPipeOfTextLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.stdin = "\ufeff{no json}\r\n\n  two\n"
		w.wantOK(w.run("produce", "-data", "-", "-lines"), "sent 1 {no json}\nsent 2   two\n2 messages sent\n")
		w.wantFailure(w.run("produce", "-preset", "fast", "-lines"), exitUsage, "-lines goes with -data")
	})
}

func TestProduceSendsInBatchesAndEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.stdin = "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3}\n"
		w.wantOK(w.run("produce", "-data", "-", "-batch", "10", "-codec", "gzip"), "sent 1 {\"a\":1}\nsent 2 {\"a\":2}\nsent 3 {\"a\":3}\n3 messages sent\n")
		w.wantOK(w.run("consume", "-max", "2"), "Body: {\"a\":1}\n")
		w.wantOK(w.run("consume", "-max", "1", "-json"), `"body":{"a":3}`)
		w.wantOK(w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s", "-codec", "json"), "1 message sent")
		w.wantOK(w.run("consume", "-max", "1", "-json"), `"Content-Type":"application/json"`)
	})
}

func TestPresetsWorkOnFIFOQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.env["BUS_URL"] = "shared://mynewq.fifo"
		w.wantOK(w.run("create", "-fifo"), "mem://mynewq.fifo\n")
		w.wantOK(w.run("produce", "-preset", "fast", "-group", "donors", "-every", "0s"), "50 messages sent")
		w.wantOK(w.run("consume", "-preset", "fast", "-max", "50"), "50 deleted, 0 redelivered")
	})
}

func TestInterruptedWorkersSayWhatWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create")
		produce := w.start("produce", "-preset", "fast")
		consume := w.start("consume", "-json")
		time.Sleep(4500 * time.Millisecond)
		w.wantOK(produce(true), "5 messages sent\n")
		w.wantOK(consume(true), `{"event":"summary","received":3,"deleted":3,"redelivered":0,"unconfirmed":0}`)
	})
}

func TestLabCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.env = nil
		lines := strings.Split(strings.TrimSpace(w.run("lab", "-speed", "60", "-json").stdout), "\n")
		const want = `{"event":"summary","story":"lab","sent":100,"received":100,"deleted":100,"redelivered":0,"lost":0,"dead":0,"visible":0,"in_flight":0,"delayed":0,"requests":`
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, want) {
			t.Errorf("the last line is\n%s, want\n%s", last, want)
		}
		took := map[string]int{}
		for _, line := range lines {
			var e struct{ Event, Worker string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if e.Event == "handled" {
				took[e.Worker]++
			}
		}
		if took["slow consumer"] < 10 || took["fast consumer"] < 50 {
			t.Errorf("the consumers took %v; want them to share the work", took)
		}
		w.wantOK(w.run("lab", "-queue", "mempubsub://lab"), "100 sent, 100 received, 100 deleted, 0 redelivered")
	})
}

func TestInterruptedLabSaysWhatWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.env = nil
		lab := w.start("lab")
		time.Sleep(3500 * time.Millisecond)
		w.wantOK(lab(true), "8 sent, ")
	})
}

func TestPurgeAsksOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create")
		w.run("produce", "-preset", "fast", "-every", "0s", "-delay", "0s")
		w.tty = true
		for _, answer := range []string{"", "\n", "no\n"} {
			w.stdin = answer
			w.wantFailure(w.run("purge"), exitFailed, "Delete all messages of "+sharedURL+"? [y/N] ")
		}
		w.wantOK(w.run("status", "-once"), "50 ApproximateNumberOfMessages\n")
		w.stdin = "y\n"
		if r := w.run("purge"); r.status != 0 {
			t.Errorf("purge after a yes: status %d, %s", r.status, r.stderr)
		}
		time.Sleep(time.Minute)
		w.wantOK(w.run("purge", "-yes"), "purged")
	})
}

func TestBadCommandLines(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"", exitUsage, "usage: omnibus COMMAND"},
		{"frob", exitUsage, `unknown command "frob"`},
		{"prodcue -preset fast", exitUsage, `unknown command "prodcue"; did you mean produce?`},
		{"status -frob", exitUsage, "flag provided but not defined: -frob\n"},
		{"status -evry 1s", exitUsage, "flag provided but not defined: -evry; did you mean -every?"},
		{"attributes dealy", exitUsage, `unknown attribute "dealy"; did you mean delay?; known are`},
		{"attributes visible=3", exitUsage, "visible is not for anybody to set"},
		{"attributes delay=1500ms", exitUsage, "delay=1500ms is no duration in whole seconds"},
		{"attributes delay=16m", exitUsage, "960 is out of range; allowed are 0 to 900 seconds"},
		{"attributes delay=1s DelaySeconds=2", exitUsage, "delay and DelaySeconds are the same attribute"},
		{"attributes delay=1s delay=2s", exitUsage, "attribute delay is given twice"},
		{"attributes delay=1s wait", exitUsage, "NAME is to show and NAME=VALUE to set an attribute"},
		{"attributes max-receives=3", exitUsage, "add dlq=NAME"},
		{"attributes dlq=dead", exitUsage, "add max-receives=N, 1 to 1000"},
		{"attributes dlq=dead max-receives=many", exitUsage, "max-receives=many is no number; allowed are 1 to 1000"},
		{"attributes dlq=dead max-receives=1001", exitUsage, "valid values are from 1 to 1000"},
		{"dlq", exitUsage, "dlq what? It has list, peek, redrive, purge"},
		{"dlq redirve", exitUsage, `unknown command "dlq redirve"; did you mean dlq redrive?; dlq has list, peek, redrive, purge`},
		{"peek -n 0", exitUsage, "-n is 0; it must be 1 or more"},
		{"peek -body (", exitUsage, "missing closing )"},
		{"peek -attr =x", exitUsage, "want NAME or NAME=VALUE"},
		{"dlq redrive -rate 0", exitUsage, "-rate is 0; allowed are 0.001 to 10000 messages a second"},
		{"dlq redrive -rate NaN", exitUsage, "-rate is NaN; allowed are"},
		{"dlq redrive -max -1", exitUsage, "-max is -1; it must be 0 or more"},
		{"dlq redrive -to mynewq", exitUsage, "-to shared://mynewq is the dead-letter queue itself"},
		{"dlq redrive -to x.fifo", exitUsage, "both must be FIFO or both standard"},
		{"send", exitUsage, "the body is empty; SQS wants 1 to 1048576 bytes"},
		{"send a b", exitUsage, "2 arguments are given; want one, the body"},
		{"send a -file b", exitUsage, "the body is given twice"},
		{"send -delay 16m a", exitUsage, "-delay is 16m0s; allowed are 0s to 15m"},
		{"send -delay 1ms a", exitUsage, "SQS counts whole seconds"},
		{"send -send-timeout 0s a", exitUsage, "-send-timeout is 0s; it must be over 0s"},
		{"send -dedup 1 a", exitUsage, "-dedup 1 is for FIFO queues"},
		{"send -queue x.fifo a", exitUsage, "add -group ID"},
		{"send -queue x.fifo -group g -delay 1s a", exitUsage, "-delay 1s is for one message"},
		{"send -attr a a", exitUsage, "want KEY=VALUE or KEY:TYPE=VALUE"},
		{"send -attr a:Nmber=1 a", exitUsage, `has the type "Nmber"; did you mean Number?; allowed are`},
		{"send -attr a:Number=x a", exitUsage, "-attr a:Number: "},
		{"send -attr a:Binary=? a", exitUsage, "is not base64"},
		{"send -file nowhere.json", exitFailed, "nowhere.json: no such file"},
		{"tag team", exitUsage, `"team" is not a tag to set; want KEY=VALUE`},
		{"tag aws:team=x", exitUsage, "Tag keys must not begin with aws:"},
		{"tag -remove team team=x", exitUsage, "each key once"},
		{"tag", exitFailed, "shared://mynewq has no tags: only queues on SQS have"},
		{"status now", exitUsage, `unexpected argument "now"`},
		{"status -every 0s", exitUsage, "-every 0s must be over zero"},
		{"status -queue nope://x", exitUsage, `unknown scheme "nope"; known are mem, mempubsub, memsns, shared`},
		{"status -queue shared://u:secret@x", exitUsage, "credentials do not belong in the URL"},
		{"status -queue mem://x", exitFailed, "mem://x lives inside one process, so status on its own would have a queue that nobody shares"},
		{"consume -queue mempubsub://x", exitFailed, "mempubsub://x lives inside one process"},
		{"status -queue shared://x?frob=1", exitFailed, `unknown parameter "frob"; known are delay, retention, `},
		{"status -queue shared://x?visibility=13h", exitFailed, "Value 46800 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200"},
		{"create -delay 16m", exitUsage, "DelaySeconds. Reason: 960 is out of range; allowed are 0 to 900 seconds"},
		{"create -retention 30s", exitUsage, "MessageRetentionPeriod. Reason: 30 is out of range; allowed are 60 to 1209600 seconds"},
		{"create -visibility 13h", exitUsage, "VisibilityTimeout. Reason: 46800 is out of range"},
		{"create -fifo", exitFailed, "the names of FIFO queues, and no others, end in .fifo"},
		{"create -dlq dead", exitUsage, "-dlq and -max-receives go together"},
		{"create -dlq dead -max-receives 1001", exitUsage, "maxReceiveCount: 1001, valid values are from 1 to 1000"},
		{"produce", exitUsage, "give either -preset or -data"},
		{"produce -preset frob", exitUsage, `unknown preset "frob"; known are fast, slow`},
		{"produce -preset fast -attr x", exitUsage, "want KEY=VALUE"},
		{"produce -preset fast -count -1", exitUsage, "-count is -1; it must be 0 or more"},
		{"produce -preset fast -delay -1s", exitUsage, "-delay is -1s; it must be 0s or more"},
		{"produce -preset fast -every -1s", exitUsage, "-every is -1s; it must be 0s or more"},
		{"produce -preset fast -concurrency 0", exitUsage, "-concurrency is 0; it must be 1 or more"},
		{"produce -preset fast -batch 0", exitUsage, "-batch is 0; it must be 1 or more"},
		{"produce -preset fast -send-timeout 0s", exitUsage, "-send-timeout is 0s; it must be over 0s"},
		{"produce -preset fast -codec frob", exitUsage, `unknown codec "frob"; known are gzip, json`},
		{"produce -data - -lines -codec json", exitUsage, "-codec is for JSON documents"},
		{"consume -work -1s", exitUsage, "-work is -1s; it must be 0s or more"},
		{"consume -fail 4/3", exitUsage, `invalid value "4/3" for flag -fail: want N/M for N of every M messages, such as 1/3; N is 1 to M`},
		{"consume -preset frob", exitUsage, `unknown preset "frob"`},
		{"lab -speed 0", exitUsage, "-speed 0 is out of range; allowed are 1 to 1000"},
		{"lab -speed 2", exitUsage, "-speed 2 works in memory only; on shared://mynewq durations are whole seconds"},
	} {
		t.Run(test.args, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w.t = t
				w.wantFailure(w.run(strings.Fields(test.args)...), test.status, test.want)
			})
		})
	}
	w.env = map[string]string{}
	w.t = t
	w.wantFailure(w.run("status", "-queue", "mynewq"), exitUsage, "mynewq is no URL, and no endpoint is known")
	for _, c := range commands() {
		if c.name == "lab" || c.name == "tour" {
			continue
		}
		if c.name == "list" || c.name == "dlq list" {
			w.wantFailure(w.run(strings.Fields(c.name)...), exitUsage, "no endpoint is named: use -queue http://127.0.0.1:9324, or set BUS_URL")
			continue
		}
		args := strings.Fields(c.name)
		if c.name == "produce" {
			args = append(args, "-preset", "fast")
		}
		w.wantFailure(w.run(args...), exitUsage, "no queue is named: use -queue URL or set BUS_URL")
	}
}

func TestNoCommandShowsSecretsOfTheURL(t *testing.T) {
	const secret = "PW-s3cr3t"
	for _, url := range []string{
		"shared://u:" + secret + "@x", "shared://x?password=" + secret, "shared://x?delay=http://u:" + secret + "@h", "shared://x/u:" + secret + "@h",
		"mem://u:" + secret + "@x", "mem://x?token=" + secret, "nope://x?token=" + secret, "u:" + secret + "@x",
	} {
		for _, c := range commands() {
			args := strings.Fields(c.name)
			switch c.name {
			case "produce":
				args = append(args, "-preset", "fast")
			case "lab", "tour":
				args = append(args, "-speed", "2")
			}
			for _, args := range [][]string{append(args, "-queue", url), append(args, url)} {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.tty = strings.HasSuffix(c.name, "purge") || c.name == "delete" // which ask there
					w.stdin = "no\n"
					r := w.run(args...)
					accepts := strings.HasSuffix(c.name, "list") || c.name == "send" // a place of any parameters, and any body
					if r.status == 0 && !accepts || strings.Contains(r.stdout+r.stderr, secret) {
						t.Errorf("omnibus %v ends with %d and shows\n%s%s", args, r.status, r.stdout, r.stderr)
					}
				})
			}
		}
	}
}

func TestHelpShowsFlagsAndAnExample(t *testing.T) {
	w := newWorld(t)
	w.wantOK(w.run("-h"), "usage: omnibus COMMAND")
	for _, c := range commands() {
		for _, h := range []string{"-h", "-help", "--help"} {
			r := w.run(append(strings.Fields(c.name), h)...)
			w.wantOK(r, "usage: omnibus "+c.name)
			if !strings.Contains(r.stdout, "Example:\n  omnibus "+c.name) || !strings.Contains(r.stdout, "-queue URL") {
				t.Errorf("%s %s shows no example or no -queue:\n%s", c.name, h, r.stdout)
			}
		}
	}
}
