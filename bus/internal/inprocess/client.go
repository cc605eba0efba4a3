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
// that context's error, as over a socket.
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
	t.handler.ServeHTTP(w, in)
	_ = in.Body.Close() // a RoundTripper closes the body; that of a request in memory cannot fail
	if w.status == 0 {  // no answer, since the client has gone
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

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
