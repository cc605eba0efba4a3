package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// Sign signs a request, which is not changed after it, with an access key, in the
// header Authorization. The request has a Host and no query.
func Sign(r *http.Request, body []byte, id, secret, region, service string, now time.Time) error {
	s := &signature{id: id, time: now.UTC().Format(timeFormat), headers: []string{"host", "x-amz-date"}}
	s.scope = strings.Join([]string{s.time[:8], region, service, terminator}, "/")
	r.Header.Set("X-Amz-Date", s.time)
	if r.Header.Get("X-Amz-Target") != "" {
		s.headers = append(s.headers, "x-amz-target")
	}
	canonical, err := s.canonical(r, nil, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", algorithm+" Credential="+id+"/"+s.scope+", SignedHeaders="+strings.Join(s.headers, ";")+
		", Signature="+hex.EncodeToString(s.of(canonical, secret)))
	return nil
}

// of returns the signature of a canonical request.
func (s *signature) of(canonical, secret string) []byte {
	hash := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(s.scope, "/") {
		key = mac(key, part)
	}
	return mac(key, algorithm+"\n"+s.time+"\n"+s.scope+"\n"+hex.EncodeToString(hash[:]))
}
