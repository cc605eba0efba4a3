package snsserver

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A signer signs documents with a key of its own, which it makes when it first
// needs it, and serves the certificate that verifies the signatures.
type signer struct {
	once        sync.Once
	key         *rsaKey
	path        string
	certificate []byte // PEM
}

// Certificates are served under names like AWS's.
const (
	certificatePrefix = "/SimpleNotificationService-"
	certificateSuffix = ".pem"
)

func isCertificatePath(path string) bool {
	return strings.HasPrefix(path, certificatePrefix) && strings.HasSuffix(path, certificateSuffix)
}

// Sign signs a text, in base64, and returns the certificate's path.
func (s *signer) Sign(version, text string) (signature, certificate string) {
	s.once.Do(s.makeKey)
	sum1, hash := sha1.Sum([]byte(text)), crypto.SHA1
	digest := sum1[:]
	if version == "2" {
		sum := sha256.Sum256([]byte(text))
		digest, hash = sum[:], crypto.SHA256
	}
	b, err := s.key.Sign(nil, digest, hash)
	if err != nil {
		panic(err) // the digest is of its hash
	}
	return base64.StdEncoding.EncodeToString(b), s.path
}

// makeKey makes the key and a certificate for ten years, signed by the key itself.
func (s *signer) makeKey() {
	key, err := newRSAKey()
	if err != nil {
		panic(err) // the system has no random numbers
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:       big.NewInt(now.UnixNano()),
		Subject:            pkix.Name{CommonName: "sns.amazonaws.com", Organization: []string{"omnibus"}},
		SignatureAlgorithm: x509.SHA256WithRSA,
		NotBefore:          now.Add(-time.Hour),
		NotAfter:           now.AddDate(10, 0, 0),
		KeyUsage:           x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // the template is good
	}
	sum := sha256.Sum256(der)
	s.key = key
	s.path = certificatePrefix + hex.EncodeToString(sum[:16]) + certificateSuffix
	s.certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// serve answers a request for a certificate.
func (s *signer) serve(w http.ResponseWriter, r *http.Request) {
	s.once.Do(s.makeKey)
	if r.URL.Path != s.path || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.certificate) // an error is that the client has gone; there is nobody to tell
}
