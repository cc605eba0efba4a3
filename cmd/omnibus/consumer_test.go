package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/workers"
)

func TestConsumeNamesWhatItsFlagsAllow(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
		{"-visibility -1s", "-visibility is -1s; allowed are 0s to 12h"},
		{"-visibility 12h1s", "-visibility is 12h0m1s; allowed are 0s to 12h"},
		{"-visibility 1500ms", "-visibility is 1.5s; SQS counts whole seconds"},
		{"-wait -1s", "-wait is -1s; allowed are 0s to 20s"},
		{"-wait 21s", "-wait is 21s; allowed are 0s to 20s"},
		{"-pause -1s", "-pause is -1s; it must be 0s or more"},
		{"-max -1", "-max is -1; it must be 0 or more"},
		{"-concurrency 0", "-concurrency is 0; it must be 1 or more"},
		{"-concurrency -2", "-concurrency is -2; it must be 1 or more"},
		{"-max-lease 999ms", "-max-lease is 999ms; allowed are 1s to 12h"},
		{"-max-lease 12h1s", "-max-lease is 12h0m1s; allowed are 1s to 12h"},
		{"-max-lease -1s", "-max-lease is -1s; allowed are 1s to 12h"},
		{"-retry-min 0s", "-retry-min is 0s; allowed are 1s to 12h"},
		{"-retry-min 13h -retry-max 14h", "-retry-min is 13h0m0s; allowed are 1s to 12h"},
		{"-retry-max 13h", "-retry-max is 13h0m0s; allowed are -retry-min, 1s, to 12h"},
		{"-retry-min 16m", "-retry-max is 15m0s and -retry-min 16m0s; give a -retry-max of at least -retry-min"},
		{"-retry-max 500ms", "-retry-max is 500ms and -retry-min 1s; give a -retry-max of at least -retry-min"},
		{"-rate 0", "-rate is 0; allowed are 0.001 to 100000 messages a second"},
		{"-rate -1", "-rate is -1; allowed are"},
		{"-rate NaN", "-rate is NaN; allowed are"},
		{"-rate +Inf", "-rate is +Inf; allowed are"},
		{"-rate fast", `invalid value "fast" for flag -rate`},
		{"-target-time 0s -concurrency 2", "-target-time is 0s; it must be over 0s"},
		{"-target-time 1s", "-target-time 1s chooses from 1 to -concurrency, which is 1; give -concurrency 2 or more"},
		{"-max-receives 3", "-max-receives 3 has no queue for what was received too often; name one with -dead-letter URL"},
		{"-max-receives 0 -dead-letter shared://dead", "-max-receives is 0; it must be 1 or more"},
		{"-dead-letter shared://dead", "-dead-letter shared://dead does not say after how many receives; add -max-receives N"},
		{"-dead-letter shared://mynewq?wait=1s -max-receives 3", "is the queue itself; name another one"},
		{"-dead-letter nope://dead -max-receives 3", `unknown scheme "nope"`},
		{"-dead-letter shared://u:secret@dead -max-receives 3", "credentials do not belong in the URL"},
	} {
		t.Run(test.flags, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := w.run(append([]string{"consume"}, strings.Fields(test.flags)...)...)
				w.wantFailure(r, exitUsage, test.want)
				w.wantFailure(r, exitUsage, "omnibus consume -h tells more")
				if strings.Contains(r.stderr, "secret") {
					t.Errorf("the error %q shows the secret of the URL", r.stderr)
				}
			})
		})
	}
}

func TestConsumeTakesTheLeastAndTheMostOfItsFlags(t *testing.T) {
	for _, flags := range []string{
		"-visibility 1s", "-visibility 12h", "-wait 0s", "-wait 20s", "-pause 0s", "-concurrency 1",
		"-max-lease 1s", "-max-lease 12h",
		"-retry-min 1s -retry-max 1s", "-retry-min 12h -retry-max 12h", "-retry-min 15m", "-retry-max 1s",
		"-rate 0.001", "-rate 100000",
		"-target-time 1ns -concurrency 2",
		"-dead-letter shared://dead -max-receives 1",
	} {
		t.Run(flags, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run("create", "-delay", "0s")
				w.run("create", "-queue", "shared://dead")
				w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s")
				w.wantOK(w.run(append([]string{"consume", "-max", "1"}, strings.Fields(flags)...)...), "1 message received, 1 deleted, 0 redelivered\n")
			})
		})
	}
}

func TestConsumeSendsWhatWasReceivedTooOftenToItsDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSQSWorld(t)
		dead := w.env["BUS_URL"] + "-dead"
		buried := func() result { // also ends if nothing was
			wait := w.start("consume", "-queue", dead, "-json")
			time.Sleep(time.Second)
			return wait(true)
		}
		consume := []string{"consume", "-dead-letter", dead, "-max-receives", "2", "-max", "1"}
		w.wantFailure(w.run(consume...), exitFailed, "create the queue first, with omnibus create -queue "+dead)
		w.wantOK(w.run("create", "-queue", dead, "-delay", "0s"), dead)
		w.wantOK(w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s"), "1 message sent")

		w.output = newFull(0)
		w.wantFailure(w.run(consume...), exitFailed, "no space left")
		w.output = nil
		w.wantOK(w.run("status", "-once"), "1 ApproximateNumberOfMessages\n")
		w.output = newFull(0)
		w.wantFailure(w.run(consume...), exitFailed, "no space left")
		w.output = nil
		w.wantOK(w.run("status", "-once"), "0 ApproximateNumberOfMessages\n0 ApproximateNumberOfMessagesNotVisible\n")
		r := buried()
		w.wantOK(r, "no space left")
		w.wantOK(r, `"Producer":"Fast"`)

		w.wantOK(w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s"), "1 message sent")
		w.output = newFull(0)
		w.wantFailure(w.run("consume", "-max", "1"), exitFailed, "no space left")
		w.output = nil
		consume[4] = "1"
		w.wantOK(w.run(append(consume, "-log-level", "error")...), "1 message received, 0 deleted, 1 redelivered, 1 sent to the dead-letter queue\n")
		w.wantOK(buried(), "received 2 times")
	})
}

func TestConsumeHidesWhatItCannotPrintForItsRetryTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSQSWorld(t)
		w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s")
		w.output = newFull(0)
		w.wantFailure(w.run("consume", "-max", "1", "-retry-min", "5m", "-retry-max", "5m"), exitFailed, "no space left")
		w.output = nil
		time.Sleep(5*time.Minute - time.Second)
		w.wantOK(w.run("status", "-once"), "0 ApproximateNumberOfMessages\n1 ApproximateNumberOfMessagesNotVisible\n")
		time.Sleep(time.Second)
		w.wantOK(w.run("status", "-once"), "1 ApproximateNumberOfMessages\n")
	})
}

func TestConsumeReceivesAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("produce", "-preset", "fast", "-count", "11", "-every", "0s", "-delay", "0s")
		begin := time.Now()
		w.wantOK(w.run("consume", "-max", "11", "-rate", "0.5", "-concurrency", "4"), "11 deleted")
		if took := time.Since(begin); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("11 messages at one in 2 s took %v, want 20 s", took)
		}
	})
}

func TestProduceAndConsumeWaitForAQueueThatIsToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSQSWorld(t)
		w.env["BUS_URL"] += "-later"
		w.wantFailure(w.run("consume", "-max", "1"), exitFailed, "NonExistentQueue")
		w.wantFailure(w.run("produce", "-preset", "fast", "-count", "1"), exitFailed, "NonExistentQueue")
		consumed := w.start("consume", "-max", "1", "-wait-for-queue", "-log-level", "error")
		produced := w.start("produce", "-preset", "fast", "-count", "1", "-delay", "0s", "-wait-for-queue", "-log-level", "error")
		time.Sleep(time.Minute)
		w.run("create", "-delay", "0s")
		w.wantOK(produced(), "1 message sent")
		w.wantOK(consumed(), "1 message received, 1 deleted")
	})
}

func TestProduceDelaysForLongerThanAQueueCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSQSWorld(t)
		w.wantOK(w.run("produce", "-preset", "fast", "-count", "1", "-delay", "40m"), "1 message sent")
		early := w.start("consume")
		time.Sleep(39 * time.Minute)
		w.wantOK(early(true), ", 0 deleted, ")
		due := w.start("consume")
		time.Sleep(2 * time.Minute)
		w.wantOK(due(true), ", 1 deleted, ")
	})
}

func TestConsumeKeepsWhatItPrintsFromOthersForItsMaxLease(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
		{"", "1 message received, 1 deleted"},
		{"-max-lease 1m", "1 message received, 1 deleted"},
		{"-max-lease 1s", "1 message received, 0 deleted"}, // its visibility timeout of 30 s is over
	} {
		t.Run(test.flags, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newSQSWorld(t)
				w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s")
				out := &slow{takes: 45 * time.Second}
				w.output = out
				w.run(append([]string{"consume", "-max", "1"}, strings.Fields(test.flags)...)...)
				if got := out.String(); !strings.Contains(got, test.want) {
					t.Errorf("consume %s printed\n%s\nwant %q", test.flags, got, test.want)
				}
			})
		})
	}
}

// What a target time does is shown in package workers: here the output is one, and takes
// one message after the other.
func TestConsumersGetTheTargetTimeAndTheMaxLeaseOfTheFlags(t *testing.T) {
	f := newFlags(&app{out: new(output)}, "consume", "", "")
	settings := f.addConsumer()
	if err := f.Parse([]string{"-concurrency", "8", "-target-time", "3s", "-max-lease", "1h"}); err != nil {
		t.Fatal(err)
	}
	var c workers.Consumer
	if err := settings.apply(&c); err != nil {
		t.Fatal(err)
	}
	if c.Concurrency != 8 || c.TargetTime != 3*time.Second || c.MaxLease != time.Hour {
		t.Errorf("the consumer has Concurrency %d, TargetTime %v and MaxLease %v", c.Concurrency, c.TargetTime, c.MaxLease)
	}
}

// slow is an output that takes its time.
type slow struct {
	syncBuffer
	takes time.Duration
}

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(s.takes)
	return s.syncBuffer.Write(p)
}

func TestHelpOfWorkersTellsTheDefaultAndTheRangeOfEachNumber(t *testing.T) {
	for _, command := range []string{"consume", "produce"} {
		help := newWorld(t).run(command, "-h").stdout
		flags, _, _ := strings.Cut(help, "\nExample:")
		n := 0
		for _, f := range strings.Split(flags, "\n  -")[1:] {
			name, rest, _ := strings.Cut(f, " ")
			kind, _, _ := strings.Cut(rest, "\n")
			if kind != "int" && kind != "float" && kind != "duration" {
				continue
			}
			n++
			text := strings.Join(strings.Fields(rest), " ")
			if !strings.Contains(text, "(default") || !strings.Contains(text, "or more") && !strings.Contains(text, " to ") && !strings.Contains(text, "over 0s") {
				t.Errorf("%s -h says of -%s no default or no range: %s", command, name, text)
			}
		}
		if n < 5 {
			t.Errorf("%s -h shows %d flags that are numbers:\n%s", command, n, help)
		}
	}
}
