package main

import (
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"

	"omnibus/bus/sqsserver"
)

func TestTheHeapGrowsByWhatHasToBeLookedAt(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		live, scanned uint64
		percent       int
	}{
		{0, 0, 100},
		{20 * mib, 5 * mib, 100},           // small: as ever
		{1000 * mib, 1000 * mib, 100},      // small messages: as ever
		{100 * mib, 3 * mib, 32},           // bodies: by little
		{1024 * mib, 25 * mib, 6},          // many bodies
		{1024 * mib, 128 * mib, 12},        // and pointers
		{1 << 50, 0, 6}, {1, 1 << 50, 100}, // whatever the runtime says
	} {
		if got := growth(test.live, test.scanned); got != test.percent {
			t.Errorf("%d bytes in use, %d to be looked at: %d %%, want %d", test.live, test.scanned, got, test.percent)
		}
	}
}

// Large messages take about their bodies in memory, and not twice that.
func TestMemoryIsCloseToTheBodiesThatItHolds(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	server := sqsserver.New(nil)
	h := &intake{next: server}
	post := func(action, document string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(document))
		r.Header["X-Amz-Target"] = []string{"AmazonSQS." + action}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
	}
	post("CreateQueue", `{"QueueName":"q"}`)
	const messages, size = 10_000, 10 << 10
	message := `{"QueueUrl":"q","MessageBody":"` + strings.Repeat("x", size) + `"}`
	for range messages {
		post("SendMessage", message)
	}
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	goal := sample[0].Value.Uint64() // what the heap grows to before it is looked at
	if most := uint64(messages*size) * 3 / 2; goal > most {
		t.Errorf("with %d MiB of bodies the heap may grow to %d MiB, want %d at most", messages*size>>20, goal>>20, most>>20)
	}
}
