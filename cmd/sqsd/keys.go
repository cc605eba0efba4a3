package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
}

func (s *signed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isHealth(r.URL.Path) || snsserver.Unsigned(r) {
		s.next.ServeHTTP(w, r)
		return
	}
	// The signature is one of the whole body.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sqsserver.MaxRequestBytes))
	if err != nil {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		failure{status, "InvalidRequest", "InvalidRequestException"}.answer(w, r, "The body could not be read: "+err.Error())
		return
	}
	if err := s.keys.Verify(r, body, time.Now()); err != nil {
		signatureFailure(err).answer(w, r, err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next.ServeHTTP(w, r)
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
