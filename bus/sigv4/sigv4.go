// Package sigv4 checks requests that are signed with AWS Signature Version 4, as
// the SDKs and CLIs of AWS sign them: in the header Authorization, or in the
// query of a presigned URL. It follows "Create a signed AWS API request" of the
// IAM User Guide.
//
// A signature binds the method, the path, the query, the body, the Host and the
// headers that it names to a key and, within 15 minutes, to a time; a presigned
// URL is good until it says. What is checked beyond the signature itself:
//
//   - Host and X-Amz-Target are signed. The latter names the action.
//   - X-Amz-Content-Sha256, if there, is the hash of the body; unsigned bodies are
//     refused.
//
// Where a proxy stands between, the client has signed what it sent to the proxy:
// X-Forwarded-Host and X-Forwarded-Prefix, if there, are taken for the Host and
// for the beginning of the path.
//
// Services, regions and session tokens are not looked at, and signatures of
// version 4A (which are for several regions) are refused.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// MaxSkew is how far the clocks of client and server may be apart.
const MaxSkew = 15 * time.Minute

// Errors that [Keys.Verify] wraps, one for each answer that AWS has.
var (
	ErrMissing    = errors.New("the request is not signed")
	ErrIncomplete = errors.New("the signature is incomplete")
	ErrUnknownKey = errors.New("the access key id is not known")
	ErrMismatch   = errors.New("the signature does not match")
	ErrTime       = errors.New("the signature is not of this time")
)

// Keys are the secret access keys by their access key id. They are not changed
// while they are in use.
type Keys map[string]string

// signature is what a request says of its signature.
type signature struct {
	presigned bool
	id        string // of the access key
	scope     string // date/region/service/aws4_request
	time      string // 20060102T150405Z
	headers   []string
	value     []byte
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	terminator = "aws4_request"
)

// Verify reports whether a request, with that body, is signed with one of the keys.
// The error says what is wrong, and never what would be right.
func (k Keys) Verify(r *http.Request, body []byte, now time.Time) error {
	s, query, err := read(r)
	if err != nil {
		return err
	}
	secret, known := k[s.id]
	if !known {
		return fmt.Errorf("%w: %.80q", ErrUnknownKey, s.id)
	}
	if err := s.checkTime(query, now); err != nil {
		return err
	}
	canonical, err := s.canonical(r, query, body)
	if err != nil {
		return err
	}
	if !hmac.Equal(s.of(canonical, secret), s.value) {
		return fmt.Errorf("%w: check the secret access key of %.80q, and that nothing between changed the request", ErrMismatch, s.id)
	}
	return nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// read finds the signature of a request. The query is returned without it.
func read(r *http.Request) (*signature, url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	s := &signature{}
	var used, credential, headers, value string
	authorization := r.Header.Get("Authorization")
	switch {
	case authorization != "":
		var fields string
		used, fields, _ = strings.Cut(authorization, " ")
		for field := range strings.SplitSeq(fields, ",") {
			name, content, _ := strings.Cut(strings.TrimSpace(field), "=")
			switch name {
			case "Credential":
				credential = content
			case "SignedHeaders":
				headers = content
			case "Signature":
				value = content
			}
		}
		s.time = r.Header.Get("X-Amz-Date")
	case query.Has("X-Amz-Signature"):
		s.presigned = true
		used, credential, headers, value = query.Get("X-Amz-Algorithm"), query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")
		s.time = query.Get("X-Amz-Date")
		query.Del("X-Amz-Signature")
	default:
		return nil, nil, fmt.Errorf("%w: an Authorization header or a presigned URL is needed", ErrMissing)
	}
	if used != algorithm {
		return nil, nil, fmt.Errorf("%w: the algorithm is %.80q; only %s is known", ErrIncomplete, used, algorithm)
	}
	s.headers = strings.Split(headers, ";")
	s.value, err = hex.DecodeString(value)
	if err != nil || len(s.value) != sha256.Size {
		return nil, nil, fmt.Errorf("%w: Signature is not one of %d hexadecimal digits", ErrIncomplete, 2*sha256.Size)
	}
	var found bool
	s.id, s.scope, found = strings.Cut(credential, "/")
	parts := strings.Split(s.scope, "/")
	if !found || s.id == "" || len(parts) != 4 || slices.Contains(parts, "") || parts[3] != terminator {
		return nil, nil, fmt.Errorf("%w: Credential is not of the form key/date/region/service/%s", ErrIncomplete, terminator)
	}
	if !strings.HasPrefix(s.time, parts[0]+"T") {
		return nil, nil, fmt.Errorf("%w: X-Amz-Date %.80q is not of the day in the Credential, %.80q", ErrIncomplete, s.time, parts[0])
	}
	return s, query, nil
}

// checkTime reports a signature of another time.
func (s *signature) checkTime(query url.Values, now time.Time) error {
	at, err := time.Parse(timeFormat, s.time)
	if err != nil {
		return fmt.Errorf("%w: X-Amz-Date is not of the form %s", ErrIncomplete, timeFormat)
	}
	valid := MaxSkew
	if s.presigned {
		const week = 7 * 24 * 60 * 60
		var seconds int
		if n, err := fmt.Sscanf(query.Get("X-Amz-Expires"), "%d", &seconds); n != 1 || err != nil || seconds < 1 || seconds > week {
			return fmt.Errorf("%w: X-Amz-Expires is not a number of seconds from 1 to %d", ErrIncomplete, week)
		}
		valid = time.Duration(seconds) * time.Second
	}
	switch {
	case now.Sub(at) > valid:
		return fmt.Errorf("%w: it expired %v ago", ErrTime, (now.Sub(at) - valid).Truncate(time.Second))
	case at.Sub(now) > MaxSkew:
		return fmt.Errorf("%w: it is %v ahead of this machine's clock", ErrTime, at.Sub(now).Truncate(time.Second))
	}
	return nil
}
