package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/lab"
	"omnibus/watch"
)

func TestVisibleShowsWhatATerminalObeys(t *testing.T) {
	for s, want := range map[string]string{
		"":                             "",
		`{"name": "Zoë 😀", "n": "\n"}`: `{"name": "Zoë 😀", "n": "\n"}`,
		"a\r\nb\tc":                    `a\r\nb\tc`,
		"\x1b[2J\x07\x00\x7f":          `\x1b[2J\a\x00\x7f`,
		"\u009b2J\u0085":               `\u009b2J\u0085`,
		"\x9b2J":                       `\x9b2J`,
		"\u202eabc\u2066\u2028\ufeff":  `\u202eabc\u2066\u2028\ufeff`,
		"می\u200cخواهم 👩\u200d🔬":       "می\u200cخواهم 👩\u200d🔬",
		"\ufffd\xff":                   "\ufffd" + `\xff`,
		"\U000e0041":                   `\U000e0041`,
	} {
		if got := visible(s); got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
	}
}

// hostile is what a terminal obeys or does not show, of the characters that SQS
// lets pass.
const hostile = "x\r\nProducer: forged\u009b2J\u202e\u2028\U000e0041"

// wantHarmless fails the test if an output has characters that a terminal obeys,
// or a line that begins with a forged one.
func wantHarmless(t *testing.T, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if line = strings.TrimSuffix(line, "\n"); strings.ContainsFunc(line, hidden) || strings.HasPrefix(line, "Producer: forged") {
			t.Errorf("the output has the line %q", line)
		}
	}
}

func TestWhatMessagesSayCannotForgeLinesOrCommandATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		q, err := w.mux.Open(t.Context(), sharedURL)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Shutdown(t.Context())
		inJSON, err := json.Marshal(hostile)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, body := range []string{hostile, string(inJSON), "{\r\n\"Producer: forged\": \"\u009b\"}"} {
				m := &pubsub.Message{Body: []byte(body), Metadata: map[string]string{"Producer": hostile, "JobType": hostile}}
				if err := q.Topic.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
		}
		people, machines := w.run("consume", "-max", "3"), w.run("consume", "-max", "3", "-json")
		w.wantOK(people, `Body: x\r\nProducer: forged\u009b2J\u202e\u2028\U000e0041`)
		w.wantOK(machines, `"text":"x\r\nProducer: forged\u009b2J\u202e\u2028\udb40\udc41"`)
		wantHarmless(t, people.stdout)
		wantHarmless(t, machines.stdout)

		w.stdin = "Producer: forged\u009b2J\n"
		wantHarmless(t, w.run("produce", "-data", "-", "-lines").stdout)
		wantHarmless(t, w.run("produce", "-data", "-", "-lines", "-json").stdout)
		wantHarmless(t, w.run("status", "-queue", "shared://\u009b2J").stderr)
		wantHarmless(t, w.run("status", "-\u009b2J").stderr)
	})
}

func TestWhatTheLabPrintsCannotForgeLinesOrCommandATerminal(t *testing.T) {
	sent := lab.Event{Event: watch.Event{Kind: watch.Sent, Worker: "slow producer"}, Producer: hostile, JobType: hostile, Body: lab.NewBody([]byte(hostile))}
	failed := lab.Event{Event: watch.Event{Kind: watch.Failed, Worker: "slow consumer", Error: hostile}}
	for _, e := range []lab.Event{sent, failed, {Event: watch.Event{Kind: watch.Created}, URL: hostile}, {Event: watch.Event{Kind: watch.Note, Words: hostile}}} {
		for _, asJSON := range []bool{false, true} {
			var out strings.Builder
			if err := (printer{&out, asJSON}).print(e, "%s", labLine(e, time.Time{})); err != nil {
				t.Error(err)
			}
			wantHarmless(t, out.String())
		}
	}
}

func TestConsumeTellsTextFromJSONAndAllThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.env["BUS_URL"] = "shared://all.fifo"
		w.run("create", "-fifo", "-delay", "0s")
		q, err := w.mux.Open(t.Context(), "shared://all.fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Shutdown(t.Context())
		begin := time.Now()
		for i, body := range []string{`{"n": 1, "s": "<&>"}`, `"quoted"`, "12a", "\xff\x00"} {
			m := &pubsub.Message{Body: []byte(body), Metadata: map[string]string{"Job": "New Donor"}}
			bus.SetAttribute(m, "Number", bus.Number("0012.50"))
			bus.SetAttribute(m, "Binary", bus.Binary([]byte{0xff}))
			bus.Group(m, "donors")
			bus.Deduplicate(m, fmt.Sprint(i))
			if err := q.Topic.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		lines := strings.Split(w.run("consume", "-max", "4", "-json").stdout, "\n")
		for i, want := range []string{`"body":{"n":1,"s":"<&>"},`, `"body":"quoted",`, `"text":"12a",`, `"base64":"/wA=",`} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("line %d is\n%s\nwant %s", i+1, lines[i], want)
			}
		}
		var got handledLine
		if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
			t.Fatal(err)
		}
		number, binary := got.Attributes["Number"], got.Attributes["Binary"]
		if got.Metadata["Job"] != "New Donor" || number.Type != "Number" || number.Value != "0012.50" || binary.Type != "Binary" || string(binary.Base64) != "\xff" {
			t.Errorf("metadata %v and attributes %v are not as they were sent", got.Metadata, got.Attributes)
		}
		if got.Group != "donors" || got.Deduplication != "0" || got.SequenceNumber == "" || got.ReceiveCount != 1 {
			t.Errorf("%+v lacks group, deduplication id, sequence number or receive count", got)
		}
		if !got.Sent.Equal(begin) || got.FirstReceived.Sub(begin) != time.Second || got.VisibleAt.Sub(begin) != 31*time.Second {
			t.Errorf("sent %v, first received %v, visible %v after %v; want 0 s, 1 s and 31 s", got.Sent, got.FirstReceived, got.VisibleAt, begin)
		}
	})
}
