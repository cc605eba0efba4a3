package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAHandlerAnswers(t *testing.T) {
	client := Client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/bad" {
			w.Header().Set("X-Why", "bad")
			w.WriteHeader(http.StatusTeapot)
		}
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.RequestURI, body)
	}))
	for url, want := range map[string]string{"http://a.test/x?y=z": "200 POST a.test /x?y=z body", "https://b.test:1/bad": "418 POST b.test:1 /bad body"} {
		resp, err := client.Post(url, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		if got := fmt.Sprint(resp.StatusCode, " ", string(answer)); err != nil || got != want || resp.Header.Get("X-Why") != strings.Trim(resp.Request.URL.Path, "/x") {
			t.Errorf("%s: %s, %v, want %s", url, got, resp.Header, want)
		}
	}
	if resp, err := client.Get("http://a.test"); err != nil || resp.StatusCode != http.StatusOK {
		t.Error(resp, err)
	}
}

// A client that has gone gets its context's error where it got no answer.
func TestNoAnswerIsTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := Client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://a.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(r); !errors.Is(err, context.Canceled) {
		t.Error(resp, err)
	}
}

// What net/http's server makes of http.ErrAbortHandler.
func TestAHandlerThatBreaksOffEndsTheConnection(t *testing.T) {
	client := Client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/amid" {
			io.WriteString(w, "half of")
		}
		panic(http.ErrAbortHandler)
	}))
	if resp, err := client.Get("http://a.test/before"); !errors.Is(err, io.EOF) {
		t.Error(resp, err)
	}
	resp, err := client.Get("http://a.test/amid")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "half of" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", got, err)
	}
}
