package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConsumeNamesWhatItsFlagsAllow(t *testing.T) {
	for _, test := range []struct{ flags, want string }{
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
		w.wantOK(w.run(consume...), "1 message received, 0 deleted, 1 redelivered, 1 sent to the dead-letter queue\n")
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

func TestConsumeWaitsForAQueueThatIsToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newSQSWorld(t)
		w.env["BUS_URL"] += "-later"
		w.wantFailure(w.run("consume", "-max", "1"), exitFailed, "NonExistentQueue")
		wait := w.start("consume", "-max", "1", "-wait-for-queue")
		time.Sleep(time.Minute)
		w.run("create", "-delay", "0s")
		w.wantOK(w.run("produce", "-preset", "fast", "-count", "1", "-delay", "0s"), "1 message sent")
		w.wantOK(wait(), "1 message received, 1 deleted")
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
