package main

import (
	"io"
	"net/http/httptest"
	"os"
	"testing"

	"omnibus/bus"
	"omnibus/bus/sqsserver"
)

func TestHelloRunsInMemoryAndOnSQS(t *testing.T) {
	server := httptest.NewServer(sqsserver.New(nil))
	defer server.Close()
	queue, err := bus.Create(t.Context(), server.URL+"/000000000000/hello", bus.QueueSettings{})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"mem://hello", queue} {
		t.Setenv("BUS_URL", url)
		if got := output(t, main); got != "hello, delivery 1\n" {
			t.Errorf("with %s hello prints %q", url, got)
		}
	}
}

// output returns what f prints.
func output(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = w
	f()
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
