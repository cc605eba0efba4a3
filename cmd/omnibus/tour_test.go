package main

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"omnibus/lab"
)

// Each chapter has its question, what to look for, lines that name their worker, the
// summary and the answer, in that order.
func TestTourWalksThroughTheStories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		delete(w.env, "BUS_URL")
		r := w.run("tour")
		w.wantOK(r, "")
		rest := strings.Join(strings.Fields(r.stdout), " ")
		for _, s := range lab.Stories() {
			for _, want := range append(append([]string{s.Question}, s.Look...), " left: 0 visible, 0 in flight, 0 delayed", "The answer: "+s.Answer) {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("the story %s lacks %q in its place", s.Name, want)
				}
				rest = after
			}
		}
		for _, want := range []string{
			`(?m)^ +\d+\.\d\ds  fast consumer  received: Fast NewDonor \{`,
			`(?m)^ +\d+\.\d\ds  short lease    lost the lease of: .*Harper Pierce`,
			`(?m)^ +\d+\.\d\ds  long lease     crashed$`,
			`(?m)^ +\d+\.\d\ds  consumer       received again, time 3: `,
			`(?m)^ +\d+\.\d\ds  consumer       gave up, now a dead letter: `,
			`(?m)^ +\d+\.\d\ds  mynewq-deadletters-dead redriven: 2 messages$`,
			`(?m)^ +\d+\.\d\ds  note           short polling: \d+ ReceiveMessage in 1m0s, which is \$\d\.\d\d a month`,
		} {
			if !regexp.MustCompile(want).MatchString(r.stdout) {
				t.Errorf("no line is like %s", want)
			}
		}
	})
}

func TestTourLeavesOutWhatTheBackendLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.run("tour", "-queue", "mempubsub://q")
		w.wantOK(r, "1 of 7: ")
		if n := strings.Count(r.stdout, "Left out: "); n != 6 {
			t.Errorf("%d stories are left out, want all but the first\n%s", n, r.stdout)
		}
	})
}

// On a terminal the tour waits for an answer before each story.
func TestTourIsLedByItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tty = true
		w.stdin = "q\n"
		r := w.run("tour", "-from", "fifo", "-plain")
		w.wantOK(r, "Enter begins")
		if strings.Contains(r.stdout, "sent") {
			t.Errorf("it went on after q:\n%s", r.stdout)
		}
		w.wantFailure(w.run("tour", "-from", "nope"), exitUsage, `unknown story "nope"; known are lab, visibility`)
	})
}

func TestThePriceIsAFlag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wantOK(w.run("lab", "-story", "delay", "-queue", "mem://free", "-price", "0", "-json"), `"dollars":0}`)
		w.wantOK(w.run("lab", "-h"), "https://aws.amazon.com/sqs/pricing/")
		w.wantFailure(w.run("lab", "-price", "-1"), exitUsage, "-price is -1; allowed are 0 to 1000")
		w.wantFailure(w.run("lab", "-price", "NaN"), exitUsage, "allowed are 0 to 1000")
		w.wantFailure(w.run("lab", "-story", "fifo", "-as-in-the-notes"), exitUsage, "-as-in-the-notes is for the story lab")
	})
}
