package sqsserver

import (
	"net/http"

	"omnibus/bus/internal/inprocess"
)

// Client returns an HTTP client whose requests the server answers without a
// socket, in the goroutine that makes them. Given to an SDK as its HTTP client,
// it brings the whole path from the SDK to the engine into one process, and into
// a synctest bubble. Whatever the URL of a request says, the server gets it; its
// host is the one in the queue URLs that are answered.
//
// A long poll whose context ends returns that context's error, as over a socket,
// and takes nothing. A request that was answered has succeeded, even if its
// context ends in the same instant.
func (s *Server) Client() *http.Client { return inprocess.Client(s) }
