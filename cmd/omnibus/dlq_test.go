package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/bus/driver"
)

// newDeadLetters returns a world on an endpoint with the queue mynewq and its
// dead-letter queue, dead, in which BUS_URL is, with n dead letters. Their bodies are
// their numbers; JobType is A of every third, and B of the others.
func newDeadLetters(t *testing.T, suffix string, n int) *world {
	w := newDeskWorld(t)
	w.run("create", "-queue", "dead"+suffix, "-delay", "0s", "-fifo="+strconv.FormatBool(suffix != ""))
	w.run("create", "-queue", "mynewq"+suffix, "-delay", "0s", "-fifo="+strconv.FormatBool(suffix != ""), "-dlq", "dead"+suffix, "-max-receives", "1")
	w.env["BUS_URL"] = "http://127.0.0.1/000000000000/dead" + suffix
	q, err := w.mux.Open(t.Context(), w.env["BUS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer q.Shutdown(t.Context())
	for all := range slices.Chunk(make([]pubsub.Message, n), 100) {
		var ms []*pubsub.Message
		for range all {
			i := n - 1
			n--
			m := &pubsub.Message{Body: []byte(strconv.Itoa(i)), Metadata: map[string]string{"JobType": "B", driver.DeadLetterSource: "mynewq" + suffix}}
			if i%3 == 0 {
				m.Metadata["JobType"] = "A"
			}
			if suffix != "" {
				bus.Group(m, strconv.Itoa(i%5))
			}
			ms = append(ms, m)
		}
		for _, err := range q.SendBatch(t.Context(), ms) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// wantCounts fails the test unless a queue has so many messages, all visible.
func (w *world) wantCounts(queue string, visible int) {
	w.t.Helper()
	w.wantOK(w.run("attributes", "-queue", queue, "visible", "in-flight", "delayed"), fmt.Sprintf("visible=%d\nin-flight=0\ndelayed=0\n", visible))
}

// redriven returns what a redrive with -json says. Its counts must add up.
func (w *world) redriven(r result) redrivenLine {
	w.t.Helper()
	var line redrivenLine
	if err := json.Unmarshal([]byte(r.stdout), &line); err != nil {
		w.t.Fatalf("status %d, errors %q, output %q: %v", r.status, r.stderr, r.stdout, err)
	}
	if sum := line.Moved + line.Unmatched + line.Homeless + line.Returned + line.Unconfirmed + line.Interrupted; sum != line.Seen {
		w.t.Errorf("%+v adds up to %d", line, sum)
	}
	return line
}

func TestARedriveOfManyDeadLettersAddsUpAndGoesOnAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all, wanted, rate = 10_000, 3334, 500
		w := newDeadLetters(t, "", all)
		command := []string{"dlq", "redrive", "-attr", "JobType=A", "-rate", strconv.Itoa(rate), "-json"}
		first := w.start(command...)
		begin := time.Now()
		time.Sleep(3 * time.Second)
		r := first(true)
		w.wantFailure(r, exitFailed, "interrupted; the same command goes on with what is left")
		one := w.redriven(r)
		if least, most := 2*rate, 3*rate+1; one.Moved < least || one.Moved > most || one.Unconfirmed > 0 {
			t.Errorf("after 3 s at %d a second there are %+v; want %d to %d moved", rate, one, least, most)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the interrupted command went on for %v", took-3*time.Second)
		}
		w.wantCounts("dead", all-one.Moved)
		w.wantCounts("mynewq", one.Moved)

		begin = time.Now()
		r = w.run(command...)
		two := w.redriven(r)
		if want := (redrivenLine{"redriven", all - one.Moved, wanted - one.Moved, all - wanted, 0, 0, 0, 0, all - wanted}); r.status != 0 || two != want {
			t.Errorf("the second redrive ends with %d and %+v; want %+v", r.status, two, want)
		}
		if least := time.Duration(two.Moved-1) * time.Second / rate; time.Since(begin) < least {
			t.Errorf("%d were moved in %v; want %v at least", two.Moved, time.Since(begin), least)
		}
		w.wantCounts("dead", all-wanted)
		w.wantCounts("mynewq", wanted)
		bodies := map[string]bool{}
		for line := range strings.Lines(w.run("consume", "-queue", "mynewq", "-max", strconv.Itoa(wanted), "-concurrency", "16", "-json").stdout) {
			var m struct {
				Body     json.RawMessage
				Metadata map[string]string
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			if m.Body != nil && m.Metadata["JobType"] == "A" {
				bodies[string(m.Body)] = true
			}
		}
		if len(bodies) != wanted {
			t.Errorf("%d different messages were moved, want %d", len(bodies), wanted)
		}
	})
}

func TestDeadLettersGoBackWhereTheyCameFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 0)
		w.wantOK(w.run("send", "-queue", "mynewq", "-attr", "JobType=A", "one"), "-")
		w.wantOK(w.run("send", "-queue", "mynewq", "-attr", "JobType=B", "two"), "-")
		q, err := w.mux.Open(t.Context(), "http://127.0.0.1/000000000000/mynewq?visibility=1s")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // received once, which is too often
			m, err := q.Subscription.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			m.Nack()
		}
		if err := q.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantOK(w.run("peek", "-receive", "-queue", "mynewq"), "")
		w.wantOK(w.run("dlq", "list"), "2 dead, 0 in flight, 0 delayed  http://127.0.0.1/000000000000/dead  from mynewq\n")
		w.wantOK(w.run("dlq", "list", "-json"), `"ApproximateNumberOfMessages":2,"ApproximateNumberOfMessagesNotVisible":0,"ApproximateNumberOfMessagesDelayed":0,"sources":["mynewq"]}`)
		w.wantOK(w.run("dlq", "peek", "-receive", "-body", "^t"), "received 2 times, from mynewq\n  two\n")
		w.wantOK(w.run("dlq", "redrive", "-body", "^t"), "1 message moved, 1 left since they do not match\n")
		w.wantCounts("mynewq", 1)
		w.wantOK(w.run("dlq", "redrive"), "1 message moved\n")
		w.wantCounts("dead", 0)
		w.wantCounts("mynewq", 2)
	})
}

func TestARedriveOfOrderedDeadLettersKeepsTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, ".fifo", 50)
		w.wantOK(w.run("dlq", "redrive", "-rate", "1000"), "50 messages moved\n")
		w.wantCounts("mynewq.fifo", 50)
		last := map[string]int{}
		for line := range strings.Lines(w.run("consume", "-queue", "mynewq.fifo", "-max", "50", "-json").stdout) {
			var m handledLine
			if err := json.Unmarshal([]byte(line), &m); err != nil || m.Group == "" {
				continue
			}
			n, err := strconv.Atoi(string(m.JSON))
			if err != nil {
				t.Fatal(err)
			}
			if before, has := last[m.Group]; has && n >= before { // they were sent from the highest on
				t.Errorf("in group %s %d comes after %d", m.Group, n, before)
			}
			last[m.Group] = n
		}
		if len(last) != 5 {
			t.Errorf("there are groups %v, want 5", last)
		}
	})
}

func TestARedriveMovesSoManyAtMostAndToAnotherQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 40)
		w.run("create", "-queue", "retry", "-delay", "0s")
		w.wantOK(w.run("dlq", "redrive", "-max", "7", "-to", "retry"), "7 messages moved, 33 more in the queue\n")
		w.wantCounts("retry", 7)
		w.wantCounts("dead", 33)
		w.wantFailure(w.run("dlq", "redrive", "-max", "3", "-to", "nowhere"), exitFailed, "create it with omnibus create -queue http://127.0.0.1/000000000000/nowhere")
		w.wantCounts("dead", 33)
		w.wantOK(w.run("dlq", "redrive", "-to", "retry"), "33 messages moved\n")
		w.wantCounts("retry", 40)
	})
}

func TestDeadLettersOfNowhereStayAndAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 0)
		w.run("create", "-queue", "second", "-dlq", "dead", "-max-receives", "2")
		w.run("send", "stray")
		w.wantFailure(w.run("dlq", "redrive"), exitFailed, "name the queue with -to, or add -rate")
		w.wantOK(w.run("dlq", "redrive", "-rate", "10"), "0 messages moved, 1 left since they do not tell where they come from: name a queue with -to\n")
		w.run("attributes", "-queue", "second", "dlq=")
		w.wantOK(w.run("dlq", "redrive", "-rate", "10"), "1 message moved\n")
		w.wantCounts("mynewq", 1)
	})
}

func TestDeadLettersArePurgedByFilterOrAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 30)
		w.tty, w.stdin = true, "n\n"
		w.wantFailure(w.run("dlq", "purge", "-attr", "JobType=A"), exitFailed, "Delete the dead letters that the filter wants of http://127.0.0.1/000000000000/dead? [y/N] ")
		w.tty = false
		w.wantOK(w.run("dlq", "purge", "-attr", "JobType=A"), "10 messages deleted, 20 left since they do not match\n")
		w.wantCounts("dead", 20)
		w.wantOK(w.run("dlq", "purge", "-json"), `{"event":"purged","deleted":20,"unmatched":0}`)
		w.wantCounts("dead", 0)
	})
}

func TestCommandsForDeadLettersNameTheQueueThatHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 1)
		for _, name := range []string{"peek", "redrive", "purge"} {
			w.wantFailure(w.run("dlq", name, "-queue", "mynewq"), exitFailed, "mynewq is no dead-letter queue, and has one: omnibus dlq "+name+" -queue http://127.0.0.1/000000000000/dead")
			w.run("create", "-queue", "plain")
			w.wantFailure(w.run("dlq", name, "-queue", "plain"), exitFailed, "plain is the dead-letter queue of no queue there; omnibus dlq list -queue")
		}
		w.wantCounts("dead", 1)
	})
}

func TestPeekLeavesMessagesWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, w := range []*world{newWorld(t), newDeskWorld(t)} {
			w.run("create", "-delay", "0s")
			w.run("produce", "-preset", "fast", "-count", "20", "-every", "0s", "-delay", "0s")
			args := []string{"peek", "-attr", "JobType=NewDonor", "-body", "Pierce|Huber"}
			if w.sqs != nil {
				w.wantFailure(w.run(args...), exitUsage, "shows no message without receiving it")
				args = append(args, "-receive")
			}
			if r := w.run(args...); r.status != 0 || strings.Count(r.stdout, "sent ") != 2 {
				t.Errorf("peek ends with %d and prints\n%s%s", r.status, r.stdout, r.stderr)
			}
			w.wantOK(w.run(append(args, "-json", "-n", "1")...), `{"event":"peeked","id":`)
			w.wantOK(w.run("status", "-once"), "20 ApproximateNumberOfMessages\n0 ApproximateNumberOfMessagesNotVisible\n0 ")
		}
	})
}

func TestSendSendsOneMessageWithAllThatItCanHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeskWorld(t)
		w.run("create", "-delay", "0s")
		w.wantOK(w.run("send", "-attr", "JobType=A", "-attr", "price:Number.eur=12.50", "-attr", "raw:Binary=/wA=", "-delay", "9s", "-json", "--", "-hello"), `{"event":"sent","id":"`)
		w.wantOK(w.run("attributes", "delayed"), "delayed=1\n")
		time.Sleep(9 * time.Second)
		r := w.run("consume", "-max", "1", "-json")
		for _, want := range []string{`"text":"-hello"`, `"price":{"type":"Number.eur","value":"12.50"}`, `"raw":{"type":"Binary","base64":"/wA="}`, `"JobType":"A"`} {
			w.wantOK(r, want)
		}
		w.stdin = "from a pipe\n"
		w.wantOK(w.run("send"), "-")
		w.wantOK(w.run("consume", "-max", "1", "-json"), `"text":"from a pipe\n"`)

		w.run("create", "-queue", "o.fifo", "-fifo")
		first := w.run("send", "hello", "-queue", "o.fifo", "-group", "g", "-dedup", "1")
		second := w.run("send", "again", "-queue", "o.fifo", "-group", "g", "-dedup", "1")
		if first.status != 0 || first.stdout != second.stdout {
			t.Errorf("two of one deduplication id are %q and %q (%s%s)", first.stdout, second.stdout, first.stderr, second.stderr)
		}
	})
}

func TestABarShowsHowFarACommandIs(t *testing.T) {
	for _, test := range []struct {
		done, total int
		want        string
	}{
		{0, 100, "[..............................] 0 of 100"},
		{50, 100, "[###############...............] 50 of 100, 10/s, 5s left"},
		{100, 100, "[##############################] 100 of 100"},
		{3, 2, "[##############################] 3 of 3"},
		{0, 0, "[##############################] 0 of 0"},
	} {
		if got := bar(test.done, test.total, 5*time.Second); got != test.want {
			t.Errorf("%d of %d is\n%s, want\n%s", test.done, test.total, got, test.want)
		}
	}
}

func TestARedriveShowsABarOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeadLetters(t, "", 20)
		w.tty = true
		r := w.run("dlq", "redrive", "-rate", "10")
		if r.status != 0 || !strings.HasPrefix(r.stderr, "\r[") || !strings.Contains(r.stderr, "\x1b[K\r") || !strings.HasSuffix(r.stderr, "] 20 of 20\x1b[K\n") {
			t.Errorf("status %d, errors %q", r.status, r.stderr)
		}
	})
}
