package engine

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"omnibus/bus/spec"
)

func TestReceiptHandleReadsBackAsItWasWritten(t *testing.T) {
	for _, want := range []receipt{{}, {1, 2, 3, time.Second}, {1<<64 - 1, 1<<64 - 1, 1<<31 - 1, spec.MaxVisibility}} {
		if got, err := parseReceipt(want.String(), want.queue); err != nil || got != want {
			t.Errorf("%+v reads back as %+v, %v", want, got, err)
		}
	}
}

func TestLongGarbageIsCutInTheError(t *testing.T) {
	_, err := parseReceipt(strings.Repeat("x", 10_000), 1)
	wantCode(t, err, spec.ReceiptHandleIsInvalid)
	if len(err.Error()) > 1200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

// FuzzParseReceipt checks that a handle is either the one way in which a receipt
// is written, or refused.
func FuzzParseReceipt(f *testing.F) {
	good := receipt{7, 8, 9, 10}.String()
	zero := receipt{7, 8, 0, 0}.String()
	for _, s := range []string{"", "x", good, good + "=", good[1:], good + "\n", " " + good, good[:len(good)-1] + "_", receipt{6, 8, 9, 10}.String(), "\n" + zero[:len(zero)-1]} {
		f.Add(s, uint64(7))
	}
	f.Fuzz(func(t *testing.T, s string, queue uint64) {
		r, err := parseReceipt(s, queue)
		switch {
		case err == nil && (r.String() != s || r.queue != queue):
			t.Errorf("%q of queue %d was taken for %+v", s, queue, r)
		case err != nil && !errors.Is(err, spec.ReceiptHandleIsInvalid):
			t.Errorf("%q: %v", s, err)
		case err != nil && r != (receipt{}):
			t.Errorf("%q was refused, and yet %+v", s, r)
		}
	})
}

func TestMessageIDsAreUUIDsAndDiffer(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, seed := range []uint64{0, 1<<64 - 1, 0x0123456789abcdef} {
		for n := range uint64(1000) {
			id := messageID(seed, n)
			if !uuid.MatchString(id) || seen[id] {
				t.Fatalf("id %s of message %d is no UUID of version 8, or not new", id, n)
			}
			seen[id] = true
		}
	}
}
