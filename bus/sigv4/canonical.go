package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonical returns the text of which the signature is made: what of the request
// is signed, in the one form that client and server agree on.
func (s *signature) canonical(r *http.Request, query url.Values, body []byte) (string, error) {
	headers, err := s.canonicalHeaders(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != hash {
		return "", fmt.Errorf("%w: X-Amz-Content-Sha256 is not the hash of the body", ErrMismatch)
	}
	path := strings.TrimRight(r.Header.Get("X-Forwarded-Prefix"), "/") + r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.Join([]string{
		r.Method, escape(path, "/"), canonicalQuery(query), headers, strings.Join(s.headers, ";"), hash,
	}, "\n"), nil
}

// canonicalHeaders returns the signed headers, each with its line.
func (s *signature) canonicalHeaders(r *http.Request) (string, error) {
	for _, must := range []string{"host", "x-amz-target"} {
		if there := must == "host" || r.Header.Get(must) != ""; there && !slices.Contains(s.headers, must) {
			return "", fmt.Errorf("%w: the header %s is not signed", ErrIncomplete, must)
		}
	}
	var b strings.Builder
	for _, name := range s.headers {
		values := r.Header[http.CanonicalHeaderKey(name)]
		switch {
		case name == "host":
			values = []string{r.Host}
			if outer, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); outer != "" {
				values = []string{outer}
			}
		case name == "content-length" && values == nil:
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		b.WriteString(name)
		b.WriteByte(':')
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.Fields(v), " "))
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// canonicalQuery returns the parameters sorted, each with its value.
func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escape(name, "")+"="+escape(v, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape percent-encodes all but the unreserved characters of RFC 3986 and those
// given.
func escape(s, also string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~"+also, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
