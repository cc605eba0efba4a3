package snsserver

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"testing"
)

// What the key signs verifies with crypto/rsa, for the digests of SNS and no
// others.
func TestSignaturesAreThoseOfAnyRSAKey(t *testing.T) {
	for range 3 {
		k, err := newRSAKey()
		if err != nil {
			t.Fatal(err)
		}
		if bits := k.public.N.BitLen(); bits < 2040 || bits > 2048 {
			t.Errorf("a modulus of %d bits", bits)
		}
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			for _, fill := range []byte{0, 1, 255} {
				digest := bytes.Repeat([]byte{fill}, hash.Size())
				s, err := k.Sign(nil, digest, hash)
				if err == nil {
					err = rsa.VerifyPKCS1v15(&k.public, hash, digest, s)
				}
				if err != nil {
					t.Errorf("%v: %v", hash, err)
				}
				if _, err := k.Sign(nil, digest[1:], hash); err == nil {
					t.Error("a short digest is signed")
				}
			}
		}
		if _, err := k.Sign(nil, make([]byte, crypto.SHA512.Size()), crypto.SHA512); err == nil {
			t.Error("a digest of SHA-512 is signed")
		}
	}
}
