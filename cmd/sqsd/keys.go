package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"omnibus/bus/sigv4"
	"omnibus/bus/snsserver"
	"omnibus/bus/sqsserver"
)

// readKeys reads the file of -keys.
func readKeys(path string) (sigv4.Keys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := sigv4.ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return keys, nil
}

// signed lets in requests that are signed with one of the keys, probes, and what
// AWS too takes without a signature.
type signed struct {
	next http.Handler
	keys sigv4.Keys

	metrics bool // GET /metrics needs no signature: Prometheus makes none
}

func (s *signed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isHealth(r.URL.Path) || s.metrics && r.URL.Path == metricsPath || snsserver.Unsigned(r) {
		s.next.ServeHTTP(w, r)
		return
	}
	// The signature is one of the whole body.
	body := bodies.Get().(*bytes.Buffer)
	defer freeBody(body)
	if n := r.ContentLength; n > 0 {
		body.Grow(int(min(n, smallBody)) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, sqsserver.MaxRequestBytes)); err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		failure{status, "InvalidRequest", "InvalidRequestException"}.answer(w, r, "The body could not be read: "+err.Error())
		return
	}
	if err := s.keys.Verify(r, body.Bytes(), time.Now()); err != nil {
		signatureFailure(err).answer(w, r, err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body.Bytes())) // nothing keeps it after the answer
	s.next.ServeHTTP(w, r)
}

// bodies are the memory of bodies. All large ones at a time are bounded by intake, which
// comes before.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// freeBody lets the memory of a body be used again, unless it is that of a rare large
// one.
func freeBody(b *bytes.Buffer) {
	if b.Cap() <= 4*smallBody {
		b.Reset()
		bodies.Put(b)
	}
}

// sign signs a request of our own with the access key of the environment, or else
// with the first one, by its id, of the file of -keys.
func (c *config) sign(r *http.Request) error {
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if len(c.keys) > 0 && c.keys[id] == "" {
		id = slices.Min(slices.Collect(maps.Keys(c.keys)))
		secret = c.keys[id]
	}
	if id == "" || secret == "" {
		return nil
	}
	return sigv4.Sign(r, nil, id, secret, c.region, "sqs", time.Now())
}

// signatureFailure returns what AWS answers to a signature that it does not take.
func signatureFailure(err error) failure {
	switch {
	case errors.Is(err, sigv4.ErrMissing):
		return failure{http.StatusForbidden, "MissingAuthenticationToken", "MissingAuthenticationTokenException"}
	case errors.Is(err, sigv4.ErrIncomplete):
		return failure{http.StatusForbidden, "IncompleteSignature", "IncompleteSignatureException"}
	case errors.Is(err, sigv4.ErrUnknownKey):
		return failure{http.StatusForbidden, "InvalidClientTokenId", "UnrecognizedClientException"}
	}
	// An SDK that gets this looks at the answer's Date, and mends its clock.
	return failure{http.StatusForbidden, "SignatureDoesNotMatch", "InvalidSignatureException"}
}
