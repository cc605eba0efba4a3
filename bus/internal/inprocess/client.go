// Package inprocess lets clients of HTTP use a handler without a socket.
package inprocess

import (
	"net/http"
	"net/http/httptest"
)

// Client returns an HTTP client whose requests a handler answers in the goroutine
// that makes them. Given to an SDK as its HTTP client, it brings the whole path
// from the SDK to the handler into one process, and into a synctest bubble.
// Whatever the URL of a request says, the handler gets it.
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
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, in)
	_ = in.Body.Close() // a RoundTripper closes the body; that of a request in memory cannot fail
	if err := r.Context().Err(); err != nil && w.Body.Len() == 0 {
		return nil, err // the handler did not answer a client that has gone
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}
