package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConsumeRehearsesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("produce", "-preset", "fast", "-count", "6", "-every", "0s", "-delay", "0s")
		r := w.run("consume", "-fail", "1/3", "-max", "8")
		if n := strings.Count(r.stdout, "\nfailed, as -fail says: "); r.status != 0 || n != 2 {
			t.Errorf("status %d and %d failures of 8 deliveries, want 2\n%s%s", r.status, n, r.stdout, r.stderr)
		}
		w.wantOK(r, "8 messages received, 6 deleted, 2 redelivered\n")
	})
}

func TestConsumeForgetsToDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("send", "hello")
		w.wantOK(w.run("consume", "-no-delete", "-visibility", "20s", "-max", "1"), "1 message received, 0 deleted, 0 redelivered\n")
		w.wantOK(w.run("attributes", "visible", "in-flight"), "visible=0\nin-flight=1\n")
		begin := time.Now()
		w.wantOK(w.run("consume", "-max", "1"), "1 message received, 1 deleted, 1 redelivered\n")
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("the message came again after %v, want 20s", took)
		}
	})
}

func TestConsumeWorksAndKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("create", "-delay", "0s")
		w.run("send", "hello")
		begin := time.Now()
		w.wantOK(w.run("consume", "-work", "1m", "-visibility", "5s", "-max", "1"), "1 message received, 1 deleted, 0 redelivered\n")
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the work took %v, want 1m", took)
		}
	})
}

func TestAFractionIsSoManyOfEverySoMany(t *testing.T) {
	for text, want := range map[string]string{"1/3": "..x..x", "2/3": ".xx.xx", "1/1": "xxxxxx", "3/3": "xxxxxx"} {
		f, err := parseFraction(text)
		got := ""
		for n := range int64(6) {
			mark := "."
			if f.has(n + 1) {
				mark = "x"
			}
			got += mark
		}
		if err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "0/3", "4/3", "-1/3", "1/3x", "1/0", "a/b"} {
		if _, err := parseFraction(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
