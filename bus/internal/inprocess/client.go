// Package inprocess lets clients of HTTP use a handler without a socket.
package inprocess

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// Client returns an HTTP client whose requests a handler answers in the goroutine
// that makes them. Given to an SDK as its HTTP client, it brings the whole path
// from the SDK to the handler into one process, and into a synctest bubble.
// Whatever the URL of a request says, the handler gets it.
//
// A request that the handler does not answer, since its context has ended, returns
// that context's error, as over a socket. One that the handler breaks off with a panic
// of [http.ErrAbortHandler] returns an error, or an answer whose body ends too early.
func Client(h http.Handler) *http.Client { return &http.Client{Transport: transport{h}} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	in.RequestURI = in.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}}
	aborted := t.serve(w, in)
	_ = in.Body.Close() // a RoundTripper closes the body; that of a request in memory cannot fail
	switch {
	case w.status == 0 && aborted:
		return nil, io.EOF
	case w.status == 0: // no answer, since the client has gone
		return nil, r.Context().Err()
	}
	answer := &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}
	if aborted {
		answer.Body, answer.ContentLength = io.NopCloser(io.MultiReader(&w.body, tooEarly{})), -1
	}
	return answer, nil
}

// serve has the handler answer, and reports whether it broke off.
func (t transport) serve(w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(e)
		}
	}()
	t.handler.ServeHTTP(w, r)
	return false
}

// tooEarly is the end of an answer whose connection ended.
type tooEarly struct{}

func (tooEarly) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorder is a http.ResponseWriter that keeps what is written.
type recorder struct {
	header http.Header
	status int // 0 before there is an answer
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
